import MarketData
import Testing

@testable import Feed

/// When events that can't be decoded are logged.
@Suite(.timeLimit(.minutes(1))) final class RejectLogTests {
    private var decoder = FrameDecoder()
    private var log = RejectLog()
    private var batch = EventBatch(connection: "test", receivedMicroseconds: 0)

    private func lines(after event: String, at seconds: Int) -> [RejectLog.Line] {
        var statuses: [FeedStatus] = []
        Array("[\(event)]".utf8).withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
        return log.lines(decoder.rejects, now: .seconds(seconds))
    }

    private static let trade = #"{"ev":"T","sym":"A","p":1,"s":1,"t":1}"#
    private static let noPrice = #"{"ev":"T","sym":"A","s":1,"t":1}"#

    @Test func `the first loss of a kind is logged at once, the next after 30 s with all in between`() {
        let first = lines(after: Self.noPrice, at: 0)
        #expect(first.map(\.count) == [1])
        #expect(first.first?.kind == .trade && first.first?.loss == .events)
        #expect(first.first?.sample == "missing_field (p): \(Self.noPrice)")
        for second in 1..<30 { #expect(lines(after: Self.noPrice, at: second) == []) }
        #expect(lines(after: Self.noPrice, at: 30).map(\.count) == [30])
    }

    @Test func `what is still to be logged is, with the next read after 30 s`() {
        _ = lines(after: Self.noPrice, at: 0)
        _ = lines(after: Self.noPrice, at: 1)
        #expect(lines(after: Self.trade, at: 29) == [])
        #expect(lines(after: Self.trade, at: 31).map(\.count) == [1])
        #expect(lines(after: Self.trade, at: 90) == [])
    }

    @Test func `kinds are logged apart, and so are fields that are left out`() {
        #expect(lines(after: Self.noPrice, at: 0).count == 1)
        let field = lines(after: #"{"ev":"T","sym":"A","p":1,"s":1,"t":1,"x":"4"}"#, at: 1)
        #expect(field.map(\.loss) == [.fields])
        #expect(lines(after: #"{"ev":"Q","sym":"A"}"#, at: 2).map(\.kind) == [.quote])
        #expect(lines(after: #"{"ev":"XQ","sym":"A"}"#, at: 3).map(\.kind) == [nil])
    }

    @Test func `a sample shows no secret`() {
        let sample = lines(after: #"{"ev":"T","apiKey":"hunter2hunter2"}"#, at: 0).first?.sample
        #expect(sample?.contains("hunter2") == false && sample?.contains("apiKey") == true)
    }
}

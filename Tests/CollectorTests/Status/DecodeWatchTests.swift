import MarketData
import Testing

@testable import Collector
@testable import Feed

/// When events that can't be decoded degrade health.
@Suite(.timeLimit(.minutes(1))) final class DecodeWatchTests {
    private var watch = DecodeWatch()
    private var connection = ConnectionState(id: "connection_1", name: "primary")
    private let start = ContinuousClock.now
    private static let sample = "wrong_type (ev): {}"

    private func problems(at seconds: Double) -> [DecodeProblem] {
        watch.problems([connection], now: start + .seconds(seconds))
    }

    private func take(_ count: Int64, of kind: EventKind = .trade) {
        connection.feed.events[kind, default: 0] += count
    }

    private func reject(_ count: Int, of kind: EventKind? = .trade) {
        Array("{}".utf8).withUnsafeBytes {
            connection.feed.rejects.record(.wrongType, field: .ev, kind: kind, count: count, piece: $0)
        }
    }

    private func rejectUnknown(_ count: Int) {
        Array(#"{"ev":"AMX"}"#.utf8).withUnsafeBytes {
            connection.feed.rejects.record(.unknownEvent, count: count, piece: $0)
        }
    }

    /// Notes a trade that was taken without a field.
    private func leaveOut() {
        Array("{}".utf8).withUnsafeBytes {
            connection.feed.rejects.leaveOut(keys: 1, reason: 0, kind: .trade, piece: $0)
        }
    }

    @Test func `a kind of which all is lost is a problem at once, whatever the others bring`() {
        take(10_000, of: .quote)
        reject(3)
        #expect(
            problems(at: 1) == [
                DecodeProblem(subject: .kind(.trade), counts: DecodeCounts(rejected: 3), sample: Self.sample)
            ])
    }

    @Test func `a kind that was good for long and is lost altogether is a problem within ten seconds`() {
        take(1_000_000)
        #expect(problems(at: 0) == [])
        for second in 1...10 {
            reject(1)
            if second < 10 { _ = problems(at: Double(second)) }
        }
        #expect(problems(at: 10.5).map(\.subject) == [.kind(.trade)])
    }

    @Test func `one in a hundred is borne, more is not`() {
        take(99)
        reject(1)
        #expect(problems(at: 1) == [])
        reject(1)
        #expect(problems(at: 2).map(\.counts.rejected) == [2])
    }

    @Test func `only the last 30 s count`() {
        take(100)
        reject(50)
        #expect(problems(at: 1).count == 1)
        for second in 2...30 {
            take(100)
            _ = problems(at: Double(second))
        }
        #expect(problems(at: 30.5).count == 1, "50 of 3,050 are more than one in a hundred")
        take(100)
        #expect(problems(at: 32) == [])
    }

    @Test func `a problem lasts while no event of the kind comes, since nothing is better`() {
        reject(5, of: .minuteBar)
        #expect(problems(at: 1).count == 1)
        for second in 2..<120 { _ = problems(at: Double(second)) }
        #expect(problems(at: 120).count == 1)
        take(5, of: .minuteBar)
        #expect(problems(at: 121) == [])
    }

    @Test func `a problem of which nothing is heard for ten minutes is over`() {
        reject(5, of: .minuteBar)
        _ = problems(at: 0)
        #expect(problems(at: 599).count == 1)
        #expect(problems(at: 632) == [])
    }

    @Test func `fields that are left out count as events do`() {
        take(100)
        leaveOut()
        #expect(problems(at: 1) == [])
        leaveOut()
        #expect(problems(at: 2).map(\.counts.leftOutFields) == [2])
    }

    @Test func `what names no kind is measured against all events`() {
        take(1000)
        reject(10, of: nil)
        #expect(problems(at: 1) == [])
        reject(1, of: nil)
        #expect(problems(at: 2).map(\.subject) == [.noKind])
    }

    @Test func `an event of an unknown kind is a problem for ten minutes, however many others come`() {
        take(1_000_000)
        #expect(problems(at: 0) == [])
        rejectUnknown(500)
        let found = problems(at: 1)
        #expect(found.map(\.subject) == [.unknownKind] && found.map(\.counts.rejected) == [500])
        #expect(found.first?.sample?.contains("AMX") == true)
        // Minute bars come once a minute: what is between two minutes is no improvement.
        for second in 2..<620 {
            take(30_000)
            if second.isMultiple(of: 60) { rejectUnknown(500) }
            #expect(problems(at: Double(second)).map(\.subject) == [.unknownKind], "\(second)")
        }
        for second in stride(from: 640, through: 1240, by: 20) {
            take(30_000)
            _ = problems(at: Double(second))
        }
        #expect(problems(at: 1260) == [])
    }

    @Test func `an event of an unknown kind is no example of what names no kind`() {
        rejectUnknown(1)
        reject(5, of: nil)
        let found = problems(at: 1)
        #expect(found.map(\.subject) == [.unknownKind, .noKind])
        #expect(found.last?.sample == nil)
    }

    @Test func `a connection that is removed makes no problem`() {
        take(500)
        reject(1)
        #expect(problems(at: 1) == [])
        connection = ConnectionState(id: "connection_2", name: "secondary")
        #expect(problems(at: 2) == [])
        take(50)
        #expect(problems(at: 3) == [])
    }

    @Test func `the check counts one event in the singular`() {
        var snapshot = CollectorSnapshot(collector: "box", version: "1")
        func text(_ subject: DecodeProblem.Subject, _ counts: DecodeCounts) -> String {
            snapshot.decoding = [DecodeProblem(subject: subject, counts: counts, sample: nil)]
            return Health.Check.decoding(snapshot).detail
        }
        let bar = text(.kind(.minuteBar), DecodeCounts(taken: 1, rejected: 1))
        #expect(bar.contains("1 minute bar could not be decoded and was lost, and 1 was taken"), "\(bar)")
        let field = text(.kind(.trade), DecodeCounts(taken: 20, leftOutFields: 1))
        #expect(field.contains("1 field of trades could not be read and was left out, and 20 were taken"), "\(field)")
        let message = text(.noKind, DecodeCounts(rejected: 1))
        #expect(message.contains("1 message without a kind could not be decoded and was lost"), "\(message)")
    }

    @Test func `the check names the kind, the counts and a sample`() {
        var snapshot = CollectorSnapshot(collector: "box", version: "1")
        #expect(Health.Check.decoding(snapshot).level == .ok)
        snapshot.decoding = [
            DecodeProblem(
                subject: .kind(.trade), counts: DecodeCounts(rejected: 1916), sample: "wrong_type (i): {…}")
        ]
        let check = Health.Check.decoding(snapshot)
        #expect(check.level == .degraded)
        #expect(check.detail.contains("1,916 trades") && check.detail.contains("wrong_type (i)"))
        snapshot.decoding = [
            DecodeProblem(
                subject: .unknownKind, counts: DecodeCounts(rejected: 3), sample: "unknown_event: {\"ev\":\"AMX\"}")
        ]
        let unknown = Health.Check.decoding(snapshot)
        #expect(unknown.level == .degraded)
        #expect(unknown.detail.contains("3 events of a kind that EdgeTick doesn't know"), "\(unknown.detail)")
        #expect(unknown.detail.contains("for example unknown_event: {\"ev\":\"AMX\"}"), "\(unknown.detail)")
    }
}

import DecoderFuzz
import Foundation
import MarketData
import TestSupport
import Testing

@testable import Feed

/// A day of real trading as frames of the feed, if it is next to the repository.
@Suite(.blocking, .timeLimit(.minutes(3))) struct CaptureTests {
    /// `../shared/data/captures`, relative to the package's directory; `nil` if there is none.
    static var directory: URL? {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let captures = root.appendingPathComponent("../shared/data/captures").standardizedFileURL
        return FileManager.default.fileExists(atPath: captures.path) ? captures : nil
    }

    /// The frames of a capture, one per line.
    static func frames(_ name: String) throws -> Data {
        let file = try #require(directory).appendingPathComponent(name)
        return Data(try Command.run(["gzip", "-dc", file.path]).utf8)
    }

    #if DEBUG
        static let captures = [("2013-10-07.AM", 2309), ("2013-10-08.AM", 2254), ("2013-10-08.A", 49051)]
    #else
        static let captures = [
            ("2013-10-07.AM", 2309), ("2013-10-08.AM", 2254), ("2013-10-08.A", 49051), ("2013-10-08.T", 654_140),
            ("2013-10-08.Q", 1_819_986),
        ]
    #endif

    @Test(
        .enabled(if: CaptureTests.directory != nil, "the captures are not next to the repository"),
        arguments: captures)
    func `every event of a day's capture is decoded`(name: String, count: Int) throws {
        let frames = try CaptureTests.frames("\(name).ndjson.gz")
        var decoder = FrameDecoder()
        var batch = EventBatch(connection: "capture", receivedMicroseconds: 0)
        var statuses: [FeedStatus] = []
        frames.withUnsafeBytes { bytes in
            for line in bytes.split(separator: 0x0A) {
                decoder.decode(UnsafeRawBufferPointer(rebasing: line), into: &batch, statuses: &statuses)
            }
        }
        #expect(decoder.rejects.samples == [])
        #expect(decoder.rejects.total == 0)
        #expect(batch.count == count)
        #expect(statuses == [])
        switch name.split(separator: ".").last {
        case "T": #expect(batch.trades.count == count)
        case "Q": #expect(batch.quotes.count == count)
        default: #expect(batch.bars.count == count)
        }
    }

    @Test(.enabled(if: CaptureTests.directory != nil, "the captures are not next to the repository"))
    func `every number of a day's minute bars comes out as the decimal that was sent`() throws {
        let frames = try CaptureTests.frames("2013-10-08.AM.ndjson.gz")
        for line in frames.split(separator: 0x0A) {
            let decoded = Decoded(Array(line))
            guard case .array(let events)? = ReferenceJSON.read(Array(line)[...], depth: 8) else {
                Issue.record("not an array")
                continue
            }
            #expect(decoded.batch.bars.count == events.count)
            for (bar, event) in zip(decoded.batch.bars, events) {
                guard case .object(let fields) = event else { continue }
                var sent: [String: String] = [:]
                for case (let name?, .number(let text)) in fields { sent[String(decoding: name, as: UTF8.self)] = text }
                let kept = [
                    "v": bar.volume, "av": bar.dayVolume, "op": bar.dayOpen, "vw": bar.vwap, "o": bar.open,
                    "c": bar.close, "h": bar.high, "l": bar.low, "a": bar.dayVWAP, "z": bar.averageSize,
                ].compactMapValues { $0?.decimal }
                #expect(kept.merging(["s": String(bar.start), "e": String(bar.end)]) { $1 } == sent)
            }
        }
    }
}

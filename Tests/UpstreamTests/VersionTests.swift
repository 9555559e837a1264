import Foundation
import MarketData
import TestSupport
import Testing

@testable import Upstream

/// An older version of a bar never takes a newer one's place, whoever brings it and whenever it comes.
@Suite(.blocking, .timeLimit(.minutes(5))) struct VersionTests {
    /// A collector with a buffer file and an upload of its own.
    private final class Box {
        private let uploader: Uploader
        private var sequence: Int64 = 0

        init(_ sandbox: Sandbox, _ name: String, conflict: BarConflict? = nil) throws {
            let configuration = try UpstreamConfiguration(
                uri: sandbox.cluster.uri(sandbox.database), collector: name, connectTimeout: .seconds(60),
                barConflict: conflict)
            uploader = Uploader(configuration: configuration, bufferID: UUID().uuidString, logger: quiet)
        }

        /// Uploads a version that was received so many seconds from now.
        func send(
            _ close: Double, volume: Double = 100, at seconds: Double = -60, source: EventSource = .stream
        ) async throws {
            try await send([(close, volume, seconds, source)])
        }

        /// Uploads a correction that a gap missed and that was fetched so many seconds from now.
        func correct(_ close: Double, volume: Double, at seconds: Double) async throws {
            try await send([(close, volume, seconds, .reconcile)], over: EventSource.backfill.rawValue)
        }

        func send(
            _ versions: [(close: Double, volume: Double, seconds: Double, source: EventSource)],
            over connection: String = "primary"
        ) async throws {
            var rows = batch(versions.map { bar(close: $0.close, volume: $0.volume) }, from: sequence + 1)
            rows.connections = [connection]
            for (index, version) in versions.enumerated() {
                rows.bars[index].receivedMicroseconds = VersionTests.received(version.seconds)
                rows.bars[index].source = version.source
                if version.source != .stream {
                    rows.bars[index].event.dayVolume = nil
                    rows.bars[index].event.dayOpen = nil
                    rows.bars[index].event.averageSize = nil
                }
            }
            sequence += Int64(versions.count)
            _ = try await uploader.upload(rows)
        }

        /// Whether the version would be held back.
        func isSuperseded(
            _ close: Double, volume: Double = 100, at seconds: Double = -60, source: EventSource = .stream
        ) async throws -> Bool {
            let late = LateBar(
                bar: bar(close: close, volume: volume), receivedMicroseconds: VersionTests.received(seconds),
                source: source)
            return try await uploader.superseded([late]) == [0]
        }
    }

    private static let now = Date().timeIntervalSince1970

    private static func received(_ seconds: Double) -> Int64 { Int64((now + seconds) * 1_000_000) }

    private func close(_ sandbox: Sandbox) throws -> String {
        try sandbox.run("SELECT trim_scale(close::numeric) FROM ohlcv_1min")
    }

    private let seven = """
        CREATE TABLE ohlcv_1min (symbol text, timestamp timestamptz, open numeric, high numeric, low numeric,
        close numeric, volume bigint, PRIMARY KEY (symbol, timestamp))
        """

    @Test
    func
        `a correction by the tape replaces what came before it, with less volume too, and gives way to what comes after`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        let (own, other) = (try Box(sandbox, "own"), try Box(sandbox, "other"))
        // A box whose clock is an hour ahead.
        try await other.send(10, volume: 300, at: 3600)
        try await own.send(11, volume: 200, at: -30, source: .reconcile)
        #expect(try close(sandbox) == "11")
        #expect(try sandbox.run("SELECT source || ' ' || (day_open IS NOT NULL) FROM ohlcv_1min") == "reconcile true")
        // An uplink that returns hours later, and a gap's fill, bring nothing back.
        try await other.send(12, volume: 400, at: -600)
        try await other.send(13, volume: 500, at: -10, source: .backfill)
        #expect(try close(sandbox) == "11")
        #expect(try await other.isSuperseded(12, volume: 400, at: -600))
        // A late trade's correction is newer than the tape was.
        try await other.send(14, volume: 210, at: -5)
        #expect(try close(sandbox) == "14")
        // What the tape said before that is older.
        try await own.send(15, volume: 900, at: -20, source: .reconcile)
        #expect(try close(sandbox) == "14")
    }

    @Test func `a correction by the tape keeps to BAR_CONFLICT where another writer left no time of receipt`()
        async throws
    {
        for (conflict, expected) in [(BarConflict.keep, "10"), (.replace, "11")] {
            let sandbox = try await Sandbox.migrated()
            let box = try Box(sandbox, "box", conflict: conflict)
            try await box.send(10)
            _ = try sandbox.run("UPDATE ohlcv_1min SET received_at = NULL, collector = NULL, source = NULL")
            try await box.send(11, source: .reconcile)
            #expect(try close(sandbox) == expected)
        }
    }

    @Test
    func `a correction that a gap missed never replaces another box's version with more volume, whichever comes first`()
        async throws
    {
        for comesFirst in [true, false] {
            let sandbox = try await Sandbox.migrated()
            let (own, other) = (try Box(sandbox, "own"), try Box(sandbox, "other"))
            try await own.send(1, volume: 100, at: -300)
            if comesFirst { try await other.send(3, volume: 120, at: -100) }
            // The REST API is behind: the other box received its version before this was fetched.
            try await own.correct(2, volume: 110, at: -60)
            #expect(try close(sandbox) == (comesFirst ? "3" : "2"))
            if !comesFirst { try await other.send(3, volume: 120, at: -100) }
            #expect(try close(sandbox) == "3")
            // A server that is not behind has what both boxes missed.
            try await own.correct(4, volume: 130, at: -50)
            #expect(try close(sandbox) == "4")
            #expect(
                try sandbox.run("SELECT source || ' ' || (day_open IS NOT NULL) FROM ohlcv_1min") == "reconcile true")
            // A comparison of the day is newer than both, with less volume too.
            try await other.send(5, volume: 90, at: -40, source: .reconcile)
            try await own.correct(6, volume: 140, at: -45)
            #expect(try close(sandbox) == "5")
        }
    }

    @Test(arguments: [3600.0, 0, -3600])
    func `between boxes the version with more volume wins, whatever their clocks say`(ahead: Double) async throws {
        let sandbox = try await Sandbox.migrated()
        let (wrong, right) = (try Box(sandbox, "wrong"), try Box(sandbox, "right"))
        try await wrong.send(1, volume: 100, at: ahead - 60)
        try await right.send(2, volume: 120.5, at: -50)
        #expect(try close(sandbox) == "2")
        // The lagging box, whose uplink returns, or that dies before it has the second version.
        try await wrong.send(1, volume: 100, at: ahead - 40)
        #expect(try close(sandbox) == "2")
        #expect(try await wrong.isSuperseded(1, volume: 100, at: ahead - 40))
        try await wrong.send(2, volume: 120.5, at: ahead - 30)
        try await wrong.send(3, volume: 121, at: ahead - 20)
        #expect(try close(sandbox) == "3")
        try await right.send(2, volume: 120.5, at: -10)
        #expect(try close(sandbox) == "3")
    }

    @Test func `with equal volume the later received wins between boxes, and no clock is ahead of the server's`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        let (first, second) = (try Box(sandbox, "first"), try Box(sandbox, "second"))
        try await first.send(1, at: -60)
        try await second.send(2, at: -70)
        #expect(try close(sandbox) == "1")
        try await second.send(3, at: -50)
        #expect(try close(sandbox) == "3")
        // A time ahead counts as now, so the next one that is ahead is just as new.
        try await first.send(4, at: 86_400)
        #expect(try close(sandbox) == "4")
        try await second.send(5, at: 7200)
        #expect(try close(sandbox) == "5")
    }

    @Test func `of one collector the later received wins, also with less volume`() async throws {
        let sandbox = try await Sandbox.migrated()
        let box = try Box(sandbox, "box")
        try await box.send(1, volume: 120, at: -60)
        try await box.send(2, volume: 100, at: -50)
        #expect(try close(sandbox) == "2")
        // The clock was stepped back between the two, so both have the same time of receipt in the file.
        try await box.send(3, volume: 100, at: -50)
        #expect(try close(sandbox) == "3")
        // A repaired file brings what waited in it under an id of its own.
        let repaired = try Box(sandbox, "box")
        try await repaired.send(1, volume: 120, at: -60)
        #expect(try close(sandbox) == "3")
        #expect(try await repaired.isSuperseded(1, volume: 120, at: -60))
        #expect(try await !repaired.isSuperseded(4, volume: 90, at: -40))
    }

    @Test func `what a clock that was ahead has stamped gives way to more volume`() async throws {
        let sandbox = try await Sandbox.migrated()
        let box = try Box(sandbox, "box")
        try await box.send(1, volume: 100, at: 400 * 86_400)
        // A backup of the file from before, on a box whose clock is right.
        let restored = try Box(sandbox, "box")
        try await restored.send(2, volume: 90, at: -60)
        #expect(try close(sandbox) == "1")
        try await restored.send(3, volume: 110, at: -50)
        #expect(try close(sandbox) == "3")
    }

    @Test func `of two copies with one name the lagging one puts no bar of less volume over the other's`() async throws
    {
        let sandbox = try await Sandbox.migrated()
        let (box, lagging) = (try Box(sandbox, "box"), try Box(sandbox, "box"))
        try await box.send(2, volume: 120, at: -60)
        try await lagging.send(1, volume: 100, at: -50)
        #expect(try close(sandbox) == "2")
        try await lagging.send(3, volume: 130, at: -40)
        #expect(try close(sandbox) == "3")
        // A row received a day after the other's last upload is from the own file, so its cancellation counts.
        try sandbox.run("UPDATE edgetick_uploads SET updated_at = now() - interval '2 days'")
        try await box.send(4, volume: 90, at: -30)
        #expect(try close(sandbox) == "4")
        try await box.send(5, volume: 80, at: -20)
        #expect(try close(sandbox) == "5")
    }

    @Test func `what fills a gap is put where nothing is, and replaces nothing but an older fill`() async throws {
        let sandbox = try await Sandbox.migrated()
        let day = "SELECT day_volume, day_open, average_size FROM ohlcv_1min"
        let (box, other) = (try Box(sandbox, "box"), try Box(sandbox, "other"))
        try await box.send(1, volume: 100, at: -60)
        let before = try sandbox.run("SELECT * FROM ohlcv_1min")
        for filler in [box, other] { try await filler.send(9, volume: 500, at: -1, source: .backfill) }
        #expect(try sandbox.run("SELECT * FROM ohlcv_1min") == before)
        #expect(try await box.isSuperseded(9, volume: 500, at: -1, source: .backfill))
        try sandbox.run("DELETE FROM ohlcv_1min")
        try await box.send(2, volume: 100, at: -60, source: .backfill)
        #expect(try sandbox.run(day) == "||")
        try await other.send(3, volume: 100, at: -50, source: .backfill)
        #expect(try close(sandbox) == "3")
        try await box.send(4, volume: 100, at: -55, source: .backfill)
        #expect(try close(sandbox) == "3")
        // The stream's own goes over it, unless another box's has less volume than the aggregate.
        try await box.send(5, volume: 90, at: -10)
        #expect(try close(sandbox) == "3")
        try await box.send(6, volume: 100, at: -10)
        #expect(try close(sandbox) == "6" && sandbox.run(day) == "90210.5|34.25|101")
    }

    @Test func `an older fill's columns that a newer one lacks keep their values`() async throws {
        let sandbox = try await Sandbox.migrated()
        let box = try Box(sandbox, "box")
        try await box.send(1, at: -60, source: .backfill)
        try sandbox.run("UPDATE ohlcv_1min SET day_volume = 7, average_size = 8")
        try await box.send(2, at: -50, source: .backfill)
        #expect(try sandbox.run("SELECT close, day_volume, average_size FROM ohlcv_1min") == "2|7|8")
    }

    @Test func `in one batch the stream's version stands before a fill's, whichever comes last`() async throws {
        let sandbox = try await Sandbox.migrated()
        let box = try Box(sandbox, "box")
        try await box.send([(1, 100, -60, .backfill), (2, 100, -50, .stream), (3, 100, -40, .backfill)])
        #expect(try close(sandbox) == "2")
        try await box.send([(4, 100, -30, .stream), (5, 100, -20, .backfill)])
        #expect(try close(sandbox) == "4")
    }

    @Test(
        arguments: [
            (nil, "2"), (.replace, "2"), (.newest, "2"), (.keep, "1"),
        ] as [(BarConflict?, String)])
    func `on a table of the canonical columns the setting decides, and fills replace nothing`(
        conflict: BarConflict?, expected: String
    ) async throws {
        let sandbox = try await Sandbox.prepared(seven)
        let box = try Box(sandbox, "box", conflict: conflict)
        try await box.send(1, volume: 100)
        try await box.send(2, volume: 90)
        #expect(try close(sandbox) == expected)
        try await box.send(3, volume: 500, source: .backfill)
        #expect(try close(sandbox) == expected)
    }

    @Test(
        arguments: [
            (nil, 100, "2"), (nil, 90, "1"), (.newest, 101, "2"), (.newest, 99, "1"), (.replace, 90, "2"),
            (.keep, 200, "1"),
        ] as [(BarConflict?, Double, String)])
    func `of a row without a time of receipt another program is the writer, and the setting decides`(
        conflict: BarConflict?, volume: Double, expected: String
    ) async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO ohlcv_1min (symbol, timestamp, open, high, low, close, volume)
                VALUES ('AAPL', timestamptz 'epoch' + \(opening) * interval '1 millisecond', 1, 1, 1, 1, 100)
                """)
        let box = try Box(sandbox, "box", conflict: conflict)
        #expect(try await box.isSuperseded(2, volume: volume) == (expected == "1"))
        try await box.send(9, volume: 500, source: .backfill)
        #expect(try close(sandbox) == "1")
        try await box.send(2, volume: volume)
        #expect(try close(sandbox) == expected)
    }

    @Test func `a table without the collector's name is compared by volume and time`() async throws {
        let sandbox = try await Sandbox.prepared(
            seven.replacing("volume bigint", with: "volume bigint, received_at timestamp"))
        let box = try Box(sandbox, "box")
        try await box.send(1, volume: 100, at: -60)
        try await box.send(2, volume: 90, at: -50)
        #expect(try close(sandbox) == "1")
        try await box.send(3, volume: 100, at: -50)
        #expect(try close(sandbox) == "3")
        try await box.send(4, volume: 100, at: -55)
        #expect(try close(sandbox) == "3")
        try await box.send(5, volume: 101, at: -55)
        #expect(try close(sandbox) == "5")
    }

    @Test func `migrate and check say which rule applies`() async throws {
        let migrated = try await UpstreamSchema.check(try Sandbox.migrated().configuration())
        let bars = try #require(migrated.first { $0.table == "ohlcv_1min" })
        #expect(bars.description.contains("a newer version replaces an older one"))
        #expect(bars.description.hasSuffix("(BAR_CONFLICT=newest)"))
        let versioned = migrated.filter { $0.rule?.contains("BAR_CONFLICT") == true }
        #expect(versioned.map(\.table) == ["ohlcv_1min", "ohlcv_1sec"])
        let plain = try Sandbox.empty()
        try plain.run(seven)
        let keeping = try UpstreamConfiguration(
            uri: plain.cluster.uri(plain.database), collector: "box", barConflict: .keep)
        let changes = try await UpstreamSchema.migrate(keeping)
        #expect(changes.first?.description.hasSuffix("an existing bar stays (BAR_CONFLICT=keep)") == true)
        let found = try await UpstreamSchema.check(try plain.configuration())
        #expect(found.first?.description.contains("(BAR_CONFLICT=replace)") == true)
    }
}

import Foundation
import MarketData
import Store
import Synchronization
import TestSupport
import Testing
import Upstream

@testable import Collector

/// A gap is reported as covered when other boxes of the group have its events upstream.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct PairServiceTests {
    private static let start: Int64 = 1_380_000_000_000
    private let symbol = Symbol("IBM")!

    /// A box with its upload and its claims to the others.
    private final class Box: Sendable {
        let directory: String
        let buffer: TickBuffer
        private let uploader: Uploader
        private let service: Task<Void, any Error>

        init(
            _ name: String, group: String, _ directory: String, _ uri: String, symbols: Set<Symbol>,
            feedDelay: Int64 = 0
        ) throws {
            self.directory = directory
            let buffer = try TickBuffer.scratch(in: directory, collector: name)
            let configuration = try UpstreamConfiguration(uri: uri, collector: name, connectTimeout: .seconds(60))
            self.buffer = buffer
            uploader = Uploader(configuration: configuration, bufferID: buffer.id, logger: quiet)
            var pair = PairService(
                buffer: buffer, symbols: { symbols }, collectedSince: { _ in nil }, kinds: [.trade],
                feedDelay: feedDelay, tables: [StretchTable(configuration: configuration, group: group)], logger: quiet)
            pair.interval = .milliseconds(20)
            pair.patience = .milliseconds(40)
            pair.recheck = .milliseconds(50)
            service = Task { [pair] in try await pair.run() }
        }

        /// Buffers trades of these moments, and uploads them unless told otherwise.
        func collect(_ moments: ClosedRange<Int64>, _ symbol: Symbol, uploading: Bool = true) async throws {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            batch.trades = moments.map {
                Trade(symbol: symbol, time: PairServiceTests.start + $0, price: 1, size: 1, sequence: $0)
            }
            #expect(buffer.offer(batch) != .refused)
            try await buffer.flush()
            if uploading { try await upload() }
        }

        func upload() async throws {
            _ = try await UploadPass(buffer: buffer, uploader: uploader, batchRows: 500).run()
        }

        func states() throws -> [GapState] { try GapLog.read(directory: directory).map(\.state) }

        func stop() async {
            service.cancel()
            _ = try? await service.value
            await uploader.disconnect()
            await buffer.close()
        }
    }

    /// What the boxes claim in the database.
    private struct Said: Sendable {
        let cluster: PostgresCluster
        let database: String

        /// The last moment through which a box claims its trades; below 0 if there is none.
        func through(_ box: String) throws -> Int64 {
            let sql = """
                SELECT coalesce(max((extract(epoch FROM through) * 1000)::bigint), 0) FROM edgetick_stretches
                WHERE collector = '\(box)'
                """
            let text = try cluster.value(sql, database: database)
            return (Int64(text) ?? 0) - PairServiceTests.start
        }
    }

    @Test func `a kind of which the file has no event has no newest one, whatever other kinds are there`() async throws
    {
        let workspace = try Workspace()
        let buffer = try TickBuffer.scratch(in: workspace.path, collector: "box")
        var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
        batch.bars = (0..<6000).map {
            let start = Self.start + Int64($0) * 60_000
            return Bar.flat(symbol, at: start)
        }
        #expect(buffer.offer(batch) != .refused)
        try await buffer.flush()
        #expect(try GapLog.newestEvents(directory: workspace.path) == [.minuteBar: Self.start + 6000 * 60_000])
        await buffer.close()
    }

    private func gap(_ from: Int64, _ to: Int64?, _ events: [EventKind] = [.trade]) -> Gap {
        Gap(
            connection: "primary", symbols: [symbol], events: events, from: Self.start + from,
            to: to.map { Self.start + $0 }, cause: .disconnected)
    }

    @Test func `a gap is covered when another box of the group had none then and its rows are upstream`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let (database, _) = try await cluster.makeMigratedDatabase(for: "nyc-a")
        let uri = cluster.uri(database)
        let said = Said(cluster: cluster, database: database)
        // By the feed's clock, the gaps are not old.
        let delay = WallClock.milliseconds() - Self.start + 3_600_000
        let first = try Box("nyc-a", group: "nyc", workspace.file("a"), uri, symbols: [symbol], feedDelay: delay)
        let second = try Box("nyc-b", group: "nyc", workspace.file("b"), uri, symbols: [symbol])
        let stranger = try Box("fra-a", group: "fra", workspace.file("c"), uri, symbols: [symbol])
        for (from, to, events) in [
            (10_020, 10_090, [.trade]), (-50, 15, [.trade]), (10_020, 10_090, [.trade, .quote]),
            (10_020, nil, [.trade]),
            (20_020, 20_080, [.trade]),
        ] as [(Int64, Int64?, [EventKind])] {
            first.buffer.record(gap(from, to, events))
        }
        try await first.buffer.flush()
        // A box claims nothing from before it began to look.
        for (box, name) in [(second, "nyc-b"), (stranger, "fra-a")] {
            var moment: Int64 = 0
            while try said.through(name) <= 0, moment < 1000 {
                moment += 1
                try await box.collect(moment...moment, symbol)
            }
        }
        // Rows that are not upstream yet cover nothing, nor do those of another group.
        try await second.collect(10_000...10_100, symbol, uploading: false)
        try await stranger.collect(10_000...10_100, symbol)
        try await Waiting.until { try said.through("fra-a") >= 10_100 }
        #expect(try said.through("nyc-b") < 10_000)
        #expect(try first.states().allSatisfy { $0 == .open })
        try await second.upload()
        try await Waiting.until { try first.states().contains(.covered) }
        #expect(try first.states() == [.covered, .open, .open, .open, .open])
        let detail = try GapLog.read(directory: first.directory).first?.detail
        #expect(detail == "nyc-b had no gap then, and its rows are upstream")

        // What both boxes miss is not covered; a later gap is.
        second.buffer.record(gap(20_050, 20_060))
        try await second.collect(20_000...20_100, symbol)
        var moment: Int64 = 30_000
        while try said.through("nyc-b") < 30_000, moment < 31_000 {
            moment += 1
            try await second.collect(moment...moment, symbol)
        }
        first.buffer.record(gap(40_010, 40_020))
        try await first.buffer.flush()
        try await second.collect(40_050...40_050, symbol)
        try await Waiting.until { try first.states().last == .covered }
        #expect(try first.states().map { $0 == .covered } == [true, false, false, false, false, true])
        for box in [first, second, stranger] { await box.stop() }
    }

    @Test func `an old gap that nobody covers has nothing asked at each look`() async throws {
        let workspace = try Workspace()
        let buffer = try TickBuffer.scratch(in: workspace.path, collector: "nyc-a")
        buffer.record(gap(10_020, 10_090, [.imbalance]))
        try await buffer.flush()
        #expect(try GapLog.read(directory: workspace.path).map(\.state) == [.unfillable])
        // Nothing listens there.
        let nowhere = try UpstreamConfiguration(uri: "postgresql://nobody@127.0.0.1:1/nowhere", collector: "nyc-a")
        let pair = PairService(
            buffer: buffer, symbols: { [] }, collectedSince: { _ in nil }, kinds: [.trade], feedDelay: 0,
            tables: [StretchTable(configuration: nowhere, group: "nyc")], logger: quiet)
        var log = StretchLog(patience: pair.patience)
        var unsaid: [StretchClaim] = []
        try await pair.look(&log, &unsaid)
        var recent = gap(0, nil)
        recent.from = WallClock.milliseconds() - 2000
        recent.to = recent.from + 1000
        buffer.record(recent)
        try await buffer.flush()
        await #expect(throws: UpstreamError.self) { try await pair.look(&log, &unsaid) }
        await buffer.close()
    }

    /// A restored database may have lost rows that such a claim relies on, and the ledger goes on as if it had not.
    @Test func `a claim that waits for the database is given up when drops are counted, and what shortens one is not`()
        async throws
    {
        let workspace = try Workspace()
        let buffer = try TickBuffer.scratch(in: workspace.path, collector: "nyc-a")
        // Nothing listens there.
        let nowhere = try UpstreamConfiguration(uri: "postgresql://nobody@127.0.0.1:1/nowhere", collector: "nyc-a")
        let pair = PairService(
            buffer: buffer, symbols: { [] }, collectedSince: { _ in nil }, kinds: [.trade], feedDelay: 0,
            tables: [StretchTable(configuration: nowhere, group: "nyc")], logger: quiet)
        let stretch = Stretch(kind: .trade, symbols: [symbol], since: 1000, through: 9000)
        let (claim, shortening) = (StretchClaim(stretch, row: 90), StretchClaim(stretch))
        for (drops, left) in [(0, [claim, shortening]), (1, [shortening])] as [(Int64, [StretchClaim])] {
            var before = BufferStatistics()
            before.drops = drops
            var log = StretchLog(patience: pair.patience)
            _ = log.look(
                StretchLog.Sight(
                    newest: [:], buffer: before, gaps: [], symbols: [], collectedSince: nil, now: .zero, time: 0))
            var unsaid = [claim, shortening]
            await #expect(throws: UpstreamError.self) { try await pair.look(&log, &unsaid) }
            #expect(unsaid == left)
        }
        await buffer.close()
    }

    @Test func `what this box has is claimed without a look at what filled its gaps`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let (database, _) = try await cluster.makeMigratedDatabase(for: "nyc-a")
        let uri = cluster.uri(database)
        let said = Said(cluster: cluster, database: database)
        let box = try Box("nyc-a", group: "nyc", workspace.file("a"), uri, symbols: [symbol])
        box.buffer.record(gap(-5000, -4000))
        try await box.buffer.flush()
        try Command.sqlite(workspace.file("a/ticks.sqlite"), "DROP TABLE gap_fills")
        var moment: Int64 = 0
        while try said.through("nyc-a") <= 0, moment < 1000 {
            moment += 1
            try await box.collect(moment...moment, symbol)
        }
        #expect(try said.through("nyc-a") > 0)
        await box.stop()
    }

    @Test func `every covered gap is checked again, however many newer ones there are`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let (database, _) = try await cluster.makeMigratedDatabase(for: "nyc-a")
        let uri = cluster.uri(database)
        let directory = workspace.file("a")
        let begin = WallClock.milliseconds() - 3_600_000
        let buffer = try TickBuffer.scratch(in: directory, collector: "nyc-a")
        // Fewer at a time than are merged in memory.
        for round in 0..<3 {
            for place in 0..<500 {
                let from = begin + Int64(round * 500 + place) * 1000
                buffer.record(
                    Gap(
                        connection: "primary", symbols: [symbol], events: [.trade], from: from, to: from + 500,
                        cause: .disconnected))
            }
            try await buffer.flush()
        }
        let records = try GapLog.read(directory: directory)
        try #require(records.count == 1500)
        try await buffer.settle(records.map { GapFill(of: $0, state: .covered) })
        await buffer.close()
        // The restored database has what the other box sent again, but not what it no longer had.
        func claim(_ since: Int64) -> String {
            """
            INSERT INTO edgetick_stretches (collector, kind, since, through, symbols, "group") VALUES
            ('nyc-b', 'T', timestamptz 'epoch' + \(since) * interval '1 millisecond', now(), ARRAY['IBM'], 'nyc')
            """
        }
        try cluster.psql(claim(begin + 2000), database: database)
        let box = try Box("nyc-a", group: "nyc", directory, uri, symbols: [symbol])
        @Sendable func uncovered() throws -> Set<Int64> {
            Set(try GapLog.read(directory: directory, states: [.open]).map { ($0.gap.from - begin) / 1000 })
        }
        try await Waiting.until("the oldest gaps open") { try uncovered() == [0, 1] }
        // The rest is sent again, too.
        try cluster.psql(claim(begin), database: database)
        try await Waiting.until("every gap covered") { try uncovered().isEmpty }
        await box.stop()
    }

    @Test func `gaps of many days are checked over one connection, and after a failure only when they are due again`()
        async throws
    {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let (database, _) = try await cluster.makeMigratedDatabase(for: "nyc-a")
        let buffer = try TickBuffer.scratch(in: workspace.path, collector: "nyc-a")
        let day: Int64 = 86_400_000
        let begin = WallClock.milliseconds() - 10 * day
        for place in 0..<5 {
            let from = begin + Int64(place) * day
            buffer.record(
                Gap(
                    connection: "primary", symbols: [symbol], events: [.trade], from: from, to: from + 500,
                    cause: .disconnected))
        }
        try await buffer.flush()
        let records = try GapLog.read(directory: workspace.path)
        try await buffer.settle(records.map { GapFill(of: $0, state: .covered) })
        // The oldest gap is not covered any more.
        try cluster.psql(
            """
            INSERT INTO edgetick_stretches (collector, kind, since, through, symbols, "group") VALUES
            ('nyc-b', 'T', timestamptz 'epoch' + \(begin + 1) * interval '1 millisecond', now(), ARRAY['IBM'], 'nyc')
            """, database: database)
        let proxy = try TCPProxy(to: cluster.port)
        defer { proxy.stop() }
        let uri = cluster.uri(database, port: proxy.port, parameters: "sslmode=disable&gssencmode=disable")
        let table = StretchTable(
            configuration: try UpstreamConfiguration(uri: uri, collector: "nyc-a", connectTimeout: .seconds(60)),
            group: "nyc")
        let looks = Mutex(0)
        /// Returns how many connections a service makes before it looks for this time.
        func connections(beforeLook count: Int) async throws -> Int {
            let made = proxy.connections
            looks.withLock { $0 = 0 }
            var pair = PairService(
                buffer: buffer,
                symbols: {
                    looks.withLock { $0 += 1 }
                    return []
                }, collectedSince: { _ in nil }, kinds: [.trade], feedDelay: 0, tables: [table], logger: quiet)
            pair.interval = .milliseconds(20)
            pair.recheck = .seconds(3600)
            let running = Task { [pair] in try await pair.run() }
            try await Waiting.until { looks.withLock { $0 } >= count }
            running.cancel()
            try await running.value
            return proxy.connections - made
        }
        proxy.set(.refuse)
        #expect(try await connections(beforeLook: 5) == 1)
        proxy.set(.pass)
        // The first shows that a gap is not covered, the second that it is not covered again.
        #expect(try await connections(beforeLook: 2) == 2)
        #expect(try GapLog.read(directory: workspace.path, states: [.open]).map(\.gap.from) == [begin])
        await buffer.close()
    }

    @Test func `a box whose group's table can't be read shows why, until it can`() async throws {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let (database, _) = try await cluster.makeMigratedDatabase(for: "nyc-a")
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(database), collector: "nyc-a", connectTimeout: .seconds(60))
        let buffer = try TickBuffer.scratch(in: workspace.path, collector: "nyc-a")
        buffer.record(gap(0, 10))
        try await buffer.flush()
        try cluster.psql("ALTER TABLE edgetick_stretches RENAME TO hidden", database: database)
        let board = FleetBoard(isSharing: false)
        var pair = PairService(
            buffer: buffer, symbols: { [] }, collectedSince: { _ in nil }, kinds: [.trade],
            feedDelay: WallClock.milliseconds() - Self.start,
            tables: [StretchTable(configuration: configuration, group: "nyc")], board: board, logger: quiet)
        pair.interval = .milliseconds(20)
        pair.recheck = .seconds(3600)
        let running = Task { [pair] in try await pair.run() }
        try await Waiting.until { board.status.exchangeFailure != nil }
        #expect(board.status.exchangeFailure?.description.contains("edgetick_stretches") == true)
        try cluster.psql("ALTER TABLE hidden RENAME TO edgetick_stretches", database: database)
        try await Waiting.until { board.status.exchangeFailure == nil }
        running.cancel()
        try await running.value
        await buffer.close()
    }

    @Test func `a database that was restored covers no gap with rows that it lost, until they are there again`()
        async throws
    {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let (database, _) = try await cluster.makeMigratedDatabase(for: "nyc-a")
        let uri = cluster.uri(database)
        let said = Said(cluster: cluster, database: database)
        let first = try Box("nyc-a", group: "nyc", workspace.file("a"), uri, symbols: [symbol])
        let second = try Box("nyc-b", group: "nyc", workspace.file("b"), uri, symbols: [symbol])
        // Gaps as old as those of the other tests are never checked again, so these events are new.
        func now() -> Int64 { WallClock.milliseconds() - Self.start }
        func live(until condition: () throws -> Bool) async throws {
            let deadline = ContinuousClock.now + .seconds(60)
            while try !condition() {
                guard ContinuousClock.now < deadline else { throw Waiting.TimedOut("for what the second box says") }
                let moment = now()
                try await second.collect(moment...moment, symbol)
            }
        }
        try await live { try said.through("nyc-b") > 0 }
        let tables = ["trades", "edgetick_uploads", "edgetick_stretches"]
        for table in tables { try cluster.psql("CREATE TABLE kept_\(table) AS TABLE \(table)", database: database) }
        let from = now() + 1
        try await live { now() > from + 20 }
        let to = now()
        try await live { try said.through("nyc-b") > to }
        first.buffer.record(gap(from, to))
        try await Waiting.until { try first.states() == [.covered] }

        let restoring = tables.map { "TRUNCATE \($0); INSERT INTO \($0) SELECT * FROM kept_\($0)" }
        try cluster.psql(
            "BEGIN; " + restoring.joined(separator: "; ") + "; COMMIT", database: database)
        try await Waiting.until { try first.states() == [.open] }
        #expect(try said.through("nyc-b") < to)
        #expect(
            try GapLog.read(directory: first.directory).first?.detail
                == "the database no longer shows that another box covered it")
        // The other box notices with its next rows, and sends the lost ones again.
        try await live { try said.through("nyc-b") > to }
        try await Waiting.until { try first.states() == [.covered] }
        for box in [first, second] { await box.stop() }
    }
}

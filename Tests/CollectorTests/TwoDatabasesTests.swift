import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// Bars in one database, everything else in another: each has its own pass, ledger, state and health.
@Suite(
    .blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"),
    .timeLimit(.minutes(2)))
struct TwoDatabasesTests {
    private final class Pair {
        let rig: UploadRig
        let ticks: String
        let proxy: TCPProxy
        let uploaders: [Uploader]

        init() async throws {
            rig = try await UploadRig()
            ticks = try rig.cluster.makeDatabase()
            proxy = try TCPProxy(to: rig.cluster.port)
            let bars = try UpstreamConfiguration(
                uri: rig.cluster.uri(rig.database), collector: "edge-1", connectTimeout: .seconds(60), isAlone: false)
            let others = try UpstreamConfiguration(
                uri: rig.cluster.uri(ticks, port: proxy.port), collector: "edge-1", connectTimeout: .seconds(60),
                role: .ticks, isAlone: false)
            _ = try await UpstreamSchema.migrate(others)
            uploaders = [bars, others].map { [rig] in
                Uploader(configuration: $0, bufferID: rig.buffer.id, logger: quiet)
            }
        }

        /// Uploads a hundred bars and a hundred trades, of which two each are refused; returns the letters' names.
        func refuse() async throws -> [String] {
            try rig.cluster.psql(
                "ALTER TABLE ohlcv_1min ADD CONSTRAINT odd CHECK (close NOT IN (0.25, 0.5))", database: rig.database)
            try rig.cluster.psql(
                "ALTER TABLE trades ADD CONSTRAINT odd CHECK (trade_id::int % 50 <> 0)", database: ticks)
            for stream in [EventStream.bars, .trades] { try await rig.append(100, to: stream) }
            for uploader in uploaders {
                _ = try await UploadPass(buffer: rig.buffer, uploader: uploader, batchRows: 70).run()
            }
            return try letters()
        }

        func letters() throws -> [String] {
            try TickHistory(directory: rig.workspace.path).deadLetters(limit: 10).map(\.name).sorted()
        }

        func services() -> [SyncService] {
            uploaders.map { [rig] in
                SyncService(
                    buffer: rig.buffer, uploader: $0, interval: .seconds(600), batchRows: 70, logger: quiet)
            }
        }

        func tables(_ database: String) throws -> String {
            try rig.cluster.value(
                "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'",
                database: database)
        }

        func rows(_ table: String, in database: String) throws -> String {
            try rig.cluster.value("SELECT count(*) FROM \(table)", database: database)
        }
    }

    @Test func `each stream goes to its database alone, and each ledger knows its own`() async throws {
        let pair = try await Pair()
        #expect(
            try pair.tables(pair.ticks)
                == "edgetick_schema edgetick_stretches edgetick_uploads fair_values imbalances luld quotes trades")
        for stream in EventStream.allCases { try await pair.rig.append(200, to: stream) }
        for uploader in pair.uploaders {
            let report = await UploadPass(buffer: pair.rig.buffer, uploader: uploader, batchRows: 70).report()
            #expect(report.problem == nil && report.failures.isEmpty)
        }
        #expect(pair.rig.buffer.statistics.pending == 0)
        let (main, ticks) = (pair.rig.database, pair.ticks)
        #expect(try pair.rows("ohlcv_1min", in: main) == "200" && pair.rows("trades", in: main) == "0")
        for table in ["trades", "quotes", "luld", "imbalances", "fair_values"] {
            #expect(try pair.rows(table, in: ticks) == "200")
        }
        #expect(try pair.rows("edgetick_uploads", in: main) == "1" && pair.rows("edgetick_uploads", in: ticks) == "5")
        let ids = [pair.rig.buffer.id]
        let known = try await pair.uploaders[1].ledger(of: ids)[ids[0]]
        #expect(known?[.trades] == 200 && known?[.bars] == nil)
        // Over a new connection nothing is sent again.
        for uploader in pair.uploaders {
            await uploader.settleAgain()
            #expect(
                try await UploadPass(buffer: pair.rig.buffer, uploader: uploader, batchRows: 70).run().rows == 0)
            await uploader.disconnect()
        }
        await pair.rig.end()
    }

    @Test func `while one database is away the other gets its rows, and health names the one`() async throws {
        let pair = try await Pair()
        pair.proxy.set(.refuse)
        let services = pair.uploaders.map {
            SyncService(
                buffer: pair.rig.buffer, uploader: $0, interval: .milliseconds(50), batchRows: 150, logger: quiet)
        }
        for stream in EventStream.allCases { try await pair.rig.append(300, to: stream) }
        let running = Task {
            await withTaskGroup(of: Void.self) { group in
                for service in services { group.addTask { try? await service.run() } }
            }
        }
        let buffer = pair.rig.buffer
        try await Waiting.until {
            services[0].status.totals.rows == 300 && services[1].status.problem != nil
                && buffer.statistics[.bars].oldestPendingMilliseconds == nil
        }
        var snapshot = CollectorSnapshot(collector: "edge-1", version: "1")
        snapshot.buffer = pair.rig.buffer.statistics
        snapshot.uploads = services.map { UploadState(role: $0.role, streams: $0.streams, status: $0.status) }
        let health = Health(snapshot, age: 0)
        #expect(health.checks.first { $0.name == "sync" }?.level == .ok)
        #expect(health.checks.first { $0.name == "sync_ticks" }?.level == .degraded)
        #expect(snapshot.uploads.map { $0.pending(in: snapshot.buffer) } == [0, 1500])
        // The two together: nothing is wrong with the bars.
        #expect(snapshot.sync?.problem == nil && snapshot.sync?.failures[.bars] == nil)
        #expect(snapshot.sync?.failures[.quotes] != nil && snapshot.sync?.totals.rows == 300)
        pair.proxy.set(.pass)
        services[1].pushNow()
        try await Waiting.until { services[1].status.totals.rows == 1500 }
        #expect(services[1].status.failure == nil && pair.rig.buffer.statistics.pending == 0)
        running.cancel()
        await running.value
        await pair.rig.end()
    }

    @Test func `a discard that names a letter which is gone changes nothing in either database's letters`()
        async throws
    {
        let pair = try await Pair()
        let all = try await pair.refuse()
        #expect(all == ["bars:25", "bars:50", "trades:100", "trades:50"])
        let services = pair.services()
        let running = Task {
            await withTaskGroup(of: Void.self) { group in
                for service in services { group.addTask { try? await service.run() } }
            }
        }
        let desk = DeadLetterDesk(uploads: services, buffer: pair.rig.buffer, patience: .seconds(60))
        let names = ["bars:50", "trades:77"].compactMap(DeadLetterChoice.Name.init)
        let missing = await #expect(throws: DeadLettersMissing.self) { try await desk.discard(.named(names)) }
        #expect(missing?.names.map(\.description) == ["trades:77"])
        await #expect(throws: DeadLettersMissing.self) { try await desk.retry(.named(names)) }
        #expect(try pair.letters() == all)
        running.cancel()
        await running.value
        await pair.rig.end()
    }

    @Test func `rows that are deleted for good are answered although the other database's upload takes no part`()
        async throws
    {
        let pair = try await Pair()
        let names = try await pair.refuse().compactMap(DeadLetterChoice.Name.init)
        let services = pair.services()
        let running = Task { try? await services[0].run() }
        let ended = Task { try? await services[1].run() }
        ended.cancel()
        _ = await ended.value
        let desk = DeadLetterDesk(uploads: services, buffer: pair.rig.buffer, patience: .seconds(60))
        let gone = try await desk.discard(.named(names))
        #expect(gone.letters.map(\.name) == ["bars:25", "bars:50"])
        #expect(gone.letters.allSatisfy { $0.row.contains("MSFT") })
        #expect(gone.failure?.hasPrefix("trades: the upload was busy") == true, "\(gone.failure ?? "")")
        #expect(try pair.letters() == ["trades:100", "trades:50"])
        // Nothing is done of what concerns that upload alone.
        await #expect(throws: UploadBusy.self) { try await desk.discard(.stream(.trades)) }
        #expect(try pair.letters() == ["trades:100", "trades:50"])
        running.cancel()
        _ = await running.value
        await pair.rig.end()
    }

    @Test func `letters wait for their turn only as long as they may, and stay`() async throws {
        let pair = try await Pair()
        let names = try await pair.refuse()
        // Uploads that never come to the end of a pass.
        let desk = DeadLetterDesk(uploads: pair.services(), buffer: pair.rig.buffer, patience: .milliseconds(100))
        await #expect(throws: UploadBusy.self) { try await desk.discard(.all) }
        await #expect(throws: UploadBusy.self) { try await desk.retry(.all) }
        #expect(try pair.letters() == names)
        for uploader in pair.uploaders { await uploader.disconnect() }
        await pair.rig.end()
    }

    @Test func `letters that go back into the queue are told although the other database is away`() async throws {
        let pair = try await Pair()
        _ = try await pair.refuse()
        let (cluster, main) = (pair.rig.cluster, pair.rig.database)
        try cluster.psql("ALTER TABLE ohlcv_1min DROP CONSTRAINT odd", database: main)
        pair.proxy.set(.refuse)
        let services = pair.services()
        let running = Task {
            await withTaskGroup(of: Void.self) { group in
                for service in services { group.addTask { try? await service.run() } }
            }
        }
        let desk = DeadLetterDesk(uploads: services, buffer: pair.rig.buffer, patience: .seconds(60))
        // A database whose letters aren't chosen is not asked.
        let named = try #require(DeadLetterChoice.Name("bars:25"))
        let first = try await desk.retry(.named([named]))
        #expect(first.requeued == 1 && first.failure == nil, "\(first)")
        let retry = try await desk.retry(.all)
        #expect(retry.requeued == 1 && retry.failure?.hasPrefix("trades: ") == true, "\(retry)")
        #expect(try pair.letters() == ["trades:100", "trades:50"])
        try await Waiting.until("the bars are upstream") {
            try cluster.value("SELECT count(*) FROM ohlcv_1min", database: main) == "100"
        }
        await #expect(throws: UpstreamError.self) { try await desk.retry(.stream(.trades)) }
        pair.proxy.set(.pass)
        running.cancel()
        await running.value
        await pair.rig.end()
    }

    @Test func `letters go back to the database that holds their stream`() async throws {
        let pair = try await Pair()
        let (cluster, ticks) = (pair.rig.cluster, pair.ticks)
        try cluster.psql("ALTER TABLE trades ADD CONSTRAINT odd CHECK (trade_id::int % 50 <> 0)", database: ticks)
        for stream in [EventStream.bars, .trades] { try await pair.rig.append(100, to: stream) }
        for uploader in pair.uploaders {
            _ = try await UploadPass(buffer: pair.rig.buffer, uploader: uploader, batchRows: 70).run()
        }
        #expect(pair.rig.buffer.statistics.deadLetters == 2 && pair.rig.buffer.statistics[.trades].deadLetters == 2)
        try cluster.psql("ALTER TABLE trades DROP CONSTRAINT odd", database: ticks)
        let letters = try TickHistory(directory: pair.rig.workspace.path).deadLetters(limit: 10)
        let result = try await DeadLetterRetry.run(
            letters, buffer: pair.rig.buffer, uploaders: pair.uploaders,
            batchRows: 70)
        #expect(result.sent == 2 && result.refusedAgain.isEmpty)
        #expect(try pair.rows("trades", in: ticks) == "100")
        for uploader in pair.uploaders { await uploader.disconnect() }
        await pair.rig.end()
    }
}

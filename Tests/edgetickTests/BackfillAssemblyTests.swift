import Backfill
import Foundation
import Logging
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import edgetick

@Suite(.blocking, .timeLimit(.minutes(1))) struct BackfillAssemblyTests {
    /// Asks a database that isn't there.
    private func identified(isAlone: Bool) throws -> @Sendable () async throws(BackfillError) -> Set<EventStream> {
        let upstream = try UpstreamConfiguration(
            uri: "postgresql://nobody@127.0.0.1:1/none", collector: "tests", isAlone: isAlone)
        return Settings.identified([upstream], "00000000-0000-0000-0000-000000000001")
    }

    @Test func `a database that can't be asked what it recognises is not one that recognises nothing`() async throws {
        let identified = try identified(isAlone: true)
        let error = await #expect(throws: BackfillError.self) { try await identified() }
        #expect(error?.reason == .database)
        #expect(error?.description.contains("can't be asked whether it recognises trades and quotes") == true)
    }

    @Test func `a database that can't be asked what another copy of the file uploaded may have more`() async throws {
        let workspace = try Workspace()
        let buffer = try TickBuffer.open(
            directory: workspace.path, options: .init(collector: "tests"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let upstream = try UpstreamConfiguration(uri: "postgresql://nobody@127.0.0.1:1/none", collector: "tests")
        let elsewhere = Settings.uploadedElsewhere([upstream], buffer)
        let error = await #expect(throws: BackfillError.self) { try await elsewhere([.trades], 0) }
        #expect(error?.reason == .database)
        await buffer.close()
    }

    @Test func `a copy whose rows another one took over learns it, also where a command is to take over what waits`()
        async throws
    {
        let workspace = try Workspace()
        let cluster = try PostgresCluster.shared()
        let upstream = try UpstreamConfiguration(
            uri: cluster.uri(try cluster.makeDatabase()), collector: "tests", connectTimeout: .seconds(60))
        _ = try await UpstreamSchema.migrate(upstream)
        let seed = try TickBuffer.scratch(in: workspace.file("one"))
        var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
        batch.trades.append(
            Trade(symbol: Symbol("IBM")!, time: WallClock.milliseconds(), price: 1, size: 100, sequence: 1))
        try await seed.collect(batch)
        await seed.close()
        try FileManager.default.copyItem(atPath: workspace.file("one"), toPath: workspace.file("two"))
        let since = WallClock.milliseconds() - 60_000
        let expected: [(name: String, streams: Set<EventStream>)] = [("one", []), ("two", [.trades])]
        for (name, streams) in expected {
            let buffer = try TickBuffer.scratch(in: workspace.file(name))
            let elsewhere = Settings.uploadedElsewhere([upstream], buffer, settling: true)
            #expect(try await elsewhere([.trades], since) == streams)
            await buffer.close()
        }
    }

    @Test func `no command sends the key to a REST server that is neither the feed's own nor named`() async throws {
        let own = ["MASSIVE_API_KEY": "key-1", "MASSIVE_WEBSOCKET_URL": "wss://feed.example.com/stocks"]
        let error = try #require(throws: BackfillError.self) { try validate(own).settings.aggregatesClient() }
        #expect(CommandFailure(error).status == .configuration)
        #expect(error.description.contains("set MASSIVE_REST_URL"))
        let named = own.merging(["MASSIVE_REST_URL": "https://rest.example.com"]) { $1 }
        for environment in [named, ["MASSIVE_API_KEY": "key-1"]] {
            let client = try validate(environment).settings.aggregatesClient()
            await client.shutdown()
        }
    }

    @Test func `nobody's server is asked for made-up events with the feed's key`() throws {
        let settings = try validate(["USE_SYNTHETIC_DATA": "true", "MASSIVE_API_KEY": "k"]).settings
        let error = #expect(throws: BackfillError.self) { _ = try settings.aggregatesClient() }
        #expect(error?.reason == .invalidConfiguration)
    }

    @Test func `what keeps gaps open and days from being compared is a problem only if somebody wants them filled`()
        throws
    {
        func settings(_ more: [String: String]) throws -> Settings {
            let own = ["MASSIVE_API_KEY": "k", "MASSIVE_WEBSOCKET_URL": "ws://127.0.0.1:9/stocks", "SYMBOLS": "A"]
            return try validate(own.merging(more) { $1 }).settings
        }
        let relayed = try settings(["RECONCILE_AT": "21:00"])
        guard case .lacking(let why)? = relayed.idleBackfill else {
            Issue.record("\(String(describing: relayed.idleBackfill))")
            return
        }
        #expect(why.contains("MASSIVE_REST_URL") && why.contains("BACKFILL_ENABLED=false"))
        #expect(relayed.reconcileProblem?.contains("MASSIVE_REST_URL") == true)
        #expect(try settings(["BACKFILL_ENABLED": "false"]).idleBackfill == .off("BACKFILL_ENABLED is false"))
        #expect(try settings([:]).reconcileProblem == nil)
        let rest = ["MASSIVE_REST_URL": "http://127.0.0.1:9", "RECONCILE_AT": "21:00"]
        let whole = try settings(rest)
        #expect(whole.idleBackfill == nil && whole.reconcileProblem == nil)
        let trades = try settings(rest.merging(["FEED_EVENTS": "T"]) { $1 })
        #expect(trades.reconcileProblem?.contains("FEED_EVENTS") == true)
    }

    @Test func `a database of bars alone is not asked about trades and quotes`() async throws {
        let identified = try identified(isAlone: false)
        #expect(try await identified().isEmpty)
    }
}

import MarketData
import TestSupport
import Testing

@testable import Upstream

/// A pooler that runs each transaction in any of its sessions, which all clients share.
@Suite(
    .blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"),
    .enabled(if: PgBouncer.program != nil, "PgBouncer is not installed"), .timeLimit(.minutes(5)))
struct PoolerTests {
    private static let shown = [
        "role", "search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone",
        "datestyle", "standard_conforming_strings", "synchronous_commit", "client_connection_check_interval",
        "tcp_keepalives_idle",
    ]

    private func settings(_ connection: PostgresConnection) throws -> [String?] {
        try Self.shown.map { try connection.run("SHOW \($0)", "ask").last?.rows.first?.first ?? nil }
    }

    private func configuration(_ sandbox: Sandbox, _ pooler: PgBouncer) throws -> UpstreamConfiguration {
        try UpstreamConfiguration(
            uri: pooler.uri(sandbox.database, user: sandbox.cluster.superuser), collector: "edge-1",
            connectTimeout: .seconds(60), statementTimeout: .seconds(60))
    }

    @Test func `an upload, a pull and a migration leave the pooler's session as they found it`() async throws {
        let sandbox = try Sandbox.empty()
        let pooler = try await PgBouncer(before: sandbox.cluster)
        let configuration = try configuration(sandbox, pooler)
        let neighbour = try PostgresConnection.connect(configuration, interrupt: Wakeup())
        defer { neighbour.finish() }
        let before = try settings(neighbour)
        _ = try await UpstreamSchema.migrate(configuration)
        _ = try await UpstreamSchema.check(configuration)
        _ = try await UniverseSource(configuration: configuration).read()
        let uploader = Uploader(
            configuration: configuration, bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", logger: quiet)
        let outcome = try await uploader.upload(batch([bar("AAPL", minute: 0), bar("AAPL", minute: 1)]))
        #expect(outcome.inserted == 2)
        #expect(try await uploader.upload(batch([bar("AAPL", minute: 1, close: 9)], from: 3)).updated == 1)
        _ = try await uploader.uploadedSequence(of: .bars)
        await uploader.disconnect()
        #expect(try settings(neighbour) == before)
    }

    @Test func `what a neighbour left in the session changes nothing`() async throws {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run("CREATE SCHEMA other; CREATE TABLE other.ohlcv_1min (LIKE public.ohlcv_1min INCLUDING ALL)")
        try sandbox.run("CREATE TABLE other.edgetick_uploads (LIKE public.edgetick_uploads INCLUDING ALL)")
        // Longer than the neighbour's limit, which is long enough for what sets another one.
        try sandbox.run(
            """
            CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
            CREATE TRIGGER take_time BEFORE INSERT ON public.ohlcv_1min FOR EACH STATEMENT EXECUTE FUNCTION take_time()
            """)
        let pooler = try await PgBouncer(before: sandbox.cluster)
        let configuration = try configuration(sandbox, pooler)
        let neighbour = try PostgresConnection.connect(configuration, interrupt: Wakeup())
        defer { neighbour.finish() }
        try neighbour.run(
            """
            SET search_path = other; SET timezone = 'Asia/Tokyo'; SET datestyle = 'SQL, DMY';
            SET standard_conforming_strings = off; SET statement_timeout = '2s'; SET synchronous_commit = off
            """, "as a neighbour")
        let uploader = Uploader(
            configuration: configuration, bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", logger: quiet)
        #expect(try await uploader.upload(batch([bar("AAPL", minute: 0), bar("AAPL", minute: 1)])).inserted == 2)
        await uploader.disconnect()
        #expect(try sandbox.run("SELECT count(*) FROM public.ohlcv_1min") == "2")
        #expect(try sandbox.run("SELECT count(*) FROM other.ohlcv_1min") == "0")
        #expect(
            try sandbox.run("SELECT min(extract(epoch FROM timestamp) * 1000)::bigint FROM public.ohlcv_1min")
                == "\(opening)")
    }

    @Test func `an identity is made in a transaction, since no setting outlasts one`() async throws {
        let sandbox = try await Sandbox.migrated()
        let pooler = try await PgBouncer(before: sandbox.cluster)
        let configuration = try configuration(sandbox, pooler)
        let finding = try #require(try await IdentityMaker.look(configuration, for: [.trade]).first)
        #expect(finding.state == .missing && finding.locks && !finding.sql.contains("CONCURRENTLY"))
        #expect(try await IdentityMaker.make(finding, configuration, removingDoubles: false) == 0)
        #expect(try await IdentityMaker.look(configuration, for: [.trade]).map(\.state) == [.present])
    }

    @Test func `a neighbour's temporary table is not taken for the table of that name`() async throws {
        let sandbox = try await Sandbox.migrated(then: "DROP TABLE quotes")
        let pooler = try await PgBouncer(before: sandbox.cluster)
        let configuration = try configuration(sandbox, pooler)
        let neighbour = try PostgresConnection.connect(configuration, interrupt: Wakeup())
        defer { neighbour.finish() }
        try neighbour.run(
            "CREATE TEMPORARY TABLE trades (LIKE public.trades); CREATE TEMPORARY TABLE quotes (LIKE public.trades)",
            "as a neighbour")
        _ = try await UpstreamSchema.migrate(configuration)
        let uploader = Uploader(
            configuration: configuration, bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", logger: quiet)
        #expect(try await uploader.upload(trades(3)).inserted == 3)
        #expect(try await uploader.upload(quotes(2)).inserted == 2)
        await uploader.disconnect()
        #expect(
            try sandbox.run("SELECT (SELECT count(*) FROM public.trades), (SELECT count(*) FROM public.quotes)")
                == "3|2")
    }

    @Test func `without a schema on the path, a neighbour's temporary tables are no tables`() async throws {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run("ALTER DATABASE \(sandbox.database) SET search_path = ''")
        let pooler = try await PgBouncer(before: sandbox.cluster)
        let configuration = try configuration(sandbox, pooler)
        let neighbour = try PostgresConnection.connect(configuration, interrupt: Wakeup())
        defer { neighbour.finish() }
        try neighbour.run("CREATE TEMPORARY TABLE trades (LIKE public.trades)", "as a neighbour")
        let catalog = try neighbour.readCatalog(of: ["trades"])
        #expect(catalog.tables.isEmpty && catalog.schema == nil && !catalog.allowsCreating)
        #expect(catalog.elsewhere["trades"]?.map(\.schema) == ["public"])
    }
}

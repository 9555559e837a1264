import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Rows that go to another server than the ledger, as with Citus, for which every machine has stand-ins: a partition in
/// `postgres_fdw` commits before the ledger does, and a proxy hides the codes of a COPY's errors.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct FarRowsTests {
    /// A table of trades with a partition elsewhere takes the place of Citus.
    private static let partitioned = """
        CREATE EXTENSION postgres_fdw;
        CREATE TABLE trades (symbol text NOT NULL, time timestamptz NOT NULL, price numeric NOT NULL,
            size numeric NOT NULL, exchange integer, trade_id text NOT NULL, conditions text, received_at timestamptz,
            CHECK (price < 1000)) PARTITION BY RANGE (time);
        CREATE TABLE near PARTITION OF trades FOR VALUES FROM ('2001-01-01') TO ('2100-01-01')
        """

    private struct Codeless {
        let sandbox: Sandbox
        let proxy: TCPProxy
        let uploader: Uploader
    }

    private func codeless(_ sql: String = "") async throws -> Codeless {
        let sandbox = try await Sandbox.prepared(
            Self.partitioned
                + """
                ; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
                CREATE FOREIGN TABLE far PARTITION OF trades FOR VALUES FROM ('2000-01-01') TO ('2001-01-01') SERVER far;
                """ + sql)
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        proxy.set(.hideCopyCodes)
        return Codeless(sandbox: sandbox, proxy: proxy, uploader: try sandbox.uploader(port: proxy.port))
    }

    @Test func `rows refused without a code are found, and their letters have the true reason`() async throws {
        let box = try await codeless()
        defer { box.proxy.stop() }
        var rows = (0..<1000).map { ("MSFT", 33.0 + Double($0 % 100), "\($0)") }
        let bad = [0, 417, 418, 999]
        for index in bad { rows[index].1 = 5000 }
        let letters = DeadLetterBox()
        let outcome = try await box.uploader.upload(batch(trades: rows)) { await letters.add($0) }
        #expect(outcome.refused == 4 && outcome.inserted == 996)
        #expect(await letters.rows.map(\.sequence) == bad.map { Int64($0) + 1 })
        #expect(await letters.rows.allSatisfy { $0.sqlState == "23514" && $0.reason.contains("check constraint") })
        #expect(try box.sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM near") == "996|996")
        #expect(try box.sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads") == "1000|996")
        await box.uploader.disconnect()
    }

    @Test func `a row with a constant that the server can't read takes back no row that passed`() async throws {
        let box = try await codeless()
        defer { box.proxy.stop() }
        let letters = DeadLetterBox()
        let rows = batch(trades: [("MSFT", 1, "1"), ("MSFT", 1, "a\0b"), ("MSFT", 1, "3"), ("MSFT", 1, "4")])
        let outcome = try await box.uploader.upload(rows) { await letters.add($0) }
        #expect(outcome.refused == 1 && outcome.inserted == 3)
        #expect(await letters.rows.map(\.sequence) == [2])
        #expect(try box.sandbox.run("SELECT string_agg(trade_id, ',' ORDER BY trade_id) FROM near") == "1,3,4")
        await box.uploader.disconnect()
    }

    @Test func `bars whose keys exist go the staging way though the code is kept back`() async throws {
        let box = try await codeless()
        defer { box.proxy.stop() }
        let old = (0..<300).map { bar(minute: Int64($0), close: 1) }
        _ = try await box.uploader.upload(batch(old))
        let new = (200..<400).map { bar(minute: Int64($0), close: 2) }
        let outcome = try await box.uploader.upload(batch(new, from: 1000))
        #expect(outcome.path == .staging && outcome.inserted + outcome.updated == 200 && outcome.refused == 0)
        #expect(
            try box.sandbox.run("SELECT close, count(*) FROM ohlcv_1min GROUP BY 1 ORDER BY 1") == "1|200\n2|200")
        await box.uploader.disconnect()
    }

    @Test func `an error without a code that is no row's fault makes no letters`() async throws {
        let box = try await codeless(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'out of order' USING ERRCODE = 'XX000'; END $$;
            CREATE TRIGGER fail BEFORE INSERT ON near FOR EACH ROW EXECUTE FUNCTION fail()
            """)
        defer { box.proxy.stop() }
        let letters = DeadLetterBox()
        for _ in 0..<4 {
            let error = await #expect(throws: UpstreamError.self) {
                try await box.uploader.upload(trades(2000)) { await letters.add($0) }
            }
            #expect(error?.sqlState == "XX000" && error?.isRetryable == true)
        }
        #expect(await letters.calls == 0)
        try box.sandbox.run("DROP TRIGGER fail ON near")
        #expect(try await box.uploader.upload(trades(2000)).inserted == 2000)
        await box.uploader.disconnect()
    }

    @Test func `what another server has already stored is not sent again after this one lost its last moments`()
        async throws
    {
        let far = try Sandbox.empty()
        try far.run(
            "CREATE TABLE far (symbol text, time timestamptz, price numeric, size numeric, trade_id text)")
        // Writes its WAL to the disk only when a COMMIT waits for that.
        let cluster = try PostgresCluster(settings: ["wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"])
        let sandbox = try Sandbox.empty(on: cluster)
        try sandbox.run(
            """
            CREATE EXTENSION postgres_fdw;
            CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw
                OPTIONS (host '127.0.0.1', port '\(far.cluster.port)', dbname '\(far.database)');
            CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '\(far.cluster.superuser)');
            CREATE TABLE trades (symbol text, time timestamptz, price numeric, size numeric, trade_id text)
                PARTITION BY RANGE (time);
            CREATE FOREIGN TABLE far PARTITION OF trades FOR VALUES FROM ('2001-01-01') TO ('2100-01-01') SERVER far
            """)
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        let batches = (0..<12).map { trades(50, from: 1 + Int64($0) * 50) }
        let list = BatchList(
            batches,
            onSettled: { batch in
                // No COMMIT is on its way until this returns.
                if batch.last == 300 { try sandbox.cluster.stop(.immediate) }
            })
        let uploader = try sandbox.uploader()
        await #expect(throws: UpstreamError.self) { try await uploader.drain(list) }
        try sandbox.cluster.start()
        await uploader.disconnect()
        let known = try await uploader.uploadedSequence(of: .trades)
        #expect(known == 300)
        try await uploader.drain(BatchList(Array(batches.dropFirst(Int(known) / 50))))
        #expect(try far.run("SELECT count(*), count(DISTINCT trade_id) FROM far") == "600|600")
        await uploader.disconnect()
    }
}

import MarketData
import TestSupport
import Testing

@testable import Upstream

/// What an upload relies on in the server's sessions, whatever the server's own settings are.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct SessionTests {
    private func connect(_ sandbox: Sandbox) throws -> PostgresConnection {
        try PostgresConnection.connect(sandbox.configuration(), interrupt: Wakeup())
    }

    @Test func `the server looks after a minute whether the line is dead`() async throws {
        let connection = try connect(try Sandbox.empty())
        defer { connection.finish() }
        for (name, value) in [
            ("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3"),
        ] {
            #expect(try connection.ask("SHOW \(name)", "ask").first?.rows.first?.first == value)
        }
    }

    @Test func `a table with many keys is the same each time it is read`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE ohlcv_1min (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, symbol text NOT NULL,
                timestamp timestamptz NOT NULL, open numeric, high numeric, low numeric, close numeric, volume bigint,
                b int UNIQUE, c int UNIQUE, UNIQUE (symbol, timestamp))
            """)
        let connection = try connect(sandbox)
        defer { connection.finish() }
        let first = try connection.readCatalog(of: ["ohlcv_1min"])
        #expect(first.tables["ohlcv_1min"]?.keys.count == 4)
        for _ in 0..<20 { #expect(try connection.readCatalog(of: ["ohlcv_1min"]) == first) }
    }

    @Test(arguments: [false, true])
    func `a COMMIT that waits does so in a session that doesn't, as a pooler may give it`(asksOnly: Bool) async throws {
        let cluster = try PostgresCluster(settings: ["wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"])
        let sandbox = try Sandbox.empty(on: cluster)
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        let connection = try connect(sandbox)
        let catalog = try connection.readCatalog(of: TableShape.targets.map(\.name))
        let ledger = Ledger(
            table: try TableShape.ledger.usable(in: catalog), bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60",
            collector: "edge-1", sessionSQL: try sandbox.configuration().sessionSQL)
        try connection.run("SET synchronous_commit = off", "as a pooler's session")
        let start = LedgerPosition(sequence: 0, token: "00000000-0000-4000-8000-000000000001")
        let end = LedgerPosition(sequence: 7, token: "00000000-0000-4000-8000-000000000002")
        try connection.run("\(ledger.beginSQL(.trades)); \(ledger.placeSQL(.trades, at: start))", "begin")
        try connection.run(ledger.commitSQL(.trades, from: start, to: end, rows: 7, isLazy: asksOnly), "commit")
        if asksOnly {
            let asking = try sandbox.uploader()
            #expect(try await asking.uploadedSequence(of: .trades) == 7)
            await asking.disconnect()
        }
        try cluster.stop(.immediate)
        try cluster.start()
        #expect(try sandbox.run("SELECT last_sequence FROM edgetick_uploads") == "7")
    }
}

import MarketData
import TestSupport
import Testing

@testable import Upstream

/// What a box claims to have is written only as far as the ledger in the same database proves it.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(2)))
struct StretchTableTests {
    private static let before = "00000000-0000-4000-8000-000000000001"
    private static let now = "00000000-0000-4000-8000-000000000002"

    private let line = UploadLine(
        id: now, predecessors: [UploadLine.Predecessor(id: before, stream: .trades, through: 100)])

    private func claim(_ through: Int64, row: Int64?, since: Int64 = 0) -> StretchClaim {
        let stretch = Stretch(kind: .trade, symbols: nil, since: opening + since, through: opening + through)
        return StretchClaim(stretch, row: row)
    }

    private func said(_ sandbox: Sandbox) throws -> String {
        try sandbox.run(
            """
            SELECT (extract(epoch FROM since) * 1000)::bigint - \(opening),
                (extract(epoch FROM through) * 1000)::bigint - \(opening)
            FROM edgetick_stretches ORDER BY since
            """)
    }

    private func ledger(_ id: String, at row: Int, in sandbox: Sandbox) throws {
        try sandbox.run(
            """
            INSERT INTO edgetick_uploads (buffer_id, collector, stream, last_sequence, rows, updated_at)
            VALUES ('\(id)', 'edge-1', 'trades', \(row), \(row), now())
            ON CONFLICT (buffer_id, stream) DO UPDATE SET last_sequence = \(row)
            """)
    }

    @Test func `a stretch is written only where the ledger has its rows, under an identifier the file had then`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        let table = StretchTable(configuration: try sandbox.configuration(), group: "nyc")
        func say(_ claims: StretchClaim...) async throws {
            _ = try await table.exchange(claims, of: line, reaching: [])
        }
        try await say(claim(10, row: 50))
        #expect(try said(sandbox) == "")
        try ledger(Self.before, at: 50, in: sandbox)
        try await say(claim(10, row: 50))
        #expect(try said(sandbox) == "0|10")
        try await say(claim(20, row: 51))
        #expect(try said(sandbox) == "0|10")
        // The identifier before had rows through 100; what a copy uploads under it later proves nothing.
        try ledger(Self.before, at: 500, in: sandbox)
        try await say(claim(20, row: 101))
        #expect(try said(sandbox) == "0|10")
        try ledger(Self.now, at: 101, in: sandbox)
        try await say(claim(20, row: 101))
        #expect(try said(sandbox) == "0|20")
        // A restored database has the ledger of its backup.
        try ledger(Self.now, at: 99, in: sandbox)
        try await say(claim(30, row: 105))
        #expect(try said(sandbox) == "0|20")
        // A claim that shortens a stretch needs no proof, and writes nothing where there is none.
        try await say(claim(15, row: nil), claim(90, row: nil, since: 40))
        #expect(try said(sandbox) == "0|15")
    }

    @Test func `lost rows of the ledger begin with the first that can be`() {
        #expect(LedgerRow(["7", "token", nil, "-9223372036854775808", "5"])?.lost == 1...5)
        #expect(LedgerRow(["7", "token", nil, "-5", "0"])?.lost == nil)
    }

    @Test func `a claim stays though the stretches of other boxes can't be read`() async throws {
        let sandbox = try await Sandbox.migrated()
        let table = StretchTable(configuration: try sandbox.configuration(), group: "nyc")
        try ledger(Self.now, at: 50, in: sandbox)
        // They are read as an array.
        try sandbox.run("ALTER TABLE edgetick_stretches ALTER symbols TYPE text USING NULL")
        await #expect(throws: UpstreamError.self) {
            try await table.exchange([claim(10, row: 50)], of: line, reaching: [opening...opening + 10])
        }
        #expect(try said(sandbox) == "0|10")
    }

    @Test func `a database speaks of the streams that it has, and of no others`() async throws {
        let sandbox = try await Sandbox.migrated()
        let bars = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database), collector: "edge-1", isAlone: false)
        let other = StretchTable(configuration: try sandbox.configuration(), group: "fra")
        try ledger(Self.now, at: 101, in: sandbox)
        _ = try await other.exchange([claim(20, row: 101)], of: line, reaching: [])
        let span = opening...opening + 10
        let asking = try UpstreamConfiguration(uri: sandbox.cluster.uri(sandbox.database), collector: "edge-2")
        let table = StretchTable(configuration: asking, group: "nyc")
        #expect(try await table.exchange([], of: line, reaching: [span]) == [:])
        let found = try await table.stretches(reaching: [span], ofAnyGroup: true)
        #expect(found == ["edge-1": [claim(20, row: nil).stretch]])
        #expect(try await table.stretches(reaching: [span], ofAnyGroup: false) == [:])
        let barsOnly = StretchTable(configuration: bars, group: "nyc")
        #expect(barsOnly.streams == [.bars])
        try sandbox.run("UPDATE edgetick_stretches SET collector = 'edge-9'")
        #expect(try await barsOnly.stretches(reaching: [span], ofAnyGroup: true) == [:])
    }
}

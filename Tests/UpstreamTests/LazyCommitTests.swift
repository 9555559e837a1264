import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Upstream

/// Most COMMITs of a drain don't wait for the server's disk. What a dying server loses of them is sent again, and
/// nothing counts as settled before it is on the disk.
@Suite(
    .blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"),
    .timeLimit(.minutes(5)))
struct LazyCommitTests {
    /// Batches of trades, with something done before one of them is read.
    private struct Source: UploadSource {
        let list: BatchList
        var whenReading: (number: Int, act: @Sendable () async throws -> Void)?

        func nextBatch() async throws -> BufferedBatch? {
            if let whenReading, await list.read == whenReading.number { try await whenReading.act() }
            return try await list.nextBatch()
        }
        func keep(_ refused: [DeadLetter]) async throws {}
        func settled(_ batch: SettledBatch) async throws { try await list.settled(batch) }
        func failed(_ stream: EventStream, _ error: UpstreamError) async { await list.failed(stream, error) }
    }

    private struct Stop: Error {}

    private static let ledger = "SELECT coalesce(max(last_sequence), 0) FROM edgetick_uploads"
    private let whole = "SELECT count(*), count(DISTINCT trade_id), min(trade_id::int), max(trade_id::int) FROM trades"

    /// A server that writes its WAL to the disk only when a COMMIT waits for that.
    private func sandbox() async throws -> Sandbox {
        let cluster = try PostgresCluster(settings: ["wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"])
        let sandbox = try Sandbox.empty(on: cluster)
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        return sandbox
    }

    private func list(from first: Int64 = 1, batches: Int = 12) -> [BufferedBatch] {
        (0..<batches).map { trades(50, from: first + Int64($0) * 50) }
    }

    /// Sends what is not settled.
    private func finish(_ uploader: Uploader, _ sandbox: Sandbox, after settled: Int64) async throws {
        let rest = BatchList(list(from: settled + 1, batches: (600 - Int(settled)) / 50))
        // Its connection was to the server that died.
        await uploader.disconnect()
        try await uploader.drain(rest)
        #expect(await rest.settled.last?.last == 600)
        #expect(try sandbox.run(whole) == "600|600|1|600")
        #expect(try sandbox.run(Self.ledger) == "600")
    }

    @Test func `what a dying server had not written is sent again, once`() async throws {
        // Its WAL writer wakes after ten seconds at the latest, and leaves nothing to be lost.
        for _ in 0..<10 where try await losesSome() { return }
        Issue.record("the server lost nothing in ten tries")
    }

    /// Stops a server in the middle of a drain and sends what it lost.
    ///
    /// - Returns: Whether it lost anything.
    private func losesSome() async throws -> Bool {
        let sandbox = try await sandbox()
        let seen = Mutex<Int64>(0)
        let list = BatchList(list())
        let source = Source(
            list: list,
            whenReading: (
                6,
                {
                    seen.withLock { $0 = (try? Int64(sandbox.run(Self.ledger))) ?? 0 }
                    try sandbox.cluster.stop(.immediate)
                }
            ))
        let uploader = try sandbox.uploader()
        await #expect(throws: UpstreamError.self) { try await uploader.drain(source) }
        // None, unless the WAL writer woke up or the machine stood still for a second.
        let settled = await list.settled.last?.last ?? 0
        try sandbox.cluster.start()
        let kept = try #require(Int64(sandbox.run(Self.ledger)))
        #expect(seen.withLock { $0 } >= 200 && kept >= settled)
        try await finish(uploader, sandbox, after: settled)
        return kept < seen.withLock { $0 }
    }

    @Test func `what is settled outlives its server`() async throws {
        let sandbox = try await sandbox()
        let first = Mutex<Int64>(0)
        let list = BatchList(
            list(),
            onSettled: { batch in
                guard first.withLock({ $0 == 0 }) else { return }
                first.withLock { $0 = batch.last }
                try sandbox.cluster.stop(.immediate)
            })
        let uploader = try sandbox.uploader()
        await #expect(throws: UpstreamError.self) { try await uploader.drain(Source(list: list)) }
        try sandbox.cluster.start()
        let settled = try #require(await list.settled.last?.last)
        #expect(try #require(Int64(sandbox.run(Self.ledger))) >= settled)
        try await finish(uploader, sandbox, after: settled)
    }

    @Test func `problem that leaves the connection makes the disk have what was committed`() async throws {
        let sandbox = try await sandbox()
        let list = BatchList(list())
        let uploader = try sandbox.uploader()
        await #expect(throws: Stop.self) {
            try await uploader.drain(Source(list: list, whenReading: (5, { throw Stop() })))
        }
        let settled = try #require(await list.settled.last?.last)
        #expect(settled == 250)
        try sandbox.cluster.stop(.immediate)
        try sandbox.cluster.start()
        #expect(try sandbox.run(Self.ledger) == "250")
        try await finish(uploader, sandbox, after: settled)
    }

    @Test(arguments: [false, true])
    func `no COMMIT is lazy where a part of a target is on another server`(isFar: Bool) async throws {
        let part = "PARTITION OF trades FOR VALUES FROM ('2000-01-01') TO ('2001-01-01')"
        let sandbox = try await Sandbox.prepared(
            """
            CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
            CREATE TABLE trades (symbol text NOT NULL, time timestamptz NOT NULL, price numeric NOT NULL,
                size numeric NOT NULL, trade_id text, received_at timestamptz) PARTITION BY RANGE (time);
            CREATE TABLE near PARTITION OF trades FOR VALUES FROM ('2001-01-01') TO ('2100-01-01');
            \(isFar ? "CREATE FOREIGN TABLE far \(part) SERVER far" : "CREATE TABLE far \(part)")
            """)
        let uploader = try sandbox.uploader()
        let settled = Mutex<Int>(0)
        var (rows, found) = (0, 0)
        // A COMMIT that may be lazy waits all the same where the machine stood still for a second.
        for round in 0..<10 where round == 0 || !isFar && found != 0 {
            let list = BatchList(list(from: Int64(rows) + 1, batches: 6))
            let source = Source(
                list: list,
                whenReading: (
                    5,
                    {
                        let count = await list.settled.count
                        settled.withLock { $0 = count }
                    }
                ))
            try await uploader.drain(source)
            rows += 300
            found = settled.withLock { $0 }
        }
        // The sixth is asked for while the fifth is sent, with whose beginning the fourth was committed.
        #expect(found == (isFar ? 4 : 0))
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM near") == "\(rows)|\(rows)")
    }

    @Test func `what the ledger tells after a lost connection outlives its server`() async throws {
        // When the machine stands still for a second, a COMMIT waits for the disk and settles all before it.
        for _ in 0..<10 where try await tellsBeforeAnyIsSettled() { return }
        Issue.record("no COMMIT was lazy in ten tries")
    }

    /// Cuts the connection in the middle of a drain, asks the ledger, and then stops the server.
    ///
    /// - Returns: Whether nothing was settled when the ledger told of the rows.
    private func tellsBeforeAnyIsSettled() async throws -> Bool {
        let sandbox = try await sandbox()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        defer { proxy.stop() }
        let list = BatchList(list())
        let source = Source(list: list, whenReading: (6, { proxy.set(.refuse) }))
        let uploader = try sandbox.uploader(port: proxy.port)
        await #expect(throws: UpstreamError.self) { try await uploader.drain(source) }
        let settled = await list.settled.last?.last ?? 0
        proxy.set(.pass)
        let told = try await uploader.uploadedSequence(of: .trades)
        #expect(told >= 200)
        try sandbox.cluster.stop(.immediate)
        try sandbox.cluster.start()
        #expect(try #require(Int64(sandbox.run(Self.ledger))) >= told)
        try await finish(uploader, sandbox, after: told)
        return settled == 0
    }
}

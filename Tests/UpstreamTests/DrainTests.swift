import Foundation
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Upstream

/// Batches that follow one another: the next is read while one is sent, and one's COMMIT travels with the next.
@Suite(.blocking, .timeLimit(.minutes(5))) struct DrainTests {
    private let whole = "SELECT count(*), count(DISTINCT trade_id), min(trade_id::int), max(trade_id::int) FROM trades"

    private func list(_ batches: Int, of rows: Int, from first: Int64 = 1) -> [BufferedBatch] {
        (0..<batches).map { trades(rows, from: first + Int64($0 * rows)) }
    }

    @Test func `batches of all streams arrive whole, each settled once and in order`() async throws {
        let sandbox = try await Sandbox.migrated()
        let source = BatchList([
            trades(300), batch([bar(), bar(interval: .second)]), trades(200, from: 301), BufferedBatch(stream: .quotes),
            batch([bar(minute: 1)], from: 3),
        ])
        try await sandbox.uploader().drain(source)
        #expect(
            await source.settled.map { "\($0.stream.rawValue) \($0.last) \($0.rows) \($0.outcome.inserted)" } == [
                "trades 300 300 300", "bars 2 2 2", "trades 500 200 200", "bars 3 1 1",
            ])
        #expect(try sandbox.run(whole) == "500|500|1|500")
        #expect(
            try sandbox.run("SELECT stream, last_sequence, rows FROM edgetick_uploads ORDER BY 1")
                == "bars|3|3\ntrades|500|500")
    }

    @Test func `the next batch is read before the present one is committed, and no further one`() async throws {
        let sandbox = try await Sandbox.migrated()
        final class Source: UploadSource {
            let list: BatchList
            let sandbox: Sandbox
            let committed = Mutex<[String]>([])

            init(_ list: BatchList, _ sandbox: Sandbox) { (self.list, self.sandbox) = (list, sandbox) }

            func nextBatch() async throws -> BufferedBatch? {
                let sequence = try sandbox.run("SELECT coalesce(max(last_sequence), 0) FROM edgetick_uploads")
                committed.withLock { $0.append(sequence) }
                return try await list.nextBatch()
            }
            func keep(_ refused: [DeadLetter]) async throws {}
            func settled(_ batch: SettledBatch) async throws { try await list.settled(batch) }
            func failed(_ stream: EventStream, _ error: UpstreamError) async { await list.failed(stream, error) }
        }
        let source = Source(BatchList(list(4, of: 10)), sandbox)
        try await sandbox.uploader().drain(source)
        // The last reading finds that there is no further batch.
        #expect(source.committed.withLock { $0 } == ["0", "0", "10", "20", "30"])
    }

    @Test func `a batch is let go when it is committed`() async throws {
        let sandbox = try await Sandbox.migrated()
        let connection = try PostgresConnection.connect(sandbox.configuration(), interrupt: Wakeup())
        defer { connection.finish() }
        let catalog = try connection.readCatalog(of: TableShape.targets.map(\.name))
        let ledger = Ledger(
            table: try TableShape.ledger.usable(in: catalog), bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60",
            collector: "edge-1", sessionSQL: try sandbox.configuration().sessionSQL)
        let target = try UploadTarget<TradeField>(.trades, in: catalog)
        weak var committed: UploadTransaction?
        var before: UploadTransaction?
        let start = LedgerPosition(sequence: 0, token: "00000000-0000-4000-8000-000000000001")
        try connection.run(ledger.beginSQL(.trades), "begin")
        try connection.run("\(ledger.placeSQL(.trades, at: start)); COMMIT", "make the ledger's row")
        for batch in list(3, of: 10) {
            let transaction = UploadTransaction(
                on: connection, catalog: catalog, ledger: ledger, batch: batch, from: before?.end ?? start,
                fileIDs: [ledger.bufferID])
            let context = RowContext(
                collector: "edge-1", connections: batch.connections, text: batch.text, barTimestamp: .start)
            transaction.begin(after: before, isLazy: true) { #expect($0.isCommitted) }
            (transaction.rows, transaction.last) = (batch.count, batch.lastSequence ?? 0)
            let places = (0..<10).map { Int32($0) }
            try transaction.load(
                UploadRows(rows: batch.trades, order: places[...], target: target, context: context))
            committed = before
            before = transaction
            // If the next one kept it, all batches of a backlog would be kept, each by the next.
            #expect(committed == nil)
        }
        try before?.commit()
        #expect(try sandbox.run(whole) == "30|30|1|30")
    }

    @Test func `a batch is settled only when its rows can be seen by others`() async throws {
        let sandbox = try await Sandbox.migrated()
        let seen = Mutex<[String]>([])
        let source = BatchList(
            list(3, of: 50),
            onSettled: { settled in
                let there = try sandbox.run("SELECT count(*) FROM trades WHERE trade_id::int <= \(settled.last)")
                seen.withLock { $0.append(there) }
            })
        try await sandbox.uploader().drain(source)
        #expect(seen.withLock { $0 } == ["50", "100", "150"])
    }

    @Test func `batches that are upstream already are skipped, wholly or in part`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        try await uploader.drain(BatchList([trades(150)]))
        let source = BatchList(list(4, of: 100))
        try await uploader.drain(source)
        #expect(await source.settled.map(\.outcome.skipped) == [100, 50, 0, 0])
        #expect(await source.settled.map(\.last) == [100, 200, 300, 400])
        #expect(try sandbox.run(whole) == "400|400|1|400")
        #expect(try sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads") == "400|400")
    }

    @Test func `an error in the middle keeps what was settled, drops what was read ahead, and the next try goes on`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        try sandbox.run(
            """
            CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.trade_id = '250' THEN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER stumble BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION stumble()
            """)
        let source = BatchList(list(6, of: 100))
        let error = await #expect(throws: UpstreamError.self) { try await uploader.drain(source) }
        #expect(error?.sqlState == "40001")
        #expect(await source.settled.map(\.last) == [100, 200])
        #expect(await source.read <= 4)
        #expect(try sandbox.run(whole) == "200|200|1|200")
        try sandbox.run("DROP TRIGGER stumble ON trades")
        try await uploader.drain(BatchList(list(4, of: 100, from: 201)))
        #expect(try sandbox.run(whole) == "600|600|1|600")
    }

    @Test func `a batch without a table to go to doesn't hold up those of other streams`() async throws {
        let sandbox = try await Sandbox.migrated(then: "DROP TABLE quotes")
        let source = BatchList([trades(100), quotes(1), trades(100, from: 101)])
        let error = await #expect(throws: UpstreamError.self) { try await sandbox.uploader().drain(source) }
        #expect(error?.reason == .schema)
        #expect(await source.settled.map(\.last) == [100, 200])
        #expect(await source.failed[.quotes] == error)
        #expect(try sandbox.run(whole) == "200|200|1|200")
    }

    @Test func `a source that can't be read any more doesn't hold up what was read before`() async throws {
        struct DiskGone: Error {}
        struct Source: UploadSource {
            let list: BatchList
            func nextBatch() async throws -> BufferedBatch? {
                guard let batch = try await list.nextBatch() else { throw DiskGone() }
                return batch
            }
            func keep(_ refused: [DeadLetter]) async throws {}
            func settled(_ batch: SettledBatch) async throws { try await list.settled(batch) }
            func failed(_ stream: EventStream, _ error: UpstreamError) async { await list.failed(stream, error) }
        }
        let sandbox = try await Sandbox.migrated()
        let source = Source(list: BatchList(list(2, of: 100)))
        await #expect(throws: DiskGone.self) { try await sandbox.uploader().drain(source) }
        #expect(await source.list.settled.map(\.last) == [100, 200])
        #expect(try sandbox.run(whole) == "200|200|1|200")
    }

    @Test func `refused rows of each batch are kept before its own COMMIT`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: "ALTER TABLE trades ADD CONSTRAINT odd CHECK (trade_id::int % 100 <> 50)")
        let kept = Mutex<[String]>([])
        let source = BatchList(
            list(3, of: 100),
            deadLetters: { rows in
                let upstream = try sandbox.run("SELECT coalesce(max(last_sequence), 0) FROM edgetick_uploads")
                kept.withLock { $0 += rows.map { "\($0.sequence) after \(upstream)" } }
            })
        try await sandbox.uploader().drain(source)
        #expect(kept.withLock { $0 } == ["50 after 0", "150 after 100", "250 after 200"])
        #expect(await source.settled.map(\.outcome.refused) == [1, 1, 1])
        #expect(try sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads") == "300|297")
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "297")
    }

    @Test func `a limit met in the middle splits that batch alone`() async throws {
        let sandbox = try await Sandbox.migrated(then: Sandbox.limit)
        let source = BatchList([trades(80), trades(350, from: 81), trades(70, from: 431)])
        try await sandbox.uploader().drain(source)
        #expect(await source.settled.map(\.outcome.inserted) == [80, 350, 70])
        #expect(await source.settled.map(\.last) == [80, 430, 500])
        #expect(try sandbox.run(whole) == "500|500|1|500")
    }

    @Test func `a correction in the next batch wins over the bar in the one before`() async throws {
        let sandbox = try await Sandbox.migrated()
        let source = BatchList([
            batch([bar(close: 1), bar("MSFT", close: 5)]), batch([bar(close: 2)], from: 3),
            batch([bar(close: 3), bar("IBM", close: 9)], from: 4),
        ])
        try await sandbox.uploader().drain(source)
        #expect(try sandbox.run("SELECT symbol, close FROM ohlcv_1min ORDER BY 1") == "AAPL|3\nIBM|9\nMSFT|5")
        #expect(await source.settled.map(\.outcome.path) == [.direct, .staging, .staging])
    }

    @Test func `a ledger whose row can't be moved commits nothing`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF NEW.last_sequence > 150 THEN RETURN NULL; END IF; RETURN NEW; END $$;
                CREATE TRIGGER stay BEFORE UPDATE ON edgetick_uploads FOR EACH ROW EXECUTE FUNCTION stay()
                """)
        let source = BatchList(list(3, of: 100))
        let error = await #expect(throws: UpstreamError.self) { try await sandbox.uploader().drain(source) }
        #expect(error?.reason == .schema && error?.object == "table edgetick_uploads")
        #expect(await source.settled.map(\.last) == [100])
        #expect(try sandbox.run(whole) == "100|100|1|100")
    }

    /// Hands out some batches, and the others only after ``open()``.
    private final class HeldBatches: UploadSource {
        let list: BatchList
        private let most: Int
        private let isOpen = Mutex(false)

        init(_ list: BatchList, after most: Int) { (self.list, self.most) = (list, most) }

        func open() { isOpen.withLock { $0 = true } }

        func nextBatch() async throws -> BufferedBatch? {
            if await list.read >= most { try await Waiting.until { self.isOpen.withLock { $0 } } }
            return try await list.nextBatch()
        }
        func keep(_ refused: [DeadLetter]) async throws {}
        func settled(_ batch: SettledBatch) async throws { try await list.settled(batch) }
        func failed(_ stream: EventStream, _ error: UpstreamError) async { await list.failed(stream, error) }
    }

    @Test func `stopped again and again in the midst, it loses nothing and doubles nothing`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        let batches = list(80, of: 125)
        var random = SeededRandom(seed: 20_131_008)
        var stops = 0
        while true {
            let upstream = Int(try await uploader.uploadedSequence(of: .trades))
            guard upstream < 10_000 else { break }
            // From the start of a batch that may be upstream in part: what a pass does that heard of no COMMIT.
            let source = BatchList(Array(batches[(upstream / 125)...]))
            // However late the stop comes, the pass is in its middle.
            let held = HeldBatches(source, after: CommitGroup.limit + 4)
            let pass = Task { try await uploader.drain(held) }
            let wanted = min(Int.random(in: 0...3, using: &random), 80 - upstream / 125)
            // Closely watched, so that the stops come at different moments.
            let deadline = ContinuousClock.now + .seconds(45)
            while await source.settled.count < wanted {
                guard ContinuousClock.now < deadline else { throw Waiting.TimedOut("for settled batches") }
                await Task.yield()
            }
            pass.cancel()
            held.open()
            do { try await pass.value } catch { stops += 1 }
            for settled in await source.settled {
                #expect(try await uploader.uploadedSequence(of: .trades) >= settled.last)
            }
            try #require(stops < 200)
        }
        #expect(stops > 3)
        #expect(try sandbox.run(whole) == "10000|10000|1|10000")
        #expect(try sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads") == "10000|10000")
    }

    @Test func `answers to COMMIT that get lost between batches leave nothing lost and nothing doubled`() async throws {
        let sandbox = try await Sandbox.migrated()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        defer { proxy.stop() }
        let uploader = try sandbox.uploader(port: proxy.port)
        let batches = list(12, of: 200)
        for round in 0..<6 {
            let upstream = Int(try await uploader.uploadedSequence(of: .trades))
            proxy.set(.swallowAnswer(containing: "?column?"))
            let source = BatchList(Array(batches[(upstream / 200)...]))
            let error = await #expect(throws: UpstreamError.self) { try await uploader.drain(source) }
            #expect(error?.reason == .connectionLost)
            // The transaction was committed, and nobody was told.
            #expect(await source.settled.isEmpty && proxy.swallowed == round + 1)
            proxy.set(.pass)
        }
        let upstream = Int(try await uploader.uploadedSequence(of: .trades))
        #expect(upstream == 6 * 200)
        try await uploader.drain(BatchList(batches))
        #expect(try sandbox.run(whole) == "2400|2400|1|2400")
    }
}

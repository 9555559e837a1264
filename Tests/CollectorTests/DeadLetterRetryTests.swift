import Foundation
import Logging
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// Refused rows are sent again without being lost or duplicated, and are given up only when a person says so.
@Suite(.blocking, .timeLimit(.minutes(5))) struct DeadLetterRetryTests: UploadSuite {
    /// A retention longer than the age of the rows, which were received some years ago.
    private static let ever = Duration.seconds(1_000_000_000)
    let place: UploadPlace

    init() async throws { place = try await UploadPlace(for: "tests") }

    private func open(retention: Duration = .seconds(86_400)) throws -> (TickBuffer, Uploader) {
        let buffer = try TickBuffer.scratch(in: workspace.path, retention: retention)
        return (buffer, Uploader(configuration: try configuration(), bufferID: buffer.id, logger: quiet))
    }

    private func letters() throws -> [DeadLetter] {
        try TickHistory(directory: workspace.path).deadLetters(limit: 1000).reversed()
    }

    private static func trades(_ ids: Range<Int>) -> EventBatch {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_380_000_000_000_000)
        for id in ids {
            let text = batch.text.append(id % 10 == 3 ? "poison \(id)" : "\(id)")
            batch.trades.append(
                Trade(
                    symbol: Symbol("IBM")!, time: 1_380_000_000_000 + Int64(id), price: 0.4372, size: 100.25,
                    exchange: 11, tape: 1, tradeID: text, conditions: batch.text.append("[0,12]"),
                    sequence: Int64(id), trfID: 202, trfTime: 1_380_000_000_001))
        }
        return batch
    }

    private static func bar(_ symbol: String, minute: Int64, close: Double, received: Int64) -> EventBatch {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: received)
        let start = 1_380_000_000_000 + minute * 60_000
        batch.bars = [
            Bar(
                symbol: Symbol(symbol)!, interval: .minute, start: start, end: start + 60_000, open: 10.5, high: 10.75,
                low: 10.25, close: close, volume: 120, vwap: 10.5)
        ]
        return batch
    }

    private func refuse(retention: Duration = .seconds(86_400)) async throws -> (TickBuffer, Uploader) {
        _ = try sql("ALTER TABLE trades ADD CONSTRAINT no_poison CHECK (trade_id NOT LIKE 'poison%')")
        let (buffer, uploader) = try open(retention: retention)
        try await buffer.collect(Self.trades(0..<50))
        let totals = try await UploadPass(buffer: buffer, uploader: uploader, batchRows: 20).run()
        #expect(totals.refused == 5)
        return (buffer, uploader)
    }

    private func retry(_ letters: [DeadLetter], _ buffer: TickBuffer, _ uploader: Uploader) async throws
        -> DeadLetterRetry
    {
        try await DeadLetterRetry.run(
            letters, buffer: buffer, uploaders: [uploader], batchRows: 100)
    }

    @Test func `rows whose cause is fixed go upstream once and leave the file's letters`() async throws {
        let (buffer, uploader) = try await refuse(retention: Self.ever)
        _ = try sql("ALTER TABLE trades DROP CONSTRAINT no_poison")
        let result = try await retry(try letters(), buffer, uploader)
        #expect(result.sent == 5 && result.refusedAgain == [] && result.superseded == [])
        #expect(try letters() == [])
        #expect(buffer.statistics.deadLetters == 0 && buffer.statistics[.trades].marks.last == 55)
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "50|50")
        // The rows are the same, to the last digit, as their neighbours that were never refused.
        let others = """
            SELECT count(DISTINCT (symbol, price, size, exchange, tape, conditions, trf_id, trf_time, received_at,
            connection, sequence - (extract(epoch FROM time) * 1000 - 1380000000000))) FROM trades
            """
        #expect(try sql(others) == "1")
        // Each is in the file once too.
        let rows = try TickHistory(directory: workspace.path).events(of: .trades, after: 0, limit: 100).events
        #expect(rows.count == 50)
        await uploader.disconnect()
        await buffer.close()
        #expect(try FileVerifier.verify(workspace.file("ticks.sqlite"), as: .ticks).findings == [])
    }

    @Test func `rows that were refused and then sent go up once more when the database is emptied`() async throws {
        let (buffer, uploader) = try await refuse(retention: Self.ever)
        _ = try sql("ALTER TABLE trades DROP CONSTRAINT no_poison")
        let result = try await retry(try letters(), buffer, uploader)
        #expect(result.sent == 5)
        _ = try sql("TRUNCATE trades, edgetick_uploads")
        await uploader.disconnect()
        _ = try await UploadPass(buffer: buffer, uploader: uploader, batchRows: 20).run()
        #expect(buffer.statistics.pending == 0)
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "50|50")
        await uploader.disconnect()
        await buffer.close()
    }

    @Test func `rows that a copy of the file has sent again leave the letters and are not sent twice`() async throws {
        let (refused, sender) = try await refuse(retention: Self.ever)
        await sender.disconnect()
        await refused.close()
        try copy(workspace.path, to: "copy")
        _ = try sql("ALTER TABLE trades DROP CONSTRAINT no_poison")
        let (buffer, uploader) = try open(retention: Self.ever)
        #expect(try await retry(try letters(), buffer, uploader).sent == 5)
        await uploader.disconnect()
        await buffer.close()
        let other = try TickBuffer.scratch(in: workspace.file("copy"), retention: Self.ever)
        let second = Uploader(configuration: try configuration(), bufferID: other.id, logger: quiet)
        // Rows that only the copy has wait before those of the letters.
        try await other.collect(Self.trades(50..<60))
        let left = try TickHistory(directory: workspace.file("copy")).deadLetters(limit: 1000)
        #expect(left.count == 5)
        #expect(try await retry(left, other, second).sent == 0)
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "60|60")
        #expect(other.statistics.deadLetters == 0 && other.statistics.drops == 0)
        await second.disconnect()
        await other.close()
        #expect(try FileVerifier.verify(workspace.file("copy/ticks.sqlite"), as: .ticks).findings == [])
    }

    @Test
    func `while the upload runs, letters are sent again between two passes, each once, whatever is asked at once`()
        async throws
    {
        let (buffer, uploader) = try await refuse()
        _ = try sql("ALTER TABLE trades DROP CONSTRAINT no_poison")
        let service = SyncService(
            buffer: buffer, uploader: uploader, interval: .seconds(600), batchRows: 10, logger: quiet)
        let running = Task { try await service.run() }
        let names = try letters().map(\.name)
        let given = try #require(DeadLetterChoice.Name(names[4]))
        // A backlog keeps a pass busy meanwhile.
        for start in stride(from: 50, to: 450, by: 50) { _ = buffer.offer(Self.trades(start..<start + 50)) }
        service.pushNow()
        async let first = service.retry(.all).requeued
        async let second = service.retry(.all).requeued
        async let third = service.discard(.named([given])).letters.count
        // If the letter was sent again first, there is none left to give up.
        let discarded = (try? await third) ?? 0
        let sent = try await (first, second)
        #expect(sent.0 + sent.1 + discarded == 5, "\(sent), \(discarded)")
        try await Waiting.until("everything is upstream") { buffer.statistics.pending == 0 }
        #expect(try letters() == [])
        let count = 450 - discarded
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "\(count)|\(count)")
        try await Waiting.until("the next pass has its time") { service.status.nextPass != nil }
        running.cancel()
        _ = try? await running.value
        await buffer.close()
        #expect(try FileVerifier.verify(workspace.file("ticks.sqlite"), as: .ticks).findings == [])
    }

    @Test func `while the database is away nothing is put back, and the letters stay`() async throws {
        let (buffer, uploader) = try await refuse()
        await uploader.disconnect()
        let away = Uploader(
            configuration: try UpstreamConfiguration(
                uri: "postgresql://nobody@127.0.0.1:1/none", collector: "tests", connectTimeout: .seconds(1)),
            bufferID: buffer.id, logger: quiet)
        let service = SyncService(
            buffer: buffer, uploader: away, interval: .seconds(600), batchRows: 10, logger: quiet)
        let running = Task { try await service.run() }
        await #expect(throws: UpstreamError.self) { try await service.retry(.all) }
        #expect(try letters().count == 5)
        running.cancel()
        _ = try? await running.value
        await #expect(throws: CancellationError.self) { try await service.retry(.all) }
        await buffer.close()
    }

    @Test func `a letter whose row still waits sends no second one`() async throws {
        let (buffer, uploader) = try await refuse()
        _ = try sql("ALTER TABLE trades DROP CONSTRAINT no_poison")
        try await buffer.collect(Self.trades(50..<60))
        // The row behind it was refused, and then the server died before the COMMIT.
        let unsettled = DeadLetter(
            stream: .trades, sequence: 54, sqlState: "23514", reason: "no_poison",
            row: try #require(try letters().first?.row).replacing("poison 3", with: "poison 53"))
        try await buffer.addDeadLetters([unsettled])
        let result = try await retry(try letters(), buffer, uploader)
        #expect(result.sent == 6 && result.refusedAgain == [])
        #expect(try letters() == [])
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "60|60")
        await uploader.disconnect()
        await buffer.close()
    }

    @Test func `what is refused again raises no question when the ledger alone is lost`() async throws {
        let (buffer, uploader) = try await refuse(retention: Self.ever)
        let result = try await retry(try letters(), buffer, uploader)
        #expect(result.sent == 0 && result.refusedAgain.count == 5)
        await uploader.disconnect()
        await buffer.close()
        _ = try sql("DELETE FROM edgetick_uploads")
        let (again, second) = try open(retention: Self.ever)
        let report = await UploadPass(buffer: again, uploader: second, batchRows: 20).report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "45|45")
        await second.disconnect()
        await again.close()
    }

    @Test func `what is refused again is a letter again with the new reason`() async throws {
        let (buffer, uploader) = try await refuse()
        _ = try sql(
            """
            ALTER TABLE trades DROP CONSTRAINT no_poison;
            ALTER TABLE trades ADD CONSTRAINT still CHECK (trade_id <> 'poison 23')
            """)
        let before = try letters()
        let result = try await retry(before, buffer, uploader)
        #expect(result.sent == 4 && result.refusedAgain.count == 1)
        let left = try letters()
        #expect(left == result.refusedAgain)
        #expect(left.first?.reason.contains("still") == true && left.first?.row.contains("poison 23") == true)
        #expect(left.first.map { $0.sequence > 50 } == true)
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "49|49")
        await uploader.disconnect()
        await buffer.close()
    }

    @Test func `a database that is away changes nothing, and a lost answer doubles nothing`() async throws {
        let (buffer, uploader) = try await refuse()
        _ = try sql("ALTER TABLE trades DROP CONSTRAINT no_poison")
        let proxy = try TCPProxy(to: cluster.port)
        let upstream = try UpstreamConfiguration(
            uri: cluster.uri(database, port: proxy.port), collector: "tests", connectTimeout: .seconds(60))
        let broken = Uploader(configuration: upstream, bufferID: buffer.id, logger: quiet)
        proxy.set(.refuse)
        let before = try letters()
        await #expect(throws: UpstreamError.self) { _ = try await retry(before, buffer, broken) }
        #expect(try letters() == before)
        // The answer to the ledger's move, with its unnamed column, is lost: nobody knows whether the COMMIT succeeded.
        proxy.set(.pass)
        try await broken.connect()
        proxy.set(.swallowAnswer(containing: "?column?"))
        await #expect(throws: UpstreamError.self) { _ = try await retry(before, buffer, broken) }
        #expect(proxy.swallowed > 0)
        #expect(try letters() == [])
        proxy.set(.pass)
        _ = try await UploadPass(buffer: buffer, uploader: uploader, batchRows: 100).run()
        #expect(buffer.statistics.pending == 0)
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "50|50")
        await broken.disconnect()
        await uploader.disconnect()
        await buffer.close()
    }

    @Test func `letters that are asked for again while the file can't be written go upstream once`() async throws {
        let (buffer, uploader) = try await refuse()
        _ = try sql("ALTER TABLE trades DROP CONSTRAINT no_poison")
        // After it, all that a retry has to write is the rows.
        _ = try await UploadPass(buffer: buffer, uploader: uploader, batchRows: 20).run()
        let before = try letters()
        let held = try workspace.write("", to: "held")
        let program = try ChildProcess(
            "/usr/bin/sqlite3",
            [
                workspace.file("ticks.sqlite"), ".timeout 30000", "BEGIN IMMEDIATE",
                ".shell echo locked; while test -e \(held); do sleep 0.05; done",
            ])
        try await program.line(containing: "locked")
        for _ in 0..<2 {
            await #expect(throws: StoreError.self) { _ = try await retry(before, buffer, uploader) }
        }
        #expect(try letters() == before)
        try FileManager.default.removeItem(atPath: held)
        #expect(try await program.exit() == 0, "\(program.output)")
        try await Waiting.until("everything is written") { (try? await buffer.flush()) != nil }
        let result = try await retry(before, buffer, uploader)
        #expect(result.requeued == 5 && result.sent == 5 && result.superseded == [])
        #expect(try sql("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "50|50")
        await uploader.disconnect()
        await buffer.close()
    }

    @Test func `a refused bar never replaces a newer version, here or upstream`() async throws {
        _ = try sql("ALTER TABLE ohlcv_1min ADD CONSTRAINT cheap CHECK (close < 1000)")
        let (buffer, uploader) = try open()
        let pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: 100)
        // A: corrected later; B: corrected upstream by others; C: nothing newer; D: upstream has an older version.
        _ = buffer.offer(Self.bar("A", minute: 0, close: 5000, received: 2_000_000))
        _ = buffer.offer(Self.bar("B", minute: 0, close: 5000, received: 2_000_000))
        _ = buffer.offer(Self.bar("C", minute: 0, close: 5000, received: 2_000_000))
        try await buffer.collect(Self.bar("D", minute: 0, close: 10.5, received: 1_000_000))
        _ = try await pass.run()
        _ = buffer.offer(Self.bar("D", minute: 0, close: 5000, received: 2_000_000))
        try await buffer.collect(Self.bar("A", minute: 0, close: 11, received: 3_000_000))
        _ = try await pass.run()
        _ = try sql(
            """
            INSERT INTO ohlcv_1min (symbol, timestamp, open, high, low, close, volume, received_at)
            VALUES ('B', timestamptz 'epoch' + interval '1380000000 s', 1, 1, 1, 12, 1, timestamptz 'epoch' + interval '9 s');
            ALTER TABLE ohlcv_1min DROP CONSTRAINT cheap
            """)
        #expect(try letters().map { $0.event?.symbol.description } == ["A", "B", "C", "D"])
        let result = try await retry(try letters(), buffer, uploader)
        #expect(result.sent == 2)
        #expect(result.superseded.map { $0.event?.symbol.description } == ["A", "B"])
        #expect(try sql("SELECT symbol, trim_scale(close) FROM ohlcv_1min ORDER BY 1") == "A|11\nB|12\nC|5000\nD|5000")
        await uploader.disconnect()
        await buffer.close()
    }

    /// Leaves a letter as an upload does that is interrupted before or after its COMMIT, and opens the file again.
    private func interrupt(hasCommitted: Bool) async throws -> (TickBuffer, Uploader) {
        _ = try sql("ALTER TABLE trades ADD CONSTRAINT no_poison CHECK (trade_id NOT LIKE 'poison%')")
        let (first, sender) = try open()
        try await first.collect(Self.trades(0..<10))
        if hasCommitted {
            // Nothing of it is acknowledged.
            let batch = try #require(try await first.nextBatch(of: .trades, limit: 10))
            try await sender.connect()
            try await sender.drain(OneBatch(batch), of: first)
        }
        let row = """
            {"seq":4,"symbol":"IBM","time_ms":1380000000003,"price":0.4372,"size":100.25,
            "received_us":1380000000000000,"connection":"primary"}
            """
        try await first.addDeadLetters([
            DeadLetter(stream: .trades, sequence: 4, sqlState: "23514", reason: "no_poison", row: row)
        ])
        await sender.disconnect()
        await first.close()
        return try open()
    }

    @Test(arguments: [false, true])
    func `a letter that is discarded after an interrupted upload is counted, or its row still waits`(
        hasCommitted: Bool
    ) async throws {
        let (buffer, uploader) = try await interrupt(hasCommitted: hasCommitted)
        let pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: 20)
        await #expect(throws: DeadLettersInDoubt.self) {
            try await DeadLetterRetry.discard(try letters(), buffer: buffer, passes: [])
        }
        #expect(try letters().count == 1)
        let discarded = try await DeadLetterRetry.discard(try letters(), buffer: buffer, passes: [pass])
        #expect(discarded.letters.map(\.name) == (hasCommitted ? ["trades:4"] : []))
        #expect(discarded.waiting == (hasCommitted ? 0 : 1))
        #expect(try letters() == [])
        _ = try await pass.run()
        #expect(buffer.statistics.pending == 0 && buffer.statistics.drops == (hasCommitted ? 1 : 0))
        #expect(try letters().count == (hasCommitted ? 0 : 1))
        #expect(try sql("SELECT count(*) FROM trades") == "9")
        await uploader.disconnect()
        await buffer.close()
        #expect(try FileVerifier.verify(workspace.file("ticks.sqlite"), as: .ticks).findings == [])
    }

    @Test func `a discard that is given up while the database is asked deletes nothing`() async throws {
        let (buffer, uploader) = try await interrupt(hasCommitted: true)
        await uploader.disconnect()
        let proxy = try TCPProxy(to: cluster.port)
        proxy.set(.holdAnswers)
        let slow = Uploader(
            configuration: try UpstreamConfiguration(
                uri: cluster.uri(database, port: proxy.port), collector: "tests", connectTimeout: .seconds(60)),
            bufferID: buffer.id, logger: quiet)
        let pass = UploadPass(buffer: buffer, uploader: slow, batchRows: 20)
        let interludes = Interludes()
        let choice = DeadLetterChoice.all
        let discard = Task {
            try await interludes.run(ring: {}) {
                try await DeadLetterRetry.discard(choice.letters(in: buffer), buffer: buffer, passes: [pass])
            }
        }
        try await Waiting.until("the discard waits for its turn") { !interludes.isEmpty }
        let turn = Task { await interludes.carryOut() }
        try await Waiting.until("the database is asked") { proxy.passedBytes > 0 }
        discard.cancel()
        proxy.set(.pass)
        await #expect(throws: (any Error).self) { try await discard.value }
        await turn.value
        #expect(try letters().map(\.name) == ["trades:4"])
        #expect(buffer.statistics.drops == 0)
        await slow.disconnect()
        await buffer.close()
    }

    @Test func `a letter whose row the file no longer has is discarded although the database went back before it`()
        async throws
    {
        let (buffer, uploader) = try await refuse(retention: .zero)
        try await Waiting.until("the deletion", within: .seconds(60)) {
            buffer.statistics[.trades].marks.deleted == 49
        }
        try await buffer.agree(withLedger: [.trades: 30])
        #expect(buffer.statistics.drops == 19)
        let discarded = try await DeadLetterRetry.discard(try letters(), buffer: buffer, passes: [])
        #expect(discarded.letters.count == 5 && discarded.waiting == 0)
        #expect(try letters() == [])
        // Rows 34 and 44 are among those that were counted as lost.
        #expect(buffer.statistics.drops == 22)
        await uploader.disconnect()
        await buffer.close()
    }

    @Test func `rows that a retry moved, or that were discarded, are not lost with the database`() async throws {
        let (buffer, uploader) = try await refuse(retention: .zero)
        try await Waiting.until("the deletion", within: .seconds(60)) {
            buffer.statistics[.trades].marks.deleted == 49
        }
        // Rows 34 and 44.
        let given = try letters().filter { $0.sequence > 30 }
        #expect(try await buffer.requeue([given[0]]).count == 1)
        try await buffer.discard([given[1]])
        #expect(buffer.statistics.drops == 1)
        try await buffer.agree(withLedger: [.trades: 30])
        await buffer.close()
        let drops = try BufferReport.read(directory: workspace.path).drops
        let lost = try #require(drops.first { $0.reason == "upstream_lost" })
        // Row 50, which is no longer the newest, may be gone by then or not.
        #expect([17, 18].contains(lost.count))
        #expect(try FileVerifier.verify(workspace.file("ticks.sqlite"), as: .ticks).findings == [])
        await uploader.disconnect()
    }

    @Test func `discarded letters are gone and counted by symbol and time`() async throws {
        let (buffer, uploader) = try await refuse()
        let all = try letters()
        try await buffer.discard(Array(all.prefix(2)))
        #expect(try letters() == Array(all.dropFirst(2)))
        #expect(buffer.statistics.deadLetters == 3 && buffer.statistics.drops == 2)
        await uploader.disconnect()
        await buffer.close()
        let drop = try #require(try BufferReport.read(directory: workspace.path).drops.first)
        #expect(drop.reason == "discarded" && drop.count == 2 && drop.stream == .trades)
        #expect(drop.from == 1_380_000_000_003 && drop.to == 1_380_000_000_013)
        #expect(try FileVerifier.verify(workspace.file("ticks.sqlite"), as: .ticks).findings == [])
    }
}

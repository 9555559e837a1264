import Foundation
import MarketData
import Store
import Synchronization
import TestSupport
import Testing
import Upstream

@testable import Collector

/// When one stream can't be uploaded, the others are, and the problem is reported with the stream's name.
@Suite(.blocking, .timeLimit(.minutes(5))) struct StreamProblemTests {
    private func append(_ count: Int64, to rig: UploadRig) async throws {
        for stream in EventStream.allCases { try await rig.append(count, to: stream) }
    }

    @Test func `a pass uploads the streams that can go, and says of the others why not`() async throws {
        let rig = try await UploadRig()
        try await append(400, to: rig)
        try rig.sql("DROP TABLE trades")
        for _ in 0..<2 {
            let report = await rig.pass.report()
            #expect(report.failures.keys.map(\.self) == [.trades] && report.problem == nil)
            #expect(report.failures[.trades]?.sqlState == "42P01")
            #expect(throws: UpstreamError.self) { try report.get() }
        }
        #expect(try rig.count(.bars) == "400|400" && rig.count(.quotes) == "400|400")
        #expect(rig.buffer.statistics[.bars].pending == 0 && rig.buffer.statistics[.quotes].pending == 0)
        #expect(rig.buffer.statistics[.trades].pending == 400)
        _ = try await UpstreamSchema.migrate(
            try UpstreamConfiguration(
                uri: rig.cluster.uri(rig.database), collector: "edge-1", connectTimeout: .seconds(60)))
        #expect(try await rig.pass.run().rows == 400)
        #expect(try rig.upstream() == "400|400|1|400|0")
        await rig.end()
    }

    @Test func `a connection that is lost with a stream's rows on the way is made again for the others`() async throws {
        let rig = try await UploadRig()
        try await rig.append(100, to: .bars)
        _ = try await rig.pass.run()
        try await append(100, to: rig)
        // The server ends the session that sends these rows, as if its process had crashed.
        try rig.sql(
            """
            CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
            CREATE TRIGGER crash BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION crash()
            """)
        let report = await rig.pass.report()
        #expect(report.failures.keys.map(\.self) == [.trades] && report.problem == nil)
        #expect(report.failures[.trades]?.reason == .connectionLost)
        #expect(try rig.count(.bars) == "200|200" && rig.count(.quotes) == "100|100")
        #expect(try rig.count(.trades) == "0|0")
        try rig.sql("DROP TRIGGER crash ON trades")
        #expect(try await rig.pass.run().rows == 100)
        #expect(try rig.upstream() == "100|100|1|100|0")
        await rig.end()
    }

    @Test func `a row that the database can't hold keeps no other one back, also when rows are looked up`() async throws
    {
        let rig = try await UploadRig()
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_381_239_000_000_000)
        for number in 1...100 as ClosedRange<Int64> {
            // The database's timestamps end in the year 294276.
            let time: Int64 = number == 37 ? 10_000_000_000_000_000 : 1_381_239_000_000 + number
            batch.trades.append(
                Trade(
                    symbol: Symbol("MSFT")!, time: time, price: 1, size: 1, tradeID: batch.text.append("\(number)")))
        }
        #expect(rig.buffer.offer(batch) != .refused)
        try await rig.buffer.flush()
        #expect(try await rig.pass.run().rows == 99)
        // First only the ledger is lost, then the rows as well.
        for (rows, sql) in [(0, "DELETE FROM edgetick_uploads"), (99, "TRUNCATE trades, edgetick_uploads")] {
            await rig.uploader.disconnect()
            try rig.sql(sql)
            #expect(try await rig.pass.run().rows == rows)
            #expect(try rig.count(.trades) == "99|99")
            #expect(rig.buffer.statistics.pending == 0)
        }
        await rig.end()
    }

    @Test func `a batch too slow for its time is sent in smaller ones, once, and batches grow again`() async throws {
        let rig = try await UploadRig(statementTimeout: .seconds(2))
        try rig.sql(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END $$;
            CREATE TRIGGER slow BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION slow()
            """)
        try await rig.append(150)
        let pass = rig.pass
        #expect(try await uploadAll(rig.buffer, pass).tooSlow > 0)
        #expect(try rig.upstream() == "150|150|1|150|0")
        try rig.sql("DROP TRIGGER slow ON trades")
        try await rig.append(3000)
        let fast = try await uploadAll(rig.buffer, pass)
        #expect(fast.totals.batches < 75)
        // Rows that were committed as a connection was lost are not counted.
        #expect(fast.totals.rows == 3000 || fast.stalls > 0)
        #expect(try rig.upstream() == "3150|3150|1|3150|0")
        await rig.end()
    }

    /// Uploads all trades within a short time limit, in as many passes as that takes.
    private func uploadAll(
        _ buffer: TickBuffer, _ pass: UploadPass
    ) async throws -> (totals: UploadTotals, tooSlow: Int, stalls: Int) {
        var totals = UploadTotals()
        var (tooSlow, stalls) = (0, 0)
        while buffer.statistics.pending > 0 {
            let report = await pass.report()
            totals = totals + report.totals
            if report.failures[.trades]?.reason == .tooSlow {
                tooSlow += 1
            } else if report.problem != nil || !report.failures.isEmpty {
                // If the machine stalls for longer than the limit, any statement may fail, but not for any reason.
                try #require(report.problem == nil || report.problem is UpstreamError, "\(report)")
                let problem = [report.problem as? UpstreamError].compactMap(\.self)
                let reasons = (Array(report.failures.values) + problem).map(\.reason)
                let ofStalls: Set<UpstreamError.Reason> = [.tooSlow, .deadline, .busy, .connectionLost]
                try #require(ofStalls.isSuperset(of: reasons), "\(report)")
                stalls += 1
            }
            try #require(tooSlow < 8 && stalls < 5, "\(report)")
        }
        return (totals, tooSlow, stalls)
    }

    @Test func `the service goes on with the others, names the stream, and goes back to it`()
        async throws
    {
        let rig = try await UploadRig()
        try rig.sql("ALTER TABLE trades RENAME TO trades_away")
        let (service, running) = start(rig)
        for _ in 0..<5 {
            try await append(100, to: rig)
            try await Waiting.until { [buffer = rig.buffer] in
                buffer.statistics[.bars].pending == 0 && buffer.statistics[.quotes].pending == 0
            }
        }
        // Rows leave the queue a moment before they are counted.
        try await Waiting.until { service.status.totals[.bars].uploaded == 500 }
        let failure = try #require(service.status.failure)
        #expect(failure.description.hasPrefix("trades: ") && failure.description.contains("42P01"))
        #expect(failure.needsPerson && service.status.failures.keys.map(\.self) == [.trades])
        #expect(service.status.totals[.trades].uploaded == 0)
        try rig.sql("ALTER TABLE trades_away RENAME TO trades")
        service.pushNow()
        try await Waiting.until(within: .seconds(90)) { service.status.totals.rows == 500 * EventStream.allCases.count }
        #expect(service.status.failure == nil)
        #expect(try rig.upstream() == "500|500|1|500|0")
        running.cancel()
        _ = try? await running.value
        await rig.end()
    }

    @Test func `a stream that failed is reported and retried although the rows of another never end`() async throws {
        let rig = try await UploadRig()
        try rig.sql("ALTER TABLE trades RENAME TO trades_away")
        try await rig.append(100)
        let (service, running) = start(rig)
        let feed = Task { [buffer = rig.buffer] in
            var number: Int64 = 0
            while !Task.isCancelled {
                var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
                for _ in 0..<50 {
                    number += 1
                    batch.quotes.append(
                        Quote(symbol: Symbol("IBM")!, time: 1_381_239_000_000 + number, bid: 1, sequence: number))
                }
                let admission = buffer.offer(batch)
                #expect(admission != .refused)
                // A stalled disk must not let the queue fill up.
                try await Task.sleep(for: .milliseconds(admission == .accepted ? 2 : 100))
            }
        }
        // A pass may take ten seconds, and the stream is tried again after five, then ten.
        try await Waiting.until(within: .seconds(90)) { service.status.failures[.trades] != nil }
        try rig.sql("ALTER TABLE trades_away RENAME TO trades")
        try await Waiting.until(within: .seconds(120)) { service.status.totals[.trades].uploaded == 100 }
        #expect(rig.buffer.statistics[.trades].pending == 0 && service.status.totals[.quotes].uploaded > 100)
        feed.cancel()
        _ = try? await feed.value
        running.cancel()
        _ = try? await running.value
        await rig.end()
    }

    @Test func `a caller that waits for a backlog's upload gets all of it, though each pass is cut short`()
        async throws
    {
        let rig = try await UploadRig()
        try await append(1000, to: rig)
        let (service, running) = start(rig, longestPass: .zero)
        let report = try #require(await service.pass())
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(rig.buffer.statistics.pending == 0)
        #expect(service.status.totals.rows == 1000 * EventStream.allCases.count)
        #expect(try rig.upstream() == "1000|1000|1|1000|0")
        running.cancel()
        _ = try? await running.value
        await rig.end()
    }

    private func start(
        _ rig: UploadRig, longestPass: Duration = .seconds(10)
    ) -> (service: SyncService, running: Task<Void, any Error>) {
        let service = SyncService(
            buffer: rig.buffer, uploader: rig.uploader, interval: .milliseconds(50), batchRows: 150,
            longestPass: longestPass, logger: quiet)
        return (service, Task { try await service.run() })
    }

    @Test func `a pass that is cut short says so, and the next one uploads the rest`() async throws {
        let rig = try await UploadRig()
        try await append(400, to: rig)
        let first = await rig.pass.report(within: .zero)
        #expect(first.isCutShort && first.totals.rows == 150 * EventStream.allCases.count)
        #expect(await !rig.pass.report().isCutShort)
        let none = await rig.pass.report(within: .zero)
        #expect(!none.isCutShort && none.totals.rows == 0)
        #expect(try rig.upstream() == "400|400|1|400|0")
        await rig.end()
    }

    @Test func `rows that a trigger discards are no uploaded rows, and health names their stream`() async throws {
        let rig = try await UploadRig()
        try rig.sql(
            """
            CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.trade_id::int % 2 = 1 THEN RETURN NULL; END IF; RETURN NEW; END $$;
            CREATE TRIGGER odd BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION odd()
            """)
        try await append(100, to: rig)
        var upload = UploadState()
        let report = await rig.pass.report()
        upload.status.passed(report, of: EventStream.allCases, at: .now)
        var snapshot = CollectorSnapshot(collector: "box", version: "1")
        snapshot.uploads = [upload]
        let check = Health.Check.sync(snapshot)
        #expect(check.level == .degraded && check.detail.hasPrefix("50 rows of trades went up "))
        #expect(try rig.count(.trades) == "50|50")
        await rig.end()
    }

    @Test func `refused rows are not uploaded rows, and rows that all are refused stay in the queue`() async throws {
        let rig = try await UploadRig()
        try rig.sql("ALTER TABLE trades ADD CONSTRAINT few CHECK (trade_id::int % 10 <> 0)")
        try await rig.append(100)
        let report = await rig.pass.report()
        #expect(report.totals.rows == 90 && report.totals.refused == 10 && report.totals.settled == 100)
        #expect(report.totals[.trades].uploaded == 90 && rig.buffer.statistics.deadLetters == 10)
        var status = SyncStatus()
        status.passed(report, of: EventStream.allCases, at: .now)
        #expect(status.totals.rows == 90 && status.totals.refused == 10)
        try rig.sql("ALTER TABLE quotes ADD CONSTRAINT none CHECK (sequence < 0)")
        try await rig.append(400, to: .quotes)
        let refused = await rig.pass.report()
        // Rows of one symbol become dead letters, however many; the tests of Upstream have several symbols.
        #expect(refused.totals.rows == 0 && refused.totals.refused == 400)
        #expect(try rig.count(.quotes) == "0|0")
        await rig.end()
    }

    /// Makes the rows of some trades end the session that sends them, as if the server's process had crashed.
    private func endSession(_ rig: UploadRig, where condition: String) throws {
        try rig.sql(
            """
            CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF \(condition) THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$;
            CREATE TRIGGER crash BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION crash()
            """)
    }

    @Test func `rows that end the server's session are found and set aside, and the others go up`() async throws {
        let rig = try await UploadRig()
        try endSession(rig, where: "NEW.trade_id IN ('100', '101', '260')")
        try await append(400, to: rig)
        var losses = 0
        while rig.buffer.statistics.pending > 0 {
            let report = await rig.pass.report()
            #expect(report.problem == nil)
            if let failure = report.failures[.trades] {
                #expect(failure.reason == .connectionLost && report.failures.count == 1)
                losses += 1
            }
            try #require(losses < 60)
        }
        #expect(losses > 2)
        #expect(try rig.upstream() == "397|397|1|400|0" && rig.count(.quotes) == "400|400")
        let letters = try rig.sqlite("SELECT stream, seq, sql_state FROM dead_letters ORDER BY seq")
        #expect(letters == "trades|100|57P01\ntrades|101|57P01\ntrades|260|57P01")
        await rig.end()
    }

    @Test func `a row that ends the session and waits alone is tried after the last one that went up`() async throws {
        let rig = try await UploadRig()
        try await rig.append(10)
        _ = try await rig.pass.run()
        try endSession(rig, where: "NEW.trade_id = '11'")
        try await rig.append(1)
        var losses = 0
        while rig.buffer.statistics.pending > 0 {
            losses += await rig.pass.report().failures.count
            try #require(losses < 20)
        }
        #expect(try rig.upstream() == "10|10|1|10|0")
        #expect(try rig.sqlite("SELECT stream, seq, sql_state FROM dead_letters") == "trades|11|57P01")
        // Where that one ends the session as well, no row is at fault.
        try rig.sql("DROP TRIGGER crash ON trades; DROP FUNCTION crash")
        try endSession(rig, where: "true")
        try await rig.append(1)
        for _ in 0..<15 { #expect(await rig.pass.report().failures[.trades]?.reason == .connectionLost) }
        #expect(rig.buffer.statistics.deadLetters == 1 && rig.buffer.statistics[.trades].pending == 1)
        await rig.end()
    }

    @Test func `where every row ends the session, no row is at fault, and all go up when that is over`() async throws {
        let rig = try await UploadRig()
        try endSession(rig, where: "true")
        try await rig.append(20)
        for _ in 0..<15 {
            let report = await rig.pass.report()
            #expect(report.failures[.trades]?.reason == .connectionLost && report.problem == nil)
        }
        #expect(rig.buffer.statistics.deadLetters == 0 && rig.buffer.statistics[.trades].pending == 20)
        try rig.sql("DROP TRIGGER crash ON trades")
        #expect(try await rig.pass.run().rows == 20)
        #expect(try rig.upstream() == "20|20|1|20|0")
        #expect(rig.buffer.statistics.deadLetters == 0)
        await rig.end()
    }

    @Test(arguments: ["0A000", "XX000", "40001", "57P01", "08006"])
    func `a command that passes once looks for the row at fault as well`(code: String) async throws {
        let rig = try await UploadRig()
        try rig.sql(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.trade_id = '77' THEN RAISE EXCEPTION 'made to fail' USING ERRCODE = '\(code)'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER fail BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION fail()
            """)
        try await append(400, to: rig)
        let report = await rig.pass.reportAfterTries()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(report.totals[.trades].uploaded == 399 && report.totals[.trades].refused == 1)
        let sent = 400 * EventStream.allCases.count
        // Rows whose COMMIT's answer is lost with the connection are found in the ledger, and not counted.
        let losesAnswers = ["57P01", "08006"].contains(code)
        #expect(losesAnswers || report.totals.rows == sent - 1, "\(report.totals)")
        #expect(rig.buffer.statistics.deadLetters == 1)
        #expect(EventStream.allCases.allSatisfy { rig.buffer.statistics[$0].pending == 0 })
        #expect(try rig.count(.trades) == "399|399")
        // An error that all rows meet stays a failure, and nothing is set aside.
        try rig.sql("ALTER TABLE trades RENAME TO trades_away")
        try await rig.append(10)
        let missing = await rig.pass.reportAfterTries()
        #expect(missing.failures[.trades]?.sqlState == "42P01" && missing.totals.refused == 0)
        #expect(rig.buffer.statistics[.trades].pending == 10)
        await rig.end()
    }

    @Test func `a command that passes once waits for a server that is gone with its rows, and says so`() async throws {
        let rig = try await UploadRig()
        try await rig.append(10)
        let pass = rig.pass
        _ = try await pass.run()
        try await rig.append(3000)
        // In the middle of the batches; then the server can't be reached.
        rig.proxy.set(.cutAtMessage(300))
        let proxy = rig.proxy
        let waits = Mutex(0)
        let report = await pass.reportAfterTries(isAway: { error in
            #expect(error.isLostConnection)
            waits.withLock { $0 += 1 }
            proxy.set(.pass)
        })
        #expect(report.problem == nil && report.failures.isEmpty)
        #expect(waits.withLock { $0 } == 1 && proxy.cuts == 1)
        #expect(try rig.upstream() == "3010|3010|1|3010|0")
        // One that doesn't come back ends the command.
        try await rig.append(3000)
        rig.proxy.set(.cutAtMessage(300))
        let end = await pass.reportAfterTries(patience: .zero)
        #expect(end.isOfLostServer && rig.buffer.statistics[.trades].pending > 0)
        rig.proxy.set(.pass)
        #expect(await pass.reportAfterTries().problem == nil)
        #expect(try rig.upstream() == "6010|6010|1|6010|0")
        await rig.end()
    }
}

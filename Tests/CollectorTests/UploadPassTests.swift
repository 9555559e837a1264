import Foundation
import MarketData
import Store
import Synchronization
import TestSupport
import Testing
import Upstream

@testable import Collector

/// Passes from a real buffer to a real server, interrupted in every way.
@Suite(.blocking, .timeLimit(.minutes(5))) struct UploadPassTests {
    @Test func `a pass moves everything, batch by batch, and hears of each`() async throws {
        let rig = try await UploadRig()
        try await rig.append(1000)
        let totals = try await rig.pass.run()
        #expect(totals.rows == 1000 && totals.batches == 7 && totals.refused == 0)
        #expect(rig.buffer.statistics.pending == 0)
        #expect(try rig.upstream() == "1000|1000|1|1000|0")
        await rig.end()
    }

    @Test func `stopped at any moment, with rows coming in meanwhile, nothing is lost and nothing doubled`()
        async throws
    {
        let rig = try await UploadRig()
        var random = SeededRandom(seed: 5)
        var stops = 0
        for round in 0..<25 {
            try await rig.append(400)
            let before = rig.buffer.statistics[.trades].marks.acknowledged
            let hasEnded = Atomic(false)
            let pass = Task { [pass = rig.pass] in
                defer { hasEnded.store(true, ordering: .relaxed) }
                return try await pass.run()
            }
            let wanted = before + min(400, 150 * Int64.random(in: 0...3, using: &random))
            while rig.buffer.statistics[.trades].marks.acknowledged < wanted, !hasEnded.load(ordering: .relaxed) {
                try await Task.sleep(for: .microseconds(200))
            }
            if round % 3 == 1 { rig.proxy.set(.refuse) } else { pass.cancel() }
            do { _ = try await pass.value } catch { stops += 1 }
            rig.proxy.set(.pass)
        }
        #expect(stops > 3)
        let totals = try await rig.pass.run()
        #expect(rig.buffer.statistics.pending == 0)
        #expect(totals.refused == 0)
        #expect(try rig.upstream() == "10000|10000|1|10000|0")
        await rig.end()
    }

    @Test func `what a failed pass had read ahead is read again by the next`() async throws {
        let rig = try await UploadRig()
        try await rig.append(1000)
        _ = try rig.cluster.psql(
            """
            CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.trade_id = '400' THEN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER stumble BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION stumble()
            """, database: rig.database)
        let pass = rig.pass
        await #expect(throws: UpstreamError.self) { _ = try await pass.run() }
        #expect(rig.buffer.statistics[.trades].marks.acknowledged == 300)
        #expect(try rig.upstream() == "300|300|1|300|0")
        _ = try rig.cluster.psql("DROP TRIGGER stumble ON trades", database: rig.database)
        #expect(try await rig.pass.run().rows == 700)
        #expect(try rig.upstream() == "1000|1000|1|1000|0")
        await rig.end()
    }

    /// Takes the server back to when it had the rows through `last`, like a restored backup, or a standby that lacked
    /// the last transactions. No connection survives that; one through a pooler seems to.
    private func goBack(_ rig: UploadRig, to last: Int, keepsConnection: Bool = false) async throws {
        if !keepsConnection { await rig.uploader.disconnect() }
        _ = try rig.cluster.psql(
            """
            BEGIN; DELETE FROM trades WHERE trade_id::int > \(last);
            UPDATE edgetick_uploads SET last_sequence = \(last); COMMIT
            """, database: rig.database)
    }

    @Test func `what a server lost that it had confirmed is sent again from the file`() async throws {
        let rig = try await UploadRig()
        try await rig.append(1000)
        _ = try await rig.pass.run()
        try await goBack(rig, to: 600)
        try await rig.append(50)
        #expect(try await rig.pass.run().rows == 450)
        #expect(try rig.upstream() == "1050|1050|1|1050|0")
        #expect(rig.buffer.statistics.pending == 0 && rig.buffer.statistics.drops == 0)
        #expect(try await rig.pass.run().rows == 0)
        await rig.end()
    }

    @Test func `rows that are taken back while a later batch is at hand go up before it`() async throws {
        let rig = try await UploadRig()
        try await rig.append(1000)
        _ = try await rig.pass.run()
        try await goBack(rig, to: 600, keepsConnection: true)
        await rig.uploader.settleAgain()
        try await rig.append(50)
        // As in a pass that settled the stream before the server went back.
        let queue = UploadQueue(
            buffer: rig.buffer, sizes: BatchSizes(usual: 150, most: 150), streams: [.trades], ends: [.trades: 1050],
            deadline: nil, isOver: { false }, progress: { _ in })
        let (uploader, file) = (rig.uploader, rig.buffer)
        let error = await #expect(throws: UpstreamError.self) { try await uploader.drain(queue, of: file) }
        #expect(error?.isLedgerMoved == true)
        #expect(rig.buffer.statistics.pending == 450)
        #expect(try await rig.pass.run().rows == 450)
        #expect(try rig.upstream() == "1050|1050|1|1050|0")
        #expect(rig.buffer.statistics.pending == 0 && rig.buffer.statistics.drops == 0)
        await rig.end()
    }

    @Test func `a pass that leaves a backlog is cut short, even if another stream is finished in a second round`()
        async throws
    {
        let rig = try await UploadRig()
        try await rig.append(1)
        _ = try await rig.pass.run()
        // Noticed only when the next trades are sent, which are then sent again.
        try rig.sql("DELETE FROM edgetick_uploads WHERE stream = 'trades'")
        try await rig.append(100)
        try await rig.append(400, to: .bars)
        let report = await rig.pass.report(within: .zero)
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(report.totals[.trades].uploaded == 100 && report.totals[.bars].uploaded == 150)
        #expect(report.isCutShort)
        await rig.end()
    }

    @Test func `what a server lost and the file keeps no more is counted once`() async throws {
        let rig = try await UploadRig(retention: .zero)
        try await rig.append(1000)
        _ = try await rig.pass.run()
        try await Waiting.until { [buffer = rig.buffer] in buffer.statistics[.trades].marks.deleted == 999 }
        try await goBack(rig, to: 600)
        // The newest row stays in the file.
        for rows in [1, 0] { #expect(try await rig.pass.run().rows == rows) }
        #expect(rig.buffer.statistics.drops == 399 && rig.buffer.statistics.pending == 0)
        await rig.buffer.close()
        #expect(
            try rig.sqlite("SELECT stream, reason, first_seq, last_seq, count FROM drops")
                == "trades|upstream_lost|601|999|399")
        #expect(try rig.sqlite("SELECT acknowledged FROM streams WHERE stream = 'trades'") == "1000")
        #expect(try rig.sqlite("SELECT count(*) FROM incidents WHERE what = 'upstream went back'") == "1")
        #expect(try FileVerifier.verify(rig.workspace.file("ticks.sqlite"), as: .ticks).findings == [])
        await rig.end()
    }

    @Test func `rows that were counted as lost are not counted again when the server loses more`() async throws {
        let rig = try await UploadRig(retention: .zero)
        let rounds: [(count: Int64, end: Int64, last: Int, drops: Int64)] = [
            (1000, 1000, 600, 399), (200, 1200, 300, 899),
        ]
        for (count, end, last, drops) in rounds {
            try await rig.append(count)
            _ = try await rig.pass.run()
            try await Waiting.until { [buffer = rig.buffer] in buffer.statistics[.trades].marks.deleted == end - 1 }
            try await goBack(rig, to: last)
            for rows in [1, 0] { #expect(try await rig.pass.run().rows == rows) }
            #expect(rig.buffer.statistics.drops == drops && rig.buffer.statistics.pending == 0)
        }
        await rig.buffer.close()
        #expect(
            try rig.sqlite("SELECT first_seq, last_seq, count FROM drops ORDER BY first_seq")
                == "301|600|300\n601|999|399\n1000|1199|200")
        #expect(try FileVerifier.verify(rig.workspace.file("ticks.sqlite"), as: .ticks).findings == [])
        await rig.end()
    }

    @Test func `of a row that is taken after all no dead letter stays`() async throws {
        let rig = try await UploadRig()
        try await rig.append(10)
        // As if the server had died between the letter and the COMMIT.
        let letter = DeadLetter(
            stream: .trades, sequence: 4, sqlState: "23503", reason: "no such symbol", row: "{\"symbol\":\"MSFT\"}")
        try await rig.buffer.addDeadLetters([letter])
        #expect(rig.buffer.statistics.deadLetters == 1)
        #expect(try await rig.pass.run().rows == 10)
        #expect(rig.buffer.statistics.deadLetters == 0)
        #expect(try rig.upstream() == "10|10|1|10|0")
        // The letter of a row that is settled stays.
        try await rig.buffer.addDeadLetters([letter])
        _ = try await rig.pass.run()
        #expect(rig.buffer.statistics.deadLetters == 1)
        await rig.end()
    }
}

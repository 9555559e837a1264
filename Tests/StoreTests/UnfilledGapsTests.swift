import Foundation
import MarketData
import TestSupport
import Testing

@testable import Store

/// A page may be readable and yet lack rows; a row may have a number that was never given.
@Suite(.timeLimit(.minutes(3))) struct MissingRowsTests {
    /// A closed file of 2,000 trades.
    private func filled() async throws -> Scratch {
        let (scratch, buffer) = try await Scratch.opened(with: .trades(2000))
        await buffer.close()
        return scratch
    }

    /// Reads and acknowledges what waits.
    private func upload(_ buffer: TickBuffer) async throws(StoreError) {
        while let batch = try await buffer.nextBatch(of: .trades, limit: 700), let last = batch.lastSequence {
            try await buffer.acknowledge(.trades, through: last)
        }
    }

    @Test func `rows that a flipped bit takes out of a page are not taken for uploaded`() async throws {
        let scratch = try await filled()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        let row = try #require(bytes.range(of: Data("id-1000".utf8))?.lowerBound)
        let page = row / 4096 * 4096
        // Reduces a leaf's number of cells, so that its last ones are gone.
        #expect(bytes[page] == 13 && bytes[page + 3] == 0 && bytes[page + 4] > 8)
        bytes[page + 4] -= 8
        try bytes.write(to: URL(fileURLWithPath: scratch.ticks))
        #expect(try scratch.number("SELECT count(*) FROM trades") == 1992)

        let buffer = try scratch.open()
        let error = await #expect(throws: StoreError.self) { try await upload(buffer) }
        #expect(error?.reason == .damaged && error?.underlying?.contains("are missing") == true)
        try await Waiting.until { buffer.statistics.setAside.count == 1 }
        await buffer.close()
        let uploaded = buffer.statistics[.trades].marks.acknowledged
        #expect(uploaded < 1992)
        #expect(
            try scratch.number("SELECT sum(count) FROM drops WHERE reason = 'file_set_aside'") == 2000 - uploaded)
    }

    @Test func `rows that are counted as lost, or were deleted in order, are no damage`() async throws {
        let scratch = try await filled()
        try scratch.execute(
            """
            DELETE FROM trades WHERE seq BETWEEN 1 AND 10 OR seq BETWEEN 900 AND 910;
            UPDATE streams SET deleted_through = 10 WHERE stream = 'trades';
            INSERT INTO drops (episode, stream, symbol, reason, first_seq, last_seq, count, at_us)
            VALUES (1, 'trades', '*', 'vanished', 900, 910, 11, 0)
            """)
        let buffer = try scratch.open()
        try await upload(buffer)
        #expect(buffer.statistics[.trades].pending == 0 && buffer.statistics.setAside.isEmpty)
        await buffer.close()
    }

    @Test func `a number that was never given is damage, at the start and in a repair`() async throws {
        for change in [
            "UPDATE trades SET seq = 9223372036854775807 WHERE seq = 2000",
            "UPDATE streams SET acknowledged = -5 WHERE stream = 'trades'",
            "UPDATE streams SET deleted_through = 9223372036854775807 WHERE stream = 'trades'",
        ] {
            let scratch = try await filled()
            try scratch.execute(change)
            let buffer = try scratch.open()
            let bad = try #require(buffer.statistics.setAside.first)
            try await buffer.collect(.trades(1))
            #expect(buffer.statistics[.trades].marks.last == 1)
            await buffer.close()
            let report = try FileRepair.repair(bad, as: .ticks)
            #expect(report.output == nil || report.kept >= 1999)
        }
    }

    @Test func `what two databases say of their ledgers at once counts`() async throws {
        let hand = HandOver(limit: 1000, interval: .fixed(.seconds(60)))
        let flushes = [EventStream.bars, .trades].map { stream in
            Task.immediate { try await hand.flush { $0.agree(with: [stream: 7]) } }
        }
        guard case .work(let work) = hand.next(idleUntil: .now()) else {
            Issue.record("there is nothing to write")
            return
        }
        #expect(work.notes.ledger == [.bars: 7, .trades: 7])
        hand.finished(work)
        for flush in flushes { try await flush.value }
    }
}

/// The unfilled gaps of a file that can't be used any more are its successor's to fill.
@Suite(.timeLimit(.minutes(3))) struct UnfilledGapsTests {
    private func gap(_ connection: String = "primary", from: Int64, to: Int64?) -> Gap {
        Gap(
            connection: connection, symbols: [Symbol("A")!], events: [.minuteBar], from: from, to: to,
            cause: .disconnected)
    }

    private func record(_ gaps: [Gap], in buffer: TickBuffer) async throws {
        buffer.record(GapChange(gaps: gaps))
        try await buffer.flush()
    }

    private func incidents(_ scratch: Scratch) throws -> [String] {
        try scratch.texts("SELECT what || ': ' || detail FROM incidents").compactMap(\.self)
    }

    @Test func `a start with a damaged page of rows takes the unfilled gaps over, and ends those under way`()
        async throws
    {
        let now = now() / 1000
        let scratch = try Scratch()
        var buffer = try scratch.open()
        #expect(buffer.offer(.trades(5)) == .accepted)
        try await record(
            [
                gap(from: now - 90_000, to: now - 80_000), gap(from: now - 70_000, to: now - 60_000),
                gap(from: now - 50_000, to: now - 40_000), gap("secondary", from: now - 30_000, to: nil),
            ], in: buffer)
        let records = try GapLog.read(directory: scratch.path)
        try await buffer.settle([
            GapFill(of: records[0], symbols: [(Symbol("A")!, 3)], state: .partial),
            GapFill(of: records[1], state: .filled),
        ])
        await buffer.close()
        try scratch.damage(table: "trades")

        buffer = try scratch.open()
        #expect(buffer.statistics.setAside.count == 1 && buffer.statistics.gaps == 3)
        let taken = try GapLog.read(directory: scratch.path, fills: .all)
        var ended = gap("secondary", from: now - 30_000, to: taken.last?.gap.to)
        ended.isUncertain = true
        #expect(taken.map(\.gap) == [records[0].gap, records[2].gap, ended])
        // The rows that filled a part of a gap may be gone.
        #expect(taken.allSatisfy { $0.state == .open && $0.settled.isEmpty })
        #expect(ended.to != nil && ended.to == buffer.previousLife.map { max($0.end, now - 30_000) })
        #expect(try incidents(scratch).first?.contains("unfilled gaps taken over: 3") == true)
        // Trades around the gaps were in the other file, and can't be told from those of the REST API.
        #expect(try GapLog.beginning(of: .trades, directory: scratch.path).hasForgotten)
        await buffer.close()
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test func `where a part of the gaps can't be read, those on both sides are taken over, and it says so`()
        async throws
    {
        let scratch = try Scratch()
        var buffer = try scratch.open()
        let gaps = (0..<600).map { gap("place-\(1000 + $0)", from: Int64($0) * 1000, to: Int64($0) * 1000 + 500) }
        try await record(gaps, in: buffer)
        await buffer.close()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        let middle = try #require(bytes.range(of: Data("place-1300".utf8))?.lowerBound)
        try scratch.damage(page: middle / 4096 + 1)
        try scratch.damage(table: "trades")

        buffer = try scratch.open()
        let taken = try GapLog.read(directory: scratch.path).map(\.gap)
        #expect(taken.count > 500 && taken.count < 600)
        #expect(taken.first == gaps.first && taken.last == gaps.last && Set(taken).isSubset(of: gaps))
        let detail = try #require(try incidents(scratch).first)
        #expect(detail.contains("unfilled gaps taken over: \(taken.count), but there may be others"))
        await buffer.close()
    }

    @Test func `of very many the newest are taken over, and it says so`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        await buffer.close()
        try scratch.execute(
            """
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
            SELECT 'c', 'A', 'AM', i * 1000, i * 1000 + 500, 'stalled', 0 FROM n
            """)
        // Rows that can't be gaps are left out.
        try scratch.execute(
            """
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us) VALUES
            ('c', 'A', 'AM', -9223372036854775807, 1, 'stalled', 0), ('c', 'a b', 'AM', 1, 2, 'stalled', 0),
            ('c', 'A', 'XX', 1, 2, 'stalled', 0), ('c', 'A', 'AM', 5, 4, 'stalled', 0)
            """)
        let unfilled = UnfilledGaps(scratch.ticks)
        #expect(unfilled.gaps.map(\.from) == (504...1500).map { $0 * 1000 } && unfilled.isPart)
        // The gaps of another collector's file are not taken over.
        #expect(UnfilledGaps(scratch.ticks, id: "another").gaps.isEmpty)
        #expect(UnfilledGaps(scratch.ticks, id: buffer.id) == unfilled)
    }

    /// A running buffer whose file is damaged among the rows that wait.
    private func runningWithDamage(_ scratch: Scratch) async throws -> TickBuffer {
        let first = try scratch.open()
        try await first.collect(.bars(20_000))
        await first.close()
        let pages = Int(StoreFile.size(of: scratch.ticks) / 4096)
        try scratch.damage(page: pages / 2, pages: 40)
        return try scratch.open()
    }

    private func comeUponDamage(_ buffer: TickBuffer) async throws {
        try await readIntoDamage(buffer)
        try await Waiting.until { buffer.statistics.setAside.count == 1 }
    }

    private func readIntoDamage(_ buffer: TickBuffer) async throws {
        var after: Int64 = 0
        let error = await #expect(throws: StoreError.self) {
            while let batch = try await buffer.nextBatch(of: .bars, after: after, limit: 1000) {
                after = batch.lastSequence ?? after
            }
        }
        #expect(error?.reason == .damaged)
    }

    @Test func `a running file that is set aside hands its gaps on, and one under way ends in the next file`()
        async throws
    {
        let scratch = try Scratch()
        let buffer = try await runningWithDamage(scratch)
        let (over, underWay) = (gap(from: 1000, to: 2000), gap("secondary", from: 5000, to: nil))
        try await record([over, underWay], in: buffer)
        try await comeUponDamage(buffer)
        // Without any new event to write.
        try await Waiting.until { (try? GapLog.read(directory: scratch.path).count) == 2 }
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [over, underWay])
        let ended = gap("secondary", from: 5000, to: 9000)
        buffer.record(GapChange(ended: [underWay], gaps: [ended]))
        try await buffer.flush()
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [over, ended])
        #expect(buffer.statistics.gaps == 2 && buffer.statistics.recordedGaps == 2)
        #expect(try incidents(scratch).contains { $0.contains("unfilled gaps taken over: 2") })
        await buffer.close()
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
    }

    @Test func `a stop right after a file was set aside forgets nothing of it`() async throws {
        let scratch = try Scratch()
        let buffer = try await runningWithDamage(scratch)
        try await record([gap(from: 1000, to: 2000)], in: buffer)
        try await comeUponDamage(buffer)
        await buffer.close()
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [gap(from: 1000, to: 2000)])
        let told = try incidents(scratch)
        #expect(told.contains { $0.hasPrefix("set aside: ") }, "\(told)")
        // That is for a file which is still in its place.
        #expect(!told.contains { $0.contains("edgetick verify") }, "\(told)")
        #expect(try scratch.number("SELECT sum(count) FROM drops WHERE reason = 'file_set_aside'") == 20_000)
    }

    @Test(arguments: [false, true])
    func `a command that comes upon damage while no collector runs leaves the next one the file and its downtime`(
        atStart: Bool
    ) async throws {
        let scratch = try Scratch()
        await (try await runningWithDamage(scratch)).close()
        let alive = try #require(try scratch.number("SELECT alive_us / 1000 FROM buffer"))
        if atStart { try scratch.damage(table: "gaps") }
        // As it would be an hour later.
        try scratch.execute(
            "UPDATE buffer SET alive_us = alive_us - 3600000000; UPDATE bars SET received_us = 0 WHERE seq > 14000")
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: Double(alive) / 1000 - 3601)],
            ofItemAtPath: scratch.ticks + ".lock")
        if atStart {
            let error = #expect(throws: StoreError.self) { _ = try scratch.open { $0.isCollecting = false } }
            #expect(error?.reason == .damaged)
        } else {
            let command = try scratch.open { $0.isCollecting = false }
            try await readIntoDamage(command)
            // It still writes down what it has done.
            try await command.acknowledge(.bars, through: 100)
            try await command.flush()
            await command.close()
            #expect(command.damage?.reason == .damaged && command.statistics.setAside == [])
            #expect(try scratch.number("SELECT acknowledged FROM streams WHERE stream = 'bars'") == 100)
        }
        #expect(try scratch.files(beginning: "ticks-bad-") == [])
        let collector = try scratch.open()
        let end = try #require(collector.previousLife?.end)
        #expect(end <= alive - 3_600_000)
        if !atStart { try await comeUponDamage(collector) }
        #expect(collector.statistics.setAside.count == 1 && collector.damage == nil)
        await collector.close()
    }

    @Test func `a command that comes upon damage where it writes fails, and leaves the file`() async throws {
        let scratch = try Scratch()
        await (try scratch.open()).close()
        let command = try scratch.open { $0.isCollecting = false }
        try scratch.damage(table: "dead_letters")
        // After another program's commit, the writer reads its pages again.
        try await Waiting.until {
            (try? scratch.execute("UPDATE buffer SET created_us = created_us + 1")) != nil
        }
        let letter = DeadLetter(stream: .bars, sequence: 1, sqlState: "23503", reason: "no such symbol", row: "{}")
        let error = await #expect(throws: StoreError.self) { try await command.addDeadLetters([letter]) }
        #expect(error?.reason == .damaged)
        await command.close()
        #expect(command.damage?.reason == .damaged)
        #expect(try scratch.files(beginning: "ticks-bad-") == [])
    }

    @Test func `a collector that is killed right after its file was set aside is known to have lived`() async throws {
        let scratch = try Scratch()
        let buffer = try await runningWithDamage(scratch)
        let before = now() / 1000
        try await comeUponDamage(buffer)
        try await Waiting.until { (try? scratch.number("SELECT count(*) FROM incidents")) == 1 }
        let killed = try Scratch()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: scratch.ticks + suffix, toPath: killed.ticks + suffix)
        }
        await buffer.close()
        let after = now() / 1000
        let again = try killed.open()
        let end = try #require(again.previousLife?.end)
        #expect(before <= end && end <= after)
        await again.close()
    }

    @Test func `what fills a gap of a file that is gone does not settle the gap that has its number now`() async throws
    {
        let (scratch, buffer) = try Scratch.opened()
        let other = gap(from: 2000, to: 6000)
        try await record([gap(from: 1000, to: 6000), other], in: buffer)
        let first = try #require(try GapLog.read(directory: scratch.path).first)
        let fill = GapFill(of: first, symbols: [(symbol: Symbol("A")!, rows: 3)], state: .filled)
        try await buffer.settle([fill])
        try FileManager.default.removeItem(atPath: scratch.ticks)
        try await Waiting.until { (try? GapLog.read(directory: scratch.path).map(\.gap)) == [other] }
        try await buffer.settle([fill])
        let left = try #require(try GapLog.read(directory: scratch.path).first)
        #expect(left.id == first.id && left.state == .open && left.rows == 0)
        await buffer.close()
    }

    @Test func `a running file that somebody removes leaves its unfilled gaps to the next one`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        try await record([gap(from: 1000, to: 2000), gap(from: 3000, to: nil)], in: buffer)
        try FileManager.default.removeItem(atPath: scratch.ticks)
        try await Waiting.until {
            (try? GapLog.read(directory: scratch.path).map(\.gap)) == [
                gap(from: 1000, to: 2000), gap(from: 3000, to: nil),
            ]
        }
        try await Waiting.until { try incidents(scratch).contains { $0.contains("unfilled gaps taken over: 2") } }
        try await Waiting.until("the gaps are shown") { buffer.statistics.gaps == 2 }
        #expect(buffer.statistics.recordedGaps == 2, "the next file's are the same gaps")
        await buffer.close()
    }
}

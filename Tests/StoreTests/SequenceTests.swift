import GRDB
import MarketData
import Store
import TestSupport
import Testing

/// A stream's numbers grow for ever, and its head moves by acknowledgement alone.
@Suite(.timeLimit(.minutes(5))) struct SequenceTests {
    @Test func `numbers never restart, also after everything was uploaded, deleted and reopened`() async throws {
        let scratch = try Scratch()
        let first = try scratch.open { $0.retention = .zero }
        let id = first.id
        try await first.collect(.bars(7000, received: 1000))
        #expect(try await first.nextBatch(of: .bars, limit: 10_000)?.lastSequence == 7000)
        try await first.acknowledge(.bars, through: 7000)
        try await Waiting.until { try scratch.number("SELECT count(*) FROM bars") == 1 }
        await first.close()
        // Somebody deletes the last row too.
        let other = try DatabaseQueue(path: scratch.ticks)
        try await other.write {
            try $0.execute(sql: "DELETE FROM bars; UPDATE streams SET deleted_through = 7000 WHERE stream = 'bars'")
        }
        try other.close()

        let second = try scratch.open { $0.retention = .zero }
        #expect(second.line.predecessors.map(\.id) == [id])
        #expect(second.statistics[.bars].marks.last == 7000)
        #expect(second.statistics[.bars].pending == 0)
        try await second.collect(.bars(1))
        #expect(try await second.nextBatch(of: .bars, limit: 10)?.firstSequence == 7001)
        await second.close()
    }

    @Test func `the same rows come again until they are acknowledged`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(10))
        #expect(try await buffer.nextBatch(of: .bars, limit: 4)?.bars.map(\.sequence) == [1, 2, 3, 4])
        #expect(try await buffer.nextBatch(of: .bars, limit: 4)?.bars.map(\.sequence) == [1, 2, 3, 4])
        #expect(try await buffer.nextBatch(of: .bars, after: 4, limit: 4)?.bars.map(\.sequence) == [5, 6, 7, 8])
        try await buffer.acknowledge(.bars, through: 4)
        #expect(try await buffer.nextBatch(of: .bars, limit: 100)?.firstSequence == 5)
        try await buffer.acknowledge(.bars, through: 2)
        #expect(buffer.statistics[.bars].marks.acknowledged == 4)
        #expect(buffer.statistics[.bars].pending == 6)
        try await buffer.acknowledge(.bars, through: 10)
        #expect(try await buffer.nextBatch(of: .bars, limit: 100) == nil)
        #expect(try await buffer.nextBatch(of: .trades, limit: 100) == nil)
        await buffer.close()
        let again = try scratch.open()
        #expect(again.statistics[.bars].marks.acknowledged == 10)
        await again.close()
    }

    @Test func `an acknowledgement of rows that the file never gave is refused`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        try await buffer.collect(.bars(10))
        let error = await #expect(throws: StoreError.self) { try await buffer.acknowledge(.bars, through: 5) }
        #expect(error?.reason == .sequenceAhead)
        _ = try await buffer.nextBatch(of: .bars, limit: 5)
        try await buffer.acknowledge(.bars, through: 5)
        await buffer.close()
    }

    @Test func `only durable rows are counted, with the time of the oldest that waits`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.commitInterval = .fixed(.seconds(60)) }
        #expect(buffer.offer(.bars(5, received: 5_000_000)) == .accepted)
        #expect(buffer.offer(.bars(5, received: 6_000_000)) == .accepted)
        var statistics = buffer.statistics
        #expect(statistics.queuedEvents == 10)
        #expect(statistics[.bars].marks.last == 0)
        #expect(try await buffer.nextBatch(of: .bars, limit: 10) == nil)
        try await buffer.flush()
        statistics = buffer.statistics
        #expect(statistics.queuedEvents == 0)
        #expect(statistics.queuedBytes == 0)
        #expect(statistics[.bars].appended == 10)
        #expect(statistics[.bars].pending == 10)
        #expect(statistics.oldestPendingMilliseconds == 5000)
        _ = try await buffer.nextBatch(of: .bars, limit: 10)
        try await buffer.acknowledge(.bars, through: 5)
        try await buffer.flush()
        #expect(buffer.statistics.oldestPendingMilliseconds == 6000)
        try await buffer.acknowledge(.bars, through: 10)
        try await buffer.flush()
        #expect(buffer.statistics.oldestPendingMilliseconds == nil)
        await buffer.close()
    }

    @Test func `events reach the disk within the interval without a flush`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.commitInterval = .fixed(.milliseconds(20)) }
        #expect(buffer.offer(.bars(3)) == .accepted)
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.bars].marks.last == 3 }
        #expect(try scratch.number("SELECT count(*) FROM bars") == 3)
        await buffer.close()
    }

    @Test func `rows of another program are passed over and counted, not uploaded`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .trades(2))
        await buffer.close()
        try scratch.execute(
            "INSERT INTO trades VALUES (3, 'not, a symbol', 9, 1, 1, 1, 1, NULL, NULL, NULL, NULL, NULL, 1, 'x', NULL)")
        let again = try scratch.open()
        try await again.collect(.trades(1))
        let batch = try #require(try await again.nextBatch(of: .trades, limit: 10))
        #expect(batch.trades.map(\.sequence) == [1, 2, 4])
        try await again.flush()
        #expect(try scratch.number("SELECT count FROM drops WHERE reason = 'unreadable' AND first_seq = 3") == 1)
        await again.close()
    }

    @Test func `rows of another program are counted once, however often they are read`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .trades(2))
        await buffer.close()
        for sequence in 3...4 {
            try scratch.execute(
                "INSERT INTO trades VALUES (\(sequence), '', 9, 1, 1, 1, 1, NULL, NULL, NULL, NULL, NULL, 1, 'x', NULL)"
            )
        }
        let again = try scratch.open()
        for _ in 0..<3 { #expect(try await again.nextBatch(of: .trades, limit: 10)?.count == 2) }
        try await again.acknowledge(.trades, through: 2)
        for _ in 0..<3 { #expect(try await again.nextBatch(of: .trades, limit: 10) == nil) }
        try await again.flush()
        #expect(try scratch.number("SELECT sum(count) FROM drops") == 2)
        #expect(again.statistics.drops == 2)
        await again.close()
    }

    @Test func `gaps and dead letters are durable on return and dead letters come once`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.commitInterval = .fixed(.seconds(60)) }
        buffer.record(
            Gap(
                connection: "primary", symbols: [Symbol("AAPL")!, Symbol("MSFT")!], events: [.minuteBar, .trade],
                from: 1, to: 2, cause: .stalled))
        buffer.record(Gap(connection: "primary", symbols: [], events: [.quote], from: 3, to: 4, cause: .down))
        let letter = DeadLetter(
            stream: .bars, sequence: 7, sqlState: "23514", reason: "price", row: "{\"symbol\":\"X\"}", time: 9)
        try await buffer.addDeadLetters([letter])
        try await buffer.addDeadLetters([letter])
        let gaps = try scratch.rows("SELECT symbols, events, cause FROM gaps ORDER BY id")
        #expect(gaps.map { $0["symbols"] as String } == ["AAPL,MSFT", "*"])
        #expect(gaps.map { $0["events"] as String } == ["AM,T", "Q"])
        #expect(gaps.map { $0["cause"] as String } == ["stalled", "down"])
        let letters = try scratch.rows("SELECT * FROM dead_letters")
        #expect(letters.count == 1)
        #expect(letters[0]["row_json"] == "{\"symbol\":\"X\"}")
        #expect(buffer.statistics.gaps == 2)
        #expect(buffer.statistics.deadLetters == 1)
        await buffer.close()
    }
}

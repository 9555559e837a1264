import GRDB
import MarketData
import Store
import TestSupport
import Testing

/// Queries over the buffer's file, while it is being written and afterwards.
@Suite(.timeLimit(.minutes(5))) struct HistoryTests {
    private static func bar(_ symbol: String, minute: Int64, close: Double) throws -> Bar {
        let start = 1_700_000_040_000 + minute * 60_000
        return Bar(
            symbol: try #require(Symbol(symbol)), interval: .minute, start: start, end: start + 60_000, open: 10,
            high: 20, low: 5, close: close, volume: 100, vwap: nil)
    }

    /// A batch that was received this many minutes after the first one of these tests.
    private static func batch(_ minute: Int64, _ bars: [Bar]) -> EventBatch {
        var batch = EventBatch(
            connection: "primary", receivedMicroseconds: (1_700_000_100_000 + minute * 60_000) * 1000)
        batch.bars = bars
        return batch
    }

    @Test func `bars come once, in their newest version, oldest first and within the range`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        let symbol = try #require(Symbol("AAPL"))
        for minute in 0..<10 as Range<Int64> {
            _ = buffer.offer(
                Self.batch(
                    minute,
                    [
                        try Self.bar("AAPL", minute: minute, close: Double(minute)),
                        try Self.bar("MSFT", minute: minute, close: 99),
                    ]))
        }
        // A late correction of the third minute.
        try await buffer.collect(Self.batch(12, [try Self.bar("AAPL", minute: 2, close: 2.5)]))

        let history = TickHistory(directory: scratch.path)
        let all = try history.bars(.init(symbol: symbol, interval: .minute, limit: 100))
        #expect(all.isComplete)
        #expect(all.values.map(\.close) == [0, 1, 2.5, 3, 4, 5, 6, 7, 8, 9])
        // A late bar does not push a newer one out.
        let newest = try history.bars(.init(symbol: symbol, interval: .minute, limit: 2))
        #expect(newest.values.map(\.close) == [8, 9])
        let start: Int64 = 1_700_000_040_000
        let part = try history.bars(
            .init(symbol: symbol, interval: .minute, from: start + 60_000, to: start + 4 * 60_000, limit: 100))
        #expect(part.values.map(\.close) == [1, 2.5, 3])
        #expect(try history.bars(.init(symbol: symbol, interval: .second, limit: 9)).values.isEmpty)
        await buffer.close()
        #expect(try history.bars(.init(symbol: symbol, interval: .minute, limit: 100)).values.count == 10)
    }

    @Test func `rows of impossible times, as others may write them, are read as any`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        // More than one step, so that reading has to decide whether to go on.
        while buffer.offer(.bars(70_000)) == .refused { try await buffer.flush() }
        try await buffer.flush()
        await buffer.close()
        let queue = try DatabaseQueue(path: scratch.path + "/ticks.sqlite")
        try await queue.write { database in
            for moment in [Int64.max, -60_000, .min] {
                try database.execute(
                    sql: """
                        INSERT INTO bars (interval_s, symbol, start_ms, end_ms, open, high, low, close, volume, received_us,
                            connection, source)
                        VALUES (60, 'AAPL', ?, 1, 1, 1, 1, 1, 1, 1, 'other', 'other')
                        """, arguments: [moment])
                try database.execute(
                    sql: """
                        INSERT INTO trades (symbol, time_ms, price, size, received_us, connection)
                        VALUES ('AAPL', ?, 1, 1, 1, 'other')
                        """, arguments: [moment])
            }
        }
        try queue.close()
        let history = TickHistory(directory: scratch.path)
        let symbol = try #require(Symbol("AAPL"))
        #expect(try history.bars(.init(symbol: symbol, interval: .minute, limit: 1)).values.map(\.start) == [.max])
        let trades = try history.events(of: .trades, symbols: [symbol], from: nil, to: nil, limit: 1).values
        #expect(trades.map(\.time) == [.max])
        let rows = try #require(try history.sequences(of: .bars))
        #expect(try history.supersededBars(among: rows, starts: .min ..< .max).isEmpty)
    }

    @Test func `a long file is read in steps, and one who stops is told that there was more`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        // Three steps of 65,536 rows; only the oldest row has the symbol that is asked for.
        _ = buffer.offer(.bars(1, symbol: "RARE"))
        for part in 0..<30 {
            while buffer.offer(.bars(5000, from: part * 5000)) == .refused { try await buffer.flush() }
        }
        try await buffer.flush()
        let history = TickHistory(directory: scratch.path)
        let query = TickHistory.BarQuery(symbol: try #require(Symbol("RARE")), interval: .minute, limit: 10)
        var steps: [Int64] = []
        let whole = try history.bars(query) { read, total in
            #expect(total == 150_001)
            steps.append(read)
            return true
        }
        #expect(whole.isComplete)
        #expect(whole.values.count == 1)
        #expect(steps == [65_536, 131_072])
        let stopped = try history.bars(query) { _, _ in false }
        #expect(!stopped.isComplete)
        #expect(stopped.values.isEmpty)
        await buffer.close()
    }

    @Test func `the newest are the newest in their own time, also where a backfill brought old ones last`() async throws
    {
        let (scratch, buffer) = try Scratch.opened()
        let (symbol, other) = (try #require(Symbol("AAPL")), try #require(Symbol("MSFT")))
        let start: Int64 = 1_700_000_040_000
        // Among rows of another symbol, so that an hour takes more than two steps.
        for minute in 0..<60 as Range<Int64> {
            var batch = Self.batch(minute, [try Self.bar("AAPL", minute: minute, close: 1)])
            batch.bars += EventBatch.bars(2500, symbol: "MSFT", from: Int(minute) * 2500).bars
            batch.trades = [Trade(symbol: symbol, time: start + minute * 60_000, price: 1, size: 1)]
            batch.trades += (0..<2500).map { Trade(symbol: other, time: start + $0, price: 1, size: 1) }
            while buffer.offer(batch) == .refused { try await buffer.flush() }
        }
        let old = try (-120..<0 as Range<Int64>).map { try Self.bar("AAPL", minute: $0, close: 2) }
        var backfilled = Self.batch(61, old)
        backfilled.trades = old.map { Trade(symbol: symbol, time: $0.start, price: 2, size: 1) }
        try await buffer.collect(backfilled)
        await buffer.close()
        let history = TickHistory(directory: scratch.path)
        for limit in [1, 50, 60, 100, 180, 1000] {
            let expected = (-120..<60 as Range<Int64>).suffix(limit).map { start + $0 * 60_000 }
            let bars = try history.bars(.init(symbol: symbol, interval: .minute, limit: limit))
            #expect(bars.values.map(\.start) == expected && bars.isComplete, "\(limit)")
            let trades = try history.events(of: .trades, symbols: [symbol], from: nil, to: nil, limit: limit)
            #expect(trades.values.map(\.time) == expected && trades.isComplete, "\(limit)")
        }
    }

    @Test func `the newest events of all streams are given newest first, and followed from a sequence`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        _ = buffer.offer(.bars(3, received: 1_000_000))
        try await buffer.collect(.trades(3, received: 2_000_000))
        let history = TickHistory(directory: scratch.path)
        let newest = try history.newest(symbol: nil, limit: 4)
        #expect(newest.values.map(\.receivedMicroseconds) == [2_000_000, 2_000_000, 2_000_000, 1_000_000])
        #expect(try history.newest(symbol: Symbol("IBM"), limit: 10).values.count == 3)

        let (none, last) = try history.events(of: .trades, after: nil, limit: 10)
        #expect(none.isEmpty)
        #expect(last == 3)
        try await buffer.collect(.trades(2, received: 3_000_000))
        let (fresh, end) = try history.events(of: .trades, after: last, limit: 10)
        #expect(fresh.map(\.sequence) == [4, 5])
        #expect(end == 5)
        // As when another file, which has not come that far, took its place.
        #expect(try history.events(of: .trades, after: 500, limit: 10).last == 5)
        #expect(try history.events(of: .quotes, after: 500, limit: 10).last == 0)
        await buffer.close()
    }

    @Test func `gaps and dead letters are read as they were written`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        let symbols = ["AAPL", "MSFT"].compactMap { Symbol($0) }
        let first = Gap(connection: "primary", symbols: symbols, events: [.trade], from: 1, to: 2, cause: .stalled)
        let second = Gap(connection: "primary", symbols: [], events: [.minuteBar], from: 3, to: 4, cause: .down)
        buffer.record(first)
        try await buffer.flush()
        buffer.record(second)
        let letter = DeadLetter(stream: .bars, sequence: 7, sqlState: "22003", reason: "range", row: "{}", time: 9)
        try await buffer.addDeadLetters([letter])
        let history = TickHistory(directory: scratch.path)
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [first, second])
        #expect(try GapLog.read(directory: scratch.path, limit: 1).map(\.gap) == [second])
        #expect(try history.deadLetters(limit: 10) == [letter])
        await buffer.close()
    }

    @Test func `what is deleted while minute bars are read counts as deleted`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        for minute in 0..<2 as Range<Int64> {
            _ = buffer.offer(Self.batch(minute, [try Self.bar("AAPL", minute: minute, close: 1)]))
        }
        try await buffer.flush()
        await buffer.close()
        let start: Int64 = 1_700_000_040_000
        let reading = try TickHistory(directory: scratch.path).minuteBars(starts: start..<start + 120_000) { _, _ in
            try? scratch.execute(
                "DELETE FROM bars WHERE seq = 1; UPDATE streams SET deleted_through = 1 WHERE stream = 'bars'")
        }
        #expect(reading.heldSince == start + 120_000)
    }

    @Test func `a directory without a file is said to have none`() throws {
        let scratch = try Scratch()
        let error = #expect(throws: StoreError.self) {
            _ = try TickHistory(directory: scratch.path).deadLetters(limit: 1)
        }
        #expect(error?.reason == .missing)
    }

    @Test func `volumes are told as multiples of the average symbol's`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        let history = TickHistory(directory: scratch.path)
        #expect(try history.relativeVolume() == [:])
        for (symbol, volumes) in [("AAPL", [100.0, 200]), ("MSFT", [600]), ("IBM", [])] {
            for volume in volumes {
                var batch = EventBatch.bars(1, symbol: symbol)
                batch.bars[0].volume = volume
                #expect(buffer.offer(batch) == .accepted)
            }
        }
        try await buffer.flush()
        let expected = [("AAPL", 300.0 / 450), ("MSFT", 600.0 / 450)].compactMap { name, share in
            Symbol(name).map { ($0, share) }
        }
        #expect(try history.relativeVolume() == Dictionary(uniqueKeysWithValues: expected))
        await buffer.close()
    }
}

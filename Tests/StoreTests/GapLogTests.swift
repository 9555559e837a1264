import Logging
import MarketData
import Store
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct GapLogTests {
    private func gap(_ symbols: [String], _ events: [EventKind] = [.minuteBar], from: Int64 = 1000) -> Gap {
        Gap(
            connection: "primary", symbols: symbols.compactMap { Symbol($0) }, events: events, from: from,
            to: from + 5000, cause: .disconnected)
    }

    private func bar(_ symbol: String, minute: Int64) -> Bar {
        Bar(
            symbol: Symbol(symbol)!, interval: .minute, start: minute * 60_000, end: minute * 60_000 + 60_000, open: 1,
            high: 1, low: 1, close: 1, volume: 1)
    }

    @Test func `gaps are read as they were recorded, while the buffer is open`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        buffer.record(gap(["AAPL", "MSFT"], [.minuteBar, .trade]))
        buffer.record(gap([], from: 9000))
        buffer.record(gap(["IBM"], [.limitBand, .imbalance]))
        try await buffer.flush()
        let records = try GapLog.read(directory: scratch.path)
        #expect(
            records.map(\.gap) == [
                gap(["AAPL", "MSFT"], [.minuteBar, .trade]), gap([], from: 9000),
                gap(["IBM"], [.limitBand, .imbalance]),
            ])
        #expect(records.map(\.state) == [.open, .open, .unfillable])
        #expect(try GapLog.read(directory: scratch.path, states: [.open]).count == 2)
        #expect(try GapLog.read(directory: scratch.path, limit: 1).map(\.id) == [3])
        await buffer.close()
    }

    @Test func `how far a gap's filling came is kept over a restart`() async throws {
        let scratch = try Scratch()
        var buffer = try scratch.open()
        buffer.record(gap(["AAPL", "MSFT"]))
        try await buffer.flush()
        try await buffer.settle([GapFill(gap: 1, symbols: [(Symbol("AAPL")!, 3)], event: .minuteBar)])
        await buffer.close()
        var record = try #require(try GapLog.read(directory: scratch.path).first)
        #expect(record.state == .open && record.rows == 3 && record.settled == [.minuteBar: [Symbol("AAPL")!]])
        buffer = try scratch.open()
        try await buffer.settle([
            GapFill(gap: 1, symbols: [(Symbol("MSFT")!, 0)], event: .minuteBar, state: .filled, detail: "3 bars")
        ])
        record = try #require(try GapLog.read(directory: scratch.path, states: [.filled]).first)
        #expect(record.rows == 3 && record.detail == "3 bars" && record.settled[.minuteBar]?.count == 2)
        await buffer.close()
    }

    @Test func `the bars that are there are found by symbol, length and start`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        for minute in 0..<10 as Range<Int64> {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: 1_000_000 * minute)
            batch.bars = [bar("AAPL", minute: minute), bar("MSFT", minute: minute)]
            #expect(buffer.offer(batch) == .accepted)
        }
        try await buffer.flush()
        let aapl = Symbol("AAPL")!
        func starts(_ range: ClosedRange<Int64>, since: Int64?) throws -> [Int64] {
            let found = try GapLog.barStarts(
                directory: scratch.path, symbols: [aapl], interval: .minute, starts: range, received: since)
            #expect(found.keys.allSatisfy { $0 == aapl })
            return (found[aapl] ?? []).map { $0 / 60_000 }.sorted()
        }
        #expect(try starts(120_000...240_000, since: nil) == [2, 3, 4])
        #expect(try starts(0...600_000, since: 7000) == [7, 8, 9])
        #expect(try starts(0...600_000, since: 60_000) == [])
        #expect(try GapLog.recentSymbols(directory: scratch.path) == [aapl, Symbol("MSFT")!])
        await buffer.close()
    }

    @Test func `the next collector knows since when none was alive`() async throws {
        let scratch = try Scratch()
        var buffer = try scratch.open()
        #expect(buffer.previousLife == nil)
        await buffer.close()
        buffer = try scratch.open()
        let life = try #require(buffer.previousLife)
        let alive = try #require(try scratch.number("SELECT alive_us FROM buffer"))
        #expect(life.end == alive / 1000)
        var batch = EventBatch(connection: "primary", receivedMicroseconds: alive - 5_000_000)
        batch.bars = [bar("AAPL", minute: 1)]
        #expect(buffer.offer(batch) == .accepted)
        await buffer.close()
        // A row received later than the last sign of life is one itself.
        try scratch.execute("UPDATE buffer SET alive_us = 1000")
        buffer = try scratch.open()
        #expect(buffer.previousLife?.end == (alive - 5_000_000) / 1000)
        await buffer.close()
    }

    @Test func `a file of the first schema is brought up to date with its gaps`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        buffer.record(gap(["AAPL"]))
        await buffer.close()
        try scratch.execute(
            """
            DROP VIEW dead_letters_utc; DROP VIEW drops_utc; DROP VIEW gaps_utc; DROP VIEW fair_values_utc;
            DROP VIEW imbalances_utc; DROP VIEW luld_utc; DROP VIEW quotes_utc; DROP VIEW trades_utc;
            DROP VIEW bars_utc; DROP VIEW bars_latest;
            DROP TABLE gap_fills; DROP TABLE predecessors; DROP TABLE moves; DROP TABLE reconciled;
            DROP TABLE luld; DROP TABLE imbalances; DROP TABLE fair_values;
            DELETE FROM streams WHERE stream IN ('luld', 'imbalances', 'fair_values');
            ALTER TABLE gaps DROP COLUMN uncertain; ALTER TABLE gaps DROP COLUMN state; ALTER TABLE gaps DROP COLUMN detail;
            ALTER TABLE gaps DROP COLUMN settled_us; ALTER TABLE buffer DROP COLUMN alive_us;
            PRAGMA user_version = 1;
            """)
        let again = try scratch.open()
        #expect(try GapLog.read(directory: scratch.path).map(\.state) == [.open])
        let made = try #require(try scratch.number("SELECT created_us FROM buffer"))
        #expect(again.previousLife?.end == made / 1000)
        await again.close()
    }
}

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
        let fresh = try #require(try GapLog.read(directory: scratch.path).first)
        try await buffer.settle([GapFill(of: fresh, symbols: [(Symbol("AAPL")!, 3)], event: .minuteBar)])
        await buffer.close()
        var record = try #require(try GapLog.read(directory: scratch.path).first)
        #expect(record.state == .open && record.rows == 3 && record.settled == [.minuteBar: [Symbol("AAPL")!]])
        buffer = try scratch.open()
        try await buffer.settle([
            GapFill(of: record, symbols: [(Symbol("MSFT")!, 0)], event: .minuteBar, state: .filled, detail: "3 bars")
        ])
        record = try #require(try GapLog.read(directory: scratch.path, states: [.filled]).first)
        #expect(record.rows == 3 && record.detail == "3 bars" && record.settled[.minuteBar]?.count == 2)
        await buffer.close()
    }

    @Test func `a gap that went on while it was filled is not settled with its old end`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        func lost(from: Int64, to: Int64?) -> Gap {
            Gap(
                connection: "primary", symbols: [Symbol("AAPL")!], events: [.minuteBar], from: from, to: to,
                cause: .unsubscribed)
        }
        buffer.record(lost(from: 1000, to: 300_000))
        try await buffer.flush()
        let asked = try #require(try GapLog.read(directory: scratch.path).first)
        // While the answers are on their way, the symbol is lost again, within a minute.
        buffer.record(lost(from: 340_000, to: nil))
        try await buffer.flush()
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [lost(from: 1000, to: nil)])
        let answers = [
            GapFill(of: asked, symbols: [(Symbol("AAPL")!, 5)], event: .minuteBar),
            GapFill(of: asked, state: .filled, detail: "5 bars"), GapFill(of: asked, state: .covered),
        ]
        try await buffer.settle(answers)
        buffer.record(GapChange(ended: [lost(from: 340_000, to: nil)], gaps: [lost(from: 340_000, to: 1_200_000)]))
        try await buffer.flush()
        let whole = try #require(try GapLog.read(directory: scratch.path).first)
        #expect(whole.gap == lost(from: 1000, to: 1_200_000))
        #expect(whole.state == .open && whole.settled.isEmpty && whole.rows == 0)
        // With its present end, it is settled.
        try await buffer.settle([GapFill(of: whole, state: .filled, detail: "20 bars")])
        #expect(try GapLog.read(directory: scratch.path).map(\.state) == [.filled])
        await buffer.close()
    }

    @Test func `the symbols of a connection that takes everything are those of a day of rows, however many these are`()
        async throws
    {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        let hour: Int64 = 3_600_000_000
        let start = now() - 30 * hour
        func offer(_ batch: EventBatch) async throws {
            while buffer.offer(batch) == .refused { try await buffer.flush() }
        }
        try await offer(.bars(1, symbol: "OLD", received: start))
        try await offer(.bars(1, symbol: "RARE", received: start + 7 * hour))
        for part in 0..<15 {
            try await offer(.bars(4000, symbol: "BUSY", from: part * 4000, received: start + 30 * hour))
        }
        try await offer(.trades(1, symbol: "TRADED"))
        try await buffer.flush()
        let history = TickHistory(directory: scratch.path)
        #expect(try history.recentSymbols(of: .bars) == [Symbol("RARE")!, Symbol("BUSY")!])
        #expect(try history.recentSymbols(of: .trades) == [Symbol("TRADED")!])
        #expect(try history.recentSymbols(of: .quotes).isEmpty)
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
            let found = try GapLog.bars(
                directory: scratch.path, symbols: [aapl], interval: .minute, starts: range, received: since)
            #expect(found.keys.allSatisfy { $0 == aapl })
            return (found[aapl] ?? [:]).keys.map { $0 / 60_000 }.sorted()
        }
        #expect(try starts(120_000...240_000, since: nil) == [2, 3, 4])
        #expect(try starts(0...600_000, since: 7000) == [7, 8, 9])
        #expect(try starts(0...600_000, since: 60_000) == [])
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
        // A row that was received after the last sign of life is one, too.
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
            ALTER TABLE gaps DROP COLUMN settled_us;
            ALTER TABLE trades DROP COLUMN participant_time_ms; ALTER TABLE quotes DROP COLUMN participant_time_ms;
            CREATE TABLE first AS SELECT id, collector, created_us, notes_seq FROM buffer;
            DROP TABLE buffer; ALTER TABLE first RENAME TO buffer;
            PRAGMA user_version = 1;
            """)
        let again = try scratch.open()
        #expect(try GapLog.read(directory: scratch.path).map(\.state) == [.open])
        let made = try #require(try scratch.number("SELECT created_us FROM buffer"))
        #expect(again.previousLife?.end == made / 1000)
        await again.close()
    }
}

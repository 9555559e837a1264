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
        Bar.flat(Symbol(symbol)!, at: minute * 60_000)
    }

    @Test func `gaps are read as they were recorded, while the buffer is open`() async throws {
        let (scratch, buffer) = try Scratch.opened()
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

    @Test func `the gaps that wait to be filled are those that are open and over, and they are read as they are now`()
        async throws
    {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        var underWay = gap(["MSFT"], from: 20_000)
        underWay.to = nil
        buffer.record(gap(["AAPL"]))
        buffer.record(gap(["IBM"], [.limitBand]))
        buffer.record(underWay)
        buffer.record(gap([], from: 9000))
        try await buffer.flush()
        let waiting = try await buffer.waitingGaps()
        #expect(waiting.map(\.id) == [1, 4] && waiting.map(\.end) == [6000, 14_000])
        let records = try await buffer.gaps(waiting, fills: .none)
        #expect(records.map(\.gap) == [gap(["AAPL"]), gap([], from: 9000)])
        #expect(records.compactMap { WaitingGap($0) } == waiting)
        try await buffer.settle([GapFill(of: records[0], state: .filled)])
        #expect(try await buffer.gaps(waiting, fills: .none).map(\.id) == [4])
        await buffer.close()
    }

    @Test func `what the file lost to damage is known by stream and time, apart from what the feed sent damaged`()
        async throws
    {
        let (scratch, buffer) = try Scratch.opened()
        var lost = gap([], [.trade], from: 100_000)
        lost.cause = .damaged
        buffer.record(lost)
        try await buffer.flush()
        // The feed's, of some symbols and of a connection that takes everything, one of them under way.
        for symbols in [["AAPL"], []] {
            var unread = gap(symbols, [.trade], from: 900_000)
            unread.cause = .damaged
            buffer.record(unread)
            unread.to = nil
            buffer.record(unread)
        }
        buffer.record(gap([], [.trade], from: 800_000))
        try await buffer.flush()
        await buffer.close()
        // As a repair writes it down.
        try scratch.execute(
            """
            INSERT INTO incidents (at_us, what, detail)
            SELECT recorded_us, 'repaired', '' FROM gaps WHERE from_ms = 100000
            """)
        func hasLost(_ stream: EventStream, _ span: ClosedRange<Int64>) throws -> Bool {
            try GapLog.hasLostRows(of: stream, in: span, directory: scratch.path)
        }
        #expect(try hasLost(.trades, 105_000...200_000))
        #expect(try hasLost(.trades, 0...100_000))
        #expect(try !hasLost(.trades, 105_001...2_000_000))
        #expect(try !hasLost(.trades, 0...99_999))
        #expect(try !hasLost(.quotes, 0...2_000_000))
    }

    @Test func `how far a gap's filling came is kept over a restart`() async throws {
        let scratch = try Scratch()
        var buffer = try scratch.open()
        buffer.record(gap(["AAPL", "MSFT"]))
        try await buffer.flush()
        let fresh = try #require(try GapLog.read(directory: scratch.path).first)
        try await buffer.settle([GapFill(of: fresh, symbols: [(Symbol("AAPL")!, 3)], event: .minuteBar)])
        await buffer.close()
        var record = try #require(try GapLog.read(directory: scratch.path, fills: .all).first)
        #expect(record.state == .open && record.rows == 3 && record.settled == [.minuteBar: [Symbol("AAPL")!]])
        buffer = try scratch.open()
        try await buffer.settle([
            GapFill(of: record, symbols: [(Symbol("MSFT")!, 0)], event: .minuteBar, state: .filled, detail: "3 bars")
        ])
        record = try #require(try GapLog.read(directory: scratch.path, states: [.filled], fills: .all).first)
        #expect(record.rows == 3 && record.detail == "3 bars" && record.settled[.minuteBar]?.count == 2)
        await buffer.close()
    }

    @Test func `what filled a gap is read as far as it is asked for, and not at all unless it is`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        buffer.record(gap(["AAPL", "MSFT"], [.minuteBar, .trade]))
        try await buffer.flush()
        let fresh = try #require(try GapLog.read(directory: scratch.path).first)
        let (apple, microsoft) = (Symbol("AAPL")!, Symbol("MSFT")!)
        try await buffer.settle([
            GapFill(of: fresh, symbols: [(apple, 3), (microsoft, 4)], event: .minuteBar),
            GapFill(of: fresh, symbols: [(apple, 5)], event: .trade, state: .partial),
        ])
        func read(_ fills: GapFills) throws -> GapRecord {
            try #require(try GapLog.read(directory: scratch.path, fills: fills).first)
        }
        for fills in [GapFills.counts, .symbols([.trade]), .all] {
            let record = try read(fills)
            #expect(record.rows == 7 && record.ticks == 5)
        }
        #expect(try read(.counts).settled.isEmpty)
        #expect(try read(.symbols([.trade])).settled == [.trade: [apple]])
        #expect(try read(.all).settled == [.minuteBar: [apple, microsoft], .trade: [apple]])
        await buffer.close()
        try scratch.execute("DROP TABLE gap_fills")
        let bare = try read(.none)
        #expect(bare.state == .partial && bare.rows == 0 && bare.settled.isEmpty)
        #expect(throws: StoreError.self) { try read(.counts) }
    }

    @Test func `a gap that went on while it was filled is not settled with its old end`() async throws {
        let (scratch, buffer) = try Scratch.opened()
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
        let whole = try #require(try GapLog.read(directory: scratch.path, fills: .all).first)
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
        let (scratch, buffer) = try Scratch.opened()
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
        let recent = try history.recentSymbols(of: .bars)
        #expect(recent.symbols == [Symbol("RARE")!, Symbol("BUSY")!] && recent.isComplete)
        #expect(try history.recentSymbols(of: .trades).symbols == [Symbol("TRADED")!])
        #expect(try history.recentSymbols(of: .quotes).symbols.isEmpty)
        await buffer.close()
    }

    @Test func `symbols that were found in a sample of a day's rows are not said to be all`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        for symbol in ["RARE", "BUSY"] { #expect(buffer.offer(.bars(1, symbol: symbol)) == .accepted) }
        try await buffer.flush()
        await buffer.close()
        let history = TickHistory(directory: scratch.path)
        // As if there were as many rows as are read in full, and then a few more.
        let most = 64 * 65_536
        try scratch.execute("UPDATE bars SET seq = \(most) WHERE symbol = 'BUSY'")
        let all = try history.recentSymbols(of: .bars)
        #expect(all.symbols == [Symbol("RARE")!, Symbol("BUSY")!] && all.isComplete)
        try scratch.execute("UPDATE bars SET seq = \(most + 64) WHERE symbol = 'BUSY'")
        let some = try history.recentSymbols(of: .bars)
        #expect(some.symbols == [Symbol("BUSY")!] && !some.isComplete)
    }

    @Test func `gaps are selected by their time, and are read part by part down to the oldest`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        for start in [1000, 20_000, 40_000] as [Int64] { buffer.record(gap(["AAPL"], from: start)) }
        var underWay = gap(["AAPL"], from: 60_000)
        underWay.to = nil
        buffer.record(underWay)
        try await buffer.flush()
        func numbers(_ span: ClosedRange<Int64>?, before id: Int64 = .max, limit: Int = 10) throws -> [Int64] {
            try GapLog.read(directory: scratch.path, overlapping: span, before: id, limit: limit).map(\.id)
        }
        #expect(try numbers(nil) == [1, 2, 3, 4])
        #expect(try numbers(6000...40_000) == [1, 2, 3])
        #expect(try numbers(6001...39_999) == [2])
        #expect(try numbers(1_000_000...2_000_000) == [4])
        #expect(try numbers(0...999).isEmpty)
        #expect(try numbers(0...100_000, before: 4, limit: 2) == [2, 3])
        #expect(try numbers(0...100_000, before: 2, limit: 2) == [1])
        await buffer.close()
    }

    @Test func `a symbol's events are lacking in the gaps that have them, until it was asked for`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        buffer.record(gap(["AAPL", "MSFT"], [.minuteBar, .trade]))
        buffer.record(gap([], from: 20_000))
        buffer.record(gap(["AAP"], from: 40_000))
        buffer.record(gap(["AAPL"], [.secondBar], from: 60_000))
        buffer.record(gap(["AAPL"], from: 80_000))
        try await buffer.flush()
        let records = try GapLog.read(directory: scratch.path)
        try #require(records.count == 5)
        try await buffer.settle([
            GapFill(of: records[1], symbols: [(Symbol("MSFT")!, 0)], state: .partial),
            GapFill(of: records[4], state: .filled),
        ])
        func starts(_ name: String, _ span: ClosedRange<Int64> = 0...1_000_000) throws -> [Int64] {
            let symbol = try #require(Symbol(name))
            var found: [Gap] = []
            try GapLog.lacking(.minuteBar, of: symbol, in: span, directory: scratch.path) { found.append($0) }
            #expect(found.allSatisfy { $0.symbols == [symbol] && $0.events == [.minuteBar] })
            return found.map(\.from)
        }
        #expect(try starts("AAPL") == [1000, 20_000])
        #expect(try starts("MSFT") == [1000])
        #expect(try starts("IBM") == [20_000])
        #expect(try starts("AAPL", 6001...19_999).isEmpty)
        await buffer.close()
    }

    @Test func `the bars that are there are found by symbol, length and start`() async throws {
        let (scratch, buffer) = try Scratch.opened()
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
        let (scratch, buffer) = try Scratch.opened()
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
            ALTER TABLE streams DROP COLUMN gone_through; ALTER TABLE streams DROP COLUMN sent_again_through;
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

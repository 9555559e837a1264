import Foundation
import GRDB
import MarketData
import TestSupport
import Testing

@testable import Store

/// SQLite checks no types, so other programs may write anything into the file. Whatever that is, no process crashes,
/// and the other rows stay usable.
@Suite(.timeLimit(.minutes(5))) struct ForeignRowTests {
    private static let least = "-9223372036854775807 - 1"
    private static let most = "9223372036854775807"

    private static func trade(
        seq: String = "(SELECT max(seq) + 1 FROM trades)", symbol: String = "'IBM'", time: String = "1380000000000",
        price: String = "1", received: String = "1380000000000000"
    ) -> String {
        """
        INSERT INTO trades (seq, symbol, time_ms, price, size, received_us, connection)
        VALUES (\(seq), \(symbol), \(time), \(price), 1, \(received), 'other')
        """
    }

    private static func bar(interval: String = "60", start: String) -> String {
        """
        INSERT INTO bars (interval_s, symbol, start_ms, end_ms, open, high, low, close, volume, received_us, connection,
            source) VALUES (\(interval), 'AAPL', \(start), \(start), 1, 1, 1, 1, 1, 1380000000000000, 'other', x'ff')
        """
    }

    private static func gap(from: String, to: String, state: String = "'open'") -> String {
        """
        INSERT INTO gaps (id, connection, symbols, events, from_ms, to_ms, cause, recorded_us, state)
        VALUES (77, 'other', 'AAPL', 'AM,T', \(from), \(to), 'down', \(most), \(state))
        """
    }

    private static func drop(
        _ episode: Int = 1, stream: String = "trades", reason: String = "discarded", from: String = "1",
        to: String = "2",
        first: String = "1", last: String = "2", count: String = "1"
    ) -> String {
        "INSERT INTO drops VALUES (\(episode), '\(stream)', 'AAPL', '\(reason)', \(from), \(to), \(first), \(last), \(count), 5)"
    }

    private static func reconciled(_ symbol: String, _ count: String) -> String {
        let counts = repeatElement(count, count: 8).joined(separator: ", ")
        return "INSERT INTO reconciled VALUES (\(symbol), '2013-09-24', \(counts), 0, 5)"
    }

    static let writings: [String] = [
        trade(time: least), trade(time: most), trade(time: "'abc'"), trade(time: most, received: "-1"),
        trade(received: least), trade(received: most), trade(received: "'abc'"), trade(price: "'abc'"),
        trade(symbol: "replace(hex(zeroblob(5000)), '0', 'A')"), trade(symbol: "x'ff'"),
        trade(seq: least), trade(seq: "-5"), trade(seq: "1 << 61"), trade(seq: most),
        bar(start: least), bar(start: most), bar(interval: most, start: "0"), bar(interval: "'x'", start: "0"),
        gap(from: least, to: most), gap(from: least, to: least), gap(from: most, to: most), gap(from: "'a'", to: "'b'"),
        gap(from: least, to: "NULL"), gap(from: "0", to: "1", state: "x'ff'"),
        gap(from: "0", to: "1")
            + "; INSERT INTO gap_fills VALUES (77, 'AAPL', 'AM', \(most), 1), (77, 'MSFT', 'AM', \(most), 1)",
        drop(count: most) + ";" + drop(2, count: most), drop(count: least), drop(count: "'a'"),
        drop(first: "1.5", last: "'z'"), drop(first: "'a'", last: "NULL"),
        drop(reason: "file_set_aside", last: "NULL"), drop(first: least, last: most),
        drop(stream: "bars", from: least, to: most),
        "INSERT INTO dead_letters VALUES ('trades', 1.5, 'x', 'y', '{', \(most)), ('trades', 'z', 5, x'ff', x'ff', 'a')",
        "INSERT INTO incidents (at_us, what, detail) VALUES (\(most), 'x', 'y'), (\(least), x'ff', 5)",
        reconciled("'AAPL'", most) + ";" + reconciled("'MSFT'", most), reconciled("'AAPL'", "'a'"),
        reconciled("'AAPL'", "1") + ";" + reconciled("x'4141504c'", "1"),
        "UPDATE buffer SET created_us = \(least), alive_us = \(most)",
        "UPDATE buffer SET created_us = 'a', alive_us = 'b', notes_seq = \(most)",
    ]

    @Test(arguments: writings) func `what another program wrote ends no reading, no start and no repair`(
        _ sql: String
    ) async throws {
        let (scratch, first) = try await Scratch.opened(with: .trades(3))
        try await first.collect(.bars(3))
        await first.close()
        try scratch.execute(sql)

        let symbols: Set<Symbol> = Set(["AAPL", "IBM"].compactMap { Symbol($0) })
        let day = try #require(TradingDay("2013-09-24"))
        let history = TickHistory(directory: scratch.path)
        /// What is not an event is left out; if the rows can't be relied on, the error says so.
        func reading(_ body: () throws -> Void) throws {
            do { try body() } catch let error as StoreError { #expect(error.reason == .damaged, "\(error)") }
        }
        try reading { _ = try BufferReport.read(directory: scratch.path) }
        try reading { _ = try history.newest(symbol: nil, limit: 10) }
        try reading { _ = try history.recentSymbols(of: .trades) }
        for stream in [EventStream.bars, .trades] {
            try reading {
                _ = try history.events(of: stream, symbols: symbols, from: day.span.lowerBound, to: nil, limit: 10)
            }
            try reading {
                let rows = try #require(try history.sequences(of: stream))
                _ = try history.sequences(of: stream, among: rows, on: day...day)
                _ = try history.rows(of: stream, among: rows, times: day.span) { _ in true }
            }
        }
        try reading { _ = try history.minuteBars(starts: day.span) { _, _ in } }
        try reading { _ = try history.lostBars(within: day.span) }
        try reading { _ = DayTotals(try DayLog.reconciled(directory: scratch.path)) }
        try reading { _ = try GapLog.read(directory: scratch.path) }
        try reading { _ = try GapLog.newestEvents(directory: scratch.path) }
        try reading { _ = try history.deadLetters(limit: 10) }
        _ = try FileVerifier.verify(scratch.ticks, as: .ticks)
        var options = FileRepair.Options()
        options.isForced = true
        options.isDryRun = true
        _ = try FileRepair.repair(scratch.ticks, as: .ticks, options: options)

        let again = try scratch.open()
        try await again.collect(.trades(2))
        #expect(again.statistics[.trades].marks.last >= 2)
        _ = try await again.refusedRows(of: .trades, after: 0, through: 100)
        await again.close()
        let last = try scratch.open()
        await last.close()
    }

    @Test func `counts that no sum can hold, in a damaged file, keep no fresh one from being started`() async throws {
        let (scratch, first) = try await Scratch.opened(with: .trades(3))
        await first.close()
        let drops = (1...2).map { Self.drop($0, reason: "file_set_aside", count: Self.most) }
        try scratch.execute(drops.joined(separator: ";"))
        try scratch.damage(table: "gaps")
        let buffer = try scratch.open()
        #expect(buffer.statistics.setAside.count == 1)
        try await buffer.collect(.trades(2))
        // They are taken over as far as they can be.
        #expect(try #require(try scratch.number("SELECT sum(count) FROM drops")) >= 1 << 41)
        await buffer.close()
    }

    @Test func `a text in the place of a time or number is no event, and none of 1970 or for nothing`() async throws {
        let (scratch, first) = try await Scratch.opened(with: .trades(2))
        await first.close()
        try scratch.execute(Self.trade(time: "'yesterday'"))
        try scratch.execute(Self.trade(price: "'much'"))
        let buffer = try scratch.open()
        let batch = try #require(try await buffer.nextBatch(of: .trades, limit: 10))
        #expect(batch.trades.map(\.sequence) == [1, 2, 4])
        #expect(batch.trades.last?.event.price.isNaN == true)
        try await buffer.flush()
        #expect(try scratch.number("SELECT count FROM drops WHERE reason = 'unreadable' AND first_seq = 3") == 1)
        await buffer.close()
    }

    @Test func `rows are found on both sides of numbers that no row has, however many`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .trades(3))
        await buffer.close()
        try scratch.execute(Self.trade(seq: "1 << 61"))
        try scratch.execute(Self.trade(seq: "-1"))
        let history = TickHistory(directory: scratch.path)
        let symbol = try #require(Symbol("IBM"))
        let events = try history.events(of: .trades, symbols: [symbol], from: nil, to: nil, limit: 10)
        #expect(events.isComplete && events.values.compactMap(\.sequence).sorted() == [1, 2, 3, 1 << 61])
        let rows = try #require(try history.sequences(of: .trades))
        var found: [Int64?] = []
        _ = try history.rows(of: .trades, among: rows, times: 0 ..< .max) { row in
            found.append(row.integer(0))
            return true
        }
        #expect(found == [1, 2, 3, 1 << 61])
    }

    @Test func `a row number that was never given is damage for every reader`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        await buffer.close()
        try scratch.execute(Self.trade(seq: Self.most))
        let symbol = try #require(Symbol("IBM"))
        let error = #expect(throws: StoreError.self) {
            try TickHistory(directory: scratch.path).events(
                of: .trades, symbols: [symbol], from: nil, to: nil, limit: 10)
        }
        #expect(error?.reason == .damaged)
    }

    @Test func `a gap of impossible times has possible ones, and can be settled all the same`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        try scratch.execute(Self.gap(from: Self.least, to: Self.most))
        let record = try #require(try GapLog.read(directory: scratch.path).first)
        #expect(record.gap.from == UnixTime.possible.lowerBound && record.gap.to == UnixTime.possible.upperBound)
        let symbol = try #require(Symbol("AAPL"))
        try await buffer.settle([GapFill(of: record, symbols: [(symbol, 3)], state: .filled, detail: "by hand")])
        let settled = try #require(try GapLog.read(directory: scratch.path).first)
        #expect(settled.state == .filled && settled.rows == 3)
        await buffer.close()
    }

    @Test func `while the clock is behind, each batch is dated after the one before it`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        for received: Int64 in [2_000_000, 1_000_000, 1_000_001, 1_000_000, 3_000_000, 3_000_000] {
            #expect(buffer.offer(.trades(1, received: received)) == .accepted)
        }
        try await buffer.flush()
        #expect(
            try scratch.rows("SELECT received_us FROM trades ORDER BY seq").map { $0[0] as Int64 }
                == [2_000_000, 2_000_001, 2_000_002, 2_000_003, 3_000_000, 3_000_000])
        await buffer.close()
    }

    @Test func `the statistics say how far ahead rows are dated, and do so from the start on`() async throws {
        let (scratch, first) = try Scratch.opened()
        for received: Int64 in [4_102_444_800_000_000, 1_000_000] {
            #expect(first.offer(.trades(1, received: received)) == .accepted)
        }
        try await first.flush()
        #expect(first.statistics.latestReceipt == 4_102_444_800_000)
        await first.close()
        let buffer = try scratch.open()
        #expect(buffer.statistics.latestReceipt == 4_102_444_800_000)
        await buffer.close()
    }

    @Test func `a time of receipt that is none doesn't date the rows after it`() async throws {
        let (scratch, first) = try await Scratch.opened(with: .trades(1))
        await first.close()
        try scratch.execute(Self.trade(received: Self.most))
        let buffer = try scratch.open()
        try await buffer.collect(.trades(1, received: 1_990_000_000_000_000))
        #expect(try scratch.number("SELECT received_us FROM trades WHERE seq = 3") == 1_990_000_000_000_000)
        await buffer.close()
    }
}

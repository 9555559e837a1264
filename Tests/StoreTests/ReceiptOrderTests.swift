import GRDB
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Store

/// Rows are found by their time of receipt, even where refused rows were put back with their old one.
@Suite(.timeLimit(.minutes(5))) struct ReceiptOrderTests {
    private static let minute: Int64 = 60_000
    private let symbol = Symbol("AAPL")!
    /// Three hours ago, on the minute.
    private let base = (now() / 1000 - 180 * minute) / minute * minute

    private func bar(_ minute: Int64, of symbol: String = "AAPL") -> Bar {
        let start = base + minute * Self.minute
        return Bar(
            symbol: Symbol(symbol)!, interval: .minute, start: start, end: start + Self.minute, open: 1, high: 1,
            low: 1, close: 1, volume: 1)
    }

    /// Two hours of bars, one a minute, received a second after their ends.
    private func collect(_ buffer: TickBuffer) async throws {
        for minute in 0..<120 as Range<Int64> {
            var batch = EventBatch(
                connection: "primary", receivedMicroseconds: (bar(minute).end + 1000) * 1000)
            batch.bars = [bar(minute)]
            #expect(buffer.offer(batch) != .refused)
        }
        try await buffer.flush()
    }

    /// Letters of bars that were received about thirty hours before those.
    private func letters(_ count: Int64, of symbol: String = "OLD") -> [DeadLetter] {
        (0..<count).map { number in
            let bar = bar(-1800 + number % 60, of: symbol)
            return DeadLetter(
                stream: .bars, sequence: -number, sqlState: "23514", reason: "check",
                row: """
                    {"seq":\(-number),"interval_s":60,"symbol":"\(symbol)","start_ms":\(bar.start),"end_ms":\(bar.end),
                    "open":1,"high":1,"low":1,"close":1,"volume":\(number),"received_us":\((bar.end + 1000) * 1000),
                    "connection":"primary","source":"stream"}
                    """)
        }
    }

    private func expectFound(_ directory: String, _ buffer: TickBuffer) async throws {
        let middle = base + 60 * Self.minute
        let history = TickHistory(directory: directory)
        let bars = try history.bars(.init(symbol: symbol, interval: .minute, from: middle, limit: 1000))
        #expect(bars.isComplete && bars.values.count == 60)
        var minutes: Set<Int64> = []
        let reading = try history.minuteBars(starts: base..<base + 120 * Self.minute) { symbol, start in
            if symbol == self.symbol { minutes.insert(start) }
        }
        #expect(reading.isComplete && minutes.count == 120)
        // The previous minute's bar is the first that was received in the middle minute.
        let beginning = try await buffer.beginning(of: .bars, receivedFrom: middle * 1000)
        #expect(beginning.after == 59)
        let found = try GapLog.bars(
            directory: directory, symbols: [symbol], interval: .minute, starts: middle...base + 119 * Self.minute,
            received: middle)
        #expect(found[symbol]?.count == 60)
    }

    @Test func `rows that are put back hide none that were received before them`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        try await collect(buffer)
        try await buffer.addDeadLetters(letters(300))
        #expect(try await buffer.requeue(letters(300)).count == 300)
        try await expectFound(scratch.path, buffer)
        // Upstream such a row is recognised by its time of receipt.
        #expect(
            try scratch.number(
                "SELECT count(*) FROM bars WHERE symbol = 'OLD' AND received_us = (end_ms + 1000) * 1000")
                == 300)
        await buffer.close()
    }

    @Test func `rows that a clock received too early are found by their events' times`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        for minute in 0..<70 as Range<Int64> {
            // The clock is ten minutes behind, until it is set right.
            let received = bar(minute).end + 1000 - (minute < 60 ? 10 * Self.minute : 0)
            var batch = EventBatch(connection: "primary", receivedMicroseconds: received * 1000)
            batch.bars = [bar(minute)]
            #expect(buffer.offer(batch) != .refused)
        }
        try await buffer.flush()
        #expect(try scratch.number("SELECT count(*) FROM bars") == 70)
        for minute in [5, 30, 55] as [Int64] {
            let moment = (base + (minute - 1) * Self.minute) * 1000
            let beginning = try await buffer.beginning(of: .bars, receivedFrom: moment, trustsClock: false)
            #expect(beginning.after == minute - 1)
            #expect(try await buffer.beginning(of: .bars, receivedFrom: moment).after > minute)
        }
        await buffer.close()
    }

    @Test func `uploaded rows stay as long as they are to be kept, whatever was put back behind them`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.retention = .seconds(7200) }
        try await collect(buffer)
        try await buffer.addDeadLetters(letters(300))
        let rows = Int64(try await buffer.requeue(letters(300)).count + 120)
        _ = try await buffer.nextBatch(of: .bars, limit: 1000)
        try await buffer.acknowledge(.bars, through: rows)
        // Retention is checked every half minute.
        try await Waiting.until("the first hour is deleted", within: .seconds(120)) {
            try scratch.number(
                "SELECT count(*) FROM bars WHERE start_ms < \(base + 58 * Self.minute) AND symbol = 'AAPL'")
                == 0
        }
        #expect(try scratch.number("SELECT count(*) FROM bars WHERE symbol = 'AAPL'") ?? 0 > 50)
        await buffer.close()
    }

    @Test func `the numbers of rows that are put back are theirs, while others are collected`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.commitInterval = .fixed(.milliseconds(1)) }
        let isDone = Mutex(false)
        let collecting = Task {
            var part = 0
            while !isDone.withLock({ $0 }) {
                try await buffer.take(.bars(50, symbol: "LIVE", from: part * 50))
                // So that rows that are put back don't wait behind a long queue of these.
                try await buffer.flush()
                part += 1
            }
        }
        for round in 0..<20 {
            let old = letters(100, of: "R\(round)")
            try await buffer.addDeadLetters(old)
            let placed = try await buffer.requeue(old)
            #expect(placed.count == 100)
            let first = try #require(placed.map(\.sequence).min())
            let rows = try scratch.rows(
                "SELECT seq, volume FROM bars WHERE seq >= \(first) AND symbol = 'R\(round)' ORDER BY seq")
            #expect(rows.map { $0["seq"] as Int64 } == placed.map(\.sequence).sorted())
            let volumes = Dictionary(uniqueKeysWithValues: rows.map { ($0["seq"] as Int64, $0["volume"] as Double) })
            for (letter, sequence) in placed { #expect(volumes[sequence] == Double(-letter.sequence)) }
        }
        isDone.withLock { $0 = true }
        try await collecting.value
        await buffer.close()
    }

    @Test func `of two versions of a bar that are put back the newer one has the greater number`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        // The newest comes first, as in the list of letters.
        let (older, newer) = (letters(121)[120], letters(61)[60])
        #expect(older.sequence < newer.sequence)
        try await buffer.addDeadLetters([newer, older])
        let placed = try await buffer.requeue([newer, older])
        #expect(placed.map(\.letter) == [older, newer] && placed.map(\.sequence) == [1, 2])
        await buffer.close()
    }

    @Test func `a bar of which the file holds a newer version stays a letter, however many are put back`() async throws
    {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        let older = letters(61)[60]
        var batch = EventBatch(connection: "primary", receivedMicroseconds: now())
        batch.bars = [bar(-1800, of: "OLD")]
        try await buffer.collect(batch)
        try await buffer.addDeadLetters([older])
        #expect(try await buffer.requeue([older]).isEmpty && buffer.statistics.deadLetters == 1)
        // Bars that are put back together, in several transactions, do not count as newer versions of one another.
        let many = (0..<6000 as Range<Int64>).map { number in
            var letter = letters(60, of: "MANY")[Int(number % 60)]
            letter.sequence = number - 6000
            return letter
        }
        try await buffer.addDeadLetters(many)
        #expect(try await buffer.requeue(many).map(\.letter) == many)
        await buffer.close()
    }

    @Test func `a newer version that comes while a bar is put back has the greater number`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open { $0.commitInterval = .fixed(.seconds(60)) }
        let letter = letters(61)[60]
        let event = try #require(letter.event)
        try await buffer.addDeadLetters([letter])
        var batch = EventBatch(connection: "primary", receivedMicroseconds: now())
        batch.bars = [bar(-1800, of: "OLD")]
        // It waits for the same transaction as the letter.
        #expect(buffer.offer(batch) == .accepted)
        #expect(try await buffer.requeue([letter]).map(\.sequence) == [1])
        #expect(try scratch.number("SELECT seq FROM bars WHERE volume = 1") == 2)
        await buffer.close()

        // As if it was written after the search for newer versions and before the letter.
        var connection: TickConnection? = try TickConnection.open(
            StoreFile(path: scratch.ticks, kind: .ticks), synchronous: "FULL",
            identity: .init(id: buffer.id, collector: "tests"), seed: .init())
        func standing(_ through: Int64) throws -> Int? {
            let settled = SettledLetter(letter, event, lookedThrough: through) { _ in }
            return try connection?.standing([settled], through: 2).count
        }
        #expect(try standing(1) == 0 && standing(2) == 1)
        try TickConnection.close(&connection)
    }

    @Test func `a place is found among rows with holes, and behind them where none was received later`() {
        let rows: [(sequence: Int64, received: Int64)] = [(3, 10), (4, 10), (9, 20), (10, 30)]
        func first(_ time: Int64) -> Int64 {
            ReceiptOrder.first(in: 3...10, receivedFrom: time) { place in
                rows.last { $0.sequence <= place }?.received
            }
        }
        #expect([0, 10, 11, 20, 21, 30, 31].map(first) == [3, 3, 9, 9, 10, 10, 11])
    }
}

import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Rows that are sent together go in COPY's binary format, rows that stand alone as text: a real server must store the
/// same of both.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct CopyBinaryTests {
    /// Numbers whose decimals are short, long, tiny, huge, negative and zero.
    private static let numbers: [Double] = {
        var numbers = [
            0, -0.0, 1, 9999, 10_000, 10_001, 99_999_999, 100_000_000, 1e14, 999_999_999_999_999, 1e15, 1e16, 1e22,
            1.2345e20, 4.5e300, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .leastNormalMagnitude, 1e-7, 1.5e-7,
            1e-10, 0.1, 0.01, 0.001, 0.0001, 0.00001, 0.000_000_001, 0.1 + 0.2, 34.51, 34.4372, 12_345.6789,
            123_456_789.123_456_7, 9_007_199_254_740_994, 1 / 3.0, 2 / 3.0, 0.5, 1.5, 2.5, 100.0001, 40_000.00005,
        ]
        numbers += numbers.map { -$0 }
        var random = SeededRandom(seed: 7)
        for _ in 0..<400 {
            let digits = Double(Int64.random(in: 0...999_999_999_999_999, using: &random))
            var number = digits
            for _ in 0..<Int.random(in: 0...12, using: &random) { number /= 10 }
            numbers.append(number)
            numbers.append(Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random)))
        }
        return numbers.filter(\.isFinite)
    }()

    /// Uploads a batch at once into one database and row by row into another, and compares all of `query`'s lines.
    private func compare(_ batch: BufferedBatch, _ query: String, tables: String? = nil) async throws {
        let together = try await Sandbox.prepared(tables ?? "SELECT")
        let alone = try await Sandbox.prepared(tables ?? "SELECT")
        _ = try await together.uploader().upload(batch)
        var parts: [BufferedBatch] = []
        for row in 0..<batch.count {
            var part = batch
            if !batch.bars.isEmpty { part.bars = [batch.bars[row]] }
            if !batch.trades.isEmpty { part.trades = [batch.trades[row]] }
            if !batch.quotes.isEmpty { part.quotes = [batch.quotes[row]] }
            parts.append(part)
        }
        try await alone.uploader().drain(BatchList(parts))
        let lines = try together.run(query).split(separator: "\n")
        let expected = try alone.run(query).split(separator: "\n")
        #expect(lines.count == batch.count && expected.count == batch.count)
        for (line, wanted) in zip(lines, expected) { #expect(line == wanted) }
    }

    private func bars(_ numbers: [Double]) -> BufferedBatch {
        var random = SeededRandom(seed: 11)
        func any() -> Double { numbers.randomElement(using: &random) ?? 0 }
        func maybe() -> Double? { Bool.random(using: &random) ? any() : nil }
        var rows = batch(
            numbers.enumerated().map { number, value in
                var bar = bar(["A", "BRK.B", "SIXTEEN161616161"][number % 3], minute: Int64(number), close: value)
                bar.open = any()
                bar.volume = Double(Int64.random(in: 0...1 << 52, using: &random)) / 8
                bar.vwap = maybe()
                bar.dayVolume = maybe()
                bar.dayOpen = maybe()
                bar.averageSize = maybe()
                bar.isOTC = [true, false, nil].randomElement(using: &random) ?? nil
                return bar
            })
        rows.connections = ["primary", "zweite\t\\ Verbindung", ""]
        for place in rows.bars.indices { rows.bars[place].connection = Int32(place % 4) }
        return rows
    }

    @Test func `numbers of every size, in every column of a bar`() async throws {
        try await compare(
            bars(Self.numbers), "SELECT * FROM ohlcv_1min ORDER BY symbol, timestamp")
    }

    @Test func `columns of other types than ours`() async throws {
        let table = """
            CREATE DOMAIN ticker AS varchar(20);
            CREATE TABLE ohlcv_1min (symbol ticker NOT NULL, timestamp timestamp NOT NULL, open float8, high float8,
                low numeric(12,2), close numeric(20,3), volume bigint, average_size numeric, start_ms numeric,
                connection varchar(40), source bpchar(12), UNIQUE (timestamp, symbol))
            """
        let fitting = Self.numbers.filter { $0.magnitude < 1e15 }
        try await compare(bars(fitting), "SELECT * FROM ohlcv_1min ORDER BY symbol, timestamp", tables: table)
    }

    @Test func `trades and quotes with and without their optional values`() async throws {
        var trades = batch(
            trades: Self.numbers.enumerated().map { ("MSFT", $1, "é\\t\($0)\t\n\"x") })
        for place in trades.trades.indices where place % 3 == 0 {
            trades.trades[place].event = Trade(
                symbol: Symbol("IBM")!, time: opening + Int64(place), price: Self.numbers[place], size: 1)
        }
        try await compare(trades, "SELECT to_jsonb(t) FROM trades t ORDER BY time")
        var quotes = BufferedBatch(stream: .quotes)
        quotes.connections = ["primary"]
        for (place, number) in Self.numbers.enumerated() {
            var quote = Quote(symbol: Symbol("SPY")!, time: opening + Int64(place))
            if place % 2 == 0 {
                quote.bid = number
                quote.ask = Self.numbers[Self.numbers.count - 1 - place]
                quote.bidExchange = Int32(place)
                quote.sequence = -Int64(place) << 30
                quote.indicators = quotes.text.append("[604,1]")
            }
            quotes.quotes.append(
                Buffered(
                    sequence: Int64(place) + 1, event: quote, receivedMicroseconds: -Int64(place), connection: 0,
                    source: .stream))
        }
        try await compare(quotes, "SELECT * FROM quotes ORDER BY time")
    }

    @Test func `a value that its column can't have is refused alone, with a reason that speaks of it`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE ohlcv_1min (symbol varchar(8) NOT NULL, timestamp timestamptz NOT NULL, open numeric,
                high numeric, low numeric, close numeric(8,2), volume smallint, PRIMARY KEY (symbol, timestamp))
            """)
        let box = DeadLetterBox()
        let rows = batch([
            bar("A"), bar("B", volume: 40_000), bar("C"), bar("D", close: 1e9), bar("TOOLONGNAME"), bar("F"),
            bar("G", volume: 1e19),
        ])
        let outcome = try await sandbox.uploader().upload(rows) { await box.add($0) }
        #expect(outcome.inserted == 3 && outcome.refused == 4)
        let refused = await box.rows.sorted { $0.sequence < $1.sequence }
        #expect(refused.map(\.sequence) == [2, 4, 5, 7])
        #expect(refused.map(\.sqlState) == ["22003", "22003", "22001", "22P02"])
        #expect(refused[0].reason.contains("40000"), "\(refused[0].reason)")
        #expect(try sandbox.run("SELECT symbol FROM ohlcv_1min ORDER BY 1") == "A\nC\nF")
    }

    @Test func `columns that only text can fill are still filled`() async throws {
        let table = """
            CREATE TABLE trades (symbol text NOT NULL, time timestamptz NOT NULL, price real NOT NULL, size numeric,
                conditions int[])
            """
        try await compare(
            batch(trades: [("A", 0.1, "1"), ("B", 16_777_217, "2")]), "SELECT * FROM trades ORDER BY time",
            tables: table)
    }
}

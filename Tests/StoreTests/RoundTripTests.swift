import Foundation
import GRDB
import Logging
import MarketData
import Store
import TestSupport
import Testing

/// What goes in comes out, through the upload's reader and through any SQLite program.
@Suite(.blocking, .timeLimit(.minutes(5))) struct RoundTripTests {
    @Test func `bars come back with every column, also the absent and the extreme ones`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        var batch = EventBatch(connection: "secondary", receivedMicroseconds: 1_700_000_000_123_456)
        let extremes = [
            0.4372, 0.1 + 0.2, .greatestFiniteMagnitude, .leastNonzeroMagnitude, -1e-300, 9_007_199_254_740_991, 5e15,
            1.0 / 3, 0,
        ]
        for (number, value) in extremes.enumerated() {
            batch.bars.append(
                Bar(
                    symbol: Symbol("BRK.B")!, interval: number % 2 == 0 ? .second : .minute, start: Int64(number),
                    end: Int64.max - Int64(number), open: value, high: -value, low: value / 3, close: value * 0.5,
                    volume: value, vwap: value, dayVolume: value, dayOpen: -value, dayVWAP: value, averageSize: value,
                    isOTC: number % 3 == 0))
        }
        batch.bars.append(
            Bar(
                symbol: Symbol("ABCDEFGHIJKLMNOP")!, interval: .minute, start: -1, end: 0, open: 1, high: 1, low: 1,
                close: 1, volume: 1))
        try await buffer.collect(batch)

        let read = try #require(try await buffer.nextBatch(of: .bars, limit: 1000))
        #expect(read.bars.map(\.event) == batch.bars)
        #expect(read.bars.map(\.sequence) == Array(1...Int64(batch.bars.count)))
        #expect(read.bars.allSatisfy { $0.receivedMicroseconds == 1_700_000_000_123_456 && $0.source == .stream })
        #expect(read.connections == ["secondary"])
        #expect(try scratch.number("SELECT count(*) FROM bars WHERE vwap IS NULL AND otc IS NULL") == 1)
        await buffer.close()
    }

    @Test func `more rows than one statement takes keep their order and numbers`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        let batches = [1, 19, 20, 21, 40, 399, 3].map { EventBatch.bars($0, symbol: "S\($0)") }
        for batch in batches { #expect(buffer.offer(batch) == .accepted) }
        try await buffer.flush()
        let read = try #require(try await buffer.nextBatch(of: .bars, limit: 10_000))
        #expect(read.bars.map(\.event) == batches.flatMap(\.bars))
        #expect(read.bars.map(\.sequence) == Array(1...503))
        await buffer.close()
    }

    @Test func `trades and quotes come back with texts and absent values`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        var batch = EventBatch(connection: "primary", receivedMicroseconds: 77)
        let identifier = batch.text.append("71675577320245")
        let conditions = batch.text.append("[14,37,41]")
        let empty = batch.text.append("")
        let indicators = batch.text.append("[604]")
        batch.trades = [
            Trade(
                symbol: Symbol("AIG")!, time: 1, price: 48.7301, size: 0.5, exchange: 4, tape: 3, tradeID: identifier,
                conditions: conditions, sequence: 3_681_328, trfID: 202, trfTime: 1_380_000_000_001,
                participantTime: 1_379_999_999_999),
            Trade(symbol: Symbol("AIG")!, time: 2, price: 48.73, size: 100, tradeID: empty),
            Trade(symbol: Symbol("BAC")!, time: 3, price: 13.8, size: 100),
        ]
        batch.quotes = [
            Quote(
                symbol: Symbol("SPY")!, time: 4, bid: 165.41, bidSize: 3, bidExchange: 12, ask: 165.42, askSize: 0,
                askExchange: 11, condition: 1, indicators: indicators, tape: 2, sequence: 9, participantTime: 3),
            Quote(symbol: Symbol("SPY")!, time: 5),
        ]
        try await buffer.collect(batch)

        let trades = try #require(try await buffer.nextBatch(of: .trades, limit: 10))
        #expect(trades.trades.map { $0.event.tradeID.map { trades.text[$0] } } == ["71675577320245", "", nil])
        #expect(trades.trades.map { $0.event.conditions.map { trades.text[$0] } } == ["[14,37,41]", nil, nil])
        var first = trades.trades[0].event
        first.tradeID = identifier
        first.conditions = conditions
        #expect(first == batch.trades[0])
        #expect(trades.trades[2].event == batch.trades[2])
        let quotes = try #require(try await buffer.nextBatch(of: .quotes, limit: 10))
        #expect(quotes.quotes[0].event.indicators.map { quotes.text[$0] } == "[604]")
        #expect(quotes.quotes[1].event == batch.quotes[1])
        #expect(quotes.quotes.map(\.receivedMicroseconds) == [77, 77])
        await buffer.close()
    }

    @Test func `a number that is not one does not stop the buffer`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        var batch = EventBatch.bars(2)
        batch.bars[0].open = .nan
        batch.bars[0].vwap = .nan
        batch.bars[1].high = .infinity
        try await buffer.collect(batch)
        let read = try #require(try await buffer.nextBatch(of: .bars, limit: 10))
        #expect(read.bars[0].event.open.isNaN)
        #expect(read.bars[0].event.vwap == nil)
        #expect(read.bars[1].event.high == .infinity)
        await buffer.close()
    }

    @Test func `another program reads the tables while the buffer is open`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(3))
        let rows = try scratch.rows("SELECT * FROM bars")
        #expect(rows.count == 3)
        #expect(rows[1]["symbol"] == "AAPL")
        #expect(rows[1]["interval_s"] == 60)
        #expect(rows[1]["source"] == "stream")
        for tool in ["/usr/bin/sqlite3", "/usr/local/bin/sqlite3"] where FileManager.default.fileExists(atPath: tool) {
            let text = try Command.run([tool, scratch.ticks, "select * from bars"])
            #expect(text.split(separator: "\n").count == 3)
        }
        try await buffer.collect(.bars(2))
        #expect(try scratch.number("SELECT count(*) FROM bars") == 5)
        await buffer.close()
    }

    @Test func `directory and files are the owner's alone`() async throws {
        let scratch = try Scratch()
        let directory = scratch.path + "/deeper/data"
        let buffer = try TickBuffer.open(
            directory: directory, options: .init(collector: "tests"), logger: .init(label: "tests"))
        try await buffer.collect(.bars(1))
        func mode(_ path: String) throws -> Int {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
        }
        #expect(try mode(directory) == 0o700)
        for suffix in ["", "-wal", "-shm", ".lock"] {
            #expect(try mode(directory + "/ticks.sqlite" + suffix) == 0o600)
        }
        await buffer.close()
    }
}

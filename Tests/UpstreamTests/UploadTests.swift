import MarketData
import TestSupport
import Testing

@testable import Upstream

@Suite(.blocking, .timeLimit(.minutes(5))) struct UploadTests {
    @Test func `every column of a bar arrives as the decimal that was sent`() async throws {
        let sandbox = try await Sandbox.migrated()
        let outcome = try await sandbox.uploader().upload(
            batch([bar(volume: 1200.5), bar(interval: .second, close: 0.4372)]))
        #expect(outcome.inserted == 2 && outcome.path == .direct && outcome.bytes > 100)
        #expect(
            try sandbox.run("SELECT * FROM ohlcv_1min")
                == "AAPL|2013-10-08 13:30:00+00|34.5|34.6|34.4372|34.51|1201|1200.5|34.4999|90210.5|34.25|34.3123|101|f|"
                + "1381239000000|1381239060000|2013-10-08 13:31:01.000123+00|edge-1|primary|stream")
        #expect(try sandbox.run("SELECT symbol, close, end_ms FROM ohlcv_1sec") == "AAPL|0.4372|1381239001000")
    }

    @Test func `every column of a trade arrives as it was sent`() async throws {
        let sandbox = try await Sandbox.migrated()
        let texts = batch(trades: [("BRK.B", 150.0701, "a\tb\\c\nd\re'\"é")])
        #expect(try await sandbox.uploader().upload(texts).inserted == 1)
        #expect(
            try sandbox.run(
                """
                SELECT symbol, time, price, size, exchange, tape, trade_id = E'a\\tb\\\\c\\nd\\re''"é', conditions,
                       sequence, trf_id, trf_time, received_at, collector, connection, participant_time FROM trades
                """)
                == "BRK.B|2013-10-08 13:30:00+00|150.0701|0.25|11|3|t|[0,12]|900000000000|202|"
                + "2013-10-08 13:30:00.005+00|2013-10-08 13:30:00.000007+00|edge-1|primary|2013-10-08 13:29:59.997+00")
    }

    @Test func `every column of a quote arrives as it was sent, and an absent one as NULL`() async throws {
        let sandbox = try await Sandbox.migrated()
        var quotes = BufferedBatch(stream: .quotes)
        quotes.connections = ["primary"]
        let full = Quote(
            symbol: Symbol("IBM")!, time: opening + 1, bid: 181.01, bidSize: 3, bidExchange: 4, ask: 181.02,
            askSize: 0, askExchange: 12, condition: 1, indicators: quotes.text.append("[604]"), tape: 1, sequence: 42,
            participantTime: opening)
        quotes.quotes = [full, Quote(symbol: Symbol("IBM")!, time: opening + 2)].enumerated().map {
            Buffered(
                sequence: Int64($0 + 1), event: $1, receivedMicroseconds: opening * 1000, connection: 0,
                source: .stream)
        }
        #expect(try await sandbox.uploader().upload(quotes).inserted == 2)
        #expect(
            try sandbox.run("SELECT * FROM quotes ORDER BY time")
                == "IBM|2013-10-08 13:30:00.001+00|181.01|3|4|181.02|0|12|1|[604]|1|42|2013-10-08 13:30:00+00|edge-1|"
                + "primary|2013-10-08 13:30:00+00\n"
                + "IBM|2013-10-08 13:30:00.002+00|||||||||||2013-10-08 13:30:00+00|edge-1|primary|")
    }

    @Test func `timestamp is the end of the window when it is set so`() async throws {
        let sandbox = try await Sandbox.migrated()
        _ = try await sandbox.uploader(barTimestamp: .end).upload(batch([bar()]))
        #expect(try sandbox.run("SELECT timestamp, start_ms FROM ohlcv_1min") == "2013-10-08 13:31:00+00|1381239000000")
    }

    @Test func `of a bar sent twice in a batch the newer one is stored`() async throws {
        let sandbox = try await Sandbox.migrated()
        let outcome = try await sandbox.uploader().upload(
            batch([bar(close: 1), bar("MSFT", close: 7), bar(close: 2), bar("A", close: 8), bar(close: 3)]))
        #expect(outcome.inserted == 3 && outcome.superseded == 2)
        #expect(try sandbox.run("SELECT symbol, close FROM ohlcv_1min ORDER BY 1") == "A|8\nAAPL|3\nMSFT|7")
    }

    @Test func `a correction replaces the bar and the same values again leave it alone`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch([bar(close: 1), bar("MSFT")]))
        let outcome = try await uploader.upload(batch([bar(close: 2), bar("MSFT"), bar("IBM")], from: 3))
        #expect(outcome.path == .staging)
        #expect((outcome.inserted, outcome.updated, outcome.unchanged) == (1, 1, 1))
        #expect(try sandbox.run("SELECT symbol, close FROM ohlcv_1min ORDER BY 1") == "AAPL|2\nIBM|34.51\nMSFT|34.51")
        // The path is remembered: new keys go over the staging table for a while, and come out the same.
        let next = try await uploader.upload(batch([bar(minute: 1)], from: 6))
        #expect(next.path == .staging && next.inserted == 1)
    }

    @Test func `a batch sent again is skipped, so an older version never comes back`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        let older = batch([bar(close: 1)])
        _ = try await uploader.upload(older)
        _ = try await uploader.upload(batch([bar(close: 2)], from: 2))
        let again = try await uploader.upload(older)
        #expect(again.skipped == 1 && again.inserted == 0 && again.updated == 0)
        #expect(try sandbox.run("SELECT close FROM ohlcv_1min") == "2")
        #expect(try await uploader.uploadedSequence(of: .bars) == 2)
    }

    @Test func `of a batch that overlaps what is upstream only the rest is sent`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(10))
        let outcome = try await uploader.upload(trades(15))
        #expect(outcome.skipped == 10 && outcome.inserted == 5)
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "15|15")
        #expect(
            try sandbox.run("SELECT collector, stream, last_sequence, rows FROM edgetick_uploads")
                == "edge-1|trades|15|15")
    }

    @Test func `a fresh buffer file counts from one and is not taken for uploaded`() async throws {
        let sandbox = try await Sandbox.migrated()
        _ = try await sandbox.uploader().upload(trades(3))
        let other = try sandbox.uploader(buffer: "00000000-0000-4000-8000-000000000001")
        #expect(try await other.uploadedSequence(of: .trades) == 0)
        #expect(try await other.upload(trades(3)).inserted == 3)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "6")
    }

    @Test func `streams are counted apart and an empty batch is nothing`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(3))
        #expect(try await uploader.uploadedSequence(of: .bars) == 0)
        #expect(try await uploader.uploadedSequence(of: .trades) == 3)
        #expect(try await uploader.upload(BufferedBatch(stream: .quotes)) == UploadOutcome())
    }

    @Test func `calls at the same time take turns`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        try await withThrowingTaskGroup(of: UploadOutcome.self) { group in
            for _ in 0..<4 { group.addTask { try await uploader.upload(trades(500)) } }
            group.addTask { try await uploader.upload(batch([bar()])) }
            for try await _ in group {}
        }
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "500|500")
    }

    @Test func `many rows arrive whole, in pieces`() async throws {
        let sandbox = try await Sandbox.migrated()
        let bars = (0..<20_000).map { index in
            bar("S\(index % 2_000)", minute: Int64(index / 2_000), close: Double(index) / 100)
        }
        let outcome = try await sandbox.uploader().upload(batch(bars))
        #expect(outcome.inserted == 20_000 && outcome.bytes > 10 * CopyPiece.size)
        #expect(
            try sandbox.run("SELECT count(*), count(DISTINCT (symbol, timestamp)), sum(close) FROM ohlcv_1min")
                == "20000|20000|1999900.00")
    }
}

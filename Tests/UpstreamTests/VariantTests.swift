import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Tables that existed before, in the forms that people have.
@Suite(.blocking, .timeLimit(.minutes(5))) struct VariantTests {
    private func minuteTable(_ columns: String, _ rest: String = ", PRIMARY KEY (symbol, timestamp)") -> String {
        "CREATE TABLE ohlcv_1min (\(columns)\(rest))"
    }

    private let seven = """
        symbol text NOT NULL, timestamp timestamptz NOT NULL, open numeric, high numeric, low numeric, close numeric,
        volume bigint
        """

    @Test func `a table of the canonical seven columns takes what fits`() async throws {
        let sandbox = try await Sandbox.prepared(minuteTable(seven))
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch([bar(volume: 2.5), bar("B", volume: 3.5), bar("C", volume: 0.4)]))
        _ = try await uploader.upload(batch([bar(close: 35, volume: 2.5)], from: 4))
        #expect(
            try sandbox.run("SELECT * FROM ohlcv_1min ORDER BY 1 LIMIT 1")
                == "AAPL|2013-10-08 13:30:00+00|34.5|34.6|34.4372|35|3")
        #expect(try sandbox.run("SELECT volume FROM ohlcv_1min ORDER BY symbol") == "3\n4\n0")
    }

    @Test func `columns may have names of their own`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE ohlcv_1min (ticker text, "bar time" timestamptz, open numeric, high numeric, low numeric,
                close numeric, vol numeric, volume text, seen timestamptz, PRIMARY KEY (ticker, "bar time"))
            """)
        let named = try #require(BarColumns("symbol:ticker, timestamp:bar time,volume:vol,received_at:seen"))
        let configuration = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database), collector: "edge-1", barColumns: named)
        // The other table of bars was made by `migrate` and has the usual names.
        #expect(try await UpstreamSchema.check(configuration).filter(\.stopsUpload).isEmpty)
        let uploader = Uploader(
            configuration: configuration, bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", logger: quiet)
        _ = try await uploader.upload(batch([bar(volume: 5), bar(interval: .second)]))
        #expect(try await uploader.upload(batch([bar(close: 35, volume: 7)], from: 3)).updated == 1)
        #expect(
            try sandbox.run("SELECT ticker, \"bar time\", close, vol, volume IS NULL, seen IS NOT NULL FROM ohlcv_1min")
                == "AAPL|2013-10-08 13:30:00+00|35|7|t|t")
        #expect(try await uploader.lookUp(batch([bar(close: 35, volume: 7)], from: 3)).present == [3])
        let late = LateBar(bar: bar(close: 34, volume: 6), receivedMicroseconds: opening * 1000)
        #expect(try await uploader.superseded([late]) == [0])
        await uploader.disconnect()
    }

    @Test(arguments: [
        ("sequence", "numeric"), ("sequence", "double precision"), ("size", "double precision"), ("size", "bigint"),
        ("time", "timestamp"), ("exchange", "numeric"),
    ])
    func `a column that gets another type under a running upload is never filled with another value`(
        column: String, type: String
    ) async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        var rows = trades(40)
        for place in rows.trades.indices {
            // Their bytes are valid numbers of the other type too.
            rows.trades[place].event.sequence = Int64(place + 1)
            rows.trades[place].event.size = 7
        }
        _ = try await uploader.upload(rows)
        try sandbox.run("ALTER TABLE trades ALTER COLUMN \(column) TYPE \(type)")
        var more = trades(40, from: 41)
        for place in more.trades.indices {
            more.trades[place].event = rows.trades[place].event
            more.trades[place].event.tradeID = more.text.append("\(place + 1)")
        }
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(more) }
        #expect(error?.reason == .busy && error?.text.contains("the table was altered") == true)
        #expect(try await uploader.upload(more).inserted == 40)
        #expect(
            try sandbox.run("SELECT count(*), count(DISTINCT (sequence, size, time, exchange, trade_id)) FROM trades")
                == "80|40")
    }

    @Test func `a row that is not there is not taken for one that lacks a value and is otherwise alike`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        var both = batch(trades: [("MSFT", 33, "1"), ("MSFT", 33, "2")])
        let id = both.trades[1].event.tradeID
        both.trades[1].event = both.trades[0].event
        both.trades[1].event.tradeID = id
        both.trades[0].event.tradeID = nil
        var first = both
        first.trades.removeLast()
        #expect(try await uploader.upload(first).inserted == 1)
        #expect(try await uploader.lookUp(both).present == [1])
    }

    @Test func `what an altered table takes no more is reported, and what it never took is not`() async throws {
        let sandbox = try await Sandbox.migrated(then: "ALTER TABLE trades DROP COLUMN tape")
        let log = CapturedLog()
        let uploader = Uploader(
            configuration: try sandbox.configuration(), bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60",
            logger: log.logger)
        _ = try await uploader.upload(trades(3))
        #expect(log.lines(with: "a table was altered") == [])
        try sandbox.run("ALTER TABLE trades ALTER trade_id TYPE numeric USING trade_id::numeric")
        await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(3, from: 4)) }
        for from in [4, 7] as [Int64] { #expect(try await uploader.upload(trades(3, from: from)).inserted == 3) }
        #expect(
            log.lines(with: "a table was altered") == [
                "warning a table was altered; the upload goes on now=public.trades: column trade_id has the type numeric: its "
                    + "values are not sent"
            ])
    }

    @Test func `a change of a column's type that an upload waits for is noticed too`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(40))
        let holder = try await sandbox.cluster.holder(
            of: sandbox.database, "ALTER TABLE trades ALTER COLUMN sequence TYPE numeric")
        var rows = trades(40, from: 41)
        for place in rows.trades.indices { rows.trades[place].event.sequence = Int64(place + 1) }
        let outcome = try await despiteStalls { [rows] in try await uploader.upload(rows) }
        #expect(outcome.inserted == 40)
        #expect(try await holder.exit() == 0, "\(holder.output)")
        #expect(try sandbox.run("SELECT min(sequence) > 0, count(DISTINCT sequence) FROM trades") == "t|80")
    }

    @Test(arguments: [
        "", "time", "timestamp", "timestamp:", "tme:time", "timestamp:a,timestamp:b", "open:close", "open:x,close:x",
    ])
    func `names that can't be are refused`(text: String) {
        #expect(BarColumns(text) == nil)
    }

    @Test func `a row without its foreign key is set aside and the others are stored`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE symbols (symbol varchar(10) PRIMARY KEY); INSERT INTO symbols VALUES ('AAPL'), ('MSFT');
            CREATE TABLE ohlcv_1min (symbol varchar(10) NOT NULL REFERENCES symbols (symbol),
                timestamp timestamptz NOT NULL, open numeric(12,4), high numeric(12,4), low numeric(12,4),
                close numeric(12,4), volume bigint, PRIMARY KEY (timestamp, symbol))
            """)
        let box = DeadLetterBox()
        let uploader = try sandbox.uploader()
        let rows = batch([bar(), bar("NEWIPO"), bar("MSFT", close: 1.23456), bar("TOOLONGSYMBOL")])
        let outcome = try await uploader.upload(rows) { await box.add($0) }
        #expect(outcome.inserted == 2 && outcome.refused == 2)
        #expect(try sandbox.run("SELECT symbol, close FROM ohlcv_1min ORDER BY 1") == "AAPL|34.5100\nMSFT|1.2346")
        let refused = await box.rows.sorted { $0.sequence < $1.sequence }
        #expect(refused.map(\.sequence) == [2, 4])
        #expect(refused.map(\.sqlState) == ["23503", "22001"])
        #expect(refused.first?.reason.contains("ohlcv_1min_symbol_fkey") == true)
        // A price that rounds to the same is not another version.
        #expect(try await uploader.upload(batch([bar("MSFT", close: 1.234_561)], from: 5)).unchanged == 1)
    }

    @Test func `a deferred foreign key is checked before the commit`() async throws {
        let sandbox = try await Sandbox.prepared(
            "CREATE TABLE symbols (symbol text PRIMARY KEY); INSERT INTO symbols VALUES ('AAPL');"
                + minuteTable(
                    seven,
                    """
                    , PRIMARY KEY (symbol, timestamp),
                    FOREIGN KEY (symbol) REFERENCES symbols DEFERRABLE INITIALLY DEFERRED
                    """))
        let box = DeadLetterBox()
        let outcome = try await sandbox.uploader().upload(batch([bar(), bar("NEWIPO")])) { await box.add($0) }
        #expect(outcome.inserted == 1 && outcome.refused == 1)
        #expect(await box.rows.map(\.sqlState) == ["23503"])
    }

    @Test func `double precision, integer and zoneless columns are written in their own way`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            SET timezone = 'America/New_York';
            CREATE DOMAIN ticker AS varchar(20);
            CREATE TABLE ohlcv_1min (id bigint GENERATED ALWAYS AS IDENTITY, symbol ticker NOT NULL,
                timestamp timestamp NOT NULL, open float8, high float8, low float8, close float8, volume integer,
                vwap float8, collector varchar(64), spread float8 GENERATED ALWAYS AS (high - low) STORED,
                made timestamptz NOT NULL DEFAULT now(), UNIQUE (timestamp, symbol))
            """)
        try sandbox.run("ALTER DATABASE \(sandbox.database) SET timezone = 'America/New_York'")
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch([bar(close: 0.1, volume: 7.5)]))
        let outcome = try await uploader.upload(batch([bar(close: 0.3, volume: 7.5)], from: 2))
        #expect(outcome.updated == 1)
        #expect(
            try sandbox.run("SELECT symbol, timestamp, close, volume, vwap, collector FROM ohlcv_1min")
                == "AAPL|2013-10-08 13:30:00|0.3|8|34.4999|edge-1")
    }

    @Test func `bars are read back by symbols that are padded, and with how far the columns round`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE DOMAIN cents AS numeric(12,2);
            CREATE TABLE ohlcv_1min (symbol char(8), timestamp timestamptz, open cents, high cents, low cents,
                close cents, volume real, vwap numeric(12,1), received_at timestamptz, PRIMARY KEY (symbol, timestamp))
            """)
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch([bar(volume: 123_456_789), bar("MSFT", minute: 1)]))
        let span = opening..<opening + 120_000
        let apple = try #require(Symbol("AAPL"))
        #expect(try await uploader.symbols(withMinuteBars: span).map(\.description).sorted() == ["AAPL", "MSFT"])
        let found = try await uploader.minuteBars(of: [apple], starts: span)
        let stored = try #require(found.bars[apple]?.first)
        #expect(stored.low == 34.44 && stored.vwap == 34.5 && stored.volume == 123_456_790)
        let rounding = found.rounding
        #expect(rounding.prices.covers(34.44, 34.4372) && !rounding.prices.covers(34.44, 34.446))
        #expect(rounding.vwap.covers(34.5, 34.4999) && !rounding.vwap.covers(34.5, 34.44))
        #expect(rounding.volume.covers(123_456_790, 123_456_789) && !rounding.volume.covers(1000, 1001))
        let late = LateBar(bar: bar(volume: 6), receivedMicroseconds: opening * 1000)
        #expect(try await uploader.superseded([late]) == [0])
        await uploader.disconnect()
        let reader = UpstreamReader(configuration: try sandbox.configuration())
        let minutes = try await reader.minuteBars(starts: span, symbols: [apple])
        #expect(minutes.map(\.symbol) == [apple] && minutes.first?.starts == [opening])
        await reader.disconnect()
    }

    @Test func `a column of the identity whose values are not sent tells no events apart`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: "ALTER TABLE trades ALTER trade_id TYPE bigint USING trade_id::bigint")
        let found = try await IdentityMaker.look(sandbox.configuration(), for: [.trade])
        let why = "without the columns trade_id (whose values are not sent) events can't be told apart"
        #expect(found.map(\.state) == [.unusable(why)])
        try sandbox.run(
            "CREATE UNIQUE INDEX ON trades (symbol, time, exchange, trade_id, sequence) NULLS NOT DISTINCT")
        let lacking = try await IdentityMaker.lacking(sandbox.configuration(), for: [.trade], within: .seconds(60))
        #expect(lacking.identity == ["trades"])
        var rows = trades(2)
        rows.trades[1].event.time = rows.trades[0].event.time
        rows.trades[1].event.sequence = rows.trades[0].event.sequence
        let letters = DeadLetterBox()
        let outcome = try await sandbox.uploader().upload(rows) { await letters.add($0) }
        #expect((outcome.inserted, outcome.unchanged, outcome.refused) == (1, 0, 1))
        #expect(await letters.rows.map(\.sqlState) == ["23505"])
    }

    @Test func `trade conditions can be an array`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE trades (symbol text, time timestamptz, price numeric, size integer, conditions smallint[],
                sequence numeric)
            """)
        _ = try await sandbox.uploader().upload(trades(1))
        #expect(try sandbox.run("SELECT conditions[2], size, sequence FROM trades") == "12|0|900000000000")
    }

    @Test func `a partitioned table works like a plain one`() async throws {
        let sandbox = try await Sandbox.prepared(
            minuteTable(seven, ", PRIMARY KEY (symbol, timestamp)) PARTITION BY RANGE (timestamp")
                + "; CREATE TABLE day PARTITION OF ohlcv_1min FOR VALUES FROM ('2013-10-08') TO ('2013-10-09')")
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch([bar(close: 1)]))
        let outcome = try await uploader.upload(batch([bar(close: 2), bar("MSFT")], from: 2))
        #expect(outcome.path == .staging && outcome.updated == 2)
        #expect(try sandbox.run("SELECT symbol, close FROM ohlcv_1min ORDER BY 1") == "AAPL|2\nMSFT|34.51")
    }

    @Test(
        arguments: [
            ("text NOT NULL", ", PRIMARY KEY (symbol, timestamp), exchange_id int NOT NULL", "column exchange_id"),
            ("text NOT NULL", "", "no unique key on (symbol, timestamp)"),
            ("text NOT NULL", ", UNIQUE (symbol, timestamp, volume)", "no unique key on (symbol, timestamp)"),
            ("integer NOT NULL", ", PRIMARY KEY (symbol, timestamp)", "column symbol has the type integer"),
        ])
    func `a table that can't be used is named with the reason`(type: String, rest: String, reason: String) async throws
    {
        let sandbox = try await Sandbox.prepared(
            minuteTable(seven.replacing("symbol text NOT NULL", with: "symbol \(type)"), rest))
        let uploader = try sandbox.uploader()
        try await uploader.connect()
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(batch([bar()])) }
        #expect(error?.reason == .schema && error?.isRetryable == false)
        #expect(error?.description.contains(reason) == true)
        #expect(error?.description.contains("ohlcv_1min") == true)
        // The other streams are not held up.
        #expect(try await uploader.upload(trades(2)).inserted == 2)
    }

    @Test func `a price column without decimals is refused, not rounded`() async throws {
        let sandbox = try await Sandbox.prepared(minuteTable(seven.replacing("close numeric", with: "close integer")))
        let error = await #expect(throws: UpstreamError.self) {
            try await sandbox.uploader().upload(batch([bar()]))
        }
        #expect(error?.description.contains("column close has the type integer") == true)
    }
}

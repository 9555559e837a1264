import MarketData
import TestSupport
import Testing

@testable import Upstream

/// A table that takes no rows is no fault of the rows: they wait, and a person is asked.
@Suite(.blocking, .timeLimit(.minutes(5))) struct RefusalTests {
    private func rows(_ count: Int, from sequence: Int64 = 1, symbols: Int = 2, bad: (Int) -> Bool = { _ in true })
        -> BufferedBatch
    {
        batch(
            trades: (0..<count).map { ("S\($0 % symbols)", 33, bad($0) ? "bad \($0)" : "\($0)") }, from: sequence)
    }

    private func refusing() async throws -> Sandbox {
        let sandbox = try await Sandbox.migrated(
            then: "ALTER TABLE trades ADD CONSTRAINT no_bad CHECK (trade_id NOT LIKE 'bad%')")
        return sandbox
    }

    @Test(arguments: [100, 400])
    func `a hundred rows of two symbols that are refused alike wait for a person`(count: Int) async throws {
        let sandbox = try await refusing()
        let uploader = try sandbox.uploader()
        let source = BatchList([rows(count), quotes(20), batch([bar()])])
        let error = await #expect(throws: UpstreamError.self) { try await uploader.drain(source) }
        #expect(error?.reason == .refused && error?.sqlState == "23514" && error?.isRetryable == false)
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("100 rows of 2 symbols") && text.contains("no_bad") && text.contains("--set-aside"))
        #expect(await source.failed.keys.map(\.self) == [.trades])
        #expect(try sandbox.run("SELECT (SELECT count(*) FROM trades), (SELECT count(*) FROM quotes)") == "0|20")
        try sandbox.run("ALTER TABLE trades DROP CONSTRAINT no_bad")
        #expect(try await uploader.upload(rows(count)).inserted == count)
    }

    @Test(arguments: [(99, 2), (150, 1)])
    func `fewer rows, or those of one symbol, become dead letters`(count: Int, symbols: Int) async throws {
        let sandbox = try await refusing()
        let box = DeadLetterBox()
        let outcome = try await sandbox.uploader().upload(rows(count, symbols: symbols)) { await box.add($0) }
        #expect(outcome.refused == count)
        #expect(await box.rows.count == count)
    }

    @Test func `rows that come a few at a time are too many as well when none goes through`() async throws {
        let sandbox = try await refusing()
        let uploader = try sandbox.uploader()
        let box = DeadLetterBox()
        for round in 0..<3 {
            _ = try await uploader.upload(rows(30, from: Int64(round) * 30 + 1)) { await box.add($0) }
        }
        #expect(await box.rows.count == 90)
        for _ in 0..<2 {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows(30, from: 91)) }
            #expect(error?.reason == .refused)
        }
        #expect(try await uploader.uploadedSequence(of: .trades) == 90)
        // Once rows go through again, the one that doesn't is a row's own fault.
        let outcome = try await uploader.upload(rows(30, from: 91) { $0 == 4 }) { await box.add($0) }
        #expect(outcome.refused == 1 && outcome.inserted == 29)
        #expect(await box.rows.map(\.sequence).last == 95)
    }

    @Test func `bad rows among good ones become dead letters, however many come in time`() async throws {
        let sandbox = try await refusing()
        let uploader = try sandbox.uploader()
        let box = DeadLetterBox()
        for round in 0..<20 {
            let batch = rows(1000, from: Int64(round) * 1000 + 1) { $0 % 200 == 0 || $0 == 501 }
            _ = try await uploader.upload(batch) { await box.add($0) }
        }
        #expect(await box.rows.count == 120)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "19880")
    }

    @Test func `rows that come a few at a time are too many as well when a few others go through`() async throws {
        let sandbox = try await refusing()
        let uploader = try sandbox.uploader()
        let box = DeadLetterBox()
        for round in 0..<3 {
            let batch = rows(35, from: Int64(round) * 35 + 1) { $0 % 7 > 0 }
            let outcome = try await uploader.upload(batch) { await box.add($0) }
            #expect(outcome.inserted == 5)
        }
        #expect(await box.rows.count == 90)
        let batch = rows(35, from: 106) { $0 % 7 > 0 }
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(batch) }
        #expect(error?.reason == .refused && error?.text.contains("100 rows of 2 symbols") == true)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "15")
        // Once the table is corrected, counting begins again.
        try sandbox.run("ALTER TABLE trades DROP CONSTRAINT no_bad")
        #expect(try await uploader.upload(batch).inserted == 35)
        try sandbox.run("ALTER TABLE trades ADD CONSTRAINT no_bad CHECK (trade_id NOT LIKE 'bad%') NOT VALID")
        try await uploader.connect(readsTables: true)
        let later = try await uploader.upload(rows(35, from: 141) { $0 % 7 > 0 }) { await box.add($0) }
        #expect(later.refused == 30)
    }

    @Test func `a pause ends when nearly all rows go through, also if one of them is bad itself`() async throws {
        let sandbox = try await refusing()
        let uploader = try sandbox.uploader()
        let box = DeadLetterBox()
        for round in 0..<3 {
            _ = try await uploader.upload(rows(33, from: Int64(round) * 33 + 1)) { await box.add($0) }
        }
        #expect(await box.rows.count == 99)
        // One of fifty that is refused doesn't show yet that the table takes rows.
        for batch in [rows(33, from: 100), rows(50, from: 100) { $0 == 4 }] {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(batch) }
            #expect(error?.reason == .refused && error?.text.contains("100 rows of 2 symbols") == true)
        }
        let outcome = try await uploader.upload(rows(200, from: 100) { $0 == 4 }) { await box.add($0) }
        #expect(outcome.refused == 1 && outcome.inserted == 199)
        // Counting begins again.
        let later = try await uploader.upload(rows(99, from: 300)) { await box.add($0) }
        #expect(later.refused == 99)
    }

    @Test func `a partition that is missing is named, and one row is enough`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE trades (symbol text, time timestamptz, price numeric, size numeric, trade_id text)
            PARTITION BY RANGE (time);
            CREATE TABLE trades_early PARTITION OF trades FOR VALUES FROM ('2000-01-01') TO ('2013-01-01')
            """)
        let uploader = try sandbox.uploader()
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(1)) }
        #expect(error?.reason == .refused && error?.sqlState == "23514")
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("no partition of relation \"trades\"") && text.contains("create the partition"))
        try sandbox.run("CREATE TABLE trades_2013 PARTITION OF trades FOR VALUES FROM ('2013-01-01') TO ('2014-01-01')")
        #expect(try await uploader.upload(trades(500)).inserted == 500)
    }

    @Test func `who asks for it has them set aside, however many`() async throws {
        let sandbox = try await refusing()
        let uploader = Uploader(
            configuration: try sandbox.configuration(), bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60",
            settingAside: true, logger: quiet)
        let box = DeadLetterBox()
        let outcome = try await uploader.upload(rows(300) { $0 != 7 }) { await box.add($0) }
        #expect(outcome.refused == 299 && outcome.inserted == 1)
        #expect(await box.rows.count == 299)
    }
}

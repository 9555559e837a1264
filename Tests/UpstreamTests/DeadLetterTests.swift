import MarketData
import TestSupport
import Testing

@testable import Upstream

@Suite(.blocking, .timeLimit(.minutes(5))) struct DeadLetterTests {
    private func checked() async throws -> Sandbox {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run("ALTER TABLE trades ADD CONSTRAINT no_poison CHECK (trade_id NOT LIKE 'poison%')")
        return sandbox
    }

    @Test(arguments: [[0], [99], [0, 99], [49, 50], Array(stride(from: 0, to: 100, by: 3)), Array(0..<100), []])
    func `exactly the refused rows are set aside, wherever they stand`(poison: [Int]) async throws {
        let sandbox = try await checked()
        let box = DeadLetterBox()
        let rows = (0..<100).map { ("MSFT", 33.0, poison.contains($0) ? "poison \($0)" : "good \($0)") }
        let outcome = try await sandbox.uploader().upload(batch(trades: rows)) { await box.add($0) }
        #expect(outcome.refused == poison.count && outcome.inserted == 100 - poison.count)
        #expect(await box.rows.map { Int($0.sequence) - 1 } == poison)
        #expect(await box.calls == (poison.isEmpty ? 0 : 1))
        #expect(await box.rows.allSatisfy { $0.sqlState == "23514" && $0.reason.contains("no_poison") })
        #expect(
            try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades")
                == "\(100 - poison.count)|\(100 - poison.count)")
        #expect(try sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads") == "100|\(100 - poison.count)")
    }

    @Test func `a refused row is kept as the buffer has it`() async throws {
        let sandbox = try await checked()
        let box = DeadLetterBox()
        _ = try await sandbox.uploader().upload(batch(trades: [("MSFT", 0.4372, "poison \"\\\n")], from: 9)) {
            await box.add($0)
        }
        #expect(
            await box.rows.first?.row
                == #"{"seq":9,"symbol":"MSFT","time_ms":1381239000000,"price":0.4372,"size":0.25,"exchange":11,"tape":3,"#
                + #""trade_id":"poison \"\\\n","conditions":"[0,12]","sequence":900000000000,"trf_id":202,"#
                + #""trf_time_ms":1381239000005,"participant_time_ms":1381238999997,"received_us":1381239000000007,"#
                + #""connection":"primary","source":"stream"}"#
        )
    }

    @Test func `a price that a damaged row lost is no price upstream`() async throws {
        let sandbox = try await Sandbox.migrated()
        let box = DeadLetterBox()
        let rows = [Double.nan, 33, .infinity, 34, -.infinity].map { ("MSFT", $0, "1") }
        _ = try await sandbox.uploader().upload(batch(trades: rows)) { await box.add($0) }
        #expect(await box.rows.map(\.sequence) == [1, 3, 5])
        #expect(await box.rows.allSatisfy { $0.sqlState == "23502" })
        #expect(try sandbox.run("SELECT count(*), sum(price) FROM trades") == "2|67")
    }

    @Test func `refused bars are found on the staging path too`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: "ALTER TABLE ohlcv_1min ADD CONSTRAINT cheap CHECK (close < 1000)")
        let box = DeadLetterBox()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch((0..<50).map { bar(minute: $0) }))
        let corrected = batch((0..<60).map { bar(minute: $0, close: $0 % 20 == 7 ? 5000 : 35) }, from: 51)
        let outcome = try await uploader.upload(corrected) { await box.add($0) }
        #expect(outcome.refused == 3 && outcome.updated == 47 && outcome.inserted == 10 && outcome.path == .staging)
        #expect(await box.rows.map(\.sequence) == [58, 78, 98])
        #expect(try sandbox.run("SELECT count(*), sum(close) FROM ohlcv_1min") == "60|2098.53")
    }

    @Test func `numbers out of the column's range and a trigger's refusal are the row's own fault`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF NEW.symbol = 'XYZ' THEN RAISE EXCEPTION 'not listed'; END IF; RETURN NEW; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON ohlcv_1min FOR EACH ROW EXECUTE FUNCTION refuse()
                """)
        let box = DeadLetterBox()
        var far = bar("FAR")
        far.start = .max
        let rows = batch([bar(), bar("HUGE", volume: 1e300), bar("XYZ"), far])
        let outcome = try await sandbox.uploader().upload(rows) { await box.add($0) }
        #expect(outcome.inserted == 1)
        #expect(
            await Dictionary(uniqueKeysWithValues: box.rows.map { ($0.sequence, $0.sqlState) }) == [
                2: "22P02", 3: "P0001", 4: "22008",
            ])
    }

    @Test func `a text with a NUL is its row's own fault, also where rows are looked up`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        let box = DeadLetterBox()
        let rows = batch(trades: [("MSFT", 1, "good"), ("MSFT", 1, "a\0b"), ("MSFT", 1, "good too")])
        let outcome = try await uploader.upload(rows) { await box.add($0) }
        #expect(outcome.inserted == 2)
        #expect(await box.rows.map(\.sequence) == [2])
        #expect(await box.rows.map(\.sqlState) == ["22021"])
        #expect(try await uploader.lookUp(rows).present == [1, 3])
        #expect(SQLText.literal("a\0b") == " E'a\\000b'")
        let connection = try PostgresConnection.connect(sandbox.configuration(), interrupt: Wakeup())
        defer { connection.finish() }
        let catalog = try connection.readCatalog(of: ["trades"])
        try connection.begin("", "begin")
        let found = try RowsUpstream(rows, by: sandbox.configuration(), over: connection, in: catalog)
        #expect(found.present == [1, 3])
    }

    @Test func `rows that are looked up can follow a batch whose last row was refused`() async throws {
        let sandbox = try await checked()
        let box = DeadLetterBox()
        let first = batch(trades: [("MSFT", 33, "1"), ("MSFT", 33, "poison")])
        let source = BatchList([first, trades(5, from: 3)], deadLetters: { await box.add($0) })
        let file = NoFile(id: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", sentAgain: 10)
        try await sandbox.uploader().drain(source, of: file)
        #expect(await source.settled.map(\.outcome.inserted) == [1, 5])
        #expect(await box.rows.map(\.sequence) == [2])
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "6|6")
    }

    @Test func `when the dead letters can't be kept nothing is committed`() async throws {
        struct DiskFull: Error {}
        let sandbox = try await checked()
        let uploader = try sandbox.uploader()
        let rows = batch(trades: [("MSFT", 1, "good"), ("MSFT", 1, "poison")])
        let error = await #expect(throws: UpstreamError.self) {
            try await uploader.upload(rows) { _ in throw DiskFull() }
        }
        #expect(error?.reason == .file && error?.isRetryable == true)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "0")
        #expect(try await uploader.uploadedSequence(of: .trades) == 0)
        let box = DeadLetterBox()
        #expect(try await uploader.upload(rows) { await box.add($0) }.inserted == 1)
    }

    @Test func `a limit that a smaller transaction keeps to splits the batch`() async throws {
        let sandbox = try await Sandbox.migrated(then: Sandbox.limit)
        let outcome = try await sandbox.uploader().upload(trades(1000))
        #expect(outcome.inserted == 1000 && outcome.skipped == 0)
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "1000|1000")
        #expect(try sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads") == "1000|1000")
    }
}

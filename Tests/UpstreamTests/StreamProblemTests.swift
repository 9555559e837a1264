import Foundation
import MarketData
import TestSupport
import Testing

@testable import Upstream

/// One stream's problem doesn't affect the other streams, nor one row's problem the rows beside it.
@Suite(.blocking, .timeLimit(.minutes(5))) struct StreamProblemTests {
    /// Makes every row of trades, or only those that are marked, fail with a code.
    private func fail(_ code: String, in sandbox: Sandbox, only marked: Bool = false) throws {
        try sandbox.run(
            """
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            \(marked ? "IF NEW.trade_id NOT LIKE 'bad%' THEN RETURN NEW; END IF;" : "")
            RAISE EXCEPTION 'made to fail' USING ERRCODE = '\(code)'; END $$;
            CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION fail()
            """)
    }

    private func list() -> BatchList {
        BatchList([
            batch([bar()]), trades(50), quotes(20), batch([bar(minute: 1)], from: 2), trades(50, from: 51),
            quotes(20, from: 21), quotes(20, from: 41),
        ])
    }

    private let whole = "SELECT count(*), count(DISTINCT trade_id), min(trade_id::int), max(trade_id::int) FROM trades"

    @Test(
        arguments: [
            "DROP TABLE trades", "ALTER TABLE trades RENAME price TO p", "ALTER TABLE trades DROP COLUMN size",
            "REVOKE INSERT ON trades FROM writer", "0A000", "40001", "42501", "53100", "55000", "XX000", "25006",
            "28000",
        ])
    func `a stream that can't go on leaves the others theirs`(harm: String) async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "writer_\(sandbox.database)"
        try sandbox.run(
            "CREATE ROLE \(user) LOGIN; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO \(user)")
        if harm.count == 5 {
            try fail(harm, in: sandbox)
        } else {
            try sandbox.run(harm.replacing("writer", with: user))
        }
        let list = list()
        let error = await #expect(throws: UpstreamError.self) {
            try await sandbox.uploader(user: user).drain(list)
        }
        #expect(await list.failed.keys.map(\.self) == [.trades])
        #expect(await list.failed[.trades] == error)
        #expect(
            await Set(list.settled.map { "\($0.stream.rawValue) \($0.last)" }) == [
                "bars 1", "bars 2", "quotes 20", "quotes 40", "quotes 60",
            ])
        #expect(
            try sandbox.run("SELECT stream, last_sequence FROM edgetick_uploads WHERE last_sequence > 0 ORDER BY 1")
                == "bars|2\nquotes|60")
        #expect(
            try sandbox.run("SELECT (SELECT count(*) FROM ohlcv_1min), (SELECT count(*) FROM quotes)") == "2|60")
    }

    @Test func `a stream whose table others lock waits for it a second at most while the others go on`() async throws {
        let sandbox = try await Sandbox.migrated()
        let holder = try ChildProcess(
            "/usr/bin/env",
            [
                "psql", "-X", "-q", "-t", sandbox.cluster.uri(sandbox.database), "-c", "BEGIN", "-c",
                "LOCK TABLE trades", "-c", "SELECT 'held'", "-c", "SELECT pg_sleep(600)",
            ])
        try await holder.line(containing: "held")
        let uploader = try sandbox.uploader(statementTimeout: .seconds(16))
        // The first time, the limit is half the statement timeout.
        for limit in [Duration.seconds(60), .seconds(7)] {
            var took = limit
            // A machine that stands still makes a try longer, but hardly five.
            for _ in 0..<5 where took >= limit {
                let list = list()
                let began = ContinuousClock.now
                let error = await #expect(throws: UpstreamError.self) { try await uploader.drain(list) }
                guard error?.reason != .deadline else { continue }
                took = .now - began
                #expect(error?.sqlState == "55P03")
                #expect(await list.settled.filter { $0.stream == .quotes }.map(\.last) == [20, 40, 60])
            }
            #expect(took < limit)
        }
        holder.send(SIGKILL)
        try await sandbox.endSessions()
        await uploader.disconnect()
        try await uploader.drain(list())
        #expect(try sandbox.run(whole) == "100|100|1|100")
    }

    @Test(arguments: ["0A000", "XX000", "42501", "40001", "40P01", "25006", "28000", "55000", "58030", "ZZ123"])
    func `an error that one row meets again and again makes that row a dead letter, whatever its code`(
        code: String
    ) async throws {
        let sandbox = try await Sandbox.migrated()
        try fail(code, in: sandbox, only: true)
        let rows = batch(trades: (0..<60).map { ("MSFT", 33, [0, 36, 59].contains($0) ? "bad \($0)" : "\($0)") })
        let uploader = try sandbox.uploader()
        for _ in 0..<Stumble.triesAtOnce {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
            #expect(error?.sqlState == code)
        }
        let box = DeadLetterBox()
        let outcome = try await uploader.upload(rows) { await box.add($0) }
        #expect(outcome.refused == 3 && outcome.inserted == 57)
        #expect(await box.rows.map(\.sequence) == [1, 37, 60])
        #expect(await box.rows.allSatisfy { $0.sqlState == code && $0.reason.contains("made to fail") })
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "57|57")
        #expect(try sandbox.run("SELECT last_sequence, rows FROM edgetick_uploads") == "60|57")
    }

    @Test(arguments: ["0A000", "XX000", "42501", "40001", "55000"])
    func `an error that all rows meet makes no dead letter, however often it comes`(code: String) async throws {
        let sandbox = try await Sandbox.migrated()
        try fail(code, in: sandbox)
        let uploader = try sandbox.uploader()
        for count in [1, 40, 40, 40, 400, 400] {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(count)) }
            #expect(error?.sqlState == code)
        }
        #expect(try sandbox.run(whole) == "0|0||")
        try sandbox.run("DROP TRIGGER fail ON trades")
        #expect(try await uploader.upload(trades(400)).inserted == 400)
        #expect(try sandbox.run(whole) == "400|400|1|400")
    }

    @Test(arguments: ["53100", "53200", "55P03"])
    func `what the server lacks is no row's fault, also when only some rows meet it`(code: String) async throws {
        let sandbox = try await Sandbox.migrated()
        try fail(code, in: sandbox, only: true)
        let rows = batch(trades: (0..<60).map { ("MSFT", 33, $0 == 36 ? "bad" : "\($0)") })
        let uploader = try sandbox.uploader()
        for _ in 0..<5 {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
            #expect(error?.sqlState == code)
        }
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "0")
    }

    @Test func `an error of bars that must be merged is narrowed too`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch((0..<50).map { bar(minute: $0) }))
        // Like a compressed or tiered chunk, which refuses changes to its rows.
        try sandbox.run(
            """
            CREATE FUNCTION frozen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF OLD.timestamp = timestamptz 'epoch' + \(opening + 7 * 60_000) * interval '1 millisecond' THEN
            RAISE EXCEPTION 'the chunk is frozen' USING ERRCODE = '0A000'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER frozen BEFORE UPDATE ON ohlcv_1min FOR EACH ROW EXECUTE FUNCTION frozen()
            """)
        let corrected = batch((0..<60).map { bar(minute: $0, close: 35) }, from: 51)
        for _ in 0..<Stumble.triesAtOnce {
            await #expect(throws: UpstreamError.self) { try await uploader.upload(corrected) }
        }
        let box = DeadLetterBox()
        let outcome = try await uploader.upload(corrected) { await box.add($0) }
        #expect(outcome.refused == 1 && outcome.updated == 49 && outcome.inserted == 10)
        #expect(await box.rows.map(\.sequence) == [58])
    }

    @Test func `a batch that takes longer than its time says so, and a row that does by itself is found`() async throws
    {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.trade_id LIKE 'bad%' THEN PERFORM pg_sleep(5); END IF; RETURN NEW; END $$;
            CREATE TRIGGER slow BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION slow()
            """)
        let uploader = try sandbox.uploader(statementTimeout: .seconds(1))
        let rows = batch(trades: (0..<8).map { ("MSFT", 33, $0 == 5 ? "bad" : "\($0)") })
        // A server that is a quarter of a second late is given up before it can say that the time is over.
        for _ in 0..<Stumble.triesAtOnce {
            let error = await #expect(throws: UpstreamError.self) {
                try await despiteStalls([.deadline, .busy]) { try await uploader.upload(rows) }
            }
            #expect(error?.reason == .tooSlow && error?.sqlState == "57014" && error?.isSlow == true)
        }
        let (outcome, letters) = try await despiteStalls([.deadline, .busy]) {
            let box = DeadLetterBox()
            let outcome = try await uploader.upload(rows) { await box.add($0) }
            return (outcome, await box.rows)
        }
        #expect(outcome.refused == 1 && outcome.inserted == 7)
        #expect(letters.map(\.sequence) == [6])
    }

    @Test func `a statement that a person ends is not too slow`() async throws {
        let sandbox = try await Sandbox.migrated()
        try fail("57014", in: sandbox)
        let error = await #expect(throws: UpstreamError.self) { try await sandbox.uploader().upload(trades(5)) }
        #expect(error?.reason == .busy && error?.isSlow == false)
    }
}

@Suite(.timeLimit(.minutes(1))) struct NarrowingTests {
    private func error(_ state: String, _ reason: UpstreamError.Reason = .busy) -> UpstreamError {
        UpstreamError(reason, "copy", "text", sqlState: state)
    }

    @Test func `rows are looked at one by one when the same ones failed the same way twice`() {
        var stumble = Stumble(first: 7, error: error("XX000"))
        #expect(!stumble.narrows(7, rows: 5000))
        stumble = stumble.followed(by: Stumble(first: 7, error: error("XX000")))
        #expect(stumble.narrows(7, rows: 5000) && !stumble.narrows(8, rows: 5000))
        #expect(!stumble.followed(by: Stumble(first: 7, error: error("0A000"))).narrows(7, rows: 5000))
        #expect(!stumble.followed(by: Stumble(first: 9, error: error("XX000"))).narrows(9, rows: 5000))
    }

    @Test func `rows that are slow to fail are first sent in smaller batches`() {
        let slow = Stumble(first: 7, error: error("57014", .tooSlow))
        let again = slow.followed(by: slow)
        #expect(!again.narrows(7, rows: Stumble.fewRows + 1) && again.narrows(7, rows: Stumble.fewRows))
    }

    @Test func `the search ends when nothing goes through, by number and by time`() {
        let now = ContinuousClock.now
        var budget = NarrowingBudget(isSlow: false, limit: .seconds(10), at: now)
        let tries = (1...NarrowingBudget.tries).map { _ in budget.failed(at: now) }
        #expect(tries.dropLast().allSatisfy { $0 } && tries.last == false)
        budget.passed(at: now)
        let early = budget.failed(at: now + .seconds(9))
        let late = budget.failed(at: now + .seconds(10))
        #expect(early && !late)
        var slow = NarrowingBudget(isSlow: true, limit: .seconds(10), at: now)
        let slowTries = (1...NarrowingBudget.slowTries).map { _ in slow.failed(at: now + .seconds(60)) }
        #expect(slowTries.dropLast().allSatisfy { $0 } && slowTries.last == false)
    }
}

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

    /// Makes the rows that are marked end the session that sends them.
    private func endSession(in sandbox: Sandbox) throws {
        try sandbox.run(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.trade_id LIKE 'bad%' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
            RETURN NEW; END $$;
            CREATE TRIGGER fail BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION fail()
            """)
    }

    @Test func `a row that fails in another way is found also after the connection was lost with it twice`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        try endSession(in: sandbox)
        let rows = batch(trades: (0..<60).map { ("MSFT", 33, $0 == 0 ? "bad" : "\($0)") })
        let uploader = try sandbox.uploader()
        for _ in 0..<Stumble.triesAtOnce {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
            #expect(error?.reason == .connectionLost)
        }
        try fail("0A000", in: sandbox, only: true)
        let box = DeadLetterBox()
        var outcome = UploadOutcome()
        for _ in 0..<8 where outcome.refused == 0 {
            do {
                outcome = try await uploader.upload(rows) { await box.add($0) }
            } catch let error as UpstreamError {
                #expect(error.sqlState == "0A000")
            }
        }
        #expect(outcome.refused == 1 && outcome.inserted == 59)
        #expect(await box.rows.map(\.sequence) == [1])
    }

    @Test func `rows that are sent again are looked up also after another row was tried and refused`() async throws {
        let sandbox = try await Sandbox.migrated()
        try fail("0A000", in: sandbox, only: true)
        let rows = batch(trades: [("MSFT", 33, "bad 1"), ("MSFT", 33, "bad 2")])
        let file = NoFile(id: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", sentAgain: 10)
        let uploader = try sandbox.uploader()
        func failure() async -> UpstreamError? {
            await #expect(throws: UpstreamError.self) { try await uploader.drain(BatchList([rows]), of: file) }
        }
        for _ in 0..<Stumble.triesAtOnce { #expect(await failure()?.sqlState == "0A000") }
        // The first row ends the session, and the second, which is tried before it, is refused as before.
        try sandbox.run(
            """
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.trade_id = 'bad 1' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
            IF NEW.trade_id = 'bad 2' THEN RAISE EXCEPTION 'made to fail' USING ERRCODE = '0A000'; END IF;
            RETURN NEW; END $$
            """)
        for _ in 0..<Stumble.triesAtOnce + 3 { #expect(await failure()?.reason == .connectionLost) }
        try sandbox.run("DROP TRIGGER fail ON trades")
        try await uploader.drain(BatchList([rows]), of: file)
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "2|2")
    }

    @Test func `a row that ends the session and has no other beside it waits for one, unless a person sets it aside`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        try endSession(in: sandbox)
        let row = batch(trades: [("MSFT", 33, "bad")])
        let uploader = try sandbox.uploader()
        for attempt in 1...8 {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(row) }
            #expect(error?.reason == .connectionLost)
            let isExplained = error?.text.hasPrefix("row 1 ends the session whenever it is sent") == true
            #expect(isExplained == (attempt > Stumble.triesAtOnce))
        }
        await uploader.disconnect()
        let decided = Uploader(
            configuration: try sandbox.configuration(), bufferID: "7d2c1f0e-93a5-4d0e-8a57-0c1d8a4e5f61",
            settingAside: true, logger: quiet)
        let box = DeadLetterBox()
        for _ in 0..<Stumble.triesAtOnce + ConnectionLoss.proofsNeeded {
            await #expect(throws: UpstreamError.self) { try await decided.upload(row) }
        }
        #expect(try await decided.upload(row) { await box.add($0) }.refused == 1)
        #expect(await box.rows.map(\.sequence) == [1])
    }

    @Test func `a row that waits for somebody's lock doesn't wait long where it may be the one that ends the session`()
        async throws
    {
        let sandbox = try await Sandbox.migrated()
        try endSession(in: sandbox)
        let rows = batch(trades: [("MSFT", 33, "bad"), ("MSFT", 33, "good")])
        let uploader = try sandbox.uploader()
        for _ in 0...Stumble.triesAtOnce {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
            #expect(error?.reason == .connectionLost)
        }
        try sandbox.run(
            """
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.trade_id LIKE 'bad%' THEN PERFORM pg_advisory_xact_lock(1); END IF; RETURN NEW; END $$
            """)
        let holder = try await sandbox.cluster.holder(
            of: sandbox.database, "SELECT pg_advisory_xact_lock(1)", seconds: 10)
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
        #expect(error?.sqlState == "55P03")
        #expect(try await holder.exit() == 0, "\(holder.output)")
        #expect(try await uploader.upload(rows).inserted == 2)
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "2|2")
    }

    @Test func `rows for another server that is away wait for it, though those beside them go elsewhere and pass`()
        async throws
    {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE EXTENSION postgres_fdw;
            CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
            CREATE USER MAPPING FOR CURRENT_USER SERVER far;
            CREATE TABLE trades (symbol text NOT NULL, time timestamptz NOT NULL, price numeric NOT NULL,
                size numeric NOT NULL, trade_id text, received_at timestamptz) PARTITION BY LIST (symbol);
            CREATE TABLE near PARTITION OF trades FOR VALUES IN ('MSFT');
            CREATE FOREIGN TABLE far PARTITION OF trades FOR VALUES IN ('AAPL') SERVER far
            """)
        let uploader = try sandbox.uploader()
        let rows = batch(trades: [("AAPL", 33, "1"), ("MSFT", 33, "2"), ("MSFT", 33, "3")])
        for _ in 0..<12 {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
            #expect(error?.reason == .connectionLost && error?.sqlState == "08001")
        }
        try sandbox.run("DROP FOREIGN TABLE far; CREATE TABLE far PARTITION OF trades FOR VALUES IN ('AAPL')")
        #expect(try await uploader.upload(rows).inserted == 3)
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
        let sandbox = try await Sandbox.migrated(
            then: """
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

    /// The parts of a batch of these trades, as ranges of sequences, and the trial's.
    private func parts(
        _ sequences: ClosedRange<Int64>, without fatal: Set<Int64> = [], after loss: ConnectionLoss?,
        else other: BatchPart.Trial? = nil
    ) -> [String]? {
        let batch = trades(sequences.count, from: sequences.lowerBound)
        let errors = Dictionary(uniqueKeysWithValues: fatal.map { ($0, error("57P01", .connectionLost)) })
        return BatchPart.parts(of: batch, without: errors, after: loss, else: other)?.map { part in
            let rows = part.rows.compactMap { batch.sequence(at: $0) }
            let trial =
                switch part.trial {
                case .waiting(let place): batch.sequence(at: place).map { " after \($0)" } ?? ""
                case .uploaded: " after one that went up"
                case .waived: " at once"
                case nil: ""
                }
            return "\(rows.first ?? 0)…\(rows.last ?? 0)\(trial)"
        }
    }

    @Test func `rows with which the connection is lost again and again go up in parts, until one is alone`() {
        var loss = ConnectionLoss(rows: 101...140)
        #expect(parts(101...200, after: loss) == nil && parts(101...200, after: nil) == nil)
        loss = loss.followed(by: 101...200)
        #expect(loss.rows == 101...140 && loss.tries == 2)
        #expect(parts(102...200, after: loss) == nil)
        let found = parts(101...200, after: loss) ?? []
        #expect(found.count == 15 && found.first == "101…103" && found[13] == "140…140" && found.last == "141…200")
        loss = loss.followed(by: 104...106)
        #expect(parts(104...200, after: loss) == ["104…104", "105…105", "106…106", "107…200"])
        loss = loss.followed(by: 105...105)
        #expect(parts(105...200, after: loss) == ["105…105 after 106", "106…200"])
        #expect(parts(105...105, after: loss) == ["105…105"])
        #expect(parts(105...105, after: loss, else: .uploaded) == ["105…105 after one that went up"])
        #expect(parts(105...200, after: loss, else: .uploaded) == ["105…105 after 106", "106…200"])
        #expect(loss.followed(by: 300...310) == ConnectionLoss(rows: 300...310))
    }

    @Test func `a row is at fault when others pass right before it, and is left out with some that do`() {
        var loss = ConnectionLoss(rows: 5...5).followed(by: 5...5)
        loss.trialsInVain += 1
        #expect(parts(5...7, after: loss) == ["5…5 after 7", "6…7"])
        for _ in 0..<ConnectionLoss.proofsNeeded {
            #expect(!loss.isProved)
            loss = loss.followed(by: 5...5)
            loss.proofs += 1
        }
        #expect(loss.isProved)
        #expect(parts(5...7, without: [5], after: nil) == ["5…7"])
        #expect(parts(5...7, without: [5, 6, 7], after: nil) == nil)
        #expect(parts(5...7, without: [5, 6, 7], after: nil, else: .waived) == ["5…7 at once"])
        let next = ConnectionLoss(rows: 6...7).followed(by: 6...7)
        #expect(parts(5...9, without: [5, 9], after: next) == ["5…6", "7…7", "8…9"])
    }

    @Test
    func `a row is not at fault where the server stops responding, and is found otherwise where the session lasts`() {
        let memory = UploadMemory(setsAside: false)
        let silent = error("", .deadline)
        for isProof in [false, false] + Array(repeating: true, count: ConnectionLoss.proofsNeeded + 1) {
            memory.lostConnection(with: 5...5, of: .trades, because: silent, isProof: isProof)
        }
        #expect(memory.fatalRows(of: .trades).isEmpty)
        let rows = trades(3, from: 5)
        #expect(memory.parts(of: rows, canTryUploaded: true)?.first?.trial == .waiting(1))
        // Another row is tried next where the first doesn't pass.
        memory.triedInVain(.trades)
        #expect(memory.parts(of: rows, canTryUploaded: true)?.first?.trial == .waiting(2))
        memory.stumbled(rows, because: error("0A000", .schema))
        #expect(memory.hasLostConnection(.trades))
        memory.stumbled(rows, because: error("0A000", .schema))
        #expect(!memory.hasLostConnection(.trades))
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

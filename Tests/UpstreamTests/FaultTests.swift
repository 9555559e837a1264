import Foundation
import MarketData
import TestSupport
import Testing

@testable import Upstream

/// A server that goes away in the middle of things; each test has its own.
@Suite(.blocking, .timeLimit(.minutes(5))) struct FaultTests {
    private func sandbox() async throws -> Sandbox {
        let sandbox = try Sandbox.empty(on: PostgresCluster())
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        return sandbox
    }

    /// Makes the next COPY into trades wait at row 700 until the lock's holder is gone.
    private func standstill(in sandbox: Sandbox) async throws -> ChildProcess {
        try sandbox.run(
            """
            CREATE FUNCTION stand() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.trade_id = '700' THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN NEW; END $$;
            CREATE TRIGGER stand BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION stand()
            """)
        let holder = try ChildProcess(
            "/usr/bin/env",
            [
                "psql", "-X", "-q", "-t", sandbox.cluster.uri(sandbox.database), "-c", "SELECT pg_advisory_lock(7)",
                "-c", "SELECT 'held'", "-c", "SELECT pg_sleep(600)",
            ])
        try await holder.line(containing: "held")
        return holder
    }

    private func waitForStandstill(_ sandbox: Sandbox) async throws {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        try await Waiting.until("the COPY's standstill", within: .seconds(60)) { try sandbox.run(waiting) == "1" }
    }

    private let whole = "SELECT count(*), count(DISTINCT trade_id), min(trade_id::int), max(trade_id::int) FROM trades"

    @Test(arguments: ["immediate stop", "sessions ended"])
    func `a server that dies in the middle of a COPY loses nothing and doubles nothing`(how: String) async throws {
        let sandbox = try await sandbox()
        // At half of this time the session would give up waiting for the lock.
        let uploader = try sandbox.uploader(statementTimeout: .seconds(200))
        let rows = trades(30_000)
        let holder = try await standstill(in: sandbox)
        let upload = Task { try await uploader.upload(rows) }
        try await waitForStandstill(sandbox)
        if how == "immediate stop" {
            try sandbox.cluster.stop(.immediate)
        } else {
            try sandbox.cluster.endSessions(of: sandbox.database)
        }
        let error = await #expect(throws: UpstreamError.self) { try await upload.value }
        #expect(error?.reason == .connectionLost && error?.isRetryable == true)
        holder.send(SIGKILL)
        if how == "immediate stop" {
            let refused = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
            #expect(refused?.reason == .connectionLost)
            try sandbox.cluster.start()
        }
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "0")
        #expect(try await uploader.upload(rows).inserted == 30_000)
        #expect(try sandbox.run(whole) == "30000|30000|1|30000")
    }

    @Test func `when the answer to COMMIT is lost the next try knows`() async throws {
        let sandbox = try await sandbox()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        defer { proxy.stop() }
        let uploader = try sandbox.uploader(port: proxy.port)
        _ = try await uploader.upload(trades(10))
        proxy.set(.swallowAnswer(containing: "COMMIT"))
        let rows = trades(500, from: 11)
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
        #expect(error?.reason == .connectionLost && error?.isRetryable == true)
        #expect(proxy.swallowed == 1)
        proxy.set(.pass)
        #expect(try await uploader.uploadedSequence(of: .trades) == 510)
        let again = try await uploader.upload(rows)
        #expect(again.skipped == 500 && again.inserted == 0)
        #expect(try sandbox.run(whole) == "510|510|1|510")
    }

    @Test func `a frozen server is given up at the deadline, and the batch goes up when it wakes`() async throws {
        let sandbox = try await sandbox()
        let uploader = try sandbox.uploader(statementTimeout: .seconds(1))
        try await despiteStalls { try await uploader.upload(trades(10)) }
        let rows = trades(90, from: 11)
        let clock = ContinuousClock()
        // A machine that stands still hardly does so three times.
        var took = Duration.seconds(60)
        for _ in 0..<3 where took >= .seconds(8) {
            try await despiteStalls { try await uploader.connect() }
            try sandbox.cluster.freeze()
            let time = await clock.measure {
                let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
                #expect(error?.reason == .deadline && error?.isRetryable == true)
            }
            try sandbox.cluster.thaw()
            took = min(took, time)
        }
        #expect(took > .seconds(1) && took < .seconds(8))
        let outcome = try await despiteStalls([.deadline], tries: 2) { try await uploader.upload(rows) }
        #expect(outcome.inserted + outcome.skipped == 90)
        #expect(try sandbox.run(whole) == "100|100|1|100")
    }

    @Test func `a server that takes the connection and says nothing is given up at the deadline`() async throws {
        let sandbox = try await sandbox()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        defer { proxy.stop() }
        proxy.set(.blackhole)
        let configuration = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database, port: proxy.port), collector: "c",
            connectTimeout: .milliseconds(400))
        let uploader = Uploader(configuration: configuration, bufferID: "1", logger: quiet)
        // The default is ten seconds. A machine that stands still hardly does so three times.
        var took = Duration.seconds(60)
        for _ in 0..<3 where took >= .seconds(8) {
            let time = await ContinuousClock().measure {
                let error = await #expect(throws: UpstreamError.self) { try await uploader.connect() }
                #expect(error?.reason == .deadline)
            }
            took = min(took, time)
        }
        #expect(took > .milliseconds(350) && took < .seconds(8))
    }

    @Test func `a line that goes dead during the COPY is given up at the deadline`() async throws {
        let sandbox = try await sandbox()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        defer { proxy.stop() }
        let uploader = try sandbox.uploader(port: proxy.port, statementTimeout: .seconds(4))
        try await despiteStalls { try await uploader.connect() }
        proxy.set(.blackhole)
        let rows = trades(20_000)
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
        #expect(error?.reason == .deadline)
        proxy.set(.pass)
        let outcome = try await despiteStalls([.deadline], tries: 2) { try await uploader.upload(rows) }
        #expect(outcome.inserted + outcome.skipped == 20_000)
        #expect(try sandbox.run(whole) == "20000|20000|1|20000")
    }

    @Test func `rows that vanish on the way are noticed by the server's count, and go up whole the next time`()
        async throws
    {
        let sandbox = try await sandbox()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        defer { proxy.stop() }
        let uploader = try sandbox.uploader(port: proxy.port)
        try await uploader.connect()
        proxy.set(.loseCopyData)
        let rows = trades(20_000)
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
        #expect(error?.reason == .busy && error?.text.contains("20,000 rows were sent and the server stored ") == true)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "0")
        proxy.set(.pass)
        #expect(try await uploader.upload(rows).inserted == 20_000)
        #expect(try sandbox.run(whole) == "20000|20000|1|20000")
    }

    @Test func `rows that a trigger keeps out of their table count as kept out, not as uploaded`() async throws {
        let sandbox = try await sandbox()
        try sandbox.run(
            """
            CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.trade_id::int % 2 = 1 THEN RETURN NULL; END IF; RETURN NEW; END $$;
            CREATE TRIGGER odd BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION odd();
            """)
        let outcome = try await sandbox.uploader().upload(trades(1001))
        #expect(outcome.inserted == 500 && outcome.keptOut == 501)
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "500")
    }

    @Test(arguments: [
        "CREATE UNIQUE INDEX ON trades (symbol, time, sequence, exchange, trade_id) NULLS NOT DISTINCT",
        "ALTER TABLE trades ADD PRIMARY KEY (symbol, time)", "ALTER TABLE trades ADD UNIQUE (symbol, trade_id)",
    ])
    func `events that a trigger keeps out count so, and not as events that were there`(key: String) async throws {
        let sandbox = try await sandbox()
        try sandbox.run(
            """
            \(key);
            CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.trade_id::int % 2 = 1 THEN RETURN NULL; END IF; RETURN NEW; END $$;
            CREATE TRIGGER odd BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION odd();
            """)
        let first = try await sandbox.uploader().upload(trades(100))
        #expect((first.inserted, first.unchanged, first.keptOut) == (50, 0, 50))
        let second = try await sandbox.uploader(buffer: UUID().uuidString).upload(trades(120))
        #expect((second.inserted, second.unchanged, second.keptOut) == (10, 50, 60))
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "60")
    }

    @Test(arguments: ["", " PARTITION BY RANGE (timestamp)"])
    func `bars that a trigger keeps out count so, new ones and corrections, and not as bars that stay`(
        partitions: String
    ) async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE ohlcv_1min (symbol text NOT NULL, timestamp timestamptz NOT NULL, open numeric, high numeric,
                low numeric, close numeric, volume bigint, received_at timestamptz, source text,
                PRIMARY KEY (symbol, timestamp))\(partitions);
            \(partitions.isEmpty ? "" : "CREATE TABLE part PARTITION OF ohlcv_1min DEFAULT;")
            CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.symbol = 'SHUT' THEN RETURN NULL; END IF; NEW.high := round(NEW.high, 1); RETURN NEW; END $$;
            CREATE FUNCTION still() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.symbol = 'STILL' THEN RETURN NULL; END IF; RETURN NEW; END $$;
            CREATE TRIGGER closed BEFORE INSERT ON ohlcv_1min FOR EACH ROW EXECUTE FUNCTION closed();
            CREATE TRIGGER still BEFORE UPDATE ON ohlcv_1min FOR EACH ROW EXECUTE FUNCTION still();
            """)
        let uploader = try sandbox.uploader()
        let bars = ["AAPL", "SHUT", "STILL", "MSFT"].map { bar($0) }
        let first = try await uploader.upload(batch(bars))
        #expect((first.inserted, first.keptOut, first.path) == (3, 1, .direct))
        var corrected = bars
        for place in 0..<3 { corrected[place].volume += 100 }
        let second = try await uploader.upload(batch(corrected + [bar("NEW")], from: 5))
        #expect((second.inserted + second.updated, second.unchanged, second.keptOut) == (2, 1, 2))
        // What fills a gap replaces no bar of the stream.
        var filled = batch(corrected, from: 10)
        for place in filled.bars.indices { filled.bars[place].source = .backfill }
        let third = try await uploader.upload(filled)
        #expect((third.inserted + third.updated, third.unchanged, third.keptOut) == (0, 3, 1))
        #expect(
            try sandbox.run("SELECT string_agg(symbol || volume, ' ' ORDER BY symbol) FROM ohlcv_1min")
                == "AAPL1300 MSFT1200 NEW1200 STILL1200")
    }

    @Test func `a session that the server ended while nothing went up is made again without an error`() async throws {
        let sandbox = try await sandbox()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(10))
        try sandbox.cluster.endSessions(of: sandbox.database)
        try await Waiting.until("the server's end of the session") { await uploader.hasEnded }
        try await uploader.connect()
        #expect(try await uploader.upload(trades(10, from: 11)).inserted == 10)
        #expect(try sandbox.run(whole) == "20|20|1|20")
    }

    @Test(arguments: [(1, "idle session"), (20_000, "in mid-COPY")])
    func `what a server says when it ends the session is what is reported`(count: Int, when: String) async throws {
        let sandbox = try await sandbox()
        let uploader = try sandbox.uploader()
        try await uploader.connect()
        if count == 1 {
            try sandbox.cluster.endSessions(of: sandbox.database)
        } else {
            try sandbox.run(
                """
                CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF NEW.trade_id = '100' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
                RETURN NEW; END $$;
                CREATE TRIGGER crash BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION crash()
                """)
        }
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(count)) }
        #expect(error?.reason == .connectionLost && error?.sqlState == "57P01", "\(when): \(error?.description ?? "")")
        #expect(error?.text == "terminating connection due to administrator command")
    }

    @Test func `the next server of the list is taken when the first is silent or down`() async throws {
        let sandbox = try await sandbox()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        defer { proxy.stop() }
        proxy.set(.blackhole)
        let uri =
            "postgresql://\(sandbox.cluster.superuser)@127.0.0.1:\(proxy.port),127.0.0.1:1,"
            + "127.0.0.1:\(sandbox.cluster.port)/\(sandbox.database)"
        let configuration = try UpstreamConfiguration(uri: uri, collector: "c", connectTimeout: .seconds(3))
        let changes = try await despiteStalls([.deadline]) { try await UpstreamSchema.check(configuration) }
        #expect(changes.allSatisfy { $0.state == .present })
    }

    @Test func `a cancelled upload ends at once and leaves the server clean`() async throws {
        let sandbox = try await sandbox()
        let holder = try await standstill(in: sandbox)
        // At half of this time the session would give up waiting for the lock.
        let uploader = try sandbox.uploader(statementTimeout: .seconds(200))
        let upload = Task { try await uploader.upload(trades(1000)) }
        try await waitForStandstill(sandbox)
        let took = await ContinuousClock().measure {
            upload.cancel()
            let error = await #expect(throws: UpstreamError.self) { try await upload.value }
            #expect(error?.reason == .cancelled)
        }
        #expect(took < .seconds(60))
        // The server notices: its session no longer waits for the lock.
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        try await Waiting.until("the end of the session") { try sandbox.run(waiting) == "0" }
        holder.send(SIGKILL)
        try await sandbox.endSessions()
        #expect(try await uploader.upload(trades(1000)).inserted == 1000)
        #expect(try sandbox.run(whole) == "1000|1000|1|1000")
    }

    @Test func `a lock held by others ends in an error that is tried again`() async throws {
        let sandbox = try await sandbox()
        let holder = try ChildProcess(
            "/usr/bin/env",
            [
                "psql", "-X", "-q", "-t", sandbox.cluster.uri(sandbox.database), "-c", "BEGIN", "-c",
                "LOCK TABLE trades", "-c", "SELECT 'held'", "-c", "SELECT pg_sleep(600)",
            ])
        try await holder.line(containing: "held")
        let uploader = try sandbox.uploader(statementTimeout: .seconds(4))
        let error = await #expect(throws: UpstreamError.self) {
            try await despiteStalls([.deadline]) { try await uploader.upload(trades(5)) }
        }
        #expect(error?.reason == .busy && error?.sqlState == "55P03" && error?.isRetryable == true)
        #expect(error?.description.contains("who holds the lock") == true)
        holder.send(SIGKILL)
        try await sandbox.endSessions()
        await uploader.disconnect()
        let outcome = try await despiteStalls { try await uploader.upload(trades(5)) }
        #expect(outcome.inserted + outcome.skipped == 5)
    }
}

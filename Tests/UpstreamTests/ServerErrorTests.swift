import MarketData
import TestSupport
import Testing

@testable import Upstream

/// What a real server reports by SQLSTATE, and how the upload goes on afterwards.
@Suite(.blocking, .timeLimit(.minutes(5))) struct ServerErrorTests {
    /// A table of trades whose rows fail with a code: all of them, or those that are marked.
    private func failing(_ code: String, only marked: Bool = false) async throws -> Sandbox {
        let sandbox = try await Sandbox.migrated(
            then: """
                CREATE TABLE fault (code text); INSERT INTO fault VALUES ('\(code)');
                CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE wanted text; BEGIN SELECT code INTO wanted FROM fault;
                IF wanted IS NOT NULL \(marked ? "AND NEW.trade_id LIKE 'bad%'" : "") THEN
                RAISE EXCEPTION 'made to fail' USING ERRCODE = wanted; END IF; RETURN NEW; END $$;
                CREATE TRIGGER fail BEFORE INSERT ON trades FOR EACH ROW EXECUTE FUNCTION fail()
                """)
        return sandbox
    }

    private let whole = "SELECT count(*), count(DISTINCT trade_id) FROM trades"

    @Test(
        arguments: [
            "40001", "40P01", "55P03", "55006", "57014", "53000", "53100", "53200", "53300", "58030", "XX000", "25P02",
        ])
    func `a passing fault leaves nothing behind and the same batch goes up once`(code: String) async throws {
        let sandbox = try await failing(code)
        let uploader = try sandbox.uploader()
        for _ in 0..<2 {
            let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(50)) }
            #expect(error?.reason == .busy && error?.isRetryable == true && error?.sqlState == code)
        }
        #expect(try sandbox.run(whole) == "0|0")
        #expect(try await uploader.uploadedSequence(of: .trades) == 0)
        try sandbox.run("DELETE FROM fault")
        #expect(try await uploader.upload(trades(50)).inserted == 50)
        #expect(try sandbox.run(whole) == "50|50")
    }

    @Test(
        arguments: [
            ("42501", UpstreamError.Reason.schema), ("42703", .schema), ("42883", .schema), ("42P01", .schema),
            ("0A000", .schema), ("55000", .schema), ("3F000", .schema), ("25006", .readOnly), ("28000", .login),
            ("28P01", .login), ("3D000", .login), ("ZZ123", .schema),
        ])
    func `a fault for a person pauses, makes no dead letter, and is over when it is fixed`(
        code: String, reason: UpstreamError.Reason
    ) async throws {
        let sandbox = try await failing(code)
        let uploader = try sandbox.uploader()
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(50)) }
        #expect(error?.reason == reason && error?.isRetryable == false && error?.sqlState == code)
        #expect(error?.description.contains(code) == true && error?.description.contains("made to fail") == true)
        #expect(try sandbox.run(whole) == "0|0")
        try sandbox.run("DELETE FROM fault")
        #expect(try await uploader.upload(trades(50)).inserted == 50)
        #expect(try sandbox.run(whole) == "50|50")
    }

    @Test(
        arguments: [
            "22001", "22003", "22007", "22012", "22021", "22P02", "23502", "23503", "23505", "23514", "23P01", "21000",
            "44000", "54000", "P0001",
        ])
    func `a row's own fault makes that row a dead letter and no other`(code: String) async throws {
        let sandbox = try await failing(code, only: true)
        let box = DeadLetterBox()
        let rows = batch(trades: (0..<40).map { ("MSFT", 33, $0 % 13 == 5 ? "bad \($0)" : "\($0)") })
        let outcome = try await sandbox.uploader().upload(rows) { await box.add($0) }
        #expect(outcome.refused == 3 && outcome.inserted == 37)
        #expect(await box.rows.map(\.sequence) == [6, 19, 32])
        #expect(await box.rows.allSatisfy { $0.sqlState == code && $0.reason.contains("made to fail") })
        #expect(try sandbox.run(whole) == "37|37")
        #expect(try sandbox.run("SELECT last_sequence FROM edgetick_uploads") == "40")
    }

    @Test func `a password that was rotated pauses the next connection and works when it is back`() async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "rotated_\(sandbox.database)"
        try sandbox.run(
            """
            CREATE ROLE \(user) LOGIN PASSWORD 'first' IN ROLE password_users;
            GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO \(user)
            """)
        let uploader = Uploader(
            configuration: try sandbox.configuration(user: user, password: "first"),
            bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", logger: quiet)
        _ = try await uploader.upload(trades(5))
        try sandbox.run("ALTER ROLE \(user) PASSWORD 'canary-second'")
        // An open connection stays open.
        _ = try await uploader.upload(trades(5, from: 6))
        try sandbox.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(user)'")
        var errors: [UpstreamError] = []
        for _ in 0..<3 {
            do {
                _ = try await uploader.upload(trades(5, from: 11)) { _ in }
            } catch let error as UpstreamError {
                errors.append(error)
            }
        }
        #expect(errors.last?.reason == .login && errors.last?.sqlState == "28P01" && errors.last?.isRetryable == false)
        #expect(errors.allSatisfy { !$0.description.contains("first") && !$0.description.contains("canary") })
        try sandbox.run("ALTER ROLE \(user) PASSWORD 'first'")
        #expect(try await uploader.upload(trades(5, from: 11)).inserted == 5)
        #expect(try sandbox.run(whole) == "15|15")
    }

    @Test func `a server that becomes a standby and then the primary again is waited for`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(5))
        try sandbox.run("ALTER DATABASE \(sandbox.database) SET default_transaction_read_only = on")
        try sandbox.cluster.endSessions(of: sandbox.database)
        var last: UpstreamError?
        for _ in 0..<2 {
            do {
                _ = try await uploader.upload(trades(5, from: 6)) { _ in }
            } catch let error as UpstreamError {
                last = error
            }
        }
        #expect(last?.reason == .readOnly && last?.sqlState == "25006")
        try sandbox.run("SET default_transaction_read_only = off; ALTER DATABASE \(sandbox.database) RESET ALL")
        try sandbox.cluster.endSessions(of: sandbox.database)
        var inserted = 0
        for _ in 0..<2 where inserted == 0 {
            inserted = (try? await uploader.upload(trades(5, from: 6)).inserted) ?? 0
        }
        #expect(inserted == 5)
        #expect(try sandbox.run(whole) == "10|10")
    }

    @Test func `a line that the server's side has closed half is given up, and the batch goes up once`() async throws {
        let sandbox = try await Sandbox.migrated()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        let uploader = try sandbox.uploader(port: proxy.port)
        _ = try await uploader.upload(trades(5))
        proxy.set(.halfClose)
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(5, from: 6)) }
        #expect(error?.reason == .connectionLost && error?.isRetryable == true)
        proxy.set(.pass)
        #expect(try await uploader.upload(trades(5, from: 6)).count == 5)
        #expect(try sandbox.run(whole) == "10|10")
    }
}

extension UploadOutcome {
    /// Rows that are upstream now, whichever transaction brought them.
    fileprivate var count: Int { inserted + skipped }
}

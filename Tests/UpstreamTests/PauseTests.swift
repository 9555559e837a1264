import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Upstream

/// What a person must fix: the error names it, and the upload works again afterwards by itself.
@Suite(.blocking, .timeLimit(.minutes(5))) struct PauseTests {
    private func failure(_ uploader: Uploader, _ rows: BufferedBatch = trades(3)) async -> UpstreamError? {
        await #expect(throws: UpstreamError.self) { try await uploader.upload(rows) }
    }

    @Test(
        arguments: [
            ("ALTER TABLE trades RENAME TO trades_old", "ALTER TABLE trades_old RENAME TO trades", "42P01", "trades"),
            ("ALTER TABLE trades DROP COLUMN price", "ALTER TABLE trades ADD COLUMN price numeric", nil, "price"),
            ("ALTER TABLE trades RENAME price TO p", "ALTER TABLE trades RENAME p TO price", nil, "price"),
            (
                "ALTER TABLE trades ALTER price TYPE boolean USING true",
                "ALTER TABLE trades ALTER price TYPE numeric USING 1", nil, "price"
            ),
            (
                "DELETE FROM trades; ALTER TABLE trades ADD desk text NOT NULL",
                "ALTER TABLE trades ALTER desk SET DEFAULT 'x'", nil,
                "desk"
            ),
            ("REVOKE INSERT ON trades FROM writer", "GRANT INSERT ON trades TO writer", "42501", "INSERT"),
            (
                "REVOKE UPDATE ON edgetick_uploads FROM writer", "GRANT UPDATE ON edgetick_uploads TO writer", "42501",
                "edgetick_uploads"
            ),
            (
                """
                CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE TRIGGER skip BEFORE INSERT ON edgetick_uploads FOR EACH ROW EXECUTE FUNCTION skip()
                """, "DROP TRIGGER skip ON edgetick_uploads", nil, "run `edgetick migrate`"
            ),
        ])
    func `a change of the tables under a running upload pauses it until it is fixed`(
        harm: String, fix: String, sqlState: String?, named: String
    ) async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "writer_\(sandbox.database)"
        try sandbox.run(
            """
            CREATE ROLE \(user) LOGIN;
            GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO \(user)
            """)
        let uploader = try sandbox.uploader(user: user)
        _ = try await uploader.upload(trades(2))
        try sandbox.run(harm.replacing("writer", with: user))
        // The first error may be the server's own, or say that the columns are read again; the second names the fault.
        let first = await failure(uploader, trades(3))
        let second = await failure(uploader, trades(3))
        #expect(first?.reason == .schema || first?.reason == .busy)
        #expect(second?.reason == .schema && second?.isRetryable == false)
        #expect(second?.sqlState == sqlState)
        #expect(second?.description.contains(named) == true)
        try sandbox.run(fix.replacing("writer", with: user))
        #expect(try await uploader.upload(trades(3)).inserted == 1)
        #expect(try sandbox.run("SELECT max(trade_id) FROM trades") == "3")
    }

    @Test func `a server that takes no writes is named as such`() async throws {
        let sandbox = try await Sandbox.migrated()
        try sandbox.run("ALTER DATABASE \(sandbox.database) SET default_transaction_read_only = on")
        let error = await failure(try sandbox.uploader())
        #expect(error?.reason == .readOnly && error?.sqlState == "25006" && error?.isRetryable == false)
        let demanding = Uploader(
            configuration: try UpstreamConfiguration(
                uri: sandbox.cluster.uri(sandbox.database, parameters: "target_session_attrs=read-write"),
                collector: "c"), bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", logger: quiet)
        #expect(await failure(demanding)?.reason == .readOnly)
    }

    @Test func `where a server takes no writes any more, another one of the URI is tried`() async throws {
        let (first, second) = (try PostgresCluster(), try PostgresCluster())
        for cluster in [first, second] {
            try cluster.psql("CREATE DATABASE market", database: "postgres")
            _ = try await UpstreamSchema.migrate(
                UpstreamConfiguration(uri: cluster.uri("market"), collector: "edge-1"))
        }
        let uri =
            "postgresql://\(first.superuser)@127.0.0.1:\(first.port),127.0.0.1:\(second.port)/market"
            + "?target_session_attrs=read-write"
        let uploader = Uploader(
            configuration: try UpstreamConfiguration(uri: uri, collector: "edge-1"),
            bufferID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60", logger: quiet)
        #expect(try await uploader.upload(trades(3)).inserted == 3)
        // Open sessions stay open, but accept no more writes.
        try first.psql("ALTER SYSTEM SET default_transaction_read_only = on", database: "postgres")
        try first.psql("SELECT pg_reload_conf()", database: "postgres")
        try await Waiting.until {
            try first.psql("SHOW default_transaction_read_only", database: "market").hasPrefix("on")
        }
        #expect(await failure(uploader, quotes(3))?.reason == .readOnly)
        try await uploader.connect()
        #expect(try await uploader.upload(quotes(3)).inserted == 3)
        #expect(try second.psql("SELECT count(*) FROM quotes", database: "market").hasPrefix("3"))
    }

    @Test func `a key that somebody drops under a running upload is missed within a minute`() async throws {
        let sandbox = try await Sandbox.migrated()
        let uploader = try sandbox.uploader()
        #expect(try await uploader.upload(batch([bar(close: 1)])).inserted == 1)
        try sandbox.run("ALTER TABLE ohlcv_1min DROP CONSTRAINT ohlcv_1min_pkey")
        try await uploader.connect(readsTables: true)
        let error = await failure(uploader, batch([bar(close: 2)], from: 2))
        #expect(error?.reason == .schema && error?.text.contains("unique key on (symbol, timestamp)") == true)
        #expect(try sandbox.run("SELECT count(*), max(close) FROM ohlcv_1min") == "1|1")
        try sandbox.run("ALTER TABLE ohlcv_1min ADD PRIMARY KEY (symbol, timestamp)")
        _ = try await uploader.upload(batch([bar(close: 2)], from: 2))
        #expect(try sandbox.run("SELECT count(*), max(close) FROM ohlcv_1min") == "1|2")
    }

    @Test func `a standby takes nothing and is named as such, and once it is promoted takes what waited`() async throws
    {
        let cluster = try PostgresCluster(settings: ["wal_level": "replica"])
        let sandbox = try Sandbox.empty(on: cluster)
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        let uploader = try sandbox.uploader()
        #expect(try await uploader.upload(trades(10)).inserted == 10)
        try cluster.stop()
        try cluster.startAsStandby()
        #expect(try sandbox.run("SELECT pg_is_in_recovery()") == "t")
        // The first try finds its connection gone.
        _ = try? await uploader.upload(trades(20))
        let error = await #expect(throws: UpstreamError.self) { try await uploader.upload(trades(20)) }
        #expect(error?.reason == .readOnly && error?.sqlState == "25006" && error?.isRetryable == false)
        let asked = await #expect(throws: UpstreamError.self) { try await uploader.uploadedSequence(of: .trades) }
        #expect(asked?.reason == .readOnly)
        try cluster.promote()
        let outcome = try await uploader.upload(trades(20))
        #expect(outcome.skipped == 10 && outcome.inserted == 10)
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "20|20")
    }

    @Test(arguments: ["primary", "read-write"], [true, false])
    func `while the primary is down, a standby that is not promoted yet is no matter for a person`(
        attributes: String, isDownFirst: Bool
    ) async throws {
        let cluster = try PostgresCluster(settings: ["wal_level": "replica"])
        let sandbox = try Sandbox.empty(on: cluster)
        try cluster.stop()
        try cluster.startAsStandby()
        let down = try #require(LoopbackListener.freePort())
        func refusal(at ports: [Int], host: String = "127.0.0.1") async throws -> UpstreamError? {
            let servers = ports.map { "\(host):\($0)" }.joined(separator: ",")
            let uri =
                "postgresql://\(cluster.superuser)@\(servers)/\(sandbox.database)?target_session_attrs=\(attributes)"
            let configuration = try UpstreamConfiguration(uri: uri, collector: "edge-1")
            let uploader = Uploader(configuration: configuration, bufferID: "1", logger: quiet)
            return await #expect(throws: UpstreamError.self) { try await uploader.connect() }
        }
        let outage = try await refusal(at: isDownFirst ? [down, cluster.port] : [cluster.port, down])
        #expect(outage?.reason == .connectionLost && outage?.text.contains("refused") == true)
        // Without a server that may become the primary, a person must act.
        let alone = try await refusal(at: [cluster.port])
        #expect(alone?.reason == .readOnly && alone?.isRetryable == false)
        // The server doesn't listen on ::1, which the name may mean too.
        #expect(try await refusal(at: [cluster.port], host: "localhost")?.reason == .readOnly)
    }

    @Test func `a wrong password is named and shown nowhere`() async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "guarded_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \(user) LOGIN PASSWORD 'right one' IN ROLE password_users")
        for (password, expected) in [("canary/4711@x", "28P01"), (nil, nil)] {
            let configuration = try sandbox.configuration(user: user, password: password)
            let uploader = Uploader(configuration: configuration, bufferID: "1", logger: quiet)
            let error = await #expect(throws: UpstreamError.self) { try await uploader.connect() }
            #expect(error?.reason == .login && error?.sqlState == expected && error?.isRetryable == false)
            #expect(error.map { "\($0)" }?.contains("canary") == false)
            #expect(error.map { "\($0)" }?.contains(user) == (password != nil))
        }
        let right = try sandbox.configuration(user: user, password: "right one")
        #expect(try await UpstreamSchema.check(right).count > 10)
    }

    @Test func `a password that was changed is taken from the URI's file for the next connection`() async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "guarded_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \(user) LOGIN PASSWORD 'first' IN ROLE password_users")
        let file = Mutex(sandbox.cluster.uri(sandbox.database, user: user, password: "first"))
        let configuration = try UpstreamConfiguration(
            uri: file.withLock(\.self), reread: { file.withLock(\.self) }, collector: "edge-1")
        _ = try await UpstreamSchema.check(configuration)
        try sandbox.run("ALTER ROLE \(user) PASSWORD 'second'")
        let refused = await #expect(throws: UpstreamError.self) { try await UpstreamSchema.check(configuration) }
        #expect(refused?.reason == .login)
        file.withLock { $0 = sandbox.cluster.uri(sandbox.database, user: user, password: "second") }
        #expect(try await UpstreamSchema.check(configuration).count > 10)
    }

    @Test func `an unknown database is named`() async throws {
        let sandbox = Sandbox(cluster: try .shared(), database: "nowhere")
        let error = await failure(try sandbox.uploader())
        #expect(error?.reason == .login && error?.sqlState == "3D000")
        #expect(error?.description.contains("nowhere") == true)
        #expect(
            error?.description.hasSuffix("create that database, or correct its name in DATABASE_URI") == true,
            "\(error?.description ?? "")")
    }

    @Test func `a database that lets nobody in is no matter of its tables`() async throws {
        let sandbox = try await Sandbox.migrated()
        let database = sandbox.database
        _ = try sandbox.cluster.psql("ALTER DATABASE \(database) ALLOW_CONNECTIONS false", database: "postgres")
        let error = await failure(try sandbox.uploader())
        #expect(error?.reason == .login && error?.sqlState == "55000")
        #expect(
            error?.description.hasSuffix(
                "check user, password and database in DATABASE_URI, and the server's pg_hba.conf") == true)
    }

    @Test func `what to do with a table names the setting of its database too`() async throws {
        let sandbox = try await Sandbox.migrated()
        let role = "reader_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \(role) LOGIN; GRANT SELECT, INSERT, UPDATE ON edgetick_uploads TO \(role)")
        let configuration = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database, user: role), collector: "c", role: .ticks, isAlone: false)
        let uploader = Uploader(configuration: configuration, bufferID: "1", logger: quiet)
        let error = await #expect(throws: UpstreamError.self) {
            try await uploader.drain(BatchList([batch(trades: [("MSFT", 1, "1")])]))
        }
        #expect(error?.description.contains("DATABASE_URI_TICKS") == true, "\(String(describing: error))")
    }

    @Test func `what to do names the setting of the database that it is about`() async throws {
        func unknown(_ role: UpstreamRole) async throws -> String {
            let uri = try PostgresCluster.shared().uri("nowhere")
            let configuration = try UpstreamConfiguration(uri: uri, collector: "c", role: role, isAlone: false)
            let uploader = Uploader(configuration: configuration, bufferID: "1", logger: quiet)
            return try #require(await #expect(throws: UpstreamError.self) { try await uploader.connect() }).description
        }
        let main = try await unknown(.main)
        #expect(main.contains("its name in DATABASE_URI") && !main.contains("DATABASE_URI_TICKS"), "\(main)")
        #expect(try await unknown(.ticks).contains("its name in DATABASE_URI_TICKS"))
        let malformed = #expect(throws: UpstreamError.self) {
            try UpstreamConfiguration(uri: "mysql://u@db/market", collector: "c", role: .ticks, isAlone: false)
        }
        #expect(malformed?.description.hasSuffix("correct DATABASE_URI_TICKS") == true)
    }

    @Test func `a database without the tables says what to run`() async throws {
        let uploader = try Sandbox.empty().uploader()
        let error = await #expect(throws: UpstreamError.self) { try await uploader.connect() }
        #expect(error?.reason == .schema && error?.description.contains("edgetick migrate") == true)
    }
}

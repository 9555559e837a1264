import MarketData
import TestSupport
import Testing

@testable import Upstream

@Suite(.blocking, .timeLimit(.minutes(5))) struct SchemaTests {
    private static let fingerprint = """
        SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1, ordinal_position;
        SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1;
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1;
        SELECT version, table_name, created, applied_at FROM edgetick_schema ORDER BY 1
        """

    @Test func `migrating twice changes nothing the second time`() async throws {
        let sandbox = try Sandbox.empty()
        let first = try await UpstreamSchema.migrate(sandbox.configuration())
        #expect(first.count > 10 && first.allSatisfy { $0.state == .created })
        let before = try sandbox.run(Self.fingerprint)
        let second = try await UpstreamSchema.migrate(sandbox.configuration())
        #expect(second.allSatisfy { $0.state == .present })
        #expect(try sandbox.run(Self.fingerprint) == before)
        #expect(try await UpstreamSchema.check(sandbox.configuration()).allSatisfy { $0.state == .present })
    }

    @Test func `a table that was there is reported and left as it is`() async throws {
        let sandbox = try Sandbox.empty()
        try sandbox.run(
            """
            CREATE TABLE ohlcv_1min (symbol varchar(20) NOT NULL, timestamp timestamptz NOT NULL, open numeric(12,4),
                high numeric(12,4), low numeric(12,4), close numeric(12,4), volume bigint, UNIQUE (symbol, timestamp));
            INSERT INTO ohlcv_1min VALUES ('OLD', now(), 1, 1, 1, 1, 1);
            CREATE TABLE trades (id int)
            """)
        let table =
            "SELECT string_agg(attname || format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM "
            + "pg_attribute WHERE attrelid IN ('ohlcv_1min'::regclass, 'trades'::regclass); SELECT * FROM ohlcv_1min"
        let before = try sandbox.run(table)
        let changes = try await UpstreamSchema.migrate(sandbox.configuration())
        #expect(try sandbox.run(table) == before)
        let states = Dictionary(uniqueKeysWithValues: changes.map { ($0.table, $0.state) })
        guard case .differs(let lines) = states["ohlcv_1min"] else {
            Issue.record("\(changes)")
            return
        }
        #expect(lines.count == 1 && lines[0].hasPrefix("columns ") && lines[0].contains(", vwap, "))
        #expect(lines[0].hasSuffix(" are missing: their values are not sent"))
        guard case .unusable(let faults) = states["trades"] else {
            Issue.record("\(changes)")
            return
        }
        #expect(faults.contains("column symbol is missing"))
        #expect(states["quotes"] == .created)
        #expect(try sandbox.run("SELECT created FROM edgetick_schema WHERE table_name = 'ohlcv_1min'") == "f")
        // Nor does trying to add a column make the table ours.
        #expect(try sandbox.run("SELECT count(*) FROM edgetick_schema WHERE table_name = 'trades' AND created") == "0")
    }

    @Test func `a column that came later is added to a table that was made here, and to no other`() async throws {
        let sandbox = try await Sandbox.migrated()
        // An earlier version made trades, and another program made quotes.
        try sandbox.run(
            """
            ALTER TABLE trades DROP COLUMN participant_time; ALTER TABLE quotes DROP COLUMN participant_time;
            COMMENT ON COLUMN quotes.indicators IS NULL
            """)
        for _ in 0..<2 {
            let changes = try await UpstreamSchema.migrate(sandbox.configuration())
            let states = Dictionary(uniqueKeysWithValues: changes.map { ($0.table, $0.state) })
            #expect(states["trades"] == .present)
            #expect(states["quotes"] == .differs(["column participant_time is missing: its values are not sent"]))
        }
        #expect(try await sandbox.uploader().upload(batch(trades: [("MSFT", 1, "1")])).inserted == 1)
        #expect(try await sandbox.uploader().upload(quotes(1)).inserted == 1)
        #expect(try sandbox.run("SELECT participant_time IS NOT NULL FROM trades") == "t")
    }

    @Test func `a table that was dropped is made again`() async throws {
        let sandbox = try await Sandbox.migrated(then: "DROP TABLE quotes")
        let missing = try await UpstreamSchema.check(sandbox.configuration()).filter { $0.state == .missing }
        #expect(missing.map(\.table) == ["quotes"])
        let created = try await UpstreamSchema.migrate(sandbox.configuration()).filter { $0.state == .created }
        #expect(created.map(\.table) == ["quotes"])
    }

    @Test func `a change of the engine waits only briefly for a lock, however long it may take`() async throws {
        let sandbox = try Sandbox.empty()
        var plan = StatementPlan()
        plan.add("look", ["CREATE TABLE looked AS SELECT setting FROM pg_settings WHERE name = 'lock_timeout'"])
        try await UpstreamEngines.run(plan, try sandbox.configuration(statementTimeout: .seconds(86_400)))
        #expect(try sandbox.run("SELECT setting FROM looked") == "30000")
    }

    @Test func `two migrations at once end with one schema`() async throws {
        let sandbox = try Sandbox.empty()
        let configuration = try sandbox.configuration()
        let states = try await withThrowingTaskGroup(of: [SchemaChange].self) { group in
            for _ in 0..<3 { group.addTask { try await UpstreamSchema.migrate(configuration) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(states.filter { $0.state == .created }.count == states.count / 3)
        #expect(states.filter { $0.state == .present }.count == states.count / 3 * 2)
    }

    @Test func `who may not create tables is told which right is missing, and nothing is half made`() async throws {
        let sandbox = try Sandbox.empty()
        let user = "reader_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \(user) LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        let configuration = try sandbox.configuration(user: user)
        let changes = try await UpstreamSchema.migrate(configuration)
        #expect(changes.allSatisfy { $0.stopsUpload == $0.isNeeded })
        #expect(changes[0].description.contains("\(user) may not create it"))
        #expect(SchemaChange.recipe(changes) == ["GRANT CREATE ON SCHEMA public TO \(user);"])
        #expect(try sandbox.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0")
        try sandbox.run("ALTER SCHEMA public OWNER TO \(user)")
        _ = try await UpstreamSchema.migrate(configuration)
        try sandbox.run("REVOKE SELECT ON ohlcv_1min FROM \(user)")
        let change = try await UpstreamSchema.check(configuration).first { $0.table == "ohlcv_1min" }
        #expect(change?.description.contains("lacks the right SELECT (GRANT SELECT ON public.ohlcv_1min") == true)
    }

    @Test func `the GRANT for what boxes of a group tell each other is whole`() async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "pair_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \(user) LOGIN")
        let configuration = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database, user: user), collector: "nyc-a", needsIdentity: true)
        func recipe() async throws -> [String] {
            SchemaChange.recipe(try await UpstreamSchema.check(configuration, for: [.minuteBar]))
                .filter { $0.contains("edgetick_stretches") }
        }
        try sandbox.run("GRANT SELECT, INSERT, UPDATE ON edgetick_stretches TO \(user)")
        #expect(try await recipe() == ["GRANT DELETE ON public.edgetick_stretches TO \(user);"])
        try sandbox.run("REVOKE ALL ON edgetick_stretches FROM \(user)")
        for line in try await recipe() { try sandbox.run(line) }
        #expect(try await recipe() == [])
        try sandbox.run(
            """
            GRANT SELECT ON edgetick_uploads TO \(user);
            INSERT INTO edgetick_uploads (buffer_id, collector, stream, last_sequence, rows, updated_at)
            VALUES ('00000000-0000-4000-8000-000000000001', 'nyc-a', 'trades', 7, 7, now())
            """)
        let stretch = Stretch(kind: .trade, symbols: nil, since: opening, through: opening + 1)
        let table = StretchTable(configuration: configuration, group: "nyc")
        let line = UploadLine(id: "00000000-0000-4000-8000-000000000001")
        let others = try await table.exchange(
            [StretchClaim(stretch, row: 7)], of: line, reaching: [opening...opening + 1])
        #expect(others == [:])
        #expect(try sandbox.run("SELECT count(*) FROM edgetick_stretches") == "1")
    }

    @Test func `a missing table of ticks is made as a group needs it`() async throws {
        let sandbox = try Sandbox.empty()
        let configuration = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database), collector: "nyc-a", needsIdentity: true)
        let lines = try await UpstreamSchema.check(configuration, for: [.minuteBar, .trade]).map(\.description)
        #expect(lines.contains("trades: missing; run `edgetick migrate --tick-identity`"))
        #expect(lines.contains("ohlcv_1min: missing; run `edgetick migrate`"))
        let lacking = try await IdentityMaker.lacking(configuration, for: [.minuteBar, .trade], within: .seconds(60))
        #expect(lacking.identity == [] && lacking.table == ["trades"])
    }

    @Test func `a schema of a newer version is left alone`() async throws {
        let sandbox = try await Sandbox.migrated(then: "INSERT INTO edgetick_schema VALUES (99, 'orders', true)")
        let error = await #expect(throws: UpstreamError.self) {
            try await UpstreamSchema.migrate(sandbox.configuration())
        }
        #expect(error?.description.contains("version 99") == true)
    }

    @Test func `the printed schema makes the same tables through psql`() async throws {
        let migrated = try await Sandbox.migrated()
        let printed = try Sandbox.empty()
        try printed.run(UpstreamSchema.sql)
        let tables = """
            SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
            WHERE table_schema = 'public' ORDER BY 1, ordinal_position
            """
        #expect(try printed.run(tables) == migrated.run(tables))
    }

    @Test func `the printed schema leaves tables that are there alone`() async throws {
        let sandbox = try Sandbox.empty()
        try sandbox.run(
            """
            CREATE TABLE ohlcv_1min (symbol text, timestamp timestamptz, open numeric, high numeric, low numeric,
                close numeric, volume bigint, PRIMARY KEY (symbol, timestamp));
            CREATE SCHEMA market;
            CREATE TABLE market.trades (symbol text, time timestamptz, price numeric, size numeric);
            CREATE SCHEMA oms; CREATE TABLE oms.quotes (id int)
            """)
        try sandbox.run(UpstreamSchema.sql)
        try sandbox.run(UpstreamSchema.sql)
        let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name"
        #expect(try sandbox.run("\(columns) = 'ohlcv_1min'") == "7")
        #expect(try sandbox.run("\(columns) = 'trades'") == "4")
        #expect(try sandbox.run("SELECT to_regclass('public.quotes') IS NOT NULL") == "t")
        #expect(try sandbox.run("\(columns) = 'edgetick_uploads'") == "10")
    }

    @Test func `a table off the search_path is not made a second time, and the way to it is told`() async throws {
        let sandbox = try Sandbox.empty()
        let user = "writer_\(sandbox.database)"
        try sandbox.run(
            """
            CREATE ROLE \(user) LOGIN; GRANT ALL ON SCHEMA public TO \(user); CREATE SCHEMA market;
            CREATE TABLE market.ohlcv_1min (symbol text, timestamp timestamptz, open numeric, high numeric, low numeric,
                close numeric, volume bigint, PRIMARY KEY (symbol, timestamp))
            """)
        let changes = try await UpstreamSchema.migrate(try sandbox.configuration(user: user), for: [.minuteBar])
        #expect(changes.filter(\.stopsUpload).map(\.table) == ["ohlcv_1min"])
        #expect(changes[0].description.contains("in the schema market, off the search_path"))
        #expect(
            SchemaChange.recipe(changes) == [
                "GRANT USAGE ON SCHEMA market TO \(user);", "ALTER ROLE \(user) SET search_path = market, public;",
            ])
        #expect(try sandbox.run("SELECT to_regclass('public.ohlcv_1min') IS NULL") == "t")
        try sandbox.run("REVOKE ALL ON SCHEMA public FROM PUBLIC, \(user)")
        let error = await #expect(throws: UpstreamError.self) { try await sandbox.uploader(user: user).connect() }
        #expect(error?.sqlState == "42501")
        #expect(error?.description.contains("(GRANT USAGE ON SCHEMA public TO \(user))") == true)
    }

    @Test func `a table off the search_path with fewer columns, or other names, is not made a second time either`()
        async throws
    {
        let sandbox = try Sandbox.empty()
        // The ledger is of an earlier version.
        try sandbox.run(
            """
            CREATE SCHEMA market;
            CREATE TABLE market.definition_groups (id int PRIMARY KEY, name text, type text);
            CREATE TABLE market.group_memberships (group_id int, symbol text);
            CREATE TABLE market.cache_entries (type text, key text, value jsonb);
            CREATE TABLE market.edgetick_uploads (buffer_id uuid, collector text, stream text, last_sequence bigint,
                rows bigint, updated_at timestamptz, PRIMARY KEY (buffer_id, stream));
            CREATE TABLE market.ohlcv_1min (symbol text, time timestamptz, open numeric, high numeric, low numeric,
                close numeric, volume bigint, PRIMARY KEY (symbol, time))
            """)
        let doubles = """
            SELECT count(*) FROM pg_tables a JOIN pg_tables b USING (tablename)
            WHERE a.schemaname = 'market' AND b.schemaname = 'public'
            """
        try sandbox.run(UpstreamSchema.sql)
        #expect(try sandbox.run(doubles) == "0")
        let configuration = try UpstreamConfiguration(
            uri: sandbox.cluster.uri(sandbox.database), collector: "edge-1", connectTimeout: .seconds(60),
            barColumns: try #require(BarColumns("timestamp:time")))
        let changes = try await UpstreamSchema.migrate(configuration)
        #expect(try sandbox.run(doubles) == "0")
        let told = changes.filter { $0.description.contains("in the schema market, off the search_path") }
        #expect(
            Set(told.map(\.table)) == [
                "cache_entries", "definition_groups", "edgetick_uploads", "group_memberships", "ohlcv_1min",
            ])
    }

    @Test func `another team's table of the same name keeps none from being made, and is told once`() async throws {
        let sandbox = try Sandbox.empty()
        try sandbox.run(
            """
            CREATE SCHEMA oms; CREATE TABLE oms.trades (id bigint, symbol text, price numeric);
            CREATE TABLE oms.edgetick_collectors (id text)
            """)
        let made = try await UpstreamSchema.migrate(sandbox.configuration())
        let change = try #require(made.first { $0.table == "trades" })
        #expect(change.state == .created)
        #expect(change.warnings == ["other tables of this name are not used: oms.trades"])
        let checked = try await UpstreamSchema.check(sandbox.configuration())
        #expect(checked.allSatisfy { $0.state == .present && $0.warnings.isEmpty })
        #expect(try await sandbox.uploader().upload(trades(2)).inserted == 2)
    }

    @Test func `a second installation has tables of its own in the schema that its URI names`() async throws {
        let sandbox = try Sandbox.empty()
        try sandbox.run("CREATE SCHEMA prod; CREATE SCHEMA test")
        for schema in ["prod", "test"] {
            let configuration = try UpstreamConfiguration(
                uri: sandbox.cluster.uri(sandbox.database, parameters: "options=-csearch_path%3D\(schema)"),
                collector: "edge-1", connectTimeout: .seconds(60))
            let missing = try await UpstreamSchema.check(configuration, for: [.minuteBar]).filter(\.stopsUpload)
            #expect(missing.allSatisfy { $0.state == .missing })
            #expect(try await UpstreamSchema.migrate(configuration).allSatisfy { $0.state == .created })
        }
        try sandbox.run("CREATE SCHEMA printed; SET search_path = printed; \(UpstreamSchema.sql)")
        let count = "SELECT count(*) FROM pg_tables WHERE schemaname"
        let all = try sandbox.run("\(count) = 'prod'")
        for schema in ["test", "printed"] { #expect(try sandbox.run("\(count) = '\(schema)'") == all) }
    }

    @Test func `one recipe has all faults away for a role that may only write`() async throws {
        let sandbox = try await Sandbox.migrated()
        let user = "writer_\(sandbox.database)"
        try sandbox.run(
            """
            CREATE ROLE \(user) LOGIN; REVOKE TEMPORARY ON DATABASE \(sandbox.database) FROM PUBLIC;
            GRANT INSERT ON ohlcv_1min, edgetick_uploads TO \(user);
            ALTER TABLE ohlcv_1min DROP CONSTRAINT ohlcv_1min_pkey;
            ALTER TABLE ohlcv_1min ENABLE ROW LEVEL SECURITY;
            DROP TABLE quotes
            """)
        let configuration = try sandbox.configuration(user: user)
        let changes = try await UpstreamSchema.check(configuration, for: [.minuteBar])
        #expect(changes.filter(\.stopsUpload).map(\.table) == ["ohlcv_1min", "edgetick_uploads"])
        for word in ["row-level security", "TEMPORARY", "unique key", "UPDATE", "SELECT"] {
            #expect(changes[0].description.contains(word), "\(word)")
        }
        try sandbox.run(SchemaChange.recipe(changes).joined(separator: "\n"))
        let after = try await UpstreamSchema.check(configuration, for: [.minuteBar])
        #expect(after.filter(\.stopsUpload).isEmpty, "\(after)")
        let uploader = try sandbox.uploader(user: user)
        _ = try await uploader.upload(batch([bar(close: 1)]))
        #expect(try await uploader.upload(batch([bar(close: 2)], from: 2)).updated == 1)
        await uploader.disconnect()
    }

    @Test func `a serial column needs the right to its sequence, which the recipe grants`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE ohlcv_1min (id bigserial PRIMARY KEY, symbol varchar(10) NOT NULL, timestamp timestamp NOT NULL,
                open numeric(12,4), high numeric(12,4), low numeric(12,4), close numeric(12,4), volume bigint,
                created_at timestamp DEFAULT now(), UNIQUE (symbol, timestamp))
            """)
        let user = "writer_\(sandbox.database)"
        try sandbox.run(
            "CREATE ROLE \(user) LOGIN; GRANT INSERT, UPDATE, SELECT ON ohlcv_1min, edgetick_uploads TO \(user)")
        let configuration = try sandbox.configuration(user: user)
        let changes = try await UpstreamSchema.check(configuration, for: [.minuteBar])
        let grant = "GRANT USAGE ON SEQUENCE public.ohlcv_1min_id_seq TO \(user)"
        #expect(changes[0].stopsUpload && changes[0].description.contains("lacks the right USAGE"))
        #expect(SchemaChange.recipe(changes) == [grant + ";"])
        #expect(
            changes.first { $0.table == "edgetick_uploads" }?.warnings == [
                "the user \(user) lacks the right DELETE, so rows of old files stay "
                    + "(GRANT DELETE ON public.edgetick_uploads TO \(user))"
            ])
        let refused = try sandbox.uploader(user: user)
        let error = await #expect(throws: UpstreamError.self) { try await refused.upload(batch([bar(close: 1)])) }
        #expect(error?.isRetryable == false && error?.text.contains(grant) == true)
        await refused.disconnect()
        try sandbox.run(grant)
        let uploader = try sandbox.uploader(user: user)
        #expect(try await uploader.upload(batch([bar(close: 1)])).inserted == 1)
        await uploader.disconnect()
        #expect(try sandbox.run("SELECT id, close::float8 FROM ohlcv_1min") == "1|1")
    }

    @Test func `a column that refuses rows without a value is reported, with the statement that helps`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: "ALTER TABLE ohlcv_1min ALTER otc SET DEFAULT false, ALTER otc SET NOT NULL")
        let statement = "ALTER TABLE public.ohlcv_1min ALTER COLUMN otc DROP NOT NULL"
        #expect(
            try await UpstreamSchema.check(sandbox.configuration()).flatMap(\.warnings) == [
                "column otc is NOT NULL, so rows to which the feed gives no value are refused (\(statement))"
            ])
        try sandbox.run(statement)
        #expect(try await UpstreamSchema.check(sandbox.configuration()).flatMap(\.warnings).isEmpty)
        let uploader = try sandbox.uploader()
        #expect(try await uploader.upload(batch([bar()])).inserted == 1)
        await uploader.disconnect()
    }

    @Test func `prices that the columns round are told`() async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE DOMAIN cents AS numeric(12,2);
            CREATE TABLE ohlcv_1min (symbol varchar(10), timestamp timestamptz, open numeric(10,2), high numeric(12,4),
                low cents, close numeric, volume bigint, PRIMARY KEY (symbol, timestamp))
            """)
        let change = try await UpstreamSchema.check(sandbox.configuration())[0]
        #expect(
            change.warnings == [
                "column open has the type numeric(10,2): prices are rounded to 2 decimals",
                "column low has the type cents: prices are rounded to 2 decimals",
            ])
        #expect(!change.stopsUpload)
    }

    @Test func `times and sizes of ticks that the columns round are told`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                ALTER TABLE trades ALTER time TYPE timestamptz(0), ALTER size TYPE integer;
                ALTER TABLE quotes ALTER time TYPE timestamp(2);
                ALTER TABLE luld ALTER time TYPE timestamptz(3), ALTER received_at TYPE timestamptz(0);
                ALTER TABLE ohlcv_1min ALTER timestamp TYPE timestamptz(0)
                """)
        let changes = try await UpstreamSchema.check(sandbox.configuration())
        let warnings = Dictionary(uniqueKeysWithValues: changes.map { ($0.table, $0.warnings) }).filter {
            !$0.value.isEmpty
        }
        #expect(
            warnings == [
                "trades": [
                    "column time has the type timestamp(0) with time zone: times are rounded to 0 decimals of a second",
                    "column size has the type integer: parts of a share are rounded",
                ],
                "quotes": [
                    "column time has the type timestamp(2) without time zone: times are rounded to 2 decimals of a second"
                ],
            ])
        #expect(changes.allSatisfy { !$0.stopsUpload })
    }

    @Test func `a table that a crash empties, and one without an index to find events by, are told`() async throws {
        let sandbox = try await Sandbox.migrated(then: "ALTER TABLE quotes SET UNLOGGED; DROP INDEX trades_symbol_time")
        let changes = try await UpstreamSchema.check(sandbox.configuration())
        let warnings = Dictionary(uniqueKeysWithValues: changes.map { ($0.table, $0.warnings) }).filter {
            !$0.value.isEmpty
        }
        #expect(Set(warnings.keys) == ["quotes", "trades"])
        #expect(warnings["quotes"]?.first?.hasSuffix("(ALTER TABLE public.quotes SET LOGGED)") == true)
        #expect(warnings["trades"]?.first?.hasSuffix("(CREATE INDEX ON public.trades (symbol, time))") == true)
        #expect(changes.allSatisfy { !$0.stopsUpload })
        for sql in ["ALTER TABLE public.quotes SET LOGGED", "CREATE INDEX ON public.trades (symbol, time)"] {
            try sandbox.run(sql)
        }
        #expect(try await UpstreamSchema.check(sandbox.configuration()).allSatisfy { $0.state == .present })
    }

    @Test func `rows are looked up by a list that the table keeps as json, too`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: "ALTER TABLE luld ALTER indicators TYPE json USING indicators::json")
        let uploader = try sandbox.uploader()
        let rows = BufferedBatch(EventStream.luld.fullAndBareEvents(), of: .luld)
        _ = try await uploader.upload(rows)
        #expect(try await uploader.lookUp(rows).present.count == rows.count)
    }

    @Test func `a plain table finds the rows of a day without reading all`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO trades (symbol, time, price, size)
                SELECT 'AAPL', timestamptz '2026-01-05 00:00+00' + n * interval '1 s', 1, 1
                FROM generate_series(1, 400000) n;
                VACUUM ANALYZE trades
                """)
        #expect(try sandbox.run("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%USING brin (%'") == "7")
        let hour = "time >= '2026-01-09' AND time < '2026-01-09 01:00'"
        let plan = try sandbox.run("EXPLAIN SELECT symbol FROM trades WHERE \(hour)")
        #expect(plan.contains("Bitmap Index Scan on trades_time"))
    }

    @Test func `rows are looked up in one reading of a table without an index to find them by`() async throws {
        let sandbox = try await Sandbox.migrated(then: "DROP INDEX trades_symbol_time")
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(300))
        await uploader.disconnect()
        // A session reports what it did when it ends.
        try await sandbox.waitForSessions(0)
        let scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'trades'"
        let before = try #require(Int(try sandbox.run(scans)))
        #expect(try await uploader.lookUp(trades(400)).present == Set(1...300))
        await uploader.disconnect()
        try await sandbox.waitForSessions(0)
        try await Waiting.until { Int(try sandbox.run(scans)) ?? 0 > before }
        #expect(try #require(Int(try sandbox.run(scans))) - before <= 4)
    }

    @Test(arguments: [(BarTimestamp.start, 0), (.end, 1)])
    func `bars of another writer tell under which moment they stand`(meaning: BarTimestamp, shift: Int) async throws {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE ohlcv_1min (symbol text, timestamp timestamptz, open numeric, high numeric, low numeric,
                close numeric, volume bigint, PRIMARY KEY (symbol, timestamp));
            INSERT INTO ohlcv_1min
            SELECT 'S' || s, (date '2026-06-01' + d + time '09:28' + (m + \(shift)) * interval '1 minute')
                AT TIME ZONE 'America/New_York', 1, 1, 1, 1, CASE WHEN m < 2 THEN 10 WHEN m = 2 THEN 5000 ELSE 900 END
            FROM generate_series(1, 4) s, generate_series(0, 3) d, generate_series(0, 20) m
            """)
        for setting in BarTimestamp.allCases {
            let configuration = try sandbox.configuration(barTimestamp: setting)
            let warnings = try await UpstreamSchema.check(configuration)[0].warnings
            #expect(warnings.count == (setting == meaning ? 0 : 1))
            #expect(warnings.allSatisfy { $0.contains("set BAR_TIMESTAMP=\(meaning.rawValue)") })
        }
        // Bars of our own collectors follow the collector's setting, so they are no evidence.
        try sandbox.run("ALTER TABLE ohlcv_1min ADD COLUMN collector text DEFAULT 'edge-2'")
        for setting in BarTimestamp.allCases {
            let configuration = try sandbox.configuration(barTimestamp: setting)
            #expect(try await UpstreamSchema.check(configuration)[0].warnings.isEmpty)
        }
    }

    @Test(
        arguments: [
            (4, 0, 0, 0, nil), (5, 0, 0, 0, .start), (1, 9, 0, 0, .end), (6, 4, 0, 9, nil), (0, 0, 3, 0, .start),
            (0, 2, 0, 3, .end), (0, 0, 3, 1, nil), (0, 0, 2, 0, nil),
        ] as [(Int, Int, Int, Int, BarTimestamp?)])
    func `only clear evidence counts`(start: Int, end: Int, four: Int, twenty: Int, meaning: BarTimestamp?) {
        let evidence = BarTimestampEvidence(startVotes: start, endVotes: end, atFour: four, atTwenty: twenty)
        #expect(evidence.meaning == meaning)
        #expect(evidence.warning(meaning ?? .start) == nil)
    }

    @Test func `groups take every type and no other`() async throws {
        let sandbox = try await Sandbox.migrated()
        for type in ["UNIVERSE", "ETF", "THEME", "SECTOR", "SEGMENT", "CUSTOM"] {
            try sandbox.run("INSERT INTO definition_groups (name, type) VALUES ('x', '\(type)')")
        }
        #expect(throws: PostgresCluster.Failure.self) {
            try sandbox.run("INSERT INTO definition_groups (name, type) VALUES ('x', 'OTHER')")
        }
    }

    @Test(.enabled(if: PostgresCluster.offersTimescale, "TimescaleDB is not installed on this machine"))
    func `with TimescaleDB the tables are hypertables`() async throws {
        let cluster = try PostgresCluster(settings: ["shared_preload_libraries": "timescaledb"])
        let sandbox = try Sandbox.empty(on: cluster)
        try sandbox.run("CREATE EXTENSION timescaledb")
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        #expect(
            try sandbox.run("SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1")
                == "fair_values\nimbalances\nluld\nohlcv_1min\nohlcv_1sec\nquotes\ntrades")
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch([bar(close: 1)]))
        _ = try await uploader.upload(batch([bar(close: 2)], from: 2))
        #expect(try sandbox.run("SELECT close FROM ohlcv_1min") == "2")
    }
}

import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Groups read from and written into a real database, in the variants that people have.
@Suite(.blocking, .timeLimit(.minutes(5))) struct UniverseSourceTests {
    private func read(_ sandbox: Sandbox) async throws -> UniverseSnapshot {
        try await UniverseSource(configuration: try sandbox.configuration()).read()
    }

    private func group(
        _ name: String, _ members: [MemberRecord], type: String = "UNIVERSE", environment: String = "DEFAULT",
        description: String? = nil, metadata: String? = nil
    ) -> GroupRecord {
        GroupRecord(
            identity: .init(name: name, type: type, environment: environment), description: description,
            metadata: metadata, members: members)
    }

    private func members(_ symbols: String...) -> [MemberRecord] { symbols.map { MemberRecord(symbol: $0) } }

    /// Without what the database sets by itself.
    private func plain(_ groups: [GroupRecord]) -> [GroupRecord] {
        groups.sorted { $0.identity < $1.identity }.map { group in
            var group = group
            (group.createdAt, group.updatedAt, group.lastUpdate) = (nil, nil, nil)
            for index in group.members.indices { group.members[index].createdAt = nil }
            return group
        }
    }

    private static let older = """
        CREATE TABLE definition_groups (
            id serial PRIMARY KEY, name varchar(40) NOT NULL,
            type varchar(20) NOT NULL CHECK (type IN ('ETF', 'THEME', 'SECTOR', 'SEGMENT', 'CUSTOM')),
            description text, metadata jsonb, environment varchar(10) DEFAULT 'DEFAULT',
            created_at timestamp DEFAULT now(), UNIQUE (name, type, environment));
        CREATE TABLE group_memberships (
            id serial PRIMARY KEY, group_id integer REFERENCES definition_groups (id), symbol varchar(20),
            weight numeric(8,4), metadata jsonb, UNIQUE (group_id, symbol));
        """

    @Test func `groups, members and settings come as they are, lists of stocks apart`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO definition_groups (name, type, description, metadata, liquidity_filter, environment, created_at)
                VALUES ('sp500', 'UNIVERSE', 'five "hundred"', '{"b":1,"a":2}', '{}', 'PROD', '2026-01-02 03:04:05.678+00'),
                    ('empty', 'ETF', NULL, NULL, NULL, 'DEFAULT', now());
                INSERT INTO group_memberships (group_id, symbol, weight) VALUES (1, 'MSFT', 6.5), (1, 'AAPL', NULL),
                    (1, 'BRK.B', 0.123456789012);
                INSERT INTO cache_entries (type, name, key, value) VALUES ('app_settings', 'ui', 'theme', '"dark"'),
                    ('stock_universe', 'x', 'index_sp500', '["AAPL"]');
                """)
        let snapshot = try await read(sandbox)
        let sp500 = try #require(snapshot.records.groups.first { $0.identity.name == "sp500" })
        #expect(sp500.identity == .init(name: "sp500", type: "UNIVERSE", environment: "PROD"))
        #expect(sp500.description == "five \"hundred\"")
        #expect(sp500.createdAt == 1_767_323_045_678)
        #expect(sp500.members.map(\.symbol) == ["AAPL", "BRK.B", "MSFT"])
        #expect(sp500.members.map(\.weight) == [nil, 0.123456789012, 6.5])
        #expect(snapshot.records.groups.count == 2)
        #expect(snapshot.records.entries.map(\.key) == ["theme"])
        #expect(snapshot.legacy.map(\.key) == ["index_sp500"])
        #expect(!snapshot.source.contains("password"))
        #expect(try await read(sandbox).records.checksum == snapshot.records.checksum)
        try sandbox.run("UPDATE group_memberships SET weight = 6.6 WHERE symbol = 'MSFT'")
        #expect(try await read(sandbox).records.checksum != snapshot.records.checksum)
    }

    @Test func `tables of the other variant are read, and a missing one is told or named`() async throws {
        let sandbox = try Sandbox.empty()
        let missing = await #expect(throws: UpstreamError.self) { try await read(sandbox) }
        #expect(missing?.reason == .schema && missing?.description.contains("definition_groups") == true)
        try sandbox.run(
            Self.older + """
                INSERT INTO definition_groups (name, type, metadata) VALUES ('tech', 'CUSTOM', '{"edgetick_type": "UNIVERSE"}'),
                    ('ai', 'THEME', NULL), ('mine', 'CUSTOM', '{"k": "v"}');
                INSERT INTO group_memberships (group_id, symbol, weight) VALUES (1, 'A', 1), (2, 'B', NULL);
                ALTER TABLE group_memberships DROP CONSTRAINT group_memberships_group_id_fkey;
                INSERT INTO group_memberships (group_id, symbol) VALUES (99, 'STRAY'), (1, NULL);
                """)
        let snapshot = try await read(sandbox)
        #expect(snapshot.records.groups.map(\.identity.type) == ["UNIVERSE", "THEME", "CUSTOM"])
        #expect(snapshot.records.groups.map(\.metadata) == [nil, nil, "{\"k\": \"v\"}"])
        #expect(snapshot.records.membershipCount == 2)
        #expect(snapshot.remarks.contains { $0.contains("cache_entries") })
        #expect(snapshot.remarks.contains { $0.contains("1 row belongs to no group") })
        #expect(snapshot.remarks.contains { $0.contains("1 row has no symbol") })
    }

    @Test func `a user without rights is told what to grant, in quotes where the name needs them`() async throws {
        let sandbox = try await Sandbox.migrated()
        let role = "Reader_\(sandbox.database)"
        try sandbox.run("CREATE ROLE \"\(role)\" LOGIN; GRANT SELECT ON definition_groups TO \"\(role)\"")
        let error = await #expect(throws: UpstreamError.self) {
            try await UniverseSource(configuration: try sandbox.configuration(user: role)).read()
        }
        #expect(error?.text.contains("GRANT SELECT ON public.group_memberships TO \"\(role)\"") == true)
    }

    @Test func `what is pushed is read back the same, and pushing it again changes nothing`() async throws {
        let groups = [
            group("sp500", members("AAPL", "BRK.B"), description: "it's \"big\" \\ n"),
            group(
                "SPY",
                [
                    .init(symbol: "AAPL", weight: 6.373806), .init(symbol: "O'X", weight: 0.1 + 0.2),
                    .init(symbol: "Z", metadata: "{\"industry\": \"Oil, Gas & \\\"Coal\\\"\"}"),
                ], type: "ETF", metadata: "{\"b\": 1, \"aa\": [1, 2]}"),
            group("sp500", members("MSFT"), environment: "PROD"), group("none", [], type: "THEME"),
        ]
        let sandbox = try await Sandbox.migrated()
        let push = UniversePush(configuration: try sandbox.configuration())
        let planned = try await push.plan(groups)
        #expect(planned.groups.map(\.action) == [.create, .create, .create, .create])
        #expect(try sandbox.run("SELECT count(*) FROM definition_groups") == "0")
        #expect(try await push.push(groups).groups.map(\.action) == planned.groups.map(\.action))
        #expect(plain(try await read(sandbox).records.groups) == plain(groups))
        #expect(try await push.push(groups).isEmpty)
        var reordered = groups
        reordered[1].metadata = "{\"aa\":[1,2.0],\"b\":1}"
        #expect(try await push.plan(reordered).isEmpty)
    }

    @Test func `a push without the rights to write says all that is to be granted, sequences too, and then works`()
        async throws
    {
        let sandbox = try await Sandbox.prepared(
            """
            CREATE TABLE definition_groups (id serial PRIMARY KEY, name text, type text, environment text,
                UNIQUE (name, type, environment));
            CREATE TABLE group_memberships (id bigserial PRIMARY KEY, group_id integer, symbol text, weight numeric,
                UNIQUE (group_id, symbol))
            """)
        let user = "pusher_\(sandbox.database)"
        try sandbox.run(
            "CREATE ROLE \(user) LOGIN; GRANT SELECT ON definition_groups, group_memberships, cache_entries TO \(user)")
        let push = UniversePush(configuration: try sandbox.configuration(user: user))
        let mine = [group("mine", members("AAPL", "IBM"))]
        #expect(try await push.plan(mine).groups.map(\.action) == [.create])
        let error = try #require(await #expect(throws: UpstreamError.self) { try await push.push(mine) })
        for part in [
            "INSERT, UPDATE ON public.definition_groups", "USAGE ON SEQUENCE public.definition_groups_id_seq",
            "INSERT, UPDATE, DELETE ON public.group_memberships", "USAGE ON SEQUENCE public.group_memberships_id_seq",
        ] {
            #expect(error.text.contains("GRANT \(part) TO \(user);"), "\(error.text)")
        }
        try sandbox.run(String(error.text.drop { $0 != ":" }.dropFirst()))
        #expect(try await push.push(mine).failed.isEmpty)
        #expect(try sandbox.run("SELECT count(*) FROM group_memberships") == "2")
    }

    @Test func `a moment without end is no reason to read no groups`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO definition_groups (name, type, created_at) VALUES ('mine', 'UNIVERSE', 'infinity');
                INSERT INTO group_memberships (group_id, symbol, created_at) VALUES (1, 'A', '-infinity')
                """)
        let group = try #require(try await read(sandbox).records.groups.first)
        #expect(group.createdAt == nil && group.updatedAt != nil)
        #expect(group.members.map(\.symbol) == ["A"] && group.members.first?.createdAt == nil)
    }

    @Test func `a push writes the difference, keeps what others wrote, and asks before it rewrites a group`()
        async throws
    {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO definition_groups (name, type, description) VALUES ('mine', 'UNIVERSE', 'd'), ('other', 'ETF', 'o');
                ALTER TABLE group_memberships ADD COLUMN note text;
                INSERT INTO group_memberships (group_id, symbol, weight, metadata, created_at, note)
                VALUES (1, 'A', 1, '{"k": "v"}', '2020-01-01', 'by hand'), (1, 'B', 2, NULL, now(), NULL),
                    (1, 'C', NULL, NULL, now(), NULL), (2, 'X', 1, NULL, now(), NULL);
                """)
        let push = UniversePush(configuration: try sandbox.configuration())
        let mine = group("mine", [.init(symbol: "A", weight: 1.5), .init(symbol: "B", weight: 2), .init(symbol: "C")])
        let plan = try await push.push([mine])
        #expect(plan.groups.first?.action == .update && plan.groups.first?.reweighted == ["A"])
        #expect(
            try sandbox.run("SELECT symbol, weight, metadata FROM group_memberships WHERE group_id = 1 ORDER BY 1")
                == "A|1.5|{\"k\": \"v\"}\nB|2|\nC||")
        #expect(
            try sandbox.run("SELECT created_at::date, note FROM group_memberships WHERE symbol = 'A'")
                == "2020-01-01|by hand")
        #expect(try sandbox.run("SELECT description FROM definition_groups ORDER BY id") == "d\no")
        let large = group("mine", members("A", "Y", "Z"))
        let error = await #expect(throws: UpstreamError.self) { try await push.push([large]) }
        #expect(error?.description.contains("--force") == true)
        #expect(try sandbox.run("SELECT count(*) FROM group_memberships WHERE group_id = 1") == "3")
        #expect(try await push.plan([large]).drastic.count == 1)
        _ = try await push.push([large], force: true)
        #expect(
            try sandbox.run("SELECT string_agg(symbol, '' ORDER BY symbol) FROM group_memberships WHERE group_id = 1")
                == "AYZ")
        #expect(try sandbox.run("SELECT count(*) FROM group_memberships WHERE group_id = 2") == "1")
    }

    @Test func `where the check has no UNIVERSE, universes are pushed as CUSTOM and come back as universes`()
        async throws
    {
        let sandbox = try Sandbox.empty()
        try sandbox.run(Self.older)
        let groups = [
            group("plain", members("A")), group("documented", members("B"), metadata: "{\"k\": \"v\", \"list\": [1]}"),
            group("E", [.init(symbol: "A", weight: 12.3456)], type: "ETF"), group("c", members("C"), type: "CUSTOM"),
        ]
        let push = UniversePush(configuration: try sandbox.configuration())
        #expect(try await push.push(groups).groups.map(\.writtenAs) == ["CUSTOM", "CUSTOM", nil, nil])
        #expect(
            try sandbox.run("SELECT name, type FROM definition_groups ORDER BY 1")
                == "E|ETF\nc|CUSTOM\ndocumented|CUSTOM\nplain|CUSTOM")
        #expect(plain(try await read(sandbox).records.groups) == plain(groups))
        #expect(try await push.push(groups).isEmpty)
        _ = try await push.push([group("documented", members("B", "D"))], force: true)
        #expect(
            try sandbox.run(
                "SELECT metadata->>'k', metadata->>'edgetick_type' FROM definition_groups WHERE name = 'documented'")
                == "v|UNIVERSE")
        let clash = try await push.plan([group("c", members("X"))])
        #expect(clash.failed.first?.failure?.contains("rename one of the two") == true)
    }

    @Test func `a group that the tables can't hold is named, and the others are written`() async throws {
        let sandbox = try Sandbox.empty()
        try sandbox.run(
            Self.older + """
                CREATE TABLE symbols (symbol varchar(20) PRIMARY KEY);
                INSERT INTO symbols VALUES ('A'), ('B'), ('THIS');
                ALTER TABLE group_memberships ADD FOREIGN KEY (symbol) REFERENCES symbols (symbol);
                ALTER TABLE group_memberships ADD CHECK (weight >= 0);
                """)
        let push = UniversePush(configuration: try sandbox.configuration())
        let groups = [
            group("long", members("THISSYMBOLISTOOLONGFORIT")), group("first", members("A")),
            group("unknown", members("A", "C", "D")), group("huge", [.init(symbol: "A", weight: 123_456)]),
            group("negative", [.init(symbol: "A", weight: -1), .init(symbol: "B", weight: 1)]),
            group("last", members("B")),
        ]
        let plan = try await push.plan(groups)
        #expect(plan.failed.map(\.identity.name) == ["long", "unknown", "huge"])
        #expect(try sandbox.run("SELECT count(*) FROM definition_groups") == "0")
        let done = try await push.push(groups)
        #expect(done.failed.map(\.identity.name) == ["long", "unknown", "huge", "negative"])
        for (name, words) in [
            ("long", "THISSYMBOLISTOOLONGFORIT"), ("unknown", "2 of its symbols are not in symbols"),
            ("unknown", "C, D"), ("huge", "numeric(8,4)"), ("negative", "23514"),
        ] {
            let failure = done.groups.first { $0.identity.name == name }?.failure
            #expect(failure?.contains(words) == true, "\(failure ?? "")")
        }
        #expect(try sandbox.run("SELECT name FROM definition_groups ORDER BY 1") == "first\nlast")
        #expect(try sandbox.run("SELECT count(*) FROM group_memberships") == "2")
        #expect(try await push.push(groups).groups.filter { $0.failure == nil }.allSatisfy { $0.action == .unchanged })
    }

    @Test(arguments: ["DELETE", "UPDATE", "INSERT"])
    func `members that a trigger keeps from being written are a failure, and the group stays as it was`(
        statement: String
    ) async throws {
        let sandbox = try await Sandbox.migrated()
        let push = UniversePush(configuration: try sandbox.configuration())
        let before = [("A", 1.5), ("B", 2.0), ("C", 3.0)].map { MemberRecord(symbol: $0.0, weight: $0.1) }
        #expect(try await push.push([group("mine", before)]).failed.isEmpty)
        let rows = "SELECT symbol, weight FROM group_memberships ORDER BY 1"
        let stored = try sandbox.run(rows)
        try sandbox.run(
            """
            CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER keep_out BEFORE \(statement) ON group_memberships FOR EACH ROW EXECUTE FUNCTION keep_out()
            """)
        var after = before
        after[0].weight = 4
        after[2] = MemberRecord(symbol: "NEW")
        let failed = try await push.push([group("mine", after)], force: true).failed
        #expect(
            failed.first?.failure?.hasPrefix("0 of 1 rows were written: a rule, trigger or policy is in the way")
                == true,
            "\(failed)")
        #expect(try sandbox.run(rows) == stored)
    }

    @Test(
        arguments: [
            ("numeric(5,4)", nil, 0, 0, true), ("numeric(5,4)", 0.2, 1, 0, true), ("numeric(5,4)", 5.79, 0, 0, false),
            ("numeric(8,4)", nil, 0, 0, false), ("numeric(8,4)", 0.2, 2, 0, true), ("numeric(8,4)", 20.65, 1, 1, false),
            ("numeric", nil, 0, 0, false), ("numeric", 0.9, 0, 0, false), ("double precision", 0.3, 3, 1, true),
        ] as [(String, Double?, Int, Int, Bool)])
    func `what a column of weights means, its weights and its width say`(
        type: String, largest: Double?, fractions: Int, percents: Int, isFraction: Bool
    ) {
        let column = WeightColumn(typeText: type, largest: largest, fractions: fractions, percents: percents)
        #expect(column.isFraction == isFraction)
    }

    @Test func `weights are written as the column takes them, and are the same again`() throws {
        let narrow = WeightColumn(typeText: "numeric(5,4)", largest: nil, fractions: 0, percents: 0)
        #expect(narrow.text(ofPercent: 20.653019) == "0.2065")
        #expect(narrow.percent("0.2065") == 20.65)
        #expect(narrow.isSame(20.65, 20.653019) && !narrow.isSame(20.65, 20.66))
        #expect(narrow.text(ofPercent: 999.99) == "9.9999" && narrow.text(ofPercent: 1000) == nil)
        #expect(narrow.text(ofPercent: -0.005) == "-0.0001" && narrow.text(ofPercent: .nan) == nil)
        let wide = WeightColumn(typeText: "numeric(8,4)", largest: nil, fractions: 0, percents: 0)
        #expect(wide.text(ofPercent: 6.373806) == "6.3738" && wide.percent("6.3738") == 6.3738)
        #expect(wide.isSame(6.3738, 6.373806) && wide.isSame(nil, nil) && !wide.isSame(nil, 1))
        #expect(wide.text(ofPercent: 12_345) == nil)
        let free = WeightColumn(typeText: "double precision", largest: 0.3, fractions: 3, percents: 0)
        #expect(free.text(ofPercent: 20.653019) == "0.20653019" && free.percent("0.20653019") == 20.653019)
        #expect(free.text(ofPercent: 1e-7).flatMap { Double($0) } == 1e-9)
    }

    @Test func `a table of fractions is read as percent and written as fractions, to the column's digits`()
        async throws
    {
        let sandbox = try Sandbox.empty()
        try sandbox.run(
            Self.older.replacing("numeric(8,4)", with: "numeric(5,4)").replacing("('ETF',", with: "('UNIVERSE', 'ETF',")
        )
        let fund = group(
            "QQQ", [.init(symbol: "A", weight: 20.653019), .init(symbol: "B", weight: 79.346981)], type: "ETF")
        let push = UniversePush(configuration: try sandbox.configuration())
        #expect(try await push.push([fund]).failed.isEmpty)
        #expect(try sandbox.run("SELECT weight FROM group_memberships ORDER BY 1") == "0.2065\n0.7935")
        #expect(try await push.push([fund]).isEmpty)
        let read = try await read(sandbox).records.groups
        #expect(read.flatMap(\.members).map(\.weight) == [20.65, 79.35])
        #expect(try await push.push(read).isEmpty)
    }

    @Test(
        arguments: [
            ("{\"edgetick_type\": \"UNIVERSE\"}", nil), ("{\"edgetick_type\":\"ETF\",\"a\":1}", "{\"a\":1}"),
            ("{\"a\": 1, \"edgetick_type\": \"ETF\"}", "{\"a\": 1}"),
            ("{\"a\": 1, \"edgetick_type\": \"ETF\", \"b\": 2}", "{\"a\": 1, \"b\": 2}"),
            ("{\"edgetick_type\": \"NONSENSE\"}", "{\"edgetick_type\": \"NONSENSE\"}"), ("[]", "[]"),
            ("{\"edgetick_type\": 3}", "{\"edgetick_type\": 3}"),
        ] as [(String, String?)])
    func `a type's mark is taken out of a document and leaves the rest as it was`(document: String, rest: String?) {
        #expect(TypeMark.stripped(document) == rest)
        if let rest, rest.hasPrefix("{\"a") {
            #expect(TypeMark.stripped(TypeMark.marked(rest, "UNIVERSE")) == rest)
            #expect(TypeMark.type(in: TypeMark.marked(rest, "UNIVERSE")) == "UNIVERSE")
        }
    }

    @Test func `a connection that is cut in the middle is an error, and half a snapshot is never given`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO definition_groups (name, type) VALUES ('big', 'CUSTOM');
                INSERT INTO group_memberships (group_id, symbol) SELECT 1, 'S' || n FROM generate_series(1, 50000) n;
                """)
        let source = UniverseSource(configuration: try sandbox.configuration())
        let error = await #expect(throws: UpstreamError.self) {
            try await source.read { done, total in
                #expect(total == 50_000)
                if done == 20_000 { _ = try? sandbox.cluster.endSessions(of: sandbox.database) }
            }
        }
        #expect(error?.isRetryable == true, "\(String(describing: error))")
        #expect(try await source.read().records.membershipCount == 50_000)
    }

    @Test func `members that take more memory than a mirror may are refused, with what to do`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO definition_groups (name, type) VALUES ('big', 'CUSTOM');
                INSERT INTO group_memberships (group_id, symbol, metadata)
                SELECT 1, 'S' || n, to_jsonb(repeat('x', 30000)) FROM generate_series(1, 10000) n;
                """)
        let source = UniverseSource(configuration: try sandbox.configuration())
        let error = await #expect(throws: UpstreamError.self) { try await source.read() }
        #expect(error?.reason == .data)
        #expect(error?.description.contains("256 MiB") == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ("definition_groups", "(name, type, metadata) SELECT 'g' || n, 'CUSTOM',"),
        ("cache_entries", "(type, name, key, value) SELECT 'stock_universe', 'n', n,"),
    ])
    func `documents that take more memory than a mirror may are refused, and legacy lists that nobody asks for left`(
        table: String, columns: String
    ) async throws {
        let sandbox = try await Sandbox.migrated(
            then: "INSERT INTO \(table) \(columns) to_jsonb(repeat('x', 30000)) FROM generate_series(1, 10000) n")
        let source = UniverseSource(configuration: try sandbox.configuration())
        let error = await #expect(throws: UpstreamError.self) { try await source.read() }
        #expect(error?.reason == .data)
        #expect(
            error?.description.contains("together take more than the 256 MiB of memory that a mirror may take") == true,
            "\(String(describing: error))")
        #expect(error?.description.contains(table) == true)
        guard table == "cache_entries" else { return }
        let snapshot = try await source.read(withLegacy: false)
        #expect(snapshot.legacy.isEmpty && snapshot.legacyCount == 10_000 && snapshot.records.entries.isEmpty)
    }

    @Test func `a reading that is no longer wanted ends at once, also when the server hangs`() async throws {
        let sandbox = try await Sandbox.migrated()
        let proxy = try TCPProxy(to: sandbox.cluster.port)
        let source = UniverseSource(configuration: try sandbox.configuration(port: proxy.port))
        _ = try await source.read()
        proxy.set(.blackhole)
        let reading = Task { try await source.read() }
        reading.cancel()
        // Without the cancellation it would be the connection's deadline.
        let error = await #expect(throws: UpstreamError.self) { try await reading.value }
        #expect(error?.reason == .cancelled)
        proxy.set(.pass)
        _ = try await source.read()
    }

    @Test func `a snapshot is one state, whatever is written meanwhile`() async throws {
        let sandbox = try await Sandbox.migrated(
            then: """
                INSERT INTO definition_groups (name, type) VALUES ('a', 'UNIVERSE'), ('b', 'UNIVERSE');
                INSERT INTO group_memberships (group_id, symbol) SELECT g, 'S0' FROM generate_series(1, 2) g;
                """)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                for number in 1...15 { try sandbox.run("UPDATE group_memberships SET symbol = 'S\(number)'") }
            }
            tasks.addTask {
                for _ in 0..<15 {
                    let groups = try await read(sandbox).records.groups
                    #expect(Set(groups.map { $0.members.map(\.symbol) }).count == 1)
                }
            }
            try await tasks.waitForAll()
        }
    }
}

extension PushPlan {
    /// Whether nothing has to be written.
    fileprivate var isEmpty: Bool { groups.allSatisfy { $0.action == .unchanged && $0.failure == nil } }
}

import Foundation
import TestSupport
import Testing

/// A database whose tables another platform had made before EdgeTick was installed.
@Suite(.timeLimit(.minutes(10))) struct PlatformTablesTests {
    /// The tables: symbols in a table that others reference, short texts, weights as fractions, no group type UNIVERSE.
    private static let tables = """
        CREATE TABLE symbols (symbol varchar(10) PRIMARY KEY, name text);
        INSERT INTO symbols VALUES ('AAPL', 'a'), ('MSFT', 'b'), ('NVDA', 'c'), ('BRK.B', 'd'), ('BRK-B', 'e');
        CREATE TABLE definition_groups (
            id serial PRIMARY KEY, name varchar(100) NOT NULL,
            type varchar(20) NOT NULL CHECK (type IN ('ETF', 'THEME', 'SECTOR', 'SEGMENT', 'CUSTOM')),
            description text, metadata jsonb, liquidity_filter jsonb, environment varchar(10) DEFAULT 'DEFAULT',
            created_at timestamp DEFAULT now(), updated_at timestamp DEFAULT now(), last_update timestamp,
            UNIQUE (name, type, environment));
        CREATE TABLE group_memberships (
            id serial PRIMARY KEY, group_id integer NOT NULL REFERENCES definition_groups (id) ON DELETE CASCADE,
            symbol varchar(10) NOT NULL REFERENCES symbols (symbol), weight numeric(5,4), metadata jsonb,
            created_at timestamp DEFAULT now(), UNIQUE (group_id, symbol));
        CREATE TABLE ohlcv_1min (
            symbol varchar(10) NOT NULL REFERENCES symbols (symbol), timestamp timestamptz NOT NULL,
            open numeric(12,4), high numeric(12,4), low numeric(12,4), close numeric(12,4), volume bigint,
            PRIMARY KEY (symbol, timestamp));
        INSERT INTO definition_groups (name, type) VALUES ('EXF', 'ETF');
        INSERT INTO group_memberships (group_id, symbol, weight)
        VALUES (1, 'AAPL', 0.6), (1, 'MSFT', 0.3), (1, 'BRK-B', 0.1);
        """

    /// Returns the members of a group in the mirror, with their weights.
    private func members(_ box: Box, _ group: String) async throws -> [String] {
        let query = """
            SELECT symbol || ' ' || m.weight FROM group_memberships m JOIN definition_groups g ON g.id = m.group_id
            WHERE g.name = '\(group)' ORDER BY symbol
            """
        let process = try ChildProcess(
            "/usr/bin/sqlite3", ["-readonly", box.workspace.file("data/universe.sqlite"), query])
        let status = try await process.exit()
        try #require(status == 0, "\(process.output)")
        return process.output
    }

    @Test func `pull, run, upload and push work on them, and a second box pulls what the first pushed`() async throws {
        let database = try Database(in: .shared())
        _ = try database.value(Self.tables + "SELECT 1")
        let feed = try await SimulatedFeed(
            captures: [Places.repository + "/Fixtures/captures/demo.ndjson"],
            options: ["--speed", "flat-out", "--exit-when-done"])
        let key = ["SYMBOL_UNIVERSE_KEY": "EXF", "SYMBOLS": ""]
        let first = try Box(feed: feed.url, events: "AM", database: database.uri, more: key)
        let migrated = try await first.edgetick("migrate")
        try #require(migrated.0 == 0, "\(migrated.1)")
        let pulled = try await first.edgetick("universe", "pull")
        #expect(pulled.0 == 0, "\(pulled.1)")
        #expect(pulled.1.contains { $0.contains("\"BRK-B\" is read as BRK.B") }, "\(pulled.1)")
        #expect(try await members(first, "EXF") == ["AAPL 60.0", "BRK.B 10.0", "MSFT 30.0"])

        let collector = try first.start("run")
        #expect(try await feed.sent(within: .seconds(100)) > 0)
        try await collector.stop()
        let synced = try await first.edgetick("sync")
        #expect(synced.0 == 0, "\(synced.1)")
        let bars = try await first.sqlite("SELECT count(DISTINCT symbol || start_ms) FROM bars WHERE interval_s = 60")
        #expect(bars.first != "0")
        #expect([try database.value("SELECT count(*) FROM ohlcv_1min")] == bars)
        #expect(try database.value("SELECT string_agg(DISTINCT symbol, ',') FROM ohlcv_1min") == "AAPL,BRK.B,MSFT")

        let mine = try first.workspace.write(
            "symbol,weight\nAAPL,20.653019\nMSFT,70.123456\nNVDA,9.223525\n", to: "mine.csv")
        let ghosts = try first.workspace.write("symbol\nAAPL\nGHOST\nSPOOK\n", to: "ghosts.csv")
        let long = try first.workspace.write("symbol\nABCDE.WS.ABC\nAAPL\n", to: "long.csv")
        #expect(try await first.edgetick("universe", "import", mine, ghosts, long).0 == 0)
        let pushed = try await first.edgetick("universe", "push")
        #expect(pushed.0 == 65, "\(pushed.1)")
        for words in [
            ["FAILED", "ghosts", "2 of its symbols are not in symbols", "GHOST, SPOOK"],
            ["FAILED", "long", "ABCDE.WS.ABC", "holds only 10"], ["create", "mine", "written as CUSTOM"],
            ["1 of 3 groups written"], ["takes no UNIVERSE", "don't find"],
        ] {
            #expect(pushed.1.contains { line in words.allSatisfy(line.contains) }, "\(words): \(pushed.1)")
        }
        #expect(
            try database.value(
                "SELECT string_agg(weight::text, ' ' ORDER BY symbol) FROM group_memberships WHERE group_id = 2")
                == "0.2065 0.7012 0.0922")
        let again = try await first.edgetick("universe", "push", "mine")
        #expect(again.0 == 0 && again.1.contains { $0.hasPrefix("0 of 1") }, "\(again.1)")

        let second = try Box(feed: feed.url, events: "AM", database: database.uri, more: key)
        #expect(try await second.edgetick("universe", "pull").0 == 0)
        #expect(try await members(second, "mine") == ["AAPL 20.65", "MSFT 70.12", "NVDA 9.22"])
        let resolved = try await second.edgetick("universe", "resolve", "mine:EXF")
        #expect(Set(resolved.1).isSuperset(of: ["AAPL", "BRK.B", "MSFT", "NVDA"]), "\(resolved.1)")
        let unchanged = try await second.edgetick("universe", "pull")
        #expect(unchanged.1.contains { $0.hasPrefix("unchanged") }, "\(unchanged.1)")
    }

    @Test func `an import over the database's group is undone, and a local one is removed`() async throws {
        let database = try Database(in: .shared())
        let box = try Box(feed: "ws://127.0.0.1:9/stocks", database: database.uri)
        #expect(try await box.edgetick("migrate").0 == 0)
        _ = try database.value(
            """
            INSERT INTO definition_groups (name, type) VALUES ('tech', 'UNIVERSE');
            INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'AAPL'), (1, 'MSFT'); SELECT 1
            """)
        #expect(try await box.edgetick("universe", "pull").0 == 0)
        func symbols() async throws -> [String] {
            try await box.edgetick("universe", "resolve", "tech").1.filter { !$0.contains("(") }
        }
        let wrong = try box.workspace.write("IBM\nGE\n", to: "tech.csv")
        let advice = "edgetick universe give-back tech"
        let imported = try await box.edgetick("universe", "import", wrong, "--force")
        #expect(imported.0 == 0 && imported.1.contains { $0.contains(advice) }, "\(imported.1)")
        let hidden = try await box.edgetick("universe", "pull")
        #expect(hidden.1.contains { $0.contains("hides the database's") && $0.contains(advice) }, "\(hidden.1)")
        #expect(try await symbols() == ["GE", "IBM"])
        let given = try await box.edgetick("universe", "give-back", "tech")
        #expect(given.0 == 0 && given.1.contains { $0.contains("+2 -2") }, "\(given.1)")
        #expect(try await symbols() == ["AAPL", "MSFT"])

        #expect(try await box.edgetick("universe", "import", wrong, "--force").0 == 0)
        let apart = ["DATABASE_URI": "postgresql://user@127.0.0.1:9/market"]
        let later = try await box.edgetick("universe", "give-back", "tech", environment: apart)
        #expect(later.0 != 0 && later.1.contains { $0.contains("until the next pull works") }, "\(later.1)")
        #expect(try await box.edgetick("universe", "pull").0 == 0)
        #expect(try await symbols() == ["AAPL", "MSFT"])

        let own = try box.workspace.write("IBM\n", to: "own.csv")
        let new = try await box.edgetick("universe", "import", own)
        #expect(new.1.contains { $0.contains("undo: edgetick universe remove own") }, "\(new.1)")
        for (arguments, words) in [
            (["give-back", "tech"], "database's already"), (["give-back", "own"], "the database has no"),
            (["remove", "tech"], "remove it there"), (["remove", "nothing"], "there is no group"),
        ] {
            let (status, output) = try await box.edgetick("universe", arguments[0], arguments[1])
            #expect(status == 65 && output.contains { $0.contains(words) }, "\(output)")
        }
        let removed = try await box.edgetick("universe", "remove", "own")
        #expect(removed.0 == 0 && removed.1.contains { $0.contains("removed UNIVERSE own") }, "\(removed.1)")
        #expect(try await box.edgetick("universe", "resolve", "own").0 == 78)
    }
}

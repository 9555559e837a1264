import Foundation
import Synchronization
import TestSupport
import Testing
import WebAPISupport

/// The commands about universes, run as their users do.
@Suite(.timeLimit(.minutes(5))) struct UniverseCommandTests {
    private static let feed = "ws://127.0.0.1:9/stocks"

    /// Returns the symbols to which a key resolves.
    private func symbols(_ box: Box, _ key: String) async throws -> [String] {
        let (status, output) = try await box.edgetick("universe", "resolve", key, "--json")
        try #require(status == 0, "\(output)")
        struct Answer: Decodable { var symbols: [String] }
        // Both outputs are combined, so messages may precede or follow the document.
        let text = try #require(output.first { $0.hasPrefix("{") }, "\(output)")
        return try JSONDecoder().decode(Answer.self, from: Data(text.utf8)).symbols
    }

    /// Returns a mirror's groups and members, without what differs between boxes: dates, origins, files.
    private func groups(_ box: Box) async throws -> [String: [String: Double?]] {
        let file = box.workspace.file("export-\(UUID().uuidString).json")
        let (status, output) = try await box.edgetick("universe", "export", "--output", file)
        try #require(status == 0, "\(output)")
        struct Member: Decodable {
            var symbol: String
            var weight: Double?
            var metadata: String?
        }
        struct Group: Decodable {
            var name: String
            var type: String
            var environment: String
            var members: [Member]
        }
        struct Backup: Decodable { var groups: [Group] }
        let backup = try JSONDecoder().decode(Backup.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
        var groups: [String: [String: Double?]] = [:]
        for group in backup.groups {
            groups["\(group.type) \(group.name) \(group.environment)"] =
                Dictionary(uniqueKeysWithValues: group.members.map { ("\($0.symbol) \($0.metadata ?? "")", $0.weight) })
        }
        return groups
    }

    /// Imports, pushes, pulls into a second box, and compares both boxes' exports.
    private func roundTrip(_ files: [String], counts: [(key: String, count: Int)]) async throws {
        let database = try Database(in: .shared())
        let first = try Box(feed: Self.feed, database: database.uri)
        let second = try Box(feed: Self.feed, database: database.uri)
        #expect(try await first.edgetick("migrate").0 == 0)
        for file in files {
            let (status, output) = try await first.edgetick("universe", "import", file, "--sectors")
            try #require(status == 0, "\(output)")
        }
        let plan = try await first.edgetick("universe", "push", "--dry-run")
        #expect(plan.0 == 0, "\(plan.1)")
        #expect(try database.value("select count(*) from definition_groups") == "0")
        let pushed = try await first.edgetick("universe", "push")
        #expect(pushed.0 == 0, "\(pushed.1)")
        let again = try await first.edgetick("universe", "push", "--hand-over")
        #expect(again.1.contains { $0.hasPrefix("0 of") }, "\(again.1)")
        for box in [second, first] {
            let (status, output) = try await box.edgetick("universe", "pull")
            try #require(status == 0, "\(output)")
        }
        let unchanged = try await second.edgetick("universe", "pull")
        #expect(unchanged.0 == 0 && unchanged.1.contains { $0.hasPrefix("unchanged") }, "\(unchanged.1)")
        let expected = try await groups(first)
        #expect(try await groups(second) == expected)
        for (key, count) in counts {
            let found = try await symbols(second, key)
            #expect(found.count == count, "\(key)")
            #expect(found == found.sorted() && Set(found).count == found.count)
            #expect(try await symbols(first, key) == found)
        }
    }

    @Test(
        .enabled(if: Places.sharedData("universes/sp500.csv") != nil, "the sample universes are not beside the package")
    )
    func `the sample universes go through import, push, pull and export unchanged`() async throws {
        let files = ["sp500", "nasdaq100", "dow30", "spy_holdings", "qqq_holdings"].compactMap {
            Places.sharedData("universes/\($0).csv")
        }
        try await roundTrip(
            files,
            counts: [
                ("sp500", 503), ("nasdaq100", 101), ("dow30", 30), ("sp500:nasdaq100", 516), ("SPY:nasdaq100", 536),
            ])
    }

    @Test func `bundled universes go through import, push, pull and export unchanged`() async throws {
        let files = try Workspace()
        let sectors = try files.write(
            "symbol,name,sector,industry\nXOM,x,Energy,\"Oil, Gas\"\nAAPL,a,Tech,Phones\nBRK/B,b,Tech,\n", to: "u.csv")
        try await roundTrip(
            [sectors, Places.repository + "/Fixtures/universes/demo_fund.csv"], counts: [("u", 3)])
    }

    @Test func `a pull from a database that has lost its groups is refused, and what is here stays`() async throws {
        let database = try Database(in: .shared())
        let box = try Box(feed: Self.feed, database: database.uri)
        #expect(try await box.edgetick("migrate").0 == 0)
        let list = try box.workspace.write("symbol\nAAPL\nMSFT\n", to: "u.csv")
        #expect(try await box.edgetick("universe", "import", list).0 == 0)
        #expect(try await box.edgetick("universe", "push", "--hand-over").0 == 0)
        #expect(try await box.edgetick("universe", "pull").0 == 0)
        _ = try database.value("truncate definition_groups cascade; select 1")
        let refused = try await box.edgetick("universe", "pull")
        #expect(refused.0 == 65, "\(refused.1)")
        #expect(refused.1.contains { $0.contains("it would be emptied") && $0.contains("--force") }, "\(refused.1)")
        #expect(refused.1.contains { $0.contains("the mirror stays in use as it is") }, "\(refused.1)")
        #expect(try await symbols(box, "u") == ["AAPL", "MSFT"])
        _ = try database.value("drop table group_memberships; select 1")
        let broken = try await box.edgetick("universe", "pull", "--force")
        #expect(broken.0 == 78 && broken.1.contains { $0.contains("group_memberships") }, "\(broken.1)")
        #expect(try await symbols(box, "u") == ["AAPL", "MSFT"])
    }

    @Test func `a dry run of a push asks for --force only where it is missing`() async throws {
        let database = try Database(in: .shared())
        let box = try Box(feed: Self.feed, database: database.uri)
        #expect(try await box.edgetick("migrate").0 == 0)
        let list = try box.workspace.write("symbol\nAAPL\nMSFT\n", to: "u.csv")
        #expect(try await box.edgetick("universe", "import", list).0 == 0)
        #expect(try await box.edgetick("universe", "push").0 == 0)
        _ = try box.workspace.write("symbol\nIBM\nXOM\n", to: "u.csv")
        #expect(try await box.edgetick("universe", "import", list, "--force").0 == 0)
        let words = "would change by more than half: that needs --force"
        let asked = try await box.edgetick("universe", "push", "--dry-run")
        #expect(asked.0 == 0 && asked.1.contains { $0.contains(words) }, "\(asked.1)")
        let forced = try await box.edgetick("universe", "push", "--dry-run", "--force")
        #expect(forced.0 == 0 && !forced.1.contains { $0.contains(words) }, "\(forced.1)")
    }

    @Test func `resolving and listing never look at the database, not even at one that never answers`() async throws {
        let listener = try CountingListener()
        let box = try Box(
            feed: Self.feed, database: "postgresql://user@127.0.0.1:\(listener.port)/market")
        let list = try box.workspace.write("symbol\nAAPL\nMSFT\n", to: "nasdaq100.csv")
        for command in [
            ["import", list], ["list"], ["show", "nasdaq100"], ["resolve", "nasdaq100"], ["validate"], ["report"],
            ["export"],
        ] {
            let process = try box.start(["universe"] + command)
            #expect(try await process.exit(within: .seconds(60)) == 0, "\(command): \(process.output)")
        }
        #expect(listener.connections == 0)
        let pull = try await box.edgetick("universe", "pull", environment: ["SYNC_STATEMENT_TIMEOUT": "1"])
        #expect(pull.0 == 69, "\(pull.1)")
        #expect(pull.1.contains { $0.contains("the mirror stays as it is") }, "\(pull.1)")
        try await Waiting.until("the pull's connection") { listener.connections > 0 }
    }

    @Test func `a collector starts and collects while the database never answers`() async throws {
        let listener = try CountingListener()
        let feed = try await SimulatedMarket(symbols: "AAPL,MSFT", key: "integration-test-key")
        let box = try Box(
            feed: feed.url, events: "A", database: "postgresql://user@127.0.0.1:\(listener.port)/market",
            more: ["SYMBOLS": "", "SYMBOL_UNIVERSE_KEY": "u"])
        let list = try box.workspace.write("symbol\nAAPL\nMSFT\n", to: "u.csv")
        #expect(try await box.edgetick("universe", "import", list).0 == 0)
        let collector = try box.start("run")
        try await Waiting.until(within: .seconds(60)) {
            (try? await box.sqlite("select count(distinct symbol) from bars")) == ["2"]
        }
        try await collector.stop()
    }

    @Test func `a running collector tells over HTTP what it knows of universes, and that the pull fails`() async throws
    {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(
            feed: market.url, settings: ["DATABASE_URI": "postgresql://user@127.0.0.1:9/market"])
        let list = try Workspace()
        #expect(try await box.run("universe", "import", try list.write("AAPL\nMSFT\n", to: "u.csv")).status == 0)
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        let ready = try await http.until("/health/ready") { $0.level(of: "universes") == "degraded" }
        #expect(ready.detail(of: "universes")?.contains("never pulled") == true, "\(ready.text)")
        for _ in 0..<3 {
            // A file that doesn't answer within three seconds is a 503.
            let answer = try await http.until("/api/universes/u") { $0.status != 503 }.json
            #expect(answer["count"] as? Int == 2 || (answer["symbols"] as? [String])?.count == 2, "\(answer)")
        }
        try await http.until("/metrics") {
            let hits = $0.text.firstMatch(of: /\nedgetick_cache_hits_total ([0-9]+)\n/).flatMap { Int($0.1) }
            return $0.text.contains("edgetick_universes_pull_failing 1") && hits ?? 0 >= 2
        }
        #expect(
            try await box.run("universe", "import", try list.write("AAPL\nMSFT\nIBM\n", to: "u.csv")).status == 0)
        try await http.until("/api/universes/u") { $0.text.contains("IBM") }
        let unknown = try await http.send("GET", "/api/universes/uu")
        #expect(unknown.status == 404, "\(unknown.text)")
        try await collector.stop()
    }

    @Test func `an import and a changed .env reach a running collector without a new connection`() async throws {
        let feed = try await SimulatedMarket(symbols: "AAPL,MSFT,IBM,XOM", key: "integration-test-key")
        let box = try Box(feed: feed.url, events: "A", more: ["SYMBOLS": ""])
        _ = try box.workspace.write("symbol\nAAPL\nMSFT\n", to: "a.csv")
        _ = try box.workspace.write("symbol\nMSFT\nIBM\n", to: "b.csv")
        _ = try box.workspace.write("SYMBOL_UNIVERSE_KEY=a\n", to: ".env")
        #expect(try await box.edgetick("universe", "import", "a.csv", "b.csv").0 == 0)
        let collector = try box.start("run")
        try await collector.line(containing: "feed connected", within: .seconds(60))
        _ = try box.workspace.write("SYMBOL_UNIVERSE_KEY=b\n", to: ".env")
        collector.send(SIGHUP)
        try await collector.line(containing: "the settings name other symbols", within: .seconds(60))
        _ = try box.workspace.write("symbol\nMSFT\nIBM\nXOM\n", to: "b.csv")
        #expect(try await box.edgetick("universe", "import", "b.csv").0 == 0)
        let line = try await collector.line(containing: "the universes have changed", within: .seconds(60))
        #expect(line.contains("added=1") && line.contains("removed=0") && line.contains("+XOM"))
        try await Waiting.until(within: .seconds(60)) {
            (try? await box.sqlite("select count(*) > 0 from bars where symbol = 'XOM'")) == ["1"]
        }
        _ = try box.workspace.write("SYMBOL_UNIVERSE_KEY=b\nBUFFER_SYNCHRONOUS=maybe\n", to: ".env")
        collector.send(SIGHUP)
        try await collector.line(containing: "the current ones stay in effect", within: .seconds(60))
        try FileManager.default.removeItem(atPath: box.workspace.file(".env"))
        collector.send(SIGHUP)
        try await collector.line(containing: "is gone or sets nothing", within: .seconds(60))
        try await collector.stop()
        #expect(collector.output.count { $0.contains("feed connected") } == 1, "\(collector.output)")
        // A pause of the machine makes a gap of its own, and is noted.
        let pauses = "cause in ('paused', 'stalled') and exists (select 1 from incidents where what = 'suspended')"
        #expect(try await box.sqlite("select count(*) from gaps where not (\(pauses))") == ["0"])
    }

    /// A start may wait for files and the database for minutes.
    @Test func `a SIGHUP during the start takes effect after it`() async throws {
        let feed = try await SimulatedMarket(symbols: "AAPL,MSFT", key: "integration-test-key")
        let database = try LoopbackListener()
        let asked = Atomic(false)
        let box = try Box(
            feed: feed.url, events: "A", database: "postgres://edge@127.0.0.1:\(database.port)/market",
            more: ["SYMBOLS": "", "SHARD": "auto", "COLLECTOR_GROUP": "nyc"])
        _ = try box.workspace.write("symbol\nAAPL\n", to: "a.csv")
        _ = try box.workspace.write("symbol\nMSFT\n", to: "b.csv")
        #expect(try await box.edgetick("universe", "import", "a.csv", "b.csv").0 == 0)
        _ = try box.workspace.write("SYMBOL_UNIVERSE_KEY=a\n", to: ".env")
        // The start asks for the other boxes. The connection is accepted and never answered.
        database.accept { _ in asked.store(true, ordering: .relaxed) }
        let collector = try box.start("run")
        try await Waiting.until(within: .seconds(60)) { asked.load(ordering: .relaxed) }
        _ = try box.workspace.write("SYMBOL_UNIVERSE_KEY=b\n", to: ".env")
        collector.send(SIGHUP)
        #expect(!collector.output.contains { $0.contains("edgetick: collecting") }, "\(collector.output)")
        try await collector.line(containing: "the settings name other symbols", within: .seconds(60))
        // The line whose absence shows above that the start was not over.
        #expect(collector.output.contains { $0.contains("edgetick: collecting") }, "\(collector.output)")
        try await collector.stop()
    }

    @Test func `old lists become groups, and asking for them names the command to use`() async throws {
        let database = try Database(in: .shared())
        let box = try Box(feed: Self.feed, database: database.uri)
        #expect(try await box.edgetick("migrate").0 == 0)
        _ = try database.value(
            """
            insert into cache_entries (type, name, key, value) values
                ('stock_universe', '', 'index_mini', '["AAPL", {"ticker": "BRK/B"}]'),
                ('stock_universe', '', 'index_bad', '{"x": 1}'),
                ('app_settings', 'ui', 'theme', '"dark"') returning 1
            """)
        let first = try await box.edgetick("universe", "migrate-legacy")
        #expect(first.0 == 65, "\(first.1)")
        #expect(first.1.contains { $0.contains("index_bad") && $0.contains("NOT READ") }, "\(first.1)")
        #expect(try await symbols(box, "mini") == ["AAPL", "BRK.B"])
        #expect(try await symbols(box, "index_mini") == ["AAPL", "BRK.B"])
        let second = try await box.edgetick("universe", "migrate-legacy")
        #expect(second.1.contains { $0.hasPrefix("0 groups") }, "\(second.1)")
        #expect(try await box.edgetick("universe", "pull").0 == 0)
        let theme = try await box.edgetick("settings", "get", "app_settings", "ui", "theme")
        #expect(theme.0 == 0 && theme.1 == ["\"dark\""], "\(theme.1)")
        let list = try await box.edgetick("settings", "list", "--json")
        #expect(list.0 == 0 && list.1.contains { $0.contains("app_settings") }, "\(list.1)")
        let old = try await box.edgetick("settings", "get", "stock_universe", "", "index_mini")
        #expect(old.0 == 0 && old.1.contains("AAPL"), "\(old.1)")
        #expect(old.1.contains { $0.contains("deprecated") && $0.contains("universe resolve index_mini") }, "\(old.1)")
        let none = try await box.edgetick("settings", "get", "app_settings", "uj")
        #expect(none.0 == 65 && none.1.contains { $0.contains("did you mean ui") }, "\(none.1)")
    }

    @Test func `a backup replaces a mirror that has something else only when forced`() async throws {
        let box = try Box(feed: Self.feed)
        let first = try box.workspace.write("symbol\nAAPL\n", to: "one.csv")
        let second = try box.workspace.write("symbol\nMSFT\n", to: "two.csv")
        let backup = box.workspace.file("backup.json")
        #expect(try await box.edgetick("universe", "import", first).0 == 0)
        #expect(try await box.edgetick("universe", "export", "--output", backup).0 == 0)
        #expect(try await box.edgetick("universe", "export", "--format", "csv", "--output", "csv").0 == 0)
        #expect(try await box.edgetick("universe", "import", second).0 == 0)
        let refused = try await box.edgetick("universe", "import", backup)
        #expect(refused.0 == 65 && refused.1.contains { $0.contains("--force") }, "\(refused.1)")
        let unused = try await box.edgetick("universe", "import", backup, "--force", "--sectors", "--name", "three")
        #expect(unused.0 == 64, "\(unused.1)")
        #expect(unused.1.contains { $0.contains("a backup can't be combined with --name or --sectors") }, "\(unused.1)")
        #expect(try await groups(box).count == 2)
        for source in [backup, "csv"] {
            #expect(try await box.edgetick("universe", "import", source, "--force").0 == 0)
            #expect(try await groups(box).keys.sorted() == ["UNIVERSE one DEFAULT"])
        }
    }

    @Test func `neither a dry run nor a pull that reaches no database makes a mirror`() async throws {
        let box = try Box(feed: Self.feed, database: "postgresql://user@127.0.0.1:9/market")
        let list = try box.workspace.write("symbol\nAAPL\n", to: "one.csv")
        let tried = try await box.edgetick("universe", "import", list, "--dry-run")
        #expect(tried.0 == 0 && tried.1.contains("  + AAPL"), "\(tried.1)")
        // What a crash leaves that came before the first table.
        _ = try box.workspace.write("", to: "universe.sqlite")
        let empty = try await box.edgetick(
            "universe", "import", list, "--dry-run", environment: ["EDGETICK_DATA_DIR": box.workspace.path])
        #expect(empty.0 == 0 && empty.1.contains("  + AAPL"), "\(empty.1)")
        let pulled = try await box.edgetick("universe", "pull")
        #expect(pulled.0 == 69, "\(pulled.1)")
        #expect(!FileManager.default.fileExists(atPath: box.workspace.file("data")))
        let words = "there was no universe.sqlite in \(box.workspace.file("data"))"
        for isFirst in [true, false] {
            let imported = try await box.edgetick("universe", "import", list)
            #expect(imported.0 == 0 && imported.1.contains { $0.contains(words) } == isFirst, "\(imported.1)")
        }
    }

    @Test func `a damaged mirror stops a command that changes groups, and is named by one that brings them`()
        async throws
    {
        let box = try Box(feed: Self.feed)
        let list = try box.workspace.write("symbol\nAAPL\n", to: "one.csv")
        let backup = box.workspace.file("backup.json")
        #expect(try await box.edgetick("universe", "import", list).0 == 0)
        #expect(try await box.edgetick("universe", "export", "--output", backup).0 == 0)
        _ = try box.workspace.write("no database", to: "data/universe.sqlite")
        let fixed = try await box.edgetick("universe", "validate", "--fix")
        #expect(fixed.0 == 65 && fixed.1.contains { $0.contains("is damaged") }, "\(fixed.1)")
        let tried = try await box.edgetick("universe", "import", backup, "--dry-run")
        #expect(tried.0 == 65 && tried.1.contains { $0.contains("is damaged") }, "\(tried.1)")
        let restored = try await box.edgetick("universe", "import", backup)
        #expect(restored.0 == 0, "\(restored.1)")
        let warning = "universe.sqlite was damaged and is kept as"
        #expect(restored.1.contains { $0.contains(warning) && $0.contains("universe-bad-") }, "\(restored.1)")
        #expect(try await groups(box).keys.sorted() == ["UNIVERSE one DEFAULT"])
    }

    @Test func `a list is read from a pipe, and what can't be read in a directory doesn't stop the rest`() async throws
    {
        let box = try Box(feed: Self.feed)
        let list = box.workspace.file("lists/a.csv")
        try FileManager.default.createDirectory(atPath: box.workspace.file("lists"), withIntermediateDirectories: true)
        try Data("symbol\nAAPL\nMSFT\n".utf8).write(to: URL(fileURLWithPath: list))
        try FileManager.default.createSymbolicLink(
            atPath: box.workspace.file("lists/gone.csv"), withDestinationPath: "nowhere")
        #expect(mkfifo(box.workspace.file("lists/pipe.csv"), 0o600) == 0)
        let (status, output) = try await box.edgetick("universe", "import", box.workspace.file("lists"))
        #expect(status == 65, "\(output)")
        #expect(output.contains { $0.hasPrefix("gone.csv, NOT IMPORTED") && $0.contains("No such file") }, "\(output)")
        #expect(!output.contains { $0.contains("pipe.csv") }, "\(output)")
        #expect(try await symbols(box, "a") == ["AAPL", "MSFT"])

        let pipe = box.workspace.file("lists/pipe.csv")
        let writer = try ChildProcess("/bin/sh", ["-c", "echo IBM > '\(pipe)'"])
        let piped = try await box.edgetick("universe", "import", pipe, "--name", "my list")
        #expect(piped.0 == 0 && piped.1.contains { $0.contains("universe remove 'my list'") }, "\(piped)")
        #expect(try await writer.exit(within: .seconds(60)) == 0)
        #expect(try await symbols(box, "my list") == ["IBM"])
        #expect(try await box.edgetick("universe", "import", list, "--name", ":").0 == 64)
    }

    @Test func `what is asked wrongly ends with the documented code and a line that says what to do`() async throws {
        let box = try Box(feed: Self.feed)
        let good = try box.workspace.write("symbol\nAAPL\nbad symbol here\nMSFT\n", to: "good.csv")
        let cases: [(arguments: [String], status: Int32, says: String)] = [
            (["show", "good"], 74, "universe import"), (["remove", "good"], 74, "universe import"),
            (["import"], 64, "name a file"), (["import", good, "--type", "INDEX"], 64, "UNIVERSE"),
            (["import", good, "--mode", "some"], 64, "incremental"),
            (["import", good, "--environment", "LIVE"], 64, "PROD"), (["import", "nowhere.csv"], 74, "nowhere.csv"),
            (["import", good, "--strict"], 65, "line 3"), (["import", good], 0, "2 symbols from the list good.csv"),
            (["import", good, "--sector-etfs"], 65, "no holdings of a sector ETF"),
            (["resolve", "goud"], 78, "good"), (["show", "goud"], 65, "did you mean good"),
            (["remove", "goud"], 65, "did you mean good"),
            (["export", "--format", "csv"], 64, "--output"), (["pull"], 78, "DATABASE_URI"),
            (["report", "--json", "--markdown"], 64, "combined with --json"), (["validate"], 0, "0 faults"),
        ]
        for (arguments, status, says) in cases {
            let process = try box.start(["universe"] + arguments)
            #expect(try await process.exit(within: .seconds(60)) == status, "\(arguments): \(process.output)")
            #expect(process.output.contains { $0.contains(says) }, "\(arguments): \(process.output)")
        }
    }

    @Test func `every command about universes and settings has an example in its help`() async throws {
        let box = try Box(feed: Self.feed)
        for command in [
            "universe", "universe list", "universe show", "universe resolve", "universe pull", "universe import",
            "universe export", "universe validate", "universe report", "universe push", "universe migrate-legacy",
            "universe remove", "universe give-back",
            "settings", "settings list", "settings get",
        ] {
            let process = try box.start(command.split(separator: " ").map(String.init) + ["--help"])
            #expect(try await process.exit() == 0)
            #expect(process.output.contains { $0.contains("Example") }, "\(command)")
        }
    }
}

extension Box {
    /// Like ``start(_:environment:)``, with the arguments as an array.
    fileprivate func start(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(Places.edgetick, arguments, environment: environment, directory: workspace.path)
    }
}

/// A port that accepts connections but never sends anything.
private final class CountingListener: Sendable {
    private let listener: LoopbackListener
    private let open = Mutex<[Int32]>([])

    init() throws {
        listener = try LoopbackListener()
        listener.accept { [weak self] client in
            if let self { self.open.withLock { $0.append(client) } } else { close(client) }
        }
    }

    var port: Int { listener.port }
    var connections: Int { open.withLock { $0.count } }

    deinit {
        for client in open.withLock({ $0 }) { close(client) }
    }
}

import Foundation
import TestSupport
import Testing
import WebAPISupport

/// Several real collectors on one real server.
@Suite(
    .blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct FleetTests {
    private let market: SimulatedMarket
    private let database: Database

    init() async throws {
        market = try await SimulatedMarket(symbols: Self.names.joined(separator: ","), rate: 2)
        database = try Database(in: PostgresCluster.shared())
    }

    private static let names = (10..<40).map { "S\($0)" }

    private func box(_ id: String, _ more: [String: String] = [:]) throws -> CollectorBox {
        try CollectorBox(
            feed: market.url,
            settings: [
                "COLLECTOR_ID": id, "DATABASE_URI": database.uri, "FEED_EVENTS": "AM", "BACKFILL_ENABLED": "false",
                "UNIVERSE_PULL_INTERVAL": "0",
                "SYMBOLS": Self.names.joined(separator: ","),
            ].merging(more) { $1 })
    }

    private func fleet(_ arguments: String...) async throws -> (status: Int32, output: [String]) {
        let process = try ChildProcess(
            Places.edgetick, ["fleet"] + arguments, environment: ["DATABASE_URI": database.uri])
        return (try await process.exit(), process.output)
    }

    private func boxes() async throws -> [[String: Any]] {
        let (status, output) = try await fleet("--json")
        guard status == 0 else { throw Failed(what: "edgetick fleet", output: output) }
        let json = try JSONSerialization.jsonObject(with: Data(output.joined(separator: "\n").utf8))
        return ((json as? [String: Any])?["boxes"] as? [[String: Any]]) ?? []
    }

    private func standing(_ id: String) async throws -> String? {
        try await boxes().first { $0["id"] as? String == id }?["standing"] as? String
    }

    @Test func `a box that is killed is seen to be gone long before a minute, and one that stops says so`() async throws
    {
        let migrated = try await box("owner").run("migrate")
        #expect(migrated.status == 0, "\(migrated.output)")
        let boxes = try (box("a"), box("b"), box("c"))
        let (a, b, c) = (try await boxes.0.collect(), try await boxes.1.collect(), try await boxes.2.collect())
        try await Waiting.until("three live boxes") {
            let all = try await self.boxes()
            return all.count == 3 && all.allSatisfy { $0["state"] as? String == "ok" }
        }
        try await Waiting.until("all are well") { try await fleet("--check").status == 0 }

        let killed = ContinuousClock.now
        b.process.send(SIGKILL)
        // Its connection has ended. Going by its row alone, it would be stale after a minute.
        try await Waiting.until("b is gone") { try await standing("b") == "gone" }
        print("a killed box was seen to be gone after \(ContinuousClock.now - killed)")
        let check = try await fleet("--check")
        #expect(check.status == 2 && check.output.first?.hasPrefix("failing: b:") == true, "\(check.output)")
        // The box in the worst state is listed first.
        #expect(try await self.boxes().first?["id"] as? String == "b")

        c.process.send(SIGTERM)
        try await Waiting.until("c says that it stops") { try await standing("c") == "stopped" }
        #expect(try await c.process.exit() == 0)
        #expect(try await standing("c") == "stopped")
        try await Waiting.until("a lives") { try await standing("a") == "live" }

        let page = try await fleet()
        #expect(page.status == 0 && page.output.first?.hasPrefix("BOX") == true, "\(page.output)")
        #expect(try await fleet("--forget", "b").status == 0)
        #expect(try await fleet("--forget", "b").status == 65)
        #expect(try await self.boxes().count == 2)
        try await a.process.stop()
    }

    @Test func `a fleet without boxes is failing, in words, as JSON and by the exit code`() async throws {
        let migrated = try await box("owner").run("migrate")
        #expect(migrated.status == 0, "\(migrated.output)")
        let (text, json) = (try await fleet("--check"), try await fleet("--check", "--json"))
        #expect(text.status == 2 && text.output.first == "failing: no box has written its row", "\(text.output)")
        #expect(json.status == 2 && json.output.first?.contains(#""status":"failing""#) == true, "\(json.output)")
    }

    @Test func `the API returns the fleet from memory, with its age, and reads it in the background`() async throws {
        let boxes = try (box("a"), box("b"))
        let (a, b) = (try await boxes.0.collect(), try await boxes.1.collect())
        let http = RawHTTP(port: a.port)
        let fleet = try await http.until("/api/fleet") {
            ($0.json["boxes"] as? [Any])?.count == 2 && ($0.json["age_seconds"] as? Double ?? 99) < 10
        }.json
        #expect(fleet["collector"] as? String == "a", "\(fleet)")
        // The death of another box changes nothing for this one's status.
        b.process.send(SIGKILL)
        // A slow answer looks like an offset of half the wait. It is measured again with each report.
        try await http.until("/api/status") {
            let place = $0.json["fleet"] as? [String: Any]
            return abs(place?["clock_offset_ms"] as? Int ?? 9999) < 1000
        }
        try await a.process.stop()
    }

    @Test func `a role that may not write the table uploads all the same, is told once, and doctor says the GRANT`()
        async throws
    {
        let migrated = try await box("owner").run("migrate")
        #expect(migrated.status == 0, "\(migrated.output)")
        let role = "poor_\(Int.random(in: 1000...999_999))"
        _ = try database.value(
            """
            CREATE ROLE \(role) LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ohlcv_1min, edgetick_uploads TO \(role);
            """)
        let poor = try box(
            "poor", ["DATABASE_URI": database.uri.replacing(/\/\/[^@]+@/, with: "//\(role)@"), "FEED_EVENTS": "A"])
        _ = try database.value("GRANT SELECT, INSERT, UPDATE ON ohlcv_1sec TO \(role)")
        let (process, port) = try await poor.collect()
        let line = try await process.line(containing: "the fleet's table can't be written")
        #expect(line.contains("GRANT"), "\(line)")
        try await RawHTTP(port: port).until("/api/sync") { ($0.json["rows_uploaded"] as? Int ?? 0) > 50 }
        // It is logged once and doesn't affect the box's health.
        #expect(process.output.count { $0.contains("the fleet's table can't be written") } == 1)
        try await RawHTTP(port: port).until("/health/ready") { $0.json["status"] as? String == "ok" }
        let doctor = try await poor.run("doctor")
        #expect(
            doctor.output.contains { $0.contains("GRANT INSERT ON public.edgetick_collectors TO \(role)") },
            "\(doctor.output)")
        try await process.stop()
        #expect(try database.value("SELECT count(*) FROM edgetick_collectors") == "0")
    }

    @Test func `two boxes of one name are told`() async throws {
        let boxes = try (box("twin"), box("twin"))
        let (a, b) = (try await boxes.0.collect(), try await boxes.1.collect())
        try await RawHTTP(port: a.port).until("/api/status") {
            let checks = ($0.json["health"] as? [String: Any])?["checks"] as? [String: [String: Any]]
            return checks?["fleet"]?["status"] as? String == "degraded"
        }
        for process in [a.process, b.process] {
            try await process.stop()
        }
    }

    @Test func `boxes that push each other off the feed are named together by fleet and doctor`() async throws {
        let migrated = try await box("owner").run("migrate")
        #expect(migrated.status == 0, "\(migrated.output)")
        let feed = try await SimulatedMarket(["--synthetic", "AAPL", "--rate", "2", "--limit", "1"])
        // A box that is pushed out waits for half a minute to two minutes.
        let settings = ["MASSIVE_WEBSOCKET_URL": feed.url, "SYMBOLS": "AAPL", "COLLECTOR_GROUP": "nyc"]
        let boxes = try (box("a", settings), box("b", settings))
        let (a, b) = (try await boxes.0.collect(), try await boxes.1.collect())
        try await Waiting.until("both are named", within: .seconds(150)) {
            try await fleet().output.contains { $0.hasPrefix("a and b of the group nyc push each other off the feed") }
        }
        // A box whose report is late for a moment isn't named.
        try await boxes.0.until("doctor") { _, output in
            output.contains { $0.contains("a and b of the group nyc push each other off") }
        }
        #expect(try await fleet("--check").status != 0)
        for process in [a.process, b.process] {
            try await process.stop()
        }
    }

    @Test func `what Deploy asks of the table is SQL that the table answers`() async throws {
        let migrated = try await box("owner").run("migrate")
        #expect(migrated.status == 0, "\(migrated.output)")
        let (process, _) = try await box("a").collect()
        try await Waiting.until { try await standing("a") == "live" }
        func file(_ name: String) throws -> String {
            try String(contentsOfFile: Places.repository + "/Deploy/" + name, encoding: .utf8)
        }
        let board = try JSONSerialization.jsonObject(with: Data(try file("grafana-fleet.json").utf8)) as? [String: Any]
        let panels = board?["panels"] as? [[String: Any]] ?? []
        var queries = panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }.compactMap { $0["rawSql"] as? String }
        queries += try file("fleet.queries.yml").matches(of: /query: "(.*)"\n/).map {
            String($0.1).replacing(#"\""#, with: #"""#)
        }
        #expect(queries.count == 8)
        for query in queries { #expect(try !database.value(query).isEmpty, "\(query)") }
        try await process.stop()
    }

    // MARK: Shards

    private static func tickers(_ port: Int) async throws -> (all: Set<String>, confirmed: Int) {
        let json = try await RawHTTP(port: port).send("GET", "/api/websocket/connections/connection_1/tickers").json
        return (Set(json["tickers"] as? [String] ?? []), json["confirmed_count"] as? Int ?? 0)
    }

    private static func gaps(_ port: Int) async throws -> [[String: Any]] {
        // A file that doesn't answer within three seconds is a 503.
        let json = try await RawHTTP(port: port).until("/api/gaps") { $0.status == 200 }.json
        return (json["gaps"] as? [[String: Any]] ?? []).filter { $0["cause"] as? String == "shard moved" }
    }

    /// Waits until what a box shows is from after this moment. A sample has the time of its end, so it takes two.
    private static func awaitNews(_ port: Int) async throws {
        var last = Int64(Date().timeIntervalSince1970 * 1000)
        for _ in 0..<2 {
            let reply = try await RawHTTP(port: port).until("/api/status") { [last] in
                $0.json["timestamp_ms"] as? Int64 ?? 0 > last
            }
            last = reply.json["timestamp_ms"] as? Int64 ?? last
        }
    }

    private static func isSettled(_ ports: [Int], replicas: Int) async throws -> Bool {
        var counts: [String: Int] = [:]
        for port in ports {
            let (all, confirmed) = try await tickers(port)
            guard all.count == confirmed else { return false }
            for symbol in all { counts[symbol, default: 0] += 1 }
        }
        return counts.count == names.count && counts.values.allSatisfy { $0 == replicas }
    }

    @Test(arguments: [1, 2])
    func `symbols are shared by the boxes that live: one dies, one comes, and as few move as can be`(
        replicas: Int
    ) async throws {
        let settings = ["COLLECTOR_GROUP": "nyc", "SHARD": "auto", "SHARD_REPLICAS": "\(replicas)"]
        let boxes = try (
            box("a", settings.merging(["RELAY_PORT": "0"]) { $1 }), box("b", settings), box("c", settings),
            box("d", settings)
        )
        let (a, b, c) = (try await boxes.0.collect(), try await boxes.1.collect(), try await boxes.2.collect())
        let line = try await a.process.line(containing: "the relay is listening")
        let relay = try #require(line.firstMatch(of: /port"?[=:]"?([0-9]+)/)?.1)
        // A collector that reads everything that box a relays.
        let behind = try CollectorBox(
            feed: "ws://127.0.0.1:\(relay)/stocks",
            settings: ["COLLECTOR_ID": "reader", "SYMBOLS": "*", "FEED_EVENTS": "AM", "BACKFILL_ENABLED": "false"])
        let reader = try await behind.collect()
        let three = [a.port, b.port, c.port]
        try await Waiting.until("three share", within: .seconds(90)) {
            try await Self.isSettled(three, replicas: replicas)
        }
        let before = (try await Self.tickers(a.port).all, try await Self.tickers(b.port).all)
        let had = try await Self.tickers(c.port).all

        c.process.send(SIGKILL)
        _ = try await c.process.exit()
        // As if a minute had passed by the server's clock.
        _ = try database.value("UPDATE edgetick_collectors SET seen = seen - interval '61 s' WHERE id = 'c'")
        let two = [a.port, b.port]
        // The other boxes must have read the table for a minute before they give up on a box that was not seen.
        try await Waiting.until("two share", within: .seconds(100)) {
            try await Self.isSettled(two, replicas: replicas)
        }
        let after = (try await Self.tickers(a.port).all, try await Self.tickers(b.port).all)
        // Only the symbols of the dead box move.
        #expect(after.0.isSuperset(of: before.0) && after.1.isSuperset(of: before.1))
        #expect(after.0.subtracting(before.0).isSubset(of: had) && after.1.subtracting(before.1).isSubset(of: had))
        // Nobody collected those meanwhile, which a gap records. With two replicas, another box did.
        try await Waiting.until("the gaps are recorded") {
            let gaps = try await Self.gaps(a.port) + Self.gaps(b.port)
            let missed = Set(gaps.flatMap { $0["symbols"] as? [String] ?? [] })
            return missed == (replicas == 1 ? had : []) && gaps.allSatisfy { $0["to_ms"] is NSNumber }
        }
        // Box a's relay tells its readers of the gaps in the symbols that a took over.
        try await Waiting.until("the reader hears of the gaps") {
            let gaps = try await Self.gaps(reader.port)
            let told = Set(gaps.flatMap { $0["symbols"] as? [String] ?? [] })
            return told == (replicas == 1 ? after.0.subtracting(before.0) : [])
                && gaps.allSatisfy { $0["to_ms"] is NSNumber }
        }
        // A box that joins from now on knows that a and b have the symbols.
        try await Waiting.until("both say that they have them") {
            try database.value("SELECT count(*) FROM edgetick_collectors WHERE shares_with = '{a,b}'") == "2"
        }
        let count = try await Self.gaps(a.port).count + Self.gaps(b.port).count

        let d = try await boxes.3.collect()
        let all = [a.port, b.port, d.port]
        try await Waiting.until("d has its share", within: .seconds(90)) {
            var brought: Set<String> = []
            // The box that takes over symbols is asked after those that give them up, and for what is so after that. So
            // a moving symbol can't be missed in both.
            for port in all {
                if port == d.port { try await Self.awaitNews(port) }
                let (symbols, confirmed) = try await Self.tickers(port)
                if symbols.count == confirmed || port != d.port { brought.formUnion(symbols) }
            }
            #expect(brought.count == Self.names.count, "\(Set(Self.names).subtracting(brought))")
            return try await Self.isSettled(all, replicas: replicas)
        }
        let last = (try await Self.tickers(a.port).all, try await Self.tickers(b.port).all)
        #expect(last.0.isSubset(of: after.0) && last.1.isSubset(of: after.1))
        let later = try await Self.gaps(a.port).count + Self.gaps(b.port).count
        #expect(later == count)
        let own = try await Self.gaps(d.port)
        #expect(own.isEmpty, "\(own)")

        let status = try await RawHTTP(port: d.port).send("GET", "/api/status").json
        let shard = status["shard"] as? [String: Any]
        #expect(shard?["count"] as? Int == 3 && shard?["symbols_total"] as? Int == Self.names.count)
        #expect(shard?["members"] as? [String] == ["a", "b", "d"], "\(String(describing: shard))")
        for process in [reader.process, a.process, b.process, d.process] {
            try await process.stop()
        }
        withExtendedLifetime(behind) {}
    }

    @Test func `a restart without the database keeps the last assignment`() async throws {
        let settings = ["COLLECTOR_GROUP": "nyc", "SHARD": "auto"]
        let boxes = try (box("a", settings), box("b", settings))
        let (a, b) = (try await boxes.0.collect(), try await boxes.1.collect())
        try await Waiting.until("two share", within: .seconds(60)) {
            try await Self.isSettled([a.port, b.port], replicas: 1)
        }
        let share = try await Self.tickers(a.port).all
        try await a.process.stop()
        let away = "postgresql://postgres@127.0.0.1:\(try PostgresCluster.freePort())/nowhere"
        let again = try await boxes.0.collect(settings: ["DATABASE_URI": away])
        try await Waiting.until { try await Self.tickers(again.port).confirmed == share.count }
        #expect(try await Self.tickers(again.port).all == share)
        for process in [again.process, b.process] {
            try await process.stop()
        }
    }

    @Test func `a database that hangs holds up neither a start nor a stop of a box that shares`() async throws {
        let cluster = try PostgresCluster()
        let own = try Database(in: cluster)
        let one = try box("a", ["COLLECTOR_GROUP": "nyc", "SHARD": "auto", "DATABASE_URI": own.uri])
        let first = try await one.collect()
        try await Waiting.until { try await Self.isSettled([first.port], replicas: 1) }
        try await first.process.stop()
        try cluster.freeze()
        defer { try? cluster.thaw() }
        let second = try await one.collect()
        try await second.process.line(containing: "the last known shares are kept")
        try await Waiting.until { try await Self.isSettled([second.port], replicas: 1) }
        try await second.process.stop(within: .seconds(12))
    }

    @Test func `SHARD=k/n takes each symbol on one box of n, without a database`() async throws {
        let boxes = try (1...3).map { try box("box\($0)", ["SHARD": "\($0)/3", "DATABASE_URI": ""]) }
        var collectors: [(process: ChildProcess, port: Int)] = []
        for box in boxes { collectors.append(try await box.collect()) }
        let ports = collectors.map(\.port)
        try await Waiting.until { try await Self.isSettled(ports, replicas: 1) }
        let health = try await RawHTTP(port: ports[1]).send("GET", "/health/ready").json
        let checks = health["checks"] as? [String: [String: Any]]
        #expect((checks?["symbols"]?["detail"] as? String)?.hasPrefix("shard 2 of 3: ") == true, "\(health)")
        for (process, _) in collectors {
            try await process.stop()
        }
    }
}

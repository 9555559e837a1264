import Foundation
import TestSupport
import Testing

/// `verify`, `repair` and `dead-letters`, run as an engineer on call runs them.
@Suite(.blocking, .timeLimit(.minutes(5))) struct FileCommandTests {
    /// Returns a box with trades in its file, collected by the real program.
    private func collected(database: String? = nil) async throws -> CollectorBox {
        let market = try await SimulatedMarket(rate: 200)
        var settings = ["FEED_EVENTS": "T"]
        settings["DATABASE_URI"] = database
        let box = try CollectorBox(feed: market.url, settings: settings)
        let (process, _) = try await box.collect()
        try await Waiting.until(within: .seconds(60)) { try await self.rows(box, "trades") > 3000 }
        try await process.stop()
        try await market.kill()
        return box
    }

    private func rows(_ box: CollectorBox, _ table: String) async throws -> Int {
        let process = try ChildProcess(
            "/usr/bin/sqlite3", ["-readonly", box.data + "/ticks.sqlite", "SELECT count(*) FROM \(table)"])
        try await process.exit()
        return process.output.first.flatMap { Int($0) } ?? 0
    }

    private func json(_ output: [String]) throws -> [[String: Any]] {
        let start = try #require(output.firstIndex { $0.hasPrefix("[") }, "\(output)")
        // What takes longer than a second shows its progress on standard error, which may be read later.
        let end = try #require(output[start...].lastIndex { $0.hasSuffix("]") }, "\(output)")
        let data = Data(output[start...end].joined(separator: "\n").utf8)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    }

    @Test func `damage is found, repaired, and the collector goes on`() async throws {
        let box = try await collected()
        let ticks = box.data + "/ticks.sqlite"
        #expect(try await box.run("verify").status == 0)
        #expect(try await box.run("repair").output.contains { $0.contains("nothing to repair") })
        var bytes = try Data(contentsOf: URL(fileURLWithPath: ticks))
        let page = bytes.count / 8192
        bytes.replaceSubrange(page * 4096..<(page + 1) * 4096, with: Data(repeating: 0x5A, count: 4096))
        try bytes.write(to: URL(fileURLWithPath: ticks))

        let found = try await box.run("verify", "--json")
        #expect(found.status == 65)
        let faults = try #require(try json(found.output).first { $0["file"] as? String == "ticks" })
        #expect(faults["is_sound"] as? Bool == false)
        #expect(try await box.run("verify").output.contains { $0.contains("run edgetick repair") })
        let dry = try await box.run("repair", "--dry-run")
        #expect(dry.status == 0 && dry.output.contains { $0.contains("nothing was changed") })
        #expect(try Data(contentsOf: URL(fileURLWithPath: ticks)) == bytes)
        let repaired = try await box.run("repair", "--json")
        #expect(repaired.status == 0)
        let report = try #require(try json(repaired.output).first { $0["file"] as? String == "ticks" })
        #expect(report["outcome"] as? String == "repaired")
        let kept = try #require(report["set_aside"] as? String)
        #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == bytes)
        #expect(try await box.run("verify").status == 0)
        #expect(try await box.run("verify", "--file", kept).status == 65)
        #expect(try await box.run("status").output.contains { $0.hasPrefix("SET ASIDE \(kept): damaged and repaired") })
        // For a file that was set aside, repair makes a repaired copy, which sync can upload.
        let aside = try await box.run("repair", "--file", kept)
        #expect(aside.status == 0 && aside.output.contains { $0.contains("EDGETICK_DATA_DIR=") })
        let told = try await box.run("status").output.first { $0.hasPrefix("SET ASIDE") }
        #expect(told?.contains("upload what waits in the copy with EDGETICK_DATA_DIR=\(box.data)/repaired-") == true)
        let move = try #require(aside.output.last { $0.contains(" && mv ") })
        #expect(try await box.start(shell: move).exit() == 0)
        #expect(try await !box.run("status").output.contains { $0.hasPrefix("SET ASIDE") })

        let market = try await SimulatedMarket(rate: 50)
        let before = try await rows(box, "trades")
        let (process, _) = try await box.collect(settings: ["MASSIVE_WEBSOCKET_URL": market.url])
        try await Waiting.until(within: .seconds(60)) { try await self.rows(box, "trades") > before + 20 }
        #expect(try await box.run("verify").status == 0)
        let held = try await box.run("repair")
        #expect(held.status == 75 && held.output.contains { $0.contains("process \(process.pid)") })
        try await process.stop()
    }

    @Test func `a sync that comes upon damaged pages ends with 65 and leaves the file to repair`() async throws {
        let cluster = try PostgresCluster.shared()
        let settings = ["DATABASE_URI": cluster.uri(try cluster.makeDatabase())]
        let box = try await collected()
        #expect(try await box.run("migrate", settings: settings).status == 0)
        let ticks = URL(fileURLWithPath: box.data + "/ticks.sqlite")
        var bytes = try Data(contentsOf: ticks)
        let page = bytes.count / 8192
        bytes.replaceSubrange(page * 4096..<(page + 8) * 4096, with: Data(repeating: 0x5A, count: 8 * 4096))
        try bytes.write(to: ticks)
        let synced = try await box.run("sync", settings: settings)
        #expect(synced.status == 65, "\(synced.output)")
        #expect(synced.output.contains { $0.contains("edgetick repair") }, "\(synced.output)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: box.data).allSatisfy { !$0.contains("-bad-") })
        #expect(try await box.run("repair").output.contains { $0.contains("repaired") })
    }

    @Test func `a file that is named without its directory keeps what waits in it waiting`() async throws {
        let box = try await collected()
        let waiting = try await rows(box, "trades")
        let process = try box.start(shell: "cd data && exec '\(Places.edgetick)' repair --force --file ticks.sqlite")
        #expect(try await process.exit() == 0, "\(process.output)")
        #expect(try await rows(box, "trades") == waiting)
        #expect(try await rows(box, "streams WHERE stream = 'trades' AND acknowledged = 0") == 1)
    }

    @Test func `a command without rows to work on says so, and makes no file and moves none`() async throws {
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks", settings: ["DATABASE_URI": "postgresql://u@127.0.0.1:9/none"])
        let commands = [["sync"], ["sync", "--watch"], ["backfill"], ["dead-letters", "retry", "--all"]]
        for command in commands {
            let missing = try await box.run(command)
            #expect(missing.status == 74, "\(command): \(missing.output)")
            #expect(missing.output.last?.contains("check EDGETICK_DATA_DIR") == true, "\(missing.output)")
        }
        // A recording needs no file, and groups only for a universe key.
        let capture = ["capture", box.workspace.file("day.ndjson"), "--seconds", "1"]
        #expect(try await box.run(capture).status == 69)
        let keyed = try await box.run(capture, settings: ["SYMBOLS": "", "SYMBOL_UNIVERSE_KEY": "tech"])
        #expect(
            keyed.status == 74 && keyed.output.last?.contains("edgetick universe import") == true, "\(keyed.output)")
        #expect(!FileManager.default.fileExists(atPath: box.data))
        try FileManager.default.createDirectory(atPath: box.data, withIntermediateDirectories: true)
        let ticks = URL(fileURLWithPath: box.data + "/ticks.sqlite")
        let bad: [(String, Int32)] = [("", 74), ("not a database, however long one looks at it", 65)]
        for (text, status) in bad {
            try Data(text.utf8).write(to: ticks)
            for command in commands.dropLast() {
                let failed = try await box.run(command)
                #expect(failed.status == status, "\(command): \(failed.output)")
                #expect(status == 74 || failed.output.last?.contains("edgetick repair") == true, "\(failed.output)")
            }
            #expect(try Data(contentsOf: ticks) == Data(text.utf8))
            #expect(try FileManager.default.contentsOfDirectory(atPath: box.data) == ["ticks.sqlite"])
        }
    }

    @Test func `what can't be verified or repaired says why, with its exit code`() async throws {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks")
        #expect(try await box.run("verify").status == 74)
        #expect(try await box.run("repair").status == 74)
        #expect(try await box.run("verify", "--file", "/nowhere").status == 74)
        #expect(try await box.run("verify", "--file", "/etc/hostname").status == 65)
        #expect(try await box.run("repair", "--id", "nonsense").status == 64)
        #expect(try await box.run("verify", "--upstream").status == 78)
        try FileManager.default.createDirectory(atPath: box.data, withIntermediateDirectories: true)
        try Data("not a database, however long one looks at it".utf8)
            .write(to: URL(fileURLWithPath: box.data + "/ticks.sqlite"))
        #expect(try await box.run("verify").status == 65)
        let hopeless = try await box.run("repair", "--send-again")
        #expect(hopeless.status == 65 && hopeless.output.contains { $0.contains("not one row") })
    }

    @Test func `a dead letter with an impossible time is told and stays, and the others go up`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks", settings: ["DATABASE_URI": cluster.uri(database)])
        #expect(try await box.run("migrate").status == 0)
        let (process, _) = try await box.collect()
        try await process.stop()
        // The year 56902915, from a bar seen in practice; about the greatest and the least times that fit; and a normal
        // time.
        let times: [Int64] = [1_795_683_660_000_000_000, .max - 60_000, .min, 1_380_000_000_000]
        var sql = ""
        for (number, time) in times.enumerated() {
            let head = #"{"seq":\#(number + 1),"received_us":\#(time),"connection":"primary","symbol":"AAPL","#
            let bar =
                head
                + #""source":"stream","interval_s":60,"start_ms":\#(time),"end_ms":\#(time + 60_000),"open":1,"high":1,"low":1,"#
                + #""close":1,"volume":1}"#
            let trade = head + #""time_ms":\#(time),"price":1,"size":1,"trf_time_ms":\#(time)}"#
            for (stream, row) in [("bars", bar), ("trades", trade)] {
                sql += "INSERT INTO dead_letters VALUES ('\(stream)', \(number + 1), '22008', 'odd', '\(row)', 0);"
            }
        }
        sql += "UPDATE streams SET acknowledged = 4, deleted_through = 4 WHERE stream IN ('bars', 'trades')"
        try Command.sqlite(box.data + "/ticks.sqlite", sql)
        let list = try await box.run("dead-letters", "list")
        #expect(list.status == 0 && list.output.count { $0.contains("odd") } == 8, "\(list.output)")
        let retry = try await box.run("dead-letters", "retry", "--all")
        #expect(retry.status == 65, "\(retry.output)")
        #expect(retry.output.contains("sent 2 rows"), "\(retry.output)")
        #expect(try await rows(box, "dead_letters") == 6)
        #expect(
            try cluster.psql("SELECT (SELECT count(*) FROM trades), count(*) FROM ohlcv_1min", database: database)
                .hasPrefix("1|1"))
        let verified = try await box.run("verify")
        #expect(verified.status == 0, "\(verified.output)")
    }

    @Test func `dead letters are listed, sent again and discarded`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let uri = cluster.uri(database)
        let empty = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["DATABASE_URI": uri])
        #expect(try await empty.run("migrate").status == 0)
        _ = try cluster.psql(
            "ALTER TABLE trades ADD CONSTRAINT no_aapl CHECK (symbol <> 'AAPL' OR sequence % 50 <> 0)",
            database: database)
        let market = try await SimulatedMarket(rate: 200)
        let box = try CollectorBox(feed: market.url, settings: ["FEED_EVENTS": "T", "DATABASE_URI": uri])
        let (process, _) = try await box.collect()
        try await Waiting.until(within: .seconds(90)) { try await self.rows(box, "dead_letters") >= 3 }
        #expect(try await box.run("dead-letters", "list").status == 0)
        let refused = try await box.run("dead-letters", "retry", "--all")
        #expect(refused.status == 75 && refused.output.contains { $0.contains("process \(process.pid)") })
        #expect(try await box.run("dead-letters", "discard", "--all", "--yes").status == 75)
        try await process.stop()
        try await market.kill()
        #expect([0, 65].contains(try await box.run("sync").status))

        let list = try await box.run("dead-letters", "list", "--stream", "trades", "--json", "--limit", "100000")
        let answer = try JSONSerialization.jsonObject(with: Data(list.output.joined().utf8)) as? [String: Any]
        let letters = try #require(answer?["dead_letters"] as? [[String: Any]], "\(list.output)")
        let names = letters.compactMap { $0["letter"] as? String }
        #expect(names.count >= 3 && letters.allSatisfy { $0["symbol"] as? String == "AAPL" })
        #expect(letters.allSatisfy { ($0["reason"] as? String)?.contains("no_aapl") == true })
        #expect(try await box.run("dead-letters", "discard", names[0]).status == 64)
        #expect(try await box.run("dead-letters", "discard", "bars:99999999", "--yes").status == 65)
        #expect(try await box.run("dead-letters", "retry").status == 64)
        let discarded = try await box.run("dead-letters", "discard", names[0], "--yes")
        #expect(discarded.status == 0 && discarded.output.contains { $0.contains("\"symbol\":\"AAPL\"") })
        let second = try await box.run("dead-letters", "discard", names[2], "--yes", "--json")
        #expect(second.output.contains { $0.hasPrefix("{\"discarded_count\":1,\"waiting_count\":0,\"rows\":[") })
        let again = try await box.run("dead-letters", "retry", names[1])
        #expect(again.status == 65 && again.output.contains { $0.contains("refused again") })
        _ = try cluster.psql("ALTER TABLE trades DROP CONSTRAINT no_aapl", database: database)
        let sent = try await box.run("dead-letters", "retry", "--all")
        #expect(sent.status == 0, "\(sent.output)")
        #expect(try await rows(box, "dead_letters") == 0)
        for (command, document) in [
            (["retry"], #"{"sent":0,"already_upstream":0,"refused_again":[],"superseded":[],"unreadable":[]}"#),
            (["discard"], #"{"discarded_count":0,"waiting_count":0,"rows":[],"failure":null}"#),
        ] {
            let none = try await box.run(["dead-letters"] + command + ["--all", "--json"])
            #expect(none.status == 0 && none.output.contains(document), "\(none.output)")
        }
        let counts = try cluster.value(
            "SELECT count(*), count(DISTINCT (symbol, time, trade_id, sequence)) FROM trades", database: database
        ).split(separator: "|")
        #expect(counts.first == counts.last)
        #expect(try await box.run("verify", "--upstream").status == 0)
    }
}

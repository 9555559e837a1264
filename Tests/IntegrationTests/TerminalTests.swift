import Foundation
import TestSupport
import Testing
import WebAPISupport

/// The commands of an engineer on call, with a real collector and its files.
@Suite(.blocking, .timeLimit(.minutes(5))) struct TerminalTests {
    @Test func `status tells what the running collector says, and what its files say when it is gone`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url, settings: ["HTTP_TOKEN": "a-token-for-the-terminal"])
        let (collector, port) = try await box.collect()
        try await Waiting.until(within: .seconds(60)) {
            try await box.run("status").output.contains { $0.hasPrefix("primary") && $0.contains("connected") }
        }
        let running = try await box.until("status") { status, _ in status == 0 }
        #expect(running.output.contains { $0.contains("http://127.0.0.1:\(port)/") }, "\(running.output)")
        #expect(running.output.allSatisfy { !$0.contains("\u{1B}") })
        try await box.until("status", "--json") { _, output in
            let object = try? Self.object(output)
            return (object?["instance"] as? [String: Any])?["collector"] as? String == "box"
        }

        let watching = try box.start("status", "--watch")
        try await Waiting.until(within: .seconds(60)) {
            watching.output.filter { $0.hasPrefix("CONNECTION") }.count >= 2
        }
        watching.send(SIGINT)
        #expect(try await watching.exit() == 0)

        let stranger = try await box.until("status", settings: ["HTTP_TOKEN": "another-token-than-that"]) {
            $0 == 0 && $1.contains { $0.contains("HTTP_TOKEN") }
        }
        #expect(!stranger.output.contains { $0.contains("another-token") })

        collector.send(SIGKILL)
        try await collector.exit()
        let gone = try await box.run("status")
        #expect(gone.status == 0)
        #expect(gone.output.contains("collector  not running"), "\(gone.output)")
        #expect(try Self.object(try await box.run("status", "--json").output)["instance"] is NSNull)
    }

    @Test func `query and tail give what the buffer has, as numbers the feed sent`() async throws {
        let place = try Workspace()
        let capture = try place.write(
            """
            [{"ev":"AM","sym":"CNDL","v":100,"vw":0.4372,"o":0.43,"c":0.4372,"h":0.44,"l":0.43,"s":1700000040000,"e":1700000100000}]
            [{"ev":"AM","sym":"CNDL","v":250.5,"vw":11,"o":11,"c":10.5,"h":11.5,"l":10,"s":1700000100000,"e":1700000160000}]

            """, to: "known.ndjson")
        let feed = try await SimulatedMarket(["--capture", capture, "--speed", "flat-out", "--resume"])
        let box = try CollectorBox(feed: feed.url, settings: ["SYMBOLS": "CNDL", "FEED_EVENTS": "AM"])
        let (collector, _) = try await box.collect()
        let header = "symbol,start,open,high,low,close,volume,vwap"
        let wanted = [
            header, "CNDL,2023-11-14T22:14:00Z,0.43,0.44,0.43,0.4372,100,0.4372",
            "CNDL,2023-11-14T22:15:00Z,11,11.5,10,10.5,250.5,11",
        ]
        try await Waiting.until(within: .seconds(60)) {
            try await box.run("query", "CNDL", "--format", "csv").output == wanted
        }
        let late = try await box.run(
            "query", "CNDL", "--from", "2023-11-14T22:15", "--to", "2023-11-14T22:16", "--format", "csv")
        // What takes longer than a second, as on a busy machine, shows its progress.
        #expect(late.output.filter { !$0.hasPrefix("reading ") } == [header, wanted[2]])
        for option in ["--format=json", "--json"] {
            let json = try await box.run("query", "CNDL", option)
            #expect(json.output.joined().contains(#""close":0.4372,"#), "\(json.output)")
        }
        let nothing = try await box.run("query", "NONE")
        #expect(nothing.status == 0)
        #expect(nothing.output.contains { $0.contains("no such bars of NONE") })
        #expect(try await box.run("query", "CNDL", "--from", "someday").status == 64)
        #expect(try await box.run("query", "not a symbol").status == 64)
        withExtendedLifetime((feed, collector)) {}
    }

    @Test func `the demo shows its dashboard`() async throws {
        let place = try Workspace()
        let demo = try ChildProcess(
            Places.edgetick, ["demo", "--seconds", "60", "--data-dir", place.file("demo")],
            environment: ["HTTP_PORT": "0"], directory: place.path)
        let line = try await demo.line(containing: "Dashboard: http://127.0.0.1:", within: .seconds(60))
        let port = try #require(URL(string: line.replacing("Dashboard: ", with: ""))?.port)
        #expect(try await RawHTTP(port: port).send("GET", "/").text.contains("<title>EdgeTick</title>"))
        demo.send(SIGINT)
        #expect(try await demo.exit() == 0)
    }

    @Test func `the demo leaves the user's database, key and files alone, and says so`() async throws {
        let place = try Workspace()
        _ = try place.write("DATABASE_URI=postgresql://127.0.0.1:9/market\nSYMBOLS=IBM\n", to: ".env")
        let demo = try ChildProcess(
            Places.edgetick, ["demo", "--seconds", "3", "--data-dir", place.file("demo")],
            environment: ["HTTP_PORT": "0", "MASSIVE_API_KEY": "real", "RELAY_PORT": "1", "COLLECTOR_GROUP": "nyc"],
            directory: place.path)
        // With the database from the settings nothing would be uploaded, and RELAY_PORT=1 would need root.
        #expect(try await demo.exit(within: .seconds(120)) == 0, "\(demo.output)")
        let said = try #require(demo.output.first { $0.hasPrefix("Settings:") }, "\(demo.output)")
        for key in ["DATABASE_URI", "MASSIVE_API_KEY", "SYMBOLS", "RELAY_PORT", "COLLECTOR_GROUP"] {
            #expect(said.contains(key), "\(said)")
        }
        let log = try String(contentsOfFile: place.file("demo/collector.log"), encoding: .utf8)
        #expect(!log.contains("127.0.0.1:9/"))
        let again = try ChildProcess(
            Places.edgetick, ["demo", "--seconds", "3", "--data-dir", place.file("demo")], directory: place.path)
        #expect(try await again.exit(within: .seconds(60)) == 64, "\(again.output)")
        #expect(again.output.last?.contains("is not empty") == true, "\(again.output)")
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
    func `a demo that is stopped while its database is made leaves nothing behind`() async throws {
        let place = try Workspace()
        let temporary = place.file("tmp")
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: false)
        chmod(temporary, 0o777)
        chmod(place.path, 0o755)
        let demo = try ChildProcess(
            Places.edgetick, ["demo"], environment: ["HTTP_PORT": "0", "TMPDIR": temporary], directory: place.path)
        try await Waiting.until(within: .seconds(60)) {
            try FileManager.default.contentsOfDirectory(atPath: temporary).contains { $0.contains("database") }
        }
        demo.send(SIGINT)
        #expect(try await demo.exit(within: .seconds(120)) == 0, "\(demo.output)")
        #expect(demo.output.last?.contains("stopped before the first event") == true, "\(demo.output)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary) == [])
    }

    @Test(arguments: [["status", "--watch"], ["config"], ["config", "--template"]])
    func `a reader that has enough is no error`(arguments: [String]) async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (collector, _) = try await box.collect()
        let line = "'\(Places.edgetick)' \(arguments.joined(separator: " ")) | head -n 1"
        let reader = try box.start(shell: line)
        #expect(try await reader.exit(within: .seconds(60)) == 0)
        #expect(!reader.output.contains { $0.contains("can't be written") }, "\(reader.output)")
        withExtendedLifetime(collector) {}
    }

    @Test func `closing the terminal ends a collector in good order, and a signal alone has it read its settings`()
        async throws
    {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let log = box.workspace.file("log")
        let terminal = try box.start(
            shell: "exec env --default-signal=HUP script -qefc \"'\(Places.edgetick)' run\" '\(log)' >/dev/null")
        let address = box.data + "/http.address"
        try await Waiting.until(within: .seconds(60)) { FileManager.default.fileExists(atPath: address) }
        let lock = try String(contentsOfFile: box.data + "/ticks.sqlite.lock", encoding: .utf8)
        let process = try #require(lock.split(separator: " ").first.flatMap { pid_t($0) }, "\(lock)")
        try await Waiting.until(within: .seconds(60)) {
            kill(process, SIGHUP)
            // The last character may be there in part.
            let text = FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) }
            return text?.contains("the settings were read again") == true
        }
        try await box.until("status") { $1.contains { $0.hasPrefix("CONNECTION") } }
        terminal.send(SIGKILL)
        // A collector that is killed would leave the file behind.
        try await Waiting.until(within: .seconds(60)) { !FileManager.default.fileExists(atPath: address) }
        try await Waiting.until(within: .seconds(60)) {
            try await box.run("status").output.contains { $0.contains("not running") }
        }
    }

    @Test func `sync beside a collector says who uploads, and a command without the database that nobody tries again`()
        async throws
    {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url, settings: ["DATABASE_URI": "postgresql://u@127.0.0.1:9/none"])
        let (collector, _) = try await box.collect()
        try await Waiting.until(within: .seconds(60)) {
            try await box.run("status").output.contains { $0.hasPrefix("trades") }
        }
        let beside = try await box.run("sync")
        #expect(beside.status == 75)
        #expect(beside.output.last?.contains("uploads by itself") == true, "\(beside.output)")
        #expect(beside.output.last?.contains("EDGETICK_DATA_DIR") == false, "\(beside.output)")
        try await collector.stop()
        for command in ["sync", "migrate", "verify"] {
            let failed = try await box.run(command)
            #expect(failed.status == 69, "\(command): \(failed.output)")
            #expect(failed.output.last?.contains("will retry") == false, "\(command): \(failed.output)")
        }
        let verified = try await box.run("verify")
        #expect(verified.output.contains { $0.contains("were not compared with the database") }, "\(verified.output)")
        #expect(try await box.run("verify", "--no-upstream").status == 0)
    }

    @Test func `what a new box lacks is answered with what to do`() async throws {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks")
        let groups = try await box.run("universe", "list")
        #expect(groups.output.contains { $0.contains("edgetick universe import") }, "\(groups.output)")
        let file = try box.workspace.write("", to: "file")
        for command in ["status", "run", "sync"] {
            let wrong = try await box.run(
                command, settings: ["EDGETICK_DATA_DIR": file, "DATABASE_URI": "postgresql://u@127.0.0.1:9/none"])
            #expect(wrong.status == 78, "\(command): \(wrong.output)")
            #expect(
                wrong.output.last?.contains("is not a directory; set EDGETICK_DATA_DIR") == true, "\(wrong.output)")
        }
    }

    @Test func `symbols are taken behind a command, and in a list, by every command`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        try await RawHTTP(port: port).until("/health/ready") { $0.status == 200 }
        for symbols in [["AAPL", "MSFT"], ["--symbols", "AAPL,MSFT"], ["AAPL", "--symbols", "MSFT"]] {
            for command in [
                ["query", "--stream", "trades"], ["coverage"], ["export", "--output", box.workspace.file("out")],
            ] {
                let answer = try await box.run(command + symbols)
                #expect(answer.status == 0, "\(command) \(symbols): \(answer.output)")
            }
        }
        for command in [
            ["query"], ["tail"], ["coverage"], ["backfill", "--from", "-90m"], ["export", "--output", "x"],
        ] {
            let refused = try await box.run(command + ["not a symbol"])
            #expect(
                refused.status == 64 && refused.output.contains { $0.contains("is not a symbol") }, "\(refused.output)")
        }
        let backwards = try await box.run("query", "AAPL", "--from", "now", "--to", "-2h")
        #expect(backwards.status == 64 && backwards.output.contains { $0.contains("--from is not before --to") })
        let empty = try await box.run("export", "--date", "2020-01-02", "--output", box.workspace.file("out"))
        #expect(empty.output.contains { $0.contains("on 2020-01-02 (New York days)") }, "\(empty.output)")
        withExtendedLifetime(collector) {}
    }

    @Test func `the demo breaks everything and accounts for every event`() async throws {
        let acts = ["connection is cut", "kill -9", "is restarted"]
        let all = acts + (PostgresCluster.isInstalled ? ["is stopped"] : [])
        var output: [String] = []
        // On a machine that stands still for seconds, the time is over before the last act. A longer demo has more.
        for seconds in [8, 30, 60] where !all.allSatisfy({ words in output.contains { $0.contains(words) } }) {
            let place = try Workspace()
            let demo = try ChildProcess(
                Places.edgetick, ["demo", "--seconds", "\(seconds)", "--data-dir", place.file("demo")],
                environment: ["HTTP_PORT": "0"], directory: place.path)
            #expect(try await demo.exit(within: .seconds(150)) == 0, "\(demo.output)")
            output = demo.output
        }
        for words in all { #expect(output.contains { $0.contains(words) }, "\(words) in \(output)") }
        for stream in ["bars", "trades", "quotes"] {
            let line = try #require(output.last { $0.hasPrefix(stream + " ") }, "\(output)")
            let numbers = line.split(separator: " ").dropFirst().map { Int($0.replacing(",", with: "")) }
            try #require(numbers.count == 6, "\(line)")
            let (sent, durable, inGap) = (numbers[0], numbers[1], numbers[2])
            #expect(sent ?? 0 > 0)
            #expect(sent == (durable ?? 0) + (inGap ?? 0), "\(line)")
            if PostgresCluster.isInstalled { #expect(numbers[3] == durable, "\(line)") }
            #expect(numbers[4...] == [0, 0], "\(line)")
        }
    }

    @Test func `a proxy's name is let in when it is allowed`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(
            feed: market.url, settings: ["HTTP_ALLOWED_HOSTS": "dash.example.com, other.example"])
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        let own = ["Host": "dash.example.com", "Origin": "https://dash.example.com"]
        #expect(try await http.send("GET", "/api/status", headers: own).status == 200)
        #expect(try await http.send("POST", "/api/sync", headers: own).status == 409)
        #expect(try await http.send("GET", "/api/status", headers: ["Host": "else.example.com"]).status == 421)
        withExtendedLifetime(collector) {}
    }

    @Test func `tail follows what becomes durable and ends on a signal`() async throws {
        let market = try await SimulatedMarket(rate: 20)
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        try await RawHTTP(port: port).until("/health/ready") { $0.status == 200 }
        let tail = try box.start("tail", "MSFT", "--kind", "T", "--json")
        let line = try await tail.line(containing: #""kind":"T","symbol":"MSFT""#, within: .seconds(60))
        #expect((try Self.object([line]))["price"] is NSNumber)
        tail.send(SIGINT)
        let status = try await tail.exit()
        #expect(status == 0, "\(tail.output.suffix(20))")
        #expect(!tail.output.contains { $0.contains("AAPL") || $0.contains(#""kind":"Q""#) })
        withExtendedLifetime(collector) {}
    }

    @Test func `capture records the built-in simulator where the data is synthetic, and leaves the feed alone`()
        async throws
    {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["USE_SYNTHETIC_DATA": "true"])
        let file = box.workspace.file("day.ndjson")
        let recorded = try await box.run("capture", file, "--frames", "30", "--seconds", "45", "--json")
        #expect(recorded.status == 0, "\(recorded.output)")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.contains(#"{"ev":"Q","#))
        let frames = text.split(separator: "\n").count
        #expect(recorded.output.contains(#"{"file":"\#(file)","frames":\#(frames)}"#), "\(recorded.output)")
        // Longer than a clock can count.
        let long = try await box.run(
            "capture", box.workspace.file("long.ndjson"), "--frames", "1", "--seconds", "\(Int.max)")
        #expect(long.status == 0, "\(long.output)")
    }

    @Test func `doctor has a line for everything, and fails for what keeps a collector from working`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        // It gives the feed 15 s for the login, which a pause of the machine may take.
        let fresh = try await box.until("doctor", "--login") { status, _ in status == 0 }
        for subject in ["configuration", "files", "sqlite", "disk", "clock", "symbols", "http", "feed", "upstream"] {
            #expect(fresh.output.contains { $0.dropFirst(6).hasPrefix(subject) }, "\(subject) in \(fresh.output)")
        }
        #expect(fresh.output.contains { $0.hasPrefix("ok") && $0.contains("logged in") }, "\(fresh.output)")

        let broken = try await box.run(
            "doctor", "--login",
            settings: [
                "MASSIVE_WEBSOCKET_URL": "ws://127.0.0.1:9/stocks",
                "DATABASE_URI": "postgresql://someone:canary-word@127.0.0.1:9/none",
            ])
        #expect(broken.status == 69, "\(broken.output)")
        #expect(broken.output.filter { $0.hasPrefix("FAIL") }.count == 2, "\(broken.output)")
        #expect(!broken.output.contains { $0.contains("canary-word") })

        let wrong = try await box.run("doctor", settings: ["SYNC_INTERVAL": "soon"])
        #expect(wrong.status == 78)
        let elsewhere = try await box.run("doctor", settings: ["DATABASE_URI": "mysql://u@127.0.0.1/db"])
        #expect(
            elsewhere.status == 78 && !elsewhere.output.contains { $0.contains("DATABASE_URI is not set") },
            "\(elsewhere.output)")
    }

    private static func object(_ output: [String]) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(output.joined(separator: "\n").utf8))
        return object as? [String: Any] ?? [:]
    }
}

import Foundation
import Glibc
import TestSupport
import Testing
import WebAPISupport

/// Health, status and metrics tell the truth while real parts fail.
@Suite(.blocking, .timeLimit(.minutes(5))) struct TruthfulHealthTests {
    @Test func `a cut feed makes the collector not ready, and its return ready again`() async throws {
        // A port that nobody else gets while no market has it.
        let market = try await SimulatedMarket(port: try #require(LoopbackListener.freePort()))
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        try await http.until("/health/ready") { $0.status == 200 }

        try await market.kill()
        let cut = try await http.until("/health/ready") { $0.status == 503 && $0.level(of: "feed") == "failing" }
        #expect(cut.detail(of: "feed")?.contains("primary") == true, "\(cut.text)")
        // After a pause of the machine, the loops count as stuck for a moment.
        try await http.until("/health/live") { $0.status == 200 }
        let status = try await http.send("GET", "/api/admin/websocket-status").json
        #expect((status["data"] as? [String: Any])?["connected_count"] as? Int == 0)

        let again = try await SimulatedMarket(port: market.port)
        try await http.until("/health/ready") { $0.status == 200 }
        let metrics = try await http.send("GET", "/metrics").text
        #expect(metrics.contains(#"edgetick_connection_up{connection="primary"} 1"#))
        #expect(metrics.contains(#"edgetick_feed_reconnects_total{connection="primary"}"#))
        try await http.until("/api/gaps") { ($0.json["gaps"] as? [Any])?.isEmpty == false }
        try await collector.stop()
        withExtendedLifetime(again) {}
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
    func `a hanging database is told, and nothing waits for it`() async throws {
        let cluster = try PostgresCluster.shared()
        let proxy = try TCPProxy(to: cluster.port)
        let market = try await SimulatedMarket()
        let box = try CollectorBox(
            feed: market.url,
            settings: [
                "DATABASE_URI": cluster.uri(try cluster.makeDatabase(), port: proxy.port),
                "SYNC_STATEMENT_TIMEOUT": "1",
            ])
        #expect(try await box.run("migrate", settings: ["SYNC_STATEMENT_TIMEOUT": "60"]).status == 0)
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        try await http.until("/api/sync") { ($0.json["rows_uploaded"] as? Int ?? 0) > 0 }

        proxy.set(.blackhole)
        try await http.until("/api/sync") { $0.json["state"] as? String == "retrying" }
        // Ready, since the collection goes on.
        try await http.until("/health/ready") { $0.status == 200 && $0.level(of: "sync") == "degraded" }
        let metrics = try await http.send("GET", "/metrics").text
        #expect(metrics.contains("edgetick_upload_failing 1"))
        let appended = try await http.send("GET", "/api/status").appended
        try await http.until("/api/status") { $0.appended > appended }

        proxy.set(.pass)
        try await http.until("/api/sync") { $0.json["state"] as? String == "ok" }
        try await http.until("/health/ready") { $0.level(of: "sync") == "ok" }
        try await collector.stop()
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root"))
    func `a full disk is told, and room on it too`() async throws {
        let place = try Workspace()
        let disk = try SmallDisk(at: place.file("disk"), megabytes: 16)
        let market = try await SimulatedMarket(rate: 800)
        let box = try CollectorBox(feed: market.url, dataDirectory: disk.path + "/data")
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        try await http.until("/health/ready") { $0.status == 200 }

        disk.fill()
        let full = try await http.until("/health/ready") {
            $0.status == 503 && $0.level(of: "buffer") == "failing" && $0.level(of: "disk") == "degraded"
        }
        #expect(full.detail(of: "buffer")?.contains("BUFFER_MAX_BYTES") != true, "\(full.text)")
        // After a pause of the machine, the loops count as stuck for a moment.
        try await http.until("/health/live") { $0.status == 200 }
        // The reserve that was released may make room for a moment.
        try await http.until("/metrics") {
            $0.text.contains("edgetick_buffer_full 1") || $0.text.contains("edgetick_buffer_failing 1")
        }
        #expect(try await http.send("GET", "/").status == 200)

        disk.empty()
        try await http.until("/health/ready") { $0.level(of: "buffer") == "ok" }
        try await collector.stop()
    }

    @Test(arguments: [("drop-oldest", "drops its oldest rows"), ("reject-new", "rejects new events")])
    func `the log says that a full buffer gives events up, and so does its last line`(
        policy: String, words: String
    ) async throws {
        let market = try await SimulatedMarket(rate: 800)
        let box = try CollectorBox(
            feed: market.url, settings: ["BUFFER_MAX_BYTES": "1MiB", "BUFFER_FULL_POLICY": policy])
        let (collector, _) = try await box.collect()
        try await collector.line(containing: words, within: .seconds(60))
        try await collector.stop()
        #expect(collector.output.contains { $0.contains("stopped; events were given up since the start") })
        #expect(!collector.output.contains { $0.contains("everything received is in the buffer") })
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root"))
    func `a collector that starts on a full disk is found by the commands as soon as there is room`() async throws {
        let place = try Workspace()
        let disk = try SmallDisk(at: place.file("disk"), megabytes: 16)
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url, dataDirectory: disk.path + "/data")
        let (first, _) = try await box.collect()
        let address = box.data + "/http.address"
        try await Waiting.until { FileManager.default.fileExists(atPath: address) }
        first.send(SIGKILL)
        try await first.exit()
        // The next collector could reuse the space of the address file that the kill left.
        try FileManager.default.removeItem(atPath: address)
        disk.fill()
        let process = try box.start("run")
        let line = try await process.line(containing: "HTTP is ready", within: .seconds(60))
        try await process.line(containing: "can't be written for other edgetick commands")
        #expect(!FileManager.default.fileExists(atPath: address))
        disk.empty()
        try await Waiting.until { FileManager.default.fileExists(atPath: address) }
        let port = try #require(line.firstMatch(of: /port"?[=:]"?([0-9]+)/)?.1)
        #expect(try String(contentsOfFile: address, encoding: .utf8).contains(":\(port)/"))
        try await process.stop()
        #expect(!FileManager.default.fileExists(atPath: address))
    }

    @Test func `a damaged file that was set aside is told until it is taken away`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        try FileManager.default.createDirectory(atPath: box.data, withIntermediateDirectories: true)
        try Data(repeating: 7, count: 9000).write(to: URL(fileURLWithPath: box.data + "/ticks.sqlite"))
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        let ready = try await http.until("/health/ready") { $0.status == 200 }
        #expect(ready.level(of: "buffer") == "degraded", "\(ready.text)")
        let names = try FileManager.default.contentsOfDirectory(atPath: box.data)
        let bad = try #require(names.first { $0.hasPrefix("ticks-bad-") })
        #expect(ready.detail(of: "buffer")?.contains(bad) == true, "\(ready.text)")
        #expect(try await http.send("GET", "/metrics").text.contains("edgetick_files_set_aside 1\n"))
        let buffer = try await http.send("GET", "/api/status").json["buffer"] as? [String: Any]
        #expect(buffer?["set_aside"] as? [String] == [box.data + "/" + bad])
        try await box.until("status") { $1.contains { $0.hasPrefix("aside ") && $0.hasSuffix(bad) } }

        try FileManager.default.removeItem(atPath: box.data + "/" + bad)
        try await http.until("/health/ready") { $0.level(of: "buffer") == "ok" }
        #expect(try await http.send("GET", "/metrics").text.contains("edgetick_files_set_aside 0\n"))
        try await collector.stop()
    }

    @Test func `trades whose ids are numbers are kept, those without a price are told at once`() async throws {
        let place = try Workspace()
        let capture = place.file("odd.ndjson")
        let frames = (0..<50).map { number in
            let rest = #""s":1,"t":\#(1_767_600_000_000 + number * 20),"i":\#(100_001 + number)}]"#
            return #"[{"ev":"T","sym":"AAPL",\#(number < 2 ? #""p":1.5"# : #""price":1.5"#),"# + rest
        }
        try frames.joined(separator: "\n").write(toFile: capture, atomically: true, encoding: .utf8)
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks")
        let feed = try await SimulatedMarket(["--capture", capture, "--loop", "--now"])
        let (collector, port) = try await box.collect(
            settings: ["MASSIVE_WEBSOCKET_URL": feed.url, "SYMBOLS": "AAPL", "FEED_EVENTS": "T"])
        let http = RawHTTP(port: port)
        let line = try await collector.line(containing: "can't be decoded")
        #expect(line.contains("missing_field (p)"), "\(line)")
        let ready = try await http.until("/health/ready") { $0.level(of: "decoding") == "degraded" }
        #expect(ready.detail(of: "decoding")?.contains("missing_field (p)") == true, "\(ready.text)")
        let metrics = try await http.send("GET", "/metrics").text
        let rejected = #"edgetick_feed_rejected_events_total{connection="primary",kind="T"} "#
        #expect(metrics.contains(rejected) && !metrics.contains(rejected + "0"))
        try await box.until("status") { $1.contains { $0.hasPrefix("decoding degraded") } }
        try await http.until("/api/status") { $0.appended >= 2 }
        try await collector.stop()
        feed.process.send(SIGTERM)
    }

    @Test func `a mistyped universe key is told for as long as the default list is collected instead`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url, settings: ["SYMBOL_UNIVERSE_KEY": "nasdq100", "SYMBOLS": ""])
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        let ready = try await http.until("/health/ready") { $0.status == 200 && $0.level(of: "symbols") == "degraded" }
        let detail = try #require(ready.detail(of: "symbols"))
        #expect(
            detail.contains("nasdq100") && detail.contains("8 symbols are collected of the default list"), "\(detail)")
        let metrics = try await http.send("GET", "/metrics").text
        #expect(metrics.contains(#"edgetick_connection_symbols_not_as_set{connection="primary"} 1"#))
        try await box.until("status", "--check") { status, _ in status == 1 }

        let list = box.workspace.file("nasdq100.csv")
        try "symbol\nAAPL\nMSFT\n".write(toFile: list, atomically: true, encoding: .utf8)
        let imported = try await box.run("universe", "import", list, "--name", "nasdq100")
        #expect(imported.status == 0, "\(imported.output)")
        try await http.until("/health/ready") { $0.level(of: "symbols") == "ok" }
        try await collector.stop()
    }

    @Test func `symbols without room are named in health, log and metrics`() async throws {
        let market = try await SimulatedMarket(symbols: "AAPL,MSFT,NVDA,SPY")
        let box = try CollectorBox(
            feed: market.url,
            settings: [
                "USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_SYMBOLS": "AAPL,MSFT,NVDA,SPY",
                "WEBSOCKET_CONNECTION_1_CAPACITY": "2",
            ])
        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        let ready = try await http.until("/health/ready") { $0.status == 200 && $0.level(of: "feed") == "ok" }
        #expect(ready.level(of: "symbols") == "degraded")
        #expect(ready.detail(of: "symbols")?.contains("NVDA, SPY") == true, "\(ready.text)")
        #expect(try await http.send("GET", "/metrics").text.contains("edgetick_symbols_unplaced 2\n"))
        try await Waiting.until("the line of the log") {
            collector.output.contains { $0.contains("no connection has room") && $0.contains("NVDA SPY") }
        }
        try await collector.stop()
    }

    @Test func `status --check exits with the state of the collector`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let never = try await box.run("status", "--check")
        #expect(never.status == 3 && never.output.first?.hasPrefix("not running: ") == true, "\(never)")
        #expect(try await box.run("status", "--check", "--json").status == 3)
        let (collector, port) = try await box.collect()
        try await box.until("status", "--check") { $0 == 0 && $1 == ["ok: everything is as the settings say"] }
        try Data(repeating: 7, count: 9000).write(to: URL(fileURLWithPath: box.data + "/ticks-bad-1.sqlite"))
        try await RawHTTP(port: port).until("/health/ready") { $0.level(of: "buffer") == "degraded" }
        try await box.until("status", "--check") {
            $0 == 1 && $1.first?.hasPrefix("degraded: buffer degraded: ") == true
        }
        try await market.kill()
        try await RawHTTP(port: port).until("/health/ready") { $0.status == 503 }
        try await box.until("status", "--check") { $0 == 2 && $1.first?.hasPrefix("failing: feed failing: ") == true }
        #expect(try await box.run("status", "--check", "--json").status == 2)
        try await collector.stop()
        #expect(try await box.run("status", "--check").status == 3)
        #expect(try await box.run("status", "--check", "--watch").status == 64)
        // As a long backfill holds it.
        let lock = try #require(FileHandle(forWritingAtPath: box.data + "/ticks.sqlite.lock"))
        #expect(flock(lock.fileDescriptor, LOCK_EX | LOCK_NB) == 0)
        try lock.write(contentsOf: Data("\(getpid()) 1767600000 command\n".utf8))
        let held = try await box.run("status", "--check")
        #expect(held.status == 3)
        #expect(held.output.first?.contains("another edgetick command, process \(getpid())") == true, "\(held)")
        let page = try await box.run("status").output
        #expect(page.contains("held by    another edgetick command, process \(getpid())"), "\(page)")
        try lock.close()
    }

    @Test func `a collector that stops says so, and its address is gone after it`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        try await RawHTTP(port: port).until("/health/ready") { $0.status == 200 }
        // It is written once the server listens.
        try await Waiting.until { FileManager.default.fileExists(atPath: box.data + "/http.address") }
        let address = try String(contentsOfFile: box.data + "/http.address", encoding: .utf8)
        #expect(address == "http://127.0.0.1:\(port)/\n")
        try await collector.stop()
        #expect(!FileManager.default.fileExists(atPath: box.data + "/http.address"))
    }

    @Test func `a taken port ends the collector with 69`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let result = try await box.run("run", settings: ["HTTP_PORT": "\(market.port)"])
        #expect(result.status == 69, "\(result.output)")
        #expect(result.output.filter { $0.contains("HTTP_PORT") }.count == 1, "\(result.output)")
    }

    @Test func `other machines need a token, and a short one is refused`() async throws {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks")
        let open = try await box.run("run", settings: ["HTTP_HOST": "0.0.0.0"])
        #expect(open.status == 78)
        #expect(open.output.contains { $0.contains("HTTP_TOKEN") }, "\(open.output)")
        let short = try await box.run("run", settings: ["HTTP_HOST": "0.0.0.0", "HTTP_TOKEN": "short-canary"])
        #expect(short.status == 78)
        #expect(short.output.contains { $0.contains("HTTP_TOKEN") }, "\(short.output)")
        #expect(!short.output.contains { $0.contains("short-canary") })
    }
}

extension CollectorBox {
    /// Runs a command until its status and output are as wanted, and returns them.
    ///
    /// The commands give a collector three seconds to answer and then go by its files, as may happen on a busy machine.
    @discardableResult
    func until(
        _ arguments: String..., settings: [String: String] = [:],
        _ isWanted: @Sendable (_ status: Int32, _ output: [String]) -> Bool
    ) async throws -> (status: Int32, output: [String]) {
        try await Waiting.value("\(arguments)", within: .seconds(60), until: { isWanted($0.status, $0.output) }) {
            try await run(arguments, settings: settings)
        }
    }
}

extension RawHTTP {
    /// Polls a route until its answer satisfies a condition, and returns the answer.
    @discardableResult
    func until(
        _ target: String, headers: [String: String] = [:], _ isWanted: @Sendable (Reply) -> Bool
    ) async throws -> Reply {
        try await Waiting.value(target, within: .seconds(60), until: isWanted) {
            try await send("GET", target, headers: headers)
        }
    }
}

extension RawHTTP.Reply {
    /// Returns the status of a check of /health/ready.
    func level(of check: String) -> String? { member(check, "status") }

    /// Returns the detail of a check of /health/ready.
    func detail(of check: String) -> String? { member(check, "detail") }

    /// The number of rows that became durable since the start, according to /api/status.
    var appended: Int {
        let streams = (json["buffer"] as? [String: Any])?["streams"] as? [String: [String: Any]]
        return streams?.values.reduce(0) { $0 + ($1["appended"] as? Int ?? 0) } ?? 0
    }

    private func member(_ check: String, _ name: String) -> String? {
        (json["checks"] as? [String: [String: Any]])?[check]?[name] as? String
    }
}

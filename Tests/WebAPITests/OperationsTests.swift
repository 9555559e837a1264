import Foundation
import MarketData
import Store
import TestSupport
import Testing
import WebAPI
import WebAPISupport

@testable import Collector
@testable import Feed

/// The files in Deploy/ are valid, and name only what exists.
@Suite(.timeLimit(.minutes(2))) struct OperationsTests {
    private static func file(_ name: String) throws -> String {
        try String(contentsOfFile: Places.repository + "/Deploy/" + name, encoding: .utf8)
    }

    /// A collector that has a value for every metric.
    private static func talkative() -> StagedCollector {
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.mirror = UniverseStatus()
            state.snapshot.mirror?.mirrorPulledAt = 1_767_600_000_000
            state.snapshot.buffer.diskFreeBytes = 40 << 30
            state.snapshot.buffer.diskSizeBytes = 100 << 30
            state.snapshot.fleet = FleetBoard.Status()
        }
        collector.change("connection_1") {
            let piece = UnsafeRawBufferPointer(start: nil, count: 0)
            $0.feed.rejects.record(.malformedJSON, piece: piece)
            $0.feed.rejects.leaveOut(keys: 1, reason: 0, kind: .trade, piece: piece)
            $0.quietFor = 1
        }
        return collector
    }

    private static func metrics() async throws -> Set<String> {
        let names = Names()
        try await RunningServer.run(collector: talkative()) { server in
            let text = try await RawHTTP(port: server.port).send("GET", "/metrics").text
            names.add(text.matches(of: /(?m)^(edgetick_\w+)/).map { String($0.1) })
        }
        return names.all
    }

    @Test(arguments: ["edgetick.rules.yml", "grafana-dashboard.json"])
    func `only metrics that exist are used`(name: String) async throws {
        let used = Set(try Self.file(name).matches(of: /edgetick_[a-z0-9_]+/).map { String($0.0) })
        #expect(used.count > 10)
        #expect(used.subtracting(try await Self.metrics()) == [], "in \(name)")
    }

    @Test func `labels in alerts and panels are those of the metrics`() async throws {
        let allowed: Set = [
            "connection", "stream", "kind", "reason", "check", "le", "instance", "job", "severity",
        ]
        for name in ["edgetick.rules.yml", "grafana-dashboard.json"] {
            let text = try Self.file(name)
            let grouped = text.matches(of: /by \(([a-z, ]+)\)/).flatMap {
                $0.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            }
            let shown = text.matches(of: /{{ ?\$?(?:labels\.)?([a-z_]+) ?}}/).map { String($0.1) }
            #expect(Set(grouped + shown).subtracting(allowed) == [], "in \(name)")
        }
    }

    @Test func `the fleet's alerts use what the exporter's queries give`() throws {
        let queries = try Self.file("fleet.queries.yml")
        let given = Set(queries.matches(of: /(?m)^ +- (\w+):/).map { String($0.1) })
        let rules = try Self.file("fleet.rules.yml")
        let used = Set(rules.matches(of: /edgetick_fleet_([a-z_]+)/).map { String($0.1) })
        let labels = rules.matches(of: /(?:labels\.|by \()([a-z_]+)/).map { String($0.1) }
        #expect(used.count > 5 && used.subtracting(given) == [])
        #expect(Set(labels).isSubset(of: ["collector", "box_group"]), "\(labels)")
    }

    @Test(arguments: [
        ("grafana-dashboard.json", "expr", "edgetick_"), ("grafana-fleet.json", "rawSql", "edgetick_collectors"),
    ])
    func `a Grafana dashboard is JSON whose panels don't overlap and have queries`(
        name: String, query: String, words: String
    ) throws {
        let object = try JSONSerialization.jsonObject(with: Data(try Self.file(name).utf8))
        let dashboard = try #require(object as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        var taken: Set<String> = []
        for panel in panels {
            let place = try #require(panel["gridPos"] as? [String: Int])
            let (left, top) = (place["x"] ?? 0, place["y"] ?? 0)
            #expect(left + (place["w"] ?? 0) <= 24)
            for column in left..<left + (place["w"] ?? 0) {
                for line in top..<top + (place["h"] ?? 0) { #expect(taken.insert("\(column) \(line)").inserted) }
            }
            guard panel["type"] as? String != "row" else { continue }
            let targets = try #require(panel["targets"] as? [[String: Any]])
            #expect(targets.allSatisfy { ($0[query] as? String)?.contains(words) == true })
        }
    }

    /// The expression of an alert.
    private static func expression(of alert: String) throws -> String {
        let rules = try file("edgetick.rules.yml").components(separatedBy: "- alert: ")
        let rule = try #require(rules.first(where: { $0.hasPrefix(alert + "\n") }), "\(alert)")
        let line = rule.components(separatedBy: "\n").first(where: { $0.contains("expr: ") })
        return try #require(line, "\(alert)")
    }

    @Test func `no alert takes for a problem what is as the settings and a person want it`() throws {
        let drops = try Self.expression(of: "EdgeTickDropsEvents")
        #expect(drops.contains("increase(edgetick_buffer_no_room_events_total[10m]) > 0"))
        #expect(try Self.expression(of: "EdgeTickGaps").contains("changes(edgetick_buffer_gaps_total[1h])"))
        for alert in ["EdgeTickUploadBehind", "EdgeTickUploadStalled"] {
            #expect(try Self.expression(of: alert).contains("> (edgetick_upload_interval_seconds or "))
        }
        // At four times as much nothing is written any more.
        #expect(try Self.expression(of: "EdgeTickLogTooLong").contains("> 64 * 1024 * 1024"))
    }

    @Test func `a stuck loop is an alert although the watchdog soon ends the process`() throws {
        let unit = try Self.file("edgetick.service")
        let patience = try #require(unit.firstMatch(of: /(?m)^WatchdogSec=(\d+)$/).flatMap { Double($0.1) })
        let rules = try Self.file("edgetick.rules.yml").components(separatedBy: "- alert: ")
        let rule = try #require(rules.first { $0.hasPrefix("EdgeTickStuck\n") })
        let match = try #require(rule.firstMatch(of: /avg_over_time\(edgetick_live\[(\d+)m\]\) < (0\.\d+)/))
        let (minutes, share) = (try #require(Double(match.1)), try #require(Double(match.2)))
        // While the process is stuck until it is ended, and is live the rest of the time, the average is below the limit.
        #expect(!rule.contains(" for: ") && 1 - patience / (minutes * 60) < share)
    }

    @Test(arguments: ["grafana-dashboard.json", "grafana-fleet.json"])
    func `a panel with one number has thresholds of its own, and nothing that is down is green`(name: String) throws {
        let object = try JSONSerialization.jsonObject(with: Data(try Self.file(name).utf8))
        let panels = try #require((object as? [String: Any])?["panels"] as? [[String: Any]])
        for panel in panels where panel["type"] as? String == "stat" {
            let title = try #require(panel["title"] as? String)
            // Without thresholds of its own, Grafana shows less than 80 in green and the rest in red.
            let defaults = (panel["fieldConfig"] as? [String: Any])?["defaults"] as? [String: Any]
            let thresholds = try #require(defaults?["thresholds"] as? [String: Any], "\(title)")
            let steps = try #require(thresholds["steps"] as? [[String: Any]], "\(title)")
            if ["Ready", "Live boxes"].contains(title) {
                #expect(steps.first?["color"] as? String == "red", "\(title)")
            }
        }
    }

    @Test func `a kind of events that stops, or has a new name, is an alert`() throws {
        #expect(try Self.expression(of: "EdgeTickKindSilent").contains("edgetick_feed_silent_kinds > 0"))
        let errors = try Self.expression(of: "EdgeTickDecodeErrors")
        #expect(errors.contains("(increase(edgetick_feed_decode_errors_total[15m])) > 10"), "whatever the reason")
    }

    /// What an earlier version doesn't have must leave no alert without a value. The metrics that are matched with it
    /// have the labels of their box alone.
    @Test func `alerts also fire for boxes of an earlier version`() async throws {
        let drops = try Self.expression(of: "EdgeTickDropsEvents")
        #expect(
            drops.contains(
                "(increase(edgetick_buffer_dropped_events_total[10m]) > 0 unless last_over_time(edgetick_buffer_no_room_events_total[10m]))"
            )
        )
        let matched = ["edgetick_upload_lag_seconds", "edgetick_upload_stalled_seconds"]
        for (alert, metric) in zip(["EdgeTickUploadBehind", "EdgeTickUploadStalled"], matched) {
            let expression = try Self.expression(of: alert)
            #expect(expression.contains("\(metric) > (edgetick_upload_interval_seconds or 0 * \(metric)) + "))
        }
        try await RunningServer.run(collector: Self.talkative()) { server in
            let metrics = Exposition(try await RawHTTP(port: server.port).send("GET", "/metrics").text)
            for metric in matched + [
                "edgetick_upload_interval_seconds", "edgetick_buffer_dropped_events_total",
                "edgetick_buffer_no_room_events_total",
            ] {
                #expect(metrics.samples.filter { $0.name == metric }.map(\.labels) == [[:]], "\(metric)")
            }
        }
    }

    @Test func `the metrics tell how long rows wait anyway, which drops were for want of room, and every gap`()
        async throws
    {
        let collector = Self.talkative()
        collector.change { state in
            state.snapshot.uploads = [UploadState(interval: 3600)]
            state.snapshot.buffer.drops = 7
            state.snapshot.buffer.noRoom = 2
            state.snapshot.buffer.openGaps = 3
            state.snapshot.buffer.recordedGaps = 9
            // As old ones are forgotten.
            state.snapshot.buffer.gaps = 4
        }
        try await RunningServer.run(collector: collector) { server in
            let metrics = Exposition(try await RawHTTP(port: server.port).send("GET", "/metrics").text)
            #expect(metrics.value("edgetick_upload_interval_seconds") == 3600)
            #expect(metrics.value("edgetick_buffer_dropped_events_total") == 7)
            #expect(metrics.value("edgetick_buffer_no_room_events_total") == 2)
            #expect(metrics.value("edgetick_gaps_open") == 3)
            #expect(metrics.value("edgetick_buffer_gaps_total") == 9)
        }
    }

    @Test func `a box that no longer answers is not shown as it last was`() throws {
        let object = try JSONSerialization.jsonObject(with: Data(try Self.file("grafana-dashboard.json").utf8))
        let panels = try #require((object as? [String: Any])?["panels"] as? [[String: Any]])
        let stats = panels.filter { $0["type"] as? String == "stat" }
        #expect(stats.count > 3 && stats.contains { $0["title"] as? String == "Ready" })
        for panel in stats {
            let targets = try #require(panel["targets"] as? [[String: Any]])
            #expect(targets.allSatisfy { $0["instant"] as? Bool == true }, "\(panel["id"] as? Int ?? 0)")
            guard panel["title"] as? String == "Ready" else { continue }
            #expect((targets.first?["expr"] as? String)?.contains("or 0 * up{job=\"edgetick\"") == true)
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool"), "promtool is not installed"))
    func `promtool takes the alert rules and the scrape configuration`() async throws {
        for arguments in [
            ["check", "rules", "edgetick.rules.yml"], ["check", "rules", "fleet.rules.yml"],
            ["check", "config", "prometheus.yml"],
        ] {
            let process = try ChildProcess(
                "/usr/bin/promtool", arguments, directory: Places.repository + "/Deploy")
            #expect(try await process.exit(within: .seconds(60)) == 0, "\(process.output)")
        }
    }

    @Test(
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"), "systemd is not installed"))
    func `systemd takes the unit, and finds little that it may do`() async throws {
        let unit = Places.repository + "/Deploy/edgetick.service"
        let verify = try ChildProcess("/usr/bin/systemd-analyze", ["verify", unit])
        _ = try await verify.exit(within: .seconds(60))
        #expect(
            verify.output.filter { $0.contains("edgetick.service") && !$0.contains("is not executable") } == [])
        let security = try ChildProcess(
            "/usr/bin/systemd-analyze", ["security", "--offline=true", "--threshold=20", "--no-pager", unit])
        #expect(try await security.exit(within: .seconds(60)) == 0, "\(security.output.suffix(3))")
    }
}

/// Names gathered by a test.
private final class Names: @unchecked Sendable {
    private(set) var all: Set<String> = []

    func add(_ names: [String]) { all.formUnion(names) }
}

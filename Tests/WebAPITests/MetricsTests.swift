import Collector
import Foundation
import MarketData
import TestSupport
import Testing
import WebAPI
import WebAPISupport

@testable import Feed

@Suite(.timeLimit(.minutes(2))) struct MetricsTests {
    @Test func `metrics follow the format and its naming conventions`() async throws {
        try await RunningServer.run { server in
            server.collector.change("connection_1") {
                $0.feed.name = "quote \" slash \\ line \n end"
                let piece = UnsafeRawBufferPointer(start: nil, count: 0)
                $0.feed.rejects.record(.malformedJSON, kind: .trade, count: 2, piece: piece)
                $0.feed.rejects.record(.wrongType, piece: piece)
                $0.feed.rejects.leaveOut(keys: 15, reason: 0, kind: .quote, piece: piece)
            }
            try server.feedTrades(5, symbol: "AAPL", connection: "secondary")
            _ = try await server.reply("/api/status") {
                (($0["connections"] as? [[String: Any]])?.last?["message_count"] as? Int) == 5
            }
            let http = RawHTTP(port: server.port)
            var reply = try await http.send("GET", "/metrics")
            // After a pause of the machine, the status loop counts as stuck for a moment.
            let deadline = ContinuousClock.now + .seconds(45)
            while Exposition(reply.text).value("edgetick_ready") != 1, ContinuousClock.now < deadline {
                reply = try await http.send("GET", "/metrics")
            }
            #expect(reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let metrics = Exposition(reply.text)
            #expect(metrics.faults.isEmpty)
            #expect(Set(metrics.types.keys) == Set(metrics.helps.keys))
            let allowed: Set = [
                "connection", "stream", "kind", "reason", "check", "le", "collector", "version", "database",
            ]
            for sample in metrics.samples {
                let name = metrics.base(sample.name)
                #expect(metrics.types[name] != nil, "\(sample.name) has no TYPE")
                #expect(name.hasPrefix("edgetick_"))
                #expect(Set(sample.labels.keys).isSubset(of: allowed), "\(sample)")
                #expect(!sample.labels.values.contains("AAPL"))
            }
            for (name, type) in metrics.types {
                #expect((type == "counter") == name.hasSuffix("_total"), "\(name) is a \(type)")
            }
            #expect(metrics.value("edgetick_feed_events_total", ["connection": "secondary", "stream": "trades"]) == 5)
            #expect(metrics.value("edgetick_buffer_pending_rows", ["stream": "trades"]) == 5)
            #expect(metrics.value("edgetick_feed_decode_errors_total", ["reason": "malformed_json"]) == 2)
            #expect(metrics.value("edgetick_feed_rejected_events_total", ["kind": "T"]) == 2)
            #expect(metrics.value("edgetick_feed_rejected_events_total", ["kind": "unknown"]) == 1)
            #expect(metrics.value("edgetick_feed_left_out_fields_total", ["kind": "Q"]) == 4)
            #expect(metrics.value("edgetick_ready") == 1)
        }
    }

    @Test func `every reason and kind of a rejected event has a counter before the first one`() async throws {
        try await RunningServer.run { server in
            let metrics = Exposition(try await RawHTTP(port: server.port).send("GET", "/metrics").text)
            for reason in DecodeRejects.Reason.allCases {
                let value = metrics.value("edgetick_feed_decode_errors_total", ["reason": reason.rawValue])
                #expect(value == 0, "\(reason)")
            }
            for kind in EventKind.allCases.map(\.rawValue) + ["unknown"] {
                #expect(metrics.value("edgetick_feed_rejected_events_total", ["kind": kind]) == 0, "\(kind)")
                #expect(metrics.value("edgetick_feed_left_out_fields_total", ["kind": kind]) == 0, "\(kind)")
            }
        }
    }

    @Test func `the latency histogram adds up`() async throws {
        try await RunningServer.run { server in
            try server.feedTrades(7, symbol: "AAPL")
            let wanted = ["connection": "primary"]
            let deadline = ContinuousClock.now + .seconds(45)
            var metrics = Exposition("\n")
            repeat {
                metrics = Exposition(try await RawHTTP(port: server.port).send("GET", "/metrics").text)
            } while metrics.value("edgetick_feed_latency_seconds_count", wanted) != 7 && ContinuousClock.now < deadline
            let buckets = metrics.samples.filter {
                $0.name == "edgetick_feed_latency_seconds_bucket" && $0.labels["connection"] == "primary"
            }
            let counts = buckets.map(\.value)
            #expect(counts == counts.sorted())
            #expect(buckets.last?.labels["le"] == "+Inf")
            #expect(counts.last == 7)
            #expect(buckets.first { $0.labels["le"] == "0.025" }?.value == 0)
            #expect(buckets.first { $0.labels["le"] == "0.05" }?.value == 7)
            #expect(abs((metrics.value("edgetick_feed_latency_seconds_sum", wanted) ?? 0) - 0.28) < 1e-9)
        }
    }

    @Test func `refused requests are counted by reason`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            _ = try await http.send("GET", "/", headers: ["Host": "evil.example"])
            _ = try await http.send("POST", "/api/sync", headers: ["Origin": "http://evil.example"])
            _ = try await http.send("GET", "/nothing")
            let metrics = Exposition(try await http.send("GET", "/metrics").text)
            for reason in ["host", "origin", "client"] {
                #expect(metrics.value("edgetick_http_refused_requests_total", ["reason": reason]) == 1, "\(reason)")
            }
        }
    }

    @Test(.enabled(if: Promtool.path != nil, "promtool is not installed"))
    func `promtool finds nothing to say about the metrics`() async throws {
        try await RunningServer.run { server in
            try server.feedTrades(5, symbol: "AAPL")
            let text = try await RawHTTP(port: server.port).send("GET", "/metrics").text
            let (status, output) = try await Promtool.run(["check", "metrics"], input: text)
            #expect(status == 0)
            #expect(output == "")
        }
    }
}

/// Part of Debian's package prometheus.
enum Promtool {
    static let path: String? = ["/usr/bin/promtool", "/usr/local/bin/promtool"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Runs promtool and returns its status and output.
    static func run(_ arguments: [String], input: String = "") async throws -> (Int32, String) {
        try await Blocking.run {
            try Command.result(of: [path ?? ""] + arguments, input: input)
        }
    }
}

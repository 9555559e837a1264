import Foundation
import TestSupport
import Testing
import WebAPISupport

/// Who gets what from a collector that other machines can reach, requested with curl as an administrator would do.
@Suite(
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/curl"), "curl is not installed"),
    .timeLimit(.minutes(5)))
struct RequestMatrixTests {
    private struct Row {
        var method = "GET"
        var path: String
        var host: String?
        var origin: String?
        var token: String?
        var status: Int
    }

    private static let token = "matrix-token-0123456789"

    private static let rows: [Row] = {
        var rows: [Row] = []
        let reads = ["/api/status", "/metrics", "/api/websocket/connections", "/api/gaps", "/api/ticks/recent"]
        for path in reads {
            rows.append(Row(path: path, status: 401))
            rows.append(Row(path: path, token: "wrong", status: 401))
            rows.append(Row(path: path, token: token + "x", status: 401))
            rows.append(Row(path: path, token: token, status: 200))
            rows.append(Row(path: path, host: "evil.example", token: token, status: 421))
            rows.append(Row(path: path, host: "localhost", token: token, status: 200))
            rows.append(Row(path: path, origin: "http://evil.example", token: token, status: 403))
            rows.append(Row(method: "PUT", path: path, token: token, status: 405))
        }
        for path in ["/", "/admin/websockets", "/health/live", "/api/openapi.json", "/assets/main.js"] {
            rows.append(Row(path: path, status: 200))
            rows.append(Row(path: path, host: "evil.example", status: 421))
            rows.append(Row(method: "HEAD", path: path, status: 200))
            rows.append(Row(method: "DELETE", path: path, status: 405))
        }
        for path in ["/api/sync", "/api/websocket/rebalance"] {
            rows.append(Row(method: "POST", path: path, status: 401))
            rows.append(Row(method: "POST", path: path, origin: "http://evil.example", token: token, status: 403))
            rows.append(Row(method: "POST", path: path, origin: "null", token: token, status: 403))
            rows.append(Row(method: "POST", path: path, host: "evil.example", token: token, status: 421))
            // The request is valid but refused, since there is only one connection and no upstream.
            rows.append(Row(method: "POST", path: path, token: token, status: 409))
        }
        rows.append(Row(path: "/api/events", origin: "http://evil.example", token: token, status: 403))
        rows.append(Row(path: "/nothing", token: token, status: 404))
        rows.append(Row(path: "/api/../etc/passwd", token: token, status: 404))
        return rows
    }()

    @Test func `host, origin, token and method decide, and no answer tells a secret`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(
            feed: market.url, settings: ["HTTP_HOST": "0.0.0.0", "HTTP_TOKEN": Self.token, "LOG_LEVEL": "debug"])
        let (collector, port) = try await box.collect()
        for row in Self.rows {
            var arguments = ["-s", "-i", "--path-as-is", "--max-time", "90"]
            arguments += row.method == "HEAD" ? ["-I"] : ["-X", row.method]
            if let host = row.host { arguments += ["-H", "Host: \(host):\(port)"] }
            if let origin = row.origin { arguments += ["-H", "Origin: \(origin)"] }
            if let token = row.token { arguments += ["-H", "Authorization: Bearer \(token)"] }
            var status: Int? = 503
            var text = ""
            // A file that doesn't answer within three seconds is a 503, which says to try again.
            for _ in 0..<5 where status == 503 {
                let curl = try ChildProcess("/usr/bin/curl", arguments + ["http://127.0.0.1:\(port)\(row.path)"])
                #expect(try await curl.exit(within: .seconds(120)) == 0, "\(row)")
                status = curl.output.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
                text = curl.output.joined(separator: "\n")
                #expect(status != nil, "\(row)")
                #expect(!text.contains(Self.token), "\(row)")
                #expect(!text.contains("box-key"), "\(row)")
            }
            #expect(status == row.status, "\(row)")
            #expect(!text.lowercased().contains("access-control-allow-origin"), "\(row)")
            #expect(text.lowercased().contains("content-security-policy:"), "\(row)")
        }
        try await collector.stop()
        #expect(!collector.output.contains { $0.contains(Self.token) || $0.contains("box-key") })
    }
}

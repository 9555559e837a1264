import Foundation
import TestSupport
import Testing
import WebAPISupport

/// Searches all output for the feed's key, the database's password and the API's token.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct SecretsTests {
    private static let key = "canary-key-5f1c0d7e"
    private static let password = "canary/pw@9d2e"
    private static let token = "canary-token-3b8a6c21"

    /// The forms in which a secret could appear.
    private static let forms: [String] = [key, password, token].flatMap { secret in
        [
            secret, secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? secret,
            Data(secret.utf8).base64EncodedString(),
            secret.data(using: .utf8).map { $0.map { String(format: "%02x", $0) }.joined() } ?? secret,
        ]
    }

    /// Everything that was output, with its origin.
    private final class Outputs {
        private(set) var all: [(place: String, bytes: Data)] = []

        func add(_ place: String, _ bytes: Data) { all.append((place, bytes)) }

        func add(_ place: String, _ lines: [String]) { add(place, Data(lines.joined(separator: "\n").utf8)) }

        /// The secrets found, each with the place.
        var leaks: [String] {
            all.flatMap { place, bytes in
                forms.filter { bytes.range(of: Data($0.utf8)) != nil }.map { "\(place): \($0)" }
            }
        }
    }

    private static let routes = [
        "/", "/metrics", "/health/live", "/health/ready", "/api/status", "/api/sync", "/api/history", "/api/gaps",
        "/api/dead-letters", "/api/ticks/recent", "/api/bars?symbol=AAPL", "/api/universes", "/api/universes/none",
        "/api/websocket/connections", "/api/websocket/connections/connection_1",
        "/api/websocket/connections/connection_1/tickers", "/api/admin/websocket-status", "/api/openapi.json",
        "/api/nothing",
    ]

    @Test(arguments: ["text", "json"])
    func `no secret is in any output, in good times and bad`(format: String) async throws {
        let betrayed = Outputs()
        betrayed.add("a check of this test", Self.forms)
        #expect(betrayed.leaks.count == Self.forms.count)
        let outputs = Outputs()
        let cluster = try PostgresCluster.shared()
        let role = "secret_\(UUID().uuidString.prefix(8).lowercased())"
        _ = try cluster.psql(
            "CREATE ROLE \(role) LOGIN PASSWORD '\(Self.password)' IN ROLE password_users", database: "postgres")
        let database = try cluster.makeDatabase()
        _ = try cluster.psql(
            "GRANT ALL ON DATABASE \(database) TO \(role); GRANT ALL ON SCHEMA public TO \(role)", database: database)
        let proxy = try TCPProxy(to: cluster.port)
        // A port that nobody else gets while no market has it.
        let market = try await SimulatedMarket(port: try #require(LoopbackListener.freePort()), key: Self.key)
        let inbox = try DatagramInbox("@edgetick-\(UUID())")
        let box = try CollectorBox(
            feed: market.url,
            settings: [
                "MASSIVE_API_KEY": Self.key, "HTTP_TOKEN": Self.token, "LOG_LEVEL": "trace", "LOG_FORMAT": format,
                "DATABASE_URI": cluster.uri(database, user: role, password: Self.password, port: proxy.port),
                "NOTIFY_SOCKET": inbox.address, "UNIVERSE_PULL_INTERVAL": "10", "SYNC_STATEMENT_TIMEOUT": "1",
            ])
        let migration = try await box.run("migrate", settings: ["SYNC_STATEMENT_TIMEOUT": "60"])
        #expect(migration.status == 0, "\(migration.output)")
        outputs.add("migrate", migration.output)
        // Every trade of one symbol is refused, so that there are dead letters.
        _ = try cluster.psql("ALTER TABLE trades ADD CHECK (symbol <> 'MSFT')", database: database)

        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        func ask(_ when: String) async throws {
            for route in Self.routes {
                let reply = try await http.send(
                    "GET", route, headers: ["Authorization": "Bearer \(Self.token)"])
                outputs.add("\(route) \(when)", Data("\(reply.headers)".utf8) + reply.body)
            }
        }
        let headers = ["Authorization": "Bearer \(Self.token)"]
        try await http.until("/api/dead-letters", headers: headers) {
            ($0.json["dead_letters"] as? [Any])?.isEmpty == false
        }
        try await ask("in good times")
        let refused = try await http.send(
            "GET", "/api/status?token=\(Self.token)", headers: ["Authorization": "Bearer x"])
        #expect(refused.status == 401)
        let line = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(collector.pid)/cmdline"))
        outputs.add("command line", line)

        proxy.set(.refuse)
        try await http.until("/api/sync", headers: headers) { $0.json["failure"] as? String != nil }
        try await ask("without database")
        _ = try cluster.psql("ALTER ROLE \(role) PASSWORD 'another'", database: "postgres")
        proxy.set(.pass)
        try await http.until("/api/sync", headers: headers) { $0.json["state"] as? String == "needs_person" }
        try await ask("with a wrong password")
        try await market.kill()
        let strict = try await SimulatedMarket(port: market.port, key: "another")
        try await http.until("/api/status", headers: headers) { $0.text.contains("\"status\":\"error\"") }
        try await ask("with a wrong key")
        for command in [
            ["status"], ["status", "--json"], ["config"], ["doctor"], ["gaps"], ["universe", "pull"],
            ["query", "AAPL", "--from", "-1h"], ["capture", "capture.ndjson", "--seconds", "2"],
        ] {
            outputs.add(command.joined(separator: " "), try await box.run(command).output)
        }
        try await collector.stop()
        for command in [["sync"], ["verify"], ["dead-letters", "list"], ["backfill"], ["run", "--bad-option"]] {
            outputs.add(command.joined(separator: " "), try await box.run(command).output)
        }
        outputs.add("the log", collector.output)
        outputs.add("the feed's log", market.process.output + strict.process.output)
        while let message = await inbox.next(within: .milliseconds(50)) { outputs.add("the supervisor", [message]) }
        let files = FileManager.default.enumerator(atPath: box.workspace.path)
        while let name = files?.nextObject() as? String {
            guard let bytes = FileManager.default.contents(atPath: box.workspace.file(name)) else { continue }
            outputs.add("the file \(name)", bytes)
        }
        #expect(outputs.all.contains { $0.place.hasSuffix("ticks.sqlite") })
        #expect(outputs.all.count > 90, "\(outputs.all.count)")
        #expect(outputs.leaks == [])
    }
}

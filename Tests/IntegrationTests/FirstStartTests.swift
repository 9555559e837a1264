import Foundation
import TestSupport
import Testing
import WebAPISupport

/// Starts in an environment that isn't ready: without groups, with faulty settings, or alongside another collector.
@Suite(.blocking, .timeLimit(.minutes(5))) struct FirstStartTests {
    private static let keys = [
        "USE_MULTI_CONNECTION": "true", "SYMBOLS": "", "WEBSOCKET_CONNECTION_1_UNIVERSE_KEY": "tech",
        "WEBSOCKET_CONNECTION_2_ENABLED": "true", "WEBSOCKET_CONNECTION_2_UNIVERSE_KEY": "rest",
        "WEBSOCKET_FAILOVER_GRACE": "1", "UNIVERSE_PULL_INTERVAL": "10",
    ]

    private func database(_ cluster: PostgresCluster) async throws -> String {
        let name = try cluster.makeDatabase()
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["DATABASE_URI": cluster.uri(name)])
        #expect(try await box.run("migrate").status == 0)
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type) VALUES ('tech', 'UNIVERSE'), ('rest', 'UNIVERSE');
            INSERT INTO group_memberships (group_id, symbol)
            SELECT id, s FROM definition_groups, (VALUES ('AAPL', 'tech'), ('MSFT', 'rest')) m(s, n) WHERE n = name
            """, database: name)
        return name
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), arguments: [false, true])
    func `several connections without groups pull them before the first connection`(isDamaged: Bool) async throws {
        let cluster = try PostgresCluster.shared()
        let market = try await SimulatedMarket()
        let uri = cluster.uri(try await database(cluster))
        let box = try CollectorBox(feed: market.url, settings: Self.keys.merging(["DATABASE_URI": uri]) { $1 })
        if isDamaged {
            try FileManager.default.createDirectory(atPath: box.data, withIntermediateDirectories: true)
            try Data("no database".utf8).write(to: URL(fileURLWithPath: box.data + "/universe.sqlite"))
        }
        let (collector, port) = try await box.collect(settings: ["UNIVERSE_FALLBACK": "error"])
        let http = RawHTTP(port: port)
        try await http.until("/health/ready") { $0.status == 200 }
        #expect(collector.output.contains { $0.contains("the groups are pulled before the start") })
        try await collector.stop()
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
    func `without groups and database the collector waits, and collects as soon as it can pull`() async throws {
        let cluster = try PostgresCluster.shared()
        let proxy = try TCPProxy(to: cluster.port)
        proxy.set(.refuse)
        let market = try await SimulatedMarket()
        let uri = cluster.uri(try await database(cluster), port: proxy.port)
        let box = try CollectorBox(feed: market.url, settings: Self.keys.merging(["DATABASE_URI": uri]) { $1 })
        let refusing = try await box.run("run", settings: ["UNIVERSE_FALLBACK": "error"])
        #expect(refusing.status == 69, "\(refusing.output)")

        let (collector, port) = try await box.collect()
        let http = RawHTTP(port: port)
        let idle = try await http.until("/health/ready") { $0.level(of: "symbols") == "degraded" }
        #expect(idle.status == 503 && idle.detail(of: "feed")?.contains("no universe key can be resolved") == true)
        proxy.set(.pass)
        try await http.until("/health/ready") { $0.status == 200 && $0.level(of: "symbols") == "ok" }
        try await collector.stop()
    }

    @Test func `without groups and without a database it ends, saying what to do`() async throws {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: Self.keys)
        let (status, output) = try await box.run("run")
        #expect(status == 78)
        #expect(output.last?.contains("no connection has any symbols") == true, "\(output)")
        #expect(output.last?.contains("WEBSOCKET_CONNECTION_1_UNIVERSE_KEY") == true)
    }

    @Test func `a second collector hears of the first and not of its port`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        let second = try await box.run("run", settings: ["HTTP_PORT": "\(port)"])
        #expect(second.status == 75, "\(second.output)")
        #expect(second.output.last?.contains("process \(collector.pid)") == true, "\(second.output)")
        try await collector.stop()
    }

    @Test func `doctor looks at the rest when a setting is wrong, and run names near misses with the faults`()
        async throws
    {
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks",
            settings: ["LOG_LEVEL": "loud", "DATABASE_URL": "postgresql://127.0.0.1:1/x"])
        let doctor = try await box.run("doctor")
        #expect(doctor.status == 78)
        for word in ["LOG_LEVEL=loud", "symbols", "disk", "sqlite", "DATABASE_URI is not set"] {
            #expect(doctor.output.contains { $0.contains(word) }, "\(word) in \(doctor.output)")
        }
        let run = try await box.run("run")
        #expect(run.status == 78)
        #expect(run.output.contains { $0.contains("LOG_LEVEL=loud") })
        #expect(run.output.contains { $0.contains("warning: DATABASE_URL") && $0.contains("nearest: DATABASE_URI") })
    }

    @Test(arguments: [
        ("?pgbouncer=true&schema=x", true), ("?sslmode=no-verify", true), ("?options=endpoint%3Dep-1", false),
        ("?options=-cjit%3Doff", true), ("?gssencmode=disable&sslnegotiation=direct&channel_binding=prefer", false),
        ("?connection_limit=1&pool_timeout=3", true), ("?service=x", true), ("", false),
    ])
    func `config, doctor and run say the same of an address`(options: String, isRefused: Bool) async throws {
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks",
            settings: ["DATABASE_URI": "postgresql://u:hunter2-canary@127.0.0.1:1/db\(options)"])
        func told(_ output: [String]) -> String? {
            output.first { $0.contains("DATABASE_URI=") && $0.contains("(environment)") }
                .flatMap { line in line.firstRange(of: "DATABASE_URI=").map { String(line[$0.lowerBound...]) } }
        }
        let config = try await box.run("config")
        #expect(config.status == (isRefused ? 78 : 0))
        let doctor = try await box.run("doctor")
        #expect((told(doctor.output) != nil) == isRefused)
        #expect(told(doctor.output) == told(config.output))
        for output in [config.output, doctor.output] { #expect(!output.contains { $0.contains("hunter2-canary") }) }
        guard isRefused else { return }
        let run = try await box.run("run")
        #expect(run.status == 78 && told(run.output) == told(config.output), "\(run.output)")
    }
}

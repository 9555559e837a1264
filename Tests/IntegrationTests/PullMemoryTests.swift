import Foundation
import TestSupport
import Testing

/// The memory that pulling a large universe takes.
@Suite(.blocking, .timeLimit(.minutes(10))) struct PullMemoryTests {
    private static func mebibytes(_ name: String, of process: ChildProcess) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) / 1024
    }

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
    func `pulling a large universe again and again takes bounded memory, and gives it back`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks",
            settings: ["DATABASE_URI": cluster.uri(database), "UNIVERSE_PULL_INTERVAL": "10s", "SYNC_INTERVAL": "60"])
        #expect(try await box.run("migrate").status == 0)
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type, environment) VALUES ('large', 'UNIVERSE', 'DEFAULT');
            INSERT INTO group_memberships (group_id, symbol, weight, metadata)
            SELECT id, 'S' || n, 0.5, '{"name": "A company with a name", "sector": "Technology"}'
            FROM definition_groups, generate_series(1, 200000) n;
            """, database: database)
        let (collector, _) = try await box.collect()
        var held: [Int] = []
        for pull in 1...12 {
            try await Waiting.until(within: .seconds(120)) {
                collector.output.count { $0.contains("universes pulled") } >= pull
            }
            try cluster.psql("UPDATE group_memberships SET weight = weight + 1", database: database)
            held.append(try Self.mebibytes("VmRSS", of: collector))
        }
        // One copy of the members takes about 30 MiB, and the collector alone about 50.
        #expect(try Self.mebibytes("VmHWM", of: collector) < 170, "\(held)")
        // A sample may fall into the next pull; what is never given back is in all of them.
        #expect(held[6...].reduce(.max, min) < held[..<6].reduce(.max, min) + 16, "\(held)")
        try await collector.stop()
    }
}

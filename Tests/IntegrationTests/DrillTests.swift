import Foundation
import TestSupport
import Testing

/// Runs the exact commands of the drill in docs/operations.md: backups, copies and restored databases.
@Suite(.blocking, .timeLimit(.minutes(5)), .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
struct DrillTests {
    /// Returns the indented lines of a section.
    private func commands(of section: String) throws -> [String] {
        let text = try String(contentsOfFile: Places.repository + "/docs/operations.md", encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: Substring(section)), "docs/operations.md has no \(section)")
        return lines[(start + 1)...].prefix { !$0.hasPrefix("#") }.filter { $0.hasPrefix("    ") }
            .map { String($0.dropFirst(4)) }
    }

    /// Goes before the drill's commands. Its `sleep` also waits for what the drill waits for, and its collectors run
    /// longer: a busy machine may take seconds to start one.
    private static let patience = """
        set -euo pipefail
        ready() {
          case $1 in
            1) : </dev/tcp/127.0.0.1/$FEED ;;
            *) sqlite3 -readonly $DRILL/box/ticks.sqlite 'SELECT 1 FROM trades LIMIT 1' | grep -q 1 ;;
          esac
        }
        sleep() { command sleep $1; until ready $1 2>/dev/null; do command sleep 0.1; done; }
        timeout() { command timeout 10 "${@:2}"; }
        """

    @Test(arguments: PostgresCluster.offersTimescale ? [false, true] : [false])
    func `every command of the drill does what it says, and no row is lost or doubled`(onTimescale: Bool) async throws {
        var script = try commands(of: "### A drill")
        #expect(script.first?.hasPrefix("export DRILL=") == true, "places come first, in a line of their own")
        script[0] = Self.patience
        let cluster = try PostgresCluster(settings: onTimescale ? ["shared_preload_libraries": "timescaledb"] : [:])
        if onTimescale { try cluster.psql("CREATE EXTENSION timescaledb", database: "template1") }
        // A database that an earlier drill may have left must not get in the way.
        try cluster.psql("CREATE DATABASE yesterday", database: "postgres")
        let workspace = try Workspace()
        try FileManager.default.createDirectory(
            atPath: workspace.file("drill/restored"), withIntermediateDirectories: true)
        let port = try PostgresCluster.freePort()
        let path = try workspace.write(script.joined(separator: "\n"), to: "drill.sh")
        let programs = URL(fileURLWithPath: Places.edgetick).deletingLastPathComponent().path
        let environment = [
            "PATH": "\(programs):/usr/local/bin:/usr/bin:/bin",
            "DRILL": workspace.file("drill"), "FEED": "\(port)", "PGDATABASE": "drill", "PGHOST": "127.0.0.1",
            "PGPORT": "\(cluster.port)", "PGUSER": cluster.superuser, "DATABASE_URI": cluster.uri("drill"),
        ]
        let drill = try ChildProcess(
            "/bin/bash", [path], environment: try Loopback.settings(environment), directory: workspace.path)
        #expect(try await drill.exit(within: .seconds(240)) == 0, "\(drill.output.joined(separator: "\n"))")
        let counts = drill.output.compactMap { $0.wholeMatch(of: /([0-9]+)\|([0-9]+)/) }.last
        let (doubled, rows) = (counts.flatMap { Int($0.1) }, counts.flatMap { Int($0.2) })
        #expect(doubled == 0 && (rows ?? 0) > 500, "\(drill.output.suffix(3))")
        let verified = drill.output.filter { $0.contains("sound, ") }
        #expect(verified.count >= 5, "\(drill.output.joined(separator: "\n"))")
        #expect(!drill.output.contains { $0.contains("FAULT") || $0.contains("WARN") })
        let left = try cluster.psql(
            "SELECT count(*) FROM pg_database WHERE datname IN ('drill', 'yesterday')", database: "postgres")
        #expect(left.hasPrefix("0"))
        #expect(!FileManager.default.fileExists(atPath: workspace.file("drill")))
    }
}

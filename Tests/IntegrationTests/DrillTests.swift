import Foundation
import TestSupport
import Testing

/// The drill in docs/operations.md of backups, copies and databases that come back: its very commands.
@Suite(.timeLimit(.minutes(5)), .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
struct DrillTests {
    /// The indented lines of a section.
    private func commands(of section: String) throws -> [String] {
        let text = try String(contentsOfFile: Places.repository + "/docs/operations.md", encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: Substring(section)), "docs/operations.md has no \(section)")
        return lines[(start + 1)...].prefix { !$0.hasPrefix("#") }.filter { $0.hasPrefix("    ") }
            .map { String($0.dropFirst(4)) }
    }

    @Test func `every command of the drill does what it says, and no row is lost or doubled`() async throws {
        var script = try commands(of: "### A drill")
        #expect(script.first?.hasPrefix("export DRILL=") == true, "places come first, in a line of their own")
        script[0] = "set -euo pipefail"
        let cluster = try PostgresCluster()
        let workspace = try Workspace()
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
        #expect(drill.output.last == "0")
        let verified = drill.output.filter { $0.contains("sound, ") }
        #expect(verified.count >= 5, "\(drill.output.joined(separator: "\n"))")
        #expect(!drill.output.contains { $0.contains("FAULT") || $0.contains("WARN") })
        #expect(Int(try cluster.psql("SELECT count(*) FROM trades", database: "drill").trimmed) ?? 0 > 500)
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

import Foundation
import TestSupport
import Testing

/// External texts can't control a terminal, forge a line or hide what is printed.
@Suite(.timeLimit(.minutes(5))) struct InjectionTests {
    private static let evil = "evil\u{1B}[31m\nERROR forged: line\u{202E}\u{7}|`<img src=x onerror=alert(1)>"

    /// Returns the lines that contain control or format characters. JSON, which is for programs, may contain format
    /// characters such as direction marks.
    private static func steering(_ lines: [String], isJSON: Bool = false) -> [String] {
        lines.filter { line in
            line.unicodeScalars.contains {
                switch $0.properties.generalCategory {
                case .control: true
                case .format, .lineSeparator: !isJSON
                default: false
                }
            }
        }
    }

    private static func box() async throws -> CollectorBox {
        let box = try CollectorBox(
            feed: "ws://127.0.0.1:9/stocks",
            settings: ["SYMBOLS": "", "SYMBOL_UNIVERSE_KEY": evil, "COLLECTOR_ID": "box"])
        let list = try box.workspace.write("AAPL\n", to: "a.csv")
        #expect(try await box.run("universe", "import", list, "--name", "plain").status == 0)
        let quoted = "'" + evil.replacing("'", with: "''") + "'"
        let sql = """
            INSERT INTO definition_groups (name, type, description, environment, created_at, updated_at, origin)
              VALUES (\(quoted), 'UNIVERSE', \(quoted), 'DEFAULT', 0, 0, 'pulled');
            INSERT INTO group_memberships (group_id, symbol, created_at)
              SELECT id, symbol, 0 FROM definition_groups, (SELECT 'MSFT' AS symbol UNION SELECT \(quoted))
              WHERE name <> 'plain';
            INSERT INTO cache_entries (type, name, key, value, environment, updated_at)
              VALUES ('app_settings', \(quoted), \(quoted), '"x"', 'DEFAULT', 0);
            """
        let process = try ChildProcess("/usr/bin/sqlite3", ["-bail", box.data + "/universe.sqlite", sql])
        #expect(try await process.exit() == 0, "\(process.output)")
        return box
    }

    @Test func `no command passes on what steers a terminal`() async throws {
        let box = try await Self.box()
        for arguments in [
            ["universe", "list"], ["universe", "show", Self.evil], ["universe", "resolve", Self.evil],
            ["universe", "resolve", "evi"], ["universe", "validate"], ["universe", "report"],
            ["universe", "report", "--markdown"], ["universe", "export"], ["universe", "list", "--json"],
            ["universe", "import", Self.evil], ["universe", "import", "a.csv", "--name", Self.evil],
            ["universe", "pull"], ["settings", "list"], ["settings", "get", Self.evil], ["config"], ["doctor"],
            ["query", Self.evil], ["tail", Self.evil], ["status"], ["gaps"], ["capture", Self.evil + "/x"],
            ["sync"], ["run", "--env-file", Self.evil],
        ] {
            let result = try await box.run(arguments)
            let isJSON = arguments.contains("export") || arguments.contains("--json")
            #expect(Self.steering(result.output, isJSON: isJSON) == [], "\(arguments.joined(separator: " "))")
        }
    }

    @Test(arguments: ["text", "json"])
    func `a name from outside stays within its line of the log`(format: String) async throws {
        let box = try await Self.box()
        let collector = try box.start("run", settings: ["LOG_FORMAT": format, "LOG_LEVEL": "trace"])
        _ = try await collector.line(containing: "HTTP is ready", within: .seconds(60))
        try await collector.stop()
        #expect(collector.output.contains { $0.contains("forged") }, "the name is told: \(collector.output)")
        #expect(Self.steering(collector.output) == [])
        #expect(!collector.output.contains { $0.hasPrefix("ERROR forged") })
    }
}

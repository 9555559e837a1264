import Foundation
import TestSupport
import Testing

@testable import edgetick

/// What the documents say about the keys is what the list of keys says.
@Suite(.timeLimit(.minutes(1)))
struct SettingsDocumentTests {
    private static func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(Places.repository)/\(name)", encoding: .utf8)
    }

    @Test func `the page of settings is the list of keys`() throws {
        #expect(
            try Self.text("docs/settings.md") == SettingsDocument.markdown,
            "write it again: edgetick config --markdown > docs/settings.md")
    }

    @Test func `the README's table names keys that exist, with their defaults`() throws {
        let known = Settings.all.map(\.name)
        let rows = try Self.text("README.md").split(separator: "\n").filter { $0.hasPrefix("| `") }
            .map { $0.split(separator: "|").map { $0.split(separator: " ").joined(separator: " ") } }
            .filter { $0.count == 3 || $0.count == 2 }
        var seen = 0
        for row in rows {
            let names = row[0].matches(of: /`([A-Z][A-Z_]+)`/).map { String($0.1) }
            guard !names.isEmpty, names.allSatisfy({ $0.contains("_") || $0 == "SYMBOLS" || $0 == "ENVIRONMENT" })
            else {
                continue
            }
            let defaults = row[1].matches(of: /`([^`]*)`/).map { String($0.1) }
            for (index, name) in names.enumerated() {
                let setting = try #require(Settings.all.first { $0.name == name }, "the README names \(name)")
                seen += 1
                guard defaults.count == names.count, case let written = defaults[index] else { continue }
                // A bare number counts in the key's own unit.
                let standard = setting.defaultDescription ?? ""
                #expect(
                    standard == written || standard.prefix { $0.isNumber } == written || standard.hasPrefix(written),
                    "\(name): \(written), but it is \(standard)")
            }
        }
        #expect(seen >= 5, "of \(known.count) keys")
    }

    @Test func `the settings file to begin with has every key once, and switched on they are the defaults`() throws {
        let host = HostFacts(
            hostName: "box", homeDirectory: "/home/me", stateDirectory: nil, workingDirectory: "/home/me")
        let text = SettingsTemplate.text(host: host)
        let on = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.firstMatch(of: /^#?([A-Z][A-Z_0-9]+=.*)$/).map { String($0.1) } ?? String(line)
        }
        let file = EnvironmentFile(path: ".env", bytes: Array(on.joined(separator: "\n").utf8))
        let known = Settings.all.map(\.name) + Settings.Connection.settings(1).map(\.name)
        #expect(file.entries.keys.sorted() == known.sorted())
        #expect(on.count { $0.firstMatch(of: /^[A-Z]/) != nil } == known.count, "no key twice")
        let report = SettingsReport(SettingsSnapshot(environment: [:], file: file), host: host, needs: [])
        #expect(!report.hasFaults, "\(report.findings)")
        for setting in Settings.all where !setting.defaultValue.isEmpty && setting.defaultValue != "AM" {
            #expect(report.rows.first { $0.key == setting.name }?.value == setting.defaultValue)
        }
    }

    @Test func `a service's settings file names its data directory`() {
        let host = HostFacts(
            hostName: "box", homeDirectory: nil, stateDirectory: "/var/lib/edgetick", workingDirectory: "/")
        let lines = SettingsTemplate.text(host: host).split(separator: "\n").prefix { !$0.contains("----") }
        #expect(
            lines.filter { !$0.hasPrefix("#") } == [
                "MASSIVE_API_KEY=", "SYMBOLS=AAPL,MSFT", "FEED_EVENTS=AM", "EDGETICK_DATA_DIR=/var/lib/edgetick",
            ])
        #expect(lines.contains { $0.hasPrefix("#DATABASE_URI=postgresql://") })
    }
}

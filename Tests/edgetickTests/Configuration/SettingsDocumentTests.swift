import Foundation
import TestSupport
import Testing

@testable import edgetick

/// What documents say about the keys is what the keys' list says.
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
        #expect(seen > 30, "of \(known.count) keys")
    }

    @Test func `the settings file of the unit names keys that exist`() throws {
        let names = try Self.text("Deploy/edgetick.env").split(separator: "\n")
            .compactMap { $0.firstMatch(of: /^#? ?([A-Z][A-Z_0-9]+)=/).map { String($0.1) } }
        #expect(names.count > 5)
        for name in names {
            #expect(Settings.all.contains { $0.name == name } || ConnectionKey(name: name) != nil, "\(name)")
        }
    }
}

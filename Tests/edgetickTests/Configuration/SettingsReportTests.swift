import FoundationEssentials
import MarketData
import Testing
import Wire

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct SettingsReportTests {
    private func report(_ environment: [String: String], _ file: String = "") throws -> SettingsReport {
        let file = EnvironmentFile(path: "my.env", bytes: Array(file.utf8))
        return SettingsReport(SettingsSnapshot(environment: environment, file: file), host: sampleHost)
    }

    private func row(_ report: SettingsReport, _ key: String) throws -> SettingsReport.Row {
        try #require(report.rows.first { $0.key == key })
    }

    @Test func `every key is there with its value and where it came from`() throws {
        let report = try report(["HTTP_PORT": "9"], "\nLOG_LEVEL=debug\nEDGETICK_DATA_DIR=data\n")
        #expect(report.rows.map(\.key) == Settings.all.map(\.name))
        #expect(try row(report, "HTTP_PORT").origin == .environment)
        #expect(try row(report, "HTTP_PORT").value == "9")
        #expect(try row(report, "LOG_LEVEL").origin.description == "my.env:2")
        #expect(try row(report, "SYNC_INTERVAL").value == "5s")
        #expect(try row(report, "SYNC_INTERVAL").origin == .defaultValue)
        #expect(try row(report, "EDGETICK_DATA_DIR").value == "/my dir/data")
        #expect(try row(report, "COLLECTOR_ID").value == "box.local")
        #expect(try row(report, "SYMBOLS").value == nil)
        #expect(!report.hasFaults)
    }

    @Test func `numbered connections stand where they are used or set`() throws {
        #expect(try report([:]).rows.contains { $0.key.hasPrefix("WEBSOCKET_CONNECTION_") } == false)
        let set = try report(["WEBSOCKET_CONNECTION_2_SYMBOLS": "A"])
        #expect(set.rows.count { $0.key.hasPrefix("WEBSOCKET_CONNECTION_2_") } == 6)
        let multi = try report(["USE_MULTI_CONNECTION": "true"])
        #expect(multi.rows.count { $0.key.hasPrefix("WEBSOCKET_CONNECTION_") } == 18)
        #expect(try row(multi, "WEBSOCKET_CONNECTION_2_NAME").value == "secondary")
    }

    @Test func `a wrong configuration is reported as well, with its faults`() throws {
        let report = try report(["HTTP_PORT": "x", "USE_MULTI_CONNECTION": "perhaps"], "HTTP_PROT=1")
        #expect(report.hasFaults)
        #expect(Set(report.findings.map(\.key)) == ["HTTP_PORT", "HTTP_PROT", "USE_MULTI_CONNECTION"])
        #expect(try row(report, "HTTP_PORT").value == "x")
    }

    @Test func `the table has aligned columns`() throws {
        let lines = try report([:]).table.text.split(separator: "\n")
        #expect(lines.count == Settings.all.count + 1)
        #expect(lines[0].hasPrefix("KEY"))
        let column = try #require(lines[0].firstRange(of: "ORIGIN")).lowerBound
        let offset = lines[0].distance(from: lines[0].startIndex, to: column)
        #expect(lines.dropFirst().allSatisfy { $0.dropFirst(offset).hasPrefix("default") })
    }

    @Test func `the JSON says the same`() throws {
        let text = WireJSON.text(of: try report(["HTTP_PORT": "x"], "LOG_LEVEL=debug").json)
        let document = try JSONDecoder().decode(ConfigJSON.self, from: Data(text.utf8))
        #expect(document.settings.count == Settings.all.count)
        let level = try #require(document.settings.first { $0.key == "LOG_LEVEL" })
        #expect(level.value == "debug" && level.origin == .file && level.file == "my.env" && level.line == 1)
        #expect(document.settings.first { $0.key == "HTTP_PORT" }?.origin == .environment)
        #expect(document.findings.map(\.key) == ["HTTP_PORT"])
        #expect(document.findings.map(\.severity) == [.fault])
        #expect(text.contains(#""value":null"#))
    }
}

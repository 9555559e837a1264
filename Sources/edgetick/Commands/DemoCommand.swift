import ArgumentParser
import Collector
import FeedSimulator
import Fixtures
import Foundation
import Logging
import MarketData
import ServiceLifecycle
import Store
import Universe
import WebAPI

/// The main job on embedded defaults.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "See it at work: a simulated feed, a collector, its files. No key, no database.",
        discussion: """
            Example: edgetick demo --seconds 60

            The dashboard's address is printed: open it in a browser while the demo runs.
            Everything is written to a fresh directory, which stays for you to look at. With DATABASE_URI set, what is
            collected is uploaded too.
            """)

    @OptionGroup var options: SettingsOptions
    @Option(help: "How long to collect.") var seconds = 30
    @Option(help: "Directory for the files; a fresh one below the temporary directory when not given.")
    var dataDir: String?

    func run() async throws {
        try await reportingFailures {
            let directory = try dataDir ?? Self.freshDirectory()
            let settings = try demoSettings(in: directory)
            LoggingSystem.bootstrap { LineLogHandler(label: $0, level: .warning, format: .text) }
            try Self.importUniverse(into: directory)
            let simulator = try await Self.simulator()
            let collector = try await CollectorAssembly.open(
                settings, simulator: simulator, logger: Logger(label: "demo"))
            printNow(
                "A simulated feed replays a bundled capture; a collector writes it to \(directory)/ticks.sqlite.\n")
            let display = DemoDisplay(collector: collector, limit: .seconds(seconds))
            try await collector.serviceGroup(watching: [display]).run()
            try Self.printSummary(of: directory, uploaded: collector.sync?.status.rows)
        }
    }

    private func demoSettings(in directory: String) throws -> Settings {
        let (snapshot, host) = try options.snapshot()
        let own: [PartialKeyPath<Settings>: String] = [
            \.connections.universeKey: "demo", \.feed.events: "AM,A,T,Q", \.feed.isSynthetic: "true",
            \.dataDirectory: directory, \.upload.interval: "1", \.universe.pullInterval: "0",
        ]
        var values: [String: SettingsSnapshot.Value] = [:]
        for (path, text) in own { values[Settings.setting(path).name] = .init(text: text, origin: .defaultValue) }
        for path in [\Settings.upload.databaseURI, \.http.host, \.http.port, \.http.token] as [PartialKeyPath<Settings>]
        {
            values[Settings.setting(path).name] = snapshot[path]
        }
        var settings = try Settings.validate(SettingsSnapshot(values: values), host: host, needs: .feed).settings
        // A port that nobody asked for gives way when it is taken.
        if snapshot[\.http.port] == nil, (try? WebListener.configuration(settings).checkAddress()) == nil {
            settings.http.port = 0
        }
        return settings
    }

    private static func freshDirectory() throws -> String {
        var template = Array((NSTemporaryDirectory() + "/edgetick-demo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure(
                .ioError, "no directory can be made in \(NSTemporaryDirectory()): \(String(cString: strerror(errno)))")
        }
        return URL(fileURLWithPath: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
            .standardizedFileURL.path
    }

    private static func importUniverse(into directory: String) throws {
        let mirror = try UniverseMirror.open(directory: directory, access: .readWrite)
        let list = try SymbolListImport(csv: Fixtures.demoUniverse)
        _ = try mirror.replaceGroup(
            UniverseGroup.Definition(name: "demo", type: .universe, description: "Bundled with EdgeTick"),
            members: list.members)
    }

    private static func simulator() async throws -> (feed: FeedSimulator, url: String) {
        let now = WallClock.milliseconds()
        let replay = CaptureReplay(
            captures: [.text(name: "demo", Fixtures.demoCapture)], passes: nil, times: .startingAt(now))
        var configuration = SimulatorConfiguration(source: .captures(replay))
        configuration.pace = .speed(10)
        let simulator = FeedSimulator(configuration: configuration, logger: Logger(label: "simulator"))
        let port = try await simulator.bind()
        return (simulator, "ws://127.0.0.1:\(port)/stocks")
    }

    private static func printSummary(of directory: String, uploaded: Int?) throws {
        let report = try BufferReport.read(directory: directory)
        print("\nCollected, and durable in the file:")
        for stream in EventStream.allCases {
            print("  \(report[stream].rows.grouped.aligned(to: 10)) \(stream.rawValue)")
        }
        if let uploaded { print("Uploaded to DATABASE_URI: \(uploaded.grouped) rows.") }
        print(
            """

            Look at it:
              sqlite3 \(directory)/ticks.sqlite "select symbol, datetime(start_ms/1000,'unixepoch') as start,
                open, high, low, close, volume from bars where interval_s = 60 order by seq desc limit 8" -box
              EDGETICK_DATA_DIR=\(directory) edgetick status
              EDGETICK_DATA_DIR=\(directory) edgetick universe list
            """)
        if uploaded == nil {
            print("Upload it: DATABASE_URI=postgresql://… EDGETICK_DATA_DIR=\(directory) edgetick sync")
        }
    }
}

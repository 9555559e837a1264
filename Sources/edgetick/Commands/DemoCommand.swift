import ArgumentParser
import Feed
import FeedSimulator
import Fixtures
import Logging
import MarketData
import Store
import Universe
import UnixSignals
import WebAPI

/// Runs the whole path with built-in defaults, and breaks parts of it on purpose.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "See it at work, and see it survive: a simulated feed, a collector, its files. No key needed.",
        discussion: """
            Example: edgetick demo
                     edgetick demo --seconds 60

            Runs until Ctrl-C. The address of the page is printed: open it in a browser meanwhile. The feed is cut, the
            collector is killed and started again, and a database that the demo started is stopped for a while, where
            PostgreSQL is installed. At the end every event that was sent is accounted for.

            Everything is written to a fresh directory, which stays for you to look at. Of your settings only
            HTTP_HOST, HTTP_PORT and HTTP_TOKEN are used, so that synthetic events can't mix with real ones. --database
            uploads to your own server, into the usual tables of the database that it names: use a test database.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "Stop after this many seconds; default: at Ctrl-C.") var seconds: Int?
    @Option(
        help: "Directory for the files, which must be new or empty; default: a new one in the temporary directory.",
        completion: .directory)
    var dataDir: String?
    @Option(help: "A libpq URI of a database to upload to, in place of the demo's own.") var database: String?

    func validate() throws { try refuseBelowOne(["--seconds": seconds]) }

    func run() async throws {
        try await reportingFailures {
            Interrupts.ignoreBrokenPipes()
            LoggingSystem.bootstrap { LineLogHandler(label: $0, level: .warning, format: .text) }
            let (settings, ignored) = try ownSettings()
            let directory = try DemoDirectory(named: dataDir)
            let stage = DemoStage(
                limit: seconds.map { .seconds($0) },
                remark: ignored.isEmpty
                    ? nil : "the demo's own; yours are left alone: \(ignored.joined(separator: ", "))"
            ) { try await Self.props(settings, directory: directory.path) }
            // From here on a signal, or the closing of the terminal, ends the demo cleanly, as Ctrl-C does.
            try await Interrupts.serving([stage], on: [.sigterm, .sigint, .sighup])
            guard let balance = stage.balance else {
                directory.clear()
                return printRemark("stopped before the first event; nothing is left behind")
            }
            try Self.printSummary(of: directory.path, balance)
        }
    }

    /// The few of the user's settings that count here, and the names of the ones that are ignored.
    private func ownSettings() throws -> (settings: Settings, ignored: [String]) {
        let (snapshot, host) = try options.snapshot()
        let faults = snapshot.findings.filter { $0.severity == .fault && $0.key.isEmpty }
        guard faults.isEmpty else { throw SettingFaults(faults: faults, remarks: []) }
        let own = [\Settings.http.host, \.http.port, \.http.token] as [PartialKeyPath<Settings>]
        var values: [String: SettingsSnapshot.Value] = [:]
        for path in own { values[Settings.setting(path).name] = snapshot[path] }
        let ignored = snapshot.values.keys.filter { values[$0] == nil }.sorted()
        if let database {
            values[Settings.setting(\.upload.databaseURI).name] = .init(text: database, origin: .defaultValue)
        }
        var settings = try Settings.validate(SettingsSnapshot(values: values), host: host).settings
        // If the user set no port and the default is taken, use any free one.
        if snapshot[\.http.port] == nil, (try? WebListener.configuration(settings).checkAddress()) == nil {
            settings.http.port = 0
        }
        return (settings, ignored)
    }

    private static func props(_ settings: Settings, directory: String) async throws -> DemoProps {
        let symbols = try importUniverse(into: directory)
        let simulator = simulator(of: symbols)
        let port = try await simulator.bind()
        let given = settings.upload.databaseURI?.reveal()
        let database = given == nil ? await ownDatabase(log: directory + "/database.log") : nil
        let collector = try DemoCollector(
            directory: directory,
            settings: collectorSettings(
                settings, directory: directory, feedPort: port, database: given ?? database?.uri))
        return DemoProps(
            simulator: simulator, collector: collector, database: database,
            givenDatabase: settings.upload.displayedURI)
    }

    private static func collectorSettings(
        _ settings: Settings, directory: String, feedPort: Int, database: String?
    ) -> [String: String] {
        let texts: [(PartialKeyPath<Settings>, String?)] = [
            (\.feed.apiKey, "demo"), (\.feed.url, "ws://127.0.0.1:\(feedPort)/stocks"),
            (\.feed.restURL, "http://127.0.0.1:\(feedPort)"), (\.feed.events, "AM,A,T,Q"),
            (\.feed.reconnect.firstDelay, "300ms"), (\.connections.universeKey, "demo"), (\.dataDirectory, directory),
            (\.collectorID, "edgetick-demo"),
            (\.upload.databaseURI, database), (\.upload.interval, "1"), (\.universe.pullInterval, "0"),
            (\.http.host, settings.http.host), (\.http.port, "\(settings.http.port)"),
            (\.http.token, settings.http.token?.reveal()),
        ]
        return Dictionary(
            uniqueKeysWithValues: texts.compactMap { path, text in text.map { (Settings.setting(path).name, $0) } })
    }

    /// Starts a database server for the demo; prints a line and returns `nil` if it can't be started.
    private static func ownDatabase(log: String) async -> DemoDatabase? {
        guard let binaries = DemoDatabase.installed() else { return nil }
        printNow("PostgreSQL is installed here: starting a server for the demo …\n")
        do {
            return try await DemoDatabase(binaries: binaries, log: log)
        } catch {
            printNow(
                "It can't be started, so the demo continues without a database: "
                    + "\(CommandFailure(error).lines.joined(separator: "; "))\n")
            return nil
        }
    }

    /// Imports the group `demo` into a directory and returns its symbols.
    private static func importUniverse(into directory: String) throws -> [Symbol] {
        let mirror = try UniverseMirror.open(directory: directory, access: .readWrite)
        let entries = try HoldingsImport.read(Fixtures.demoUniverse).flatMap(\.entries)
        try mirror.apply([
            GroupChange(
                definition: .init(name: "demo", type: .universe, description: "Bundled with EdgeTick"),
                members: entries.map { MemberRecord(symbol: $0.symbol, weight: $0.weight) })
        ])
        return entries.compactMap { Symbol($0.symbol) }
    }

    /// A feed in which each symbol trades twenty times a second from now on, and which pauses while no collector is
    /// connected.
    private static func simulator(of symbols: [Symbol]) -> FeedSimulator {
        var feed = SyntheticFeed(symbols: symbols)
        feed.tradesPerSecond = 20
        var configuration = SimulatorConfiguration(source: .synthetic(feed))
        configuration.pace = .speed(1)
        configuration.absence = .pauses
        configuration.servesAggregates = true
        return FeedSimulator(configuration: configuration, logger: Logger(label: "simulator"))
    }

    private static func printSummary(of directory: String, _ balance: DemoBalance) throws {
        print("\n\(balance.text)")
        print(
            """
            Look at it:
              sqlite3 -readonly -box \(directory)/ticks.sqlite \\
                "select symbol, start_utc, open, high, low, close, volume from bars_utc
                order by start_ms desc limit 8"
              EDGETICK_DATA_DIR=\(directory) edgetick status
              EDGETICK_DATA_DIR=\(directory) edgetick gaps
            """)
        guard balance.isKept else {
            throw CommandFailure(.ioError, "not every event is accounted for; the logs are in \(directory)")
        }
    }
}

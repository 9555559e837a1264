import ArgumentParser
import Collector
import FoundationEssentials
import Glibc
import Logging
import MarketData
import Store
import Universe
import Upstream
import Wire

/// Sets up a new box of a platform in one command.
struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Set up a new box: check, migrate, pull the universes, write the settings.",
        discussion: """
            Examples: edgetick join postgresql://edgetick:secret@db/market --universe sp500
                      edgetick join - --group nyc --shard auto < uri.txt

            Checks this machine and the database as doctor does, creates missing tables if it may, pulls the groups, and
            writes a settings file that only this user can read: DATABASE_URI, what the options say, EDGETICK_DATA_DIR, and
            the keys that are set in the environment, such as MASSIVE_API_KEY. With - the URI is read from standard input,
            so that its password does not appear in the list of processes. --force keeps the data directory that the file
            names, unless the environment names one. Nothing is written if an earlier step fails or --universe names no
            group.
            """.unwrapped)

    @Argument(help: "The database's libpq URI; - reads it from standard input.") var uri: String
    @Option(help: "The universe key to collect (SYMBOL_UNIVERSE_KEY).") var universe: String?
    @Option(help: "The symbols to collect, separated by commas (SYMBOLS).") var symbols: String?
    @Option(help: "The group of boxes to belong to (COLLECTOR_GROUP).") var group: String?
    @Option(help: "The part of the symbols to take: auto, or such as 2/5 (SHARD).") var shard: String?
    @Option(help: "This box's name (COLLECTOR_ID; default: the host's).") var id: String?
    @Option(help: "The settings file to write.", completion: .file()) var file = ".env"
    @Flag(help: "Overwrite an existing settings file.") var force = false
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await reportingFailures {
            LoggingSystem.bootstrap { LineLogHandler(label: $0, level: .warning, format: .text) }
            guard force || access(file, F_OK) != 0 else {
                throw CommandFailure(
                    .usage, "\(file) already exists: --force overwrites it, --file names another one")
            }
            let values = try values()
            let environment = ProcessInfo.processInfo.environment
            let host = HostFacts.current(environment: environment)
            let given = environment.merging(values) { $1 }
            let snapshot = SettingsSnapshot(
                environment: replacedDirectory(environment).merging(given) { $1 }, file: nil,
                reading: EnvironmentFile.secret)
            let (settings, remarks) = try Settings.validate(snapshot, host: host, needs: .database)
            var result = JoinJSON()
            // After a failure too, for what was found before it.
            defer { if json { print(WireJSON.text(of: result)) } }
            for remark in remarks where remark.severity == .warning {
                say(.warning("configuration", remark.description), &result)
            }
            guard let upstream = try settings.upstream() else { return }
            try await check(settings, &result)
            try await migrate(settings, &result)
            let groups = try await pull(upstream, settings, &result)
            try await checkUniverse(settings, &result)
            let text = EnvironmentFile.text(kept(snapshot, settings, host).merging(values) { $1 })
            try write(text)
            result.file = file
            result.next = nextSteps(settings, groups)
            guard !json else { return }
            print("\n" + "wrote \(file), which only this user can read".escapingControls)
            for step in result.next { print("next: \(step)".escapingControls) }
        }
    }

    /// The settings given as arguments.
    private func values() throws -> [String: String] {
        let uri = uri == "-" ? String(Substring(readLine() ?? "").trimmingBlanks()) : uri
        guard !uri.isEmpty else { throw CommandFailure(.usage, "standard input holds no URI") }
        let named: [(PartialKeyPath<Settings>, String?)] = [
            (\.upload.databaseURI, uri), (\.connections.universeKey, universe), (\.connections.symbols, symbols),
            (\.collectorGroup, group), (\.shard, shard), (\.collectorID, id),
        ]
        return Dictionary(
            uniqueKeysWithValues: named.compactMap { path, text in text.map { (Settings.setting(path).name, $0) } })
    }

    /// The data directory in the file that `--force` replaces: the box's files are there.
    private func replacedDirectory(_ environment: [String: String]) -> [String: String] {
        let key = Settings.setting(\.dataDirectory).name
        guard force, let old = try? EnvironmentFile.read(named: file, environment: environment),
            let entry = old.entries[key], entry.fault == nil
        else { return [:] }
        return [key: entry.value]
    }

    /// What is set, under EdgeTick's own keys, and the data directory, so that the file alone is enough later.
    private func kept(_ snapshot: SettingsSnapshot, _ settings: Settings, _ host: HostFacts) -> [String: String] {
        var kept: [String: String] = [:]
        for (key, value) in snapshot.values {
            if case .secretFile(let path) = value.origin {
                kept[key + SettingsSnapshot.fileSuffix] = path
            } else {
                kept[key] = value.text
            }
        }
        // Root's default directory is left out: a service that reads the file has its own, and can't open root's home.
        if geteuid() != 0 || host.stateDirectory != nil || snapshot[\.dataDirectory] != nil {
            kept[Settings.setting(\.dataDirectory).name] = settings.dataDirectory
        }
        return kept
    }

    private func say(_ finding: Finding, _ result: inout JoinJSON) {
        result.findings.append(finding.json)
        if !json { print(DoctorCommand.text(finding, .ofStandardOutput(), width: TerminalScreen.columns())) }
    }

    private func check(_ settings: Settings, _ result: inout JoinJSON) async throws {
        let local = LocalChecks(settings: settings)
        let network = NetworkChecks(settings: settings, isRunning: false)
        let tables = await network.upstream()
        var findings = local.files() + [local.disk(), local.clock()]
        findings += tables.filter { $0.subject == "upstream" }
        findings += await network.clock()
        for finding in findings { say(finding, &result) }
        let failures = findings.filter { $0.level == .failure }
        guard let worst = failures.compactMap(\.exit).max(by: { $0.rawValue < $1.rawValue }) else { return }
        throw CommandFailure(worst, "nothing was set up: see what failed above")
    }

    /// Makes the tables that are missing.
    private func migrate(_ settings: Settings, _ result: inout JoinJSON) async throws {
        var unusable: [String] = []
        for upstream in try settings.upstreams() {
            let before = try await UpstreamSchema.check(upstream, for: settings.feed.events)
            let changes =
                before.contains { $0.state == .missing }
                ? try await UpstreamSchema.migrate(upstream, for: settings.feed.events) : before
            for change in changes { say(.table(change, at: upstream.role.place), &result) }
            let fixes = SchemaChange.recipe(changes)
            result.fixes += fixes
            if !json { for line in fixes { print(line.escapingControls) } }
            unusable += changes.filter(\.stopsUpload).map(\.table)
        }
        guard unusable.isEmpty else {
            throw CommandFailure(
                .configuration,
                "nothing was set up: these tables can't be used as they are: \(unusable.joined(separator: ", "))")
        }
    }

    private func pull(
        _ upstream: UpstreamConfiguration, _ settings: Settings, _ result: inout JoinJSON
    ) async throws -> [UniverseGroup] {
        let mirror = try settings.openMirror(.readWrite)
        let source = UniverseSource(configuration: upstream)
        if let failure = await mirror.firstPull(from: source, logger: Logger(label: "join")) {
            say(
                .warning("universes", "not pulled: \(failure.description); try again with edgetick universe pull"),
                &result)
        }
        let groups = try mirror.groups(environment: settings.universe.environment.rawValue)
        say(.ok("universes", "\(groups.count.counted("group")) in \(settings.dataDirectory)"), &result)
        return groups
    }

    /// Refuses a --universe that names no group: a box that collects nothing, or the wrong symbols, isn't set up.
    private func checkUniverse(_ settings: Settings, _ result: inout JoinJSON) async throws {
        guard let universe else { return }
        let mirror = try settings.openMirror(.readOnly)
        let resolution: Resolution
        do throws(UniverseError) {
            resolution = try await settings.relationshipCache(mirror).resolution(of: universe)
        } catch {
            throw CommandFailure(
                .configuration,
                "\(file) was not written: --universe \(universe): \(error.description); edgetick universe "
                    + "import FILE.csv --name NAME does. Or name another group, or leave --universe out")
        }
        for warning in resolution.warnings { say(.warning("universes", warning), &result) }
    }

    private func write(_ text: String) throws {
        let isWritten: Bool
        if force {
            isWritten = PrivateFile.replace(file, with: Array(text.utf8))
        } else {
            // A file that has appeared since the check is not overwritten either.
            let descriptor = PrivateFile.open(file, O_WRONLY | O_EXCL)
            isWritten = descriptor >= 0 && Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count
            let reason = errno
            if descriptor >= 0 {
                close(descriptor)
                // Half of the settings could pass for all of them.
                if !isWritten { unlink(file) }
            }
            errno = reason
        }
        guard isWritten else { throw CommandFailure(.ioError, "\(file): \(String(cString: strerror(errno)))") }
    }

    private func nextSteps(_ settings: Settings, _ groups: [UniverseGroup]) -> [String] {
        var steps: [String] = []
        if settings.feed.source == .feed, settings.feed.apiKey == nil {
            steps.append("add the line MASSIVE_API_KEY=… to \(file)")
        }
        if settings.feed.source != .none, settings.wishes.allSatisfy({ $0.universeKey == nil && $0.list == nil }) {
            let names = groups.filter { $0.type == .universe || $0.type == .etf }.prefix(5).map(\.name)
            let examples = names.isEmpty ? "" : "; there are \(names.joined(separator: ", ")), …"
            steps.append("add SYMBOL_UNIVERSE_KEY=… or SYMBOLS=… to \(file)\(examples)")
        }
        let option = file == ".env" ? "" : " --env-file \(file)"
        return steps + ["edgetick doctor\(option) && edgetick run\(option)"]
    }
}

extension EnvironmentFile {
    /// The text of a settings file with these values, in the order of ``Settings/sections``.
    static func text(_ values: [String: String]) -> String {
        let order = Dictionary(uniqueKeysWithValues: Settings.all.enumerated().map { ($1.name, $0) })
        let lines = values.sorted {
            (order[$0.key] ?? .max, $0.key) < (order[$1.key] ?? .max, $1.key)
        }.map { "\($0.key)=\(WrittenValue.written($0.value))\n" }
        return "# Settings of EdgeTick, written by edgetick join.\n" + lines.joined()
    }
}

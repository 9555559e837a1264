import ArgumentParser
import MarketData
import Store
import Wire

/// Checks everything a collector needs, and says what to do about each problem.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check settings, files, disk, clock, feed and database; one line each.",
        discussion: """
            Example: edgetick doctor --login

            Changes nothing. Exits with 0 when nothing fails; warnings don't count.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Log in to the feed too; may disconnect another client of the same account.") var login = false
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await reportingFailures {
            let findings = try await examine()
            if json {
                print(WireJSON.text(of: findings.map(\.json)))
            } else {
                let (paint, width) = (Paint.ofStandardOutput(), TerminalScreen.columns())
                for finding in findings { print(Self.text(finding, paint, width: width)) }
            }
            if let worst = findings.compactMap(\.exit).max(by: { $0.rawValue < $1.rawValue }) {
                throw ExitCode(worst.rawValue)
            }
        }
    }

    private func examine() async throws -> [Finding] {
        let (snapshot, host) = try options.snapshot()
        let (settings, found) = Settings.examine(snapshot, host: host, needs: .feed)
        var findings = found.sorted { $0.severity > $1.severity }.map { finding -> Finding in
            switch finding.severity {
            case .note: .note("configuration", finding.description)
            case .warning: .warning("configuration", finding.description)
            case .fault: .failure("configuration", finding.description, .configuration)
            }
        }
        if findings.allSatisfy({ $0.level == .note }) {
            findings.insert(.ok("configuration", "every setting is valid"), at: 0)
        }
        guard !settings.dataDirectory.isEmpty else { return findings }
        let local = LocalChecks(settings: settings)
        findings += local.files() + local.secrets(in: snapshot.secretPlaces)
        findings += [local.library(), local.disk(), local.clock()]
        findings += await local.symbols()
        let isRunning = (try? BufferReport.read(directory: settings.dataDirectory))?.collectorProcess != nil
        let network = NetworkChecks(settings: settings, isRunning: isRunning)
        findings += await network.http()
        if let relay = await network.relay() { findings.append(relay) }
        findings += await network.feed(logsIn: login)
        findings += await network.upstream()
        findings += await network.fleet()
        if let shard = network.shard() { findings.append(shard) }
        return findings + (await network.clock())
    }

    /// The finding as one line or, in a window of `width` columns, as lines that are broken at spaces.
    static func text(_ finding: Finding, _ paint: Paint, width: Int?) -> String {
        let word =
            switch finding.level {
            case .ok: paint("ok  ", .good)
            case .note: paint("note", .faint)
            case .warning: paint("WARN", .warning)
            case .failure: paint("FAIL", .bad)
            }
        let margin = 21
        let lines = finding.text.escapingControls.lines(of: max((width ?? .max) - margin, 20), atMost: .max)
        return "\(word)  \(finding.subject.padded(to: 13))  "
            + lines.joined(separator: "\n" + String(repeating: " ", count: margin))
    }
}

import ArgumentParser
import MarketData
import Store
import Universe
import Wire

/// Reads lists of symbols, fund holdings and backups into the mirror.
struct UniverseImport: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Create or replace groups from files of symbols or fund holdings.",
        discussion: """
            Examples: edgetick universe import nasdaq100.csv --name nasdaq100
                      edgetick universe import holdings/ --mode incremental --dry-run
                      edgetick universe import sp500.csv --sectors
                      edgetick universe import backup.json --force

            Takes plain lists (with or without a header, symbol or symbol,weight, symbols side by side, an exchange's
            directory, a watch list, a JSON array), the holdings files of SPDR, iShares, Vanguard and other funds, as
            text or as .xlsx, and what edgetick universe export wrote; the content shows which it is. A file of several
            funds makes a group of each. A directory means every .csv, .tsv, .txt and .xlsx file in it. A bad row
            is named with its line and does not stop the rest; a bad file does not stop the others.
            """.unwrapped)

    /// The most bad rows that are printed for one file.
    private static let shownProblems = 50

    @OptionGroup var options: SettingsOptions
    @Argument(
        help: "CSV or .xlsx files, directories of them, or a backup; - is the standard input.", completion: .file())
    var files: [String] = []
    @Option(help: "The group's name; default: from the content or the file's name. For a single file.")
    var name: String?
    @Option(help: "The group's type; default: from the content.") var type: GroupType?
    @Option(help: "A description of the group.") var description: String?
    @Option(help: "The group's environment; default: ENVIRONMENT.")
    var environment: Settings.GroupEnvironment?
    @Option(help: "full, or incremental: skip groups whose file has not changed since the last import.")
    var mode = UniverseImporter.Mode.full
    @Flag(help: "Also create SECTOR groups from the columns sector and industry.") var sectors = false
    @Flag(help: "Derive the sectors from the holdings of the eleven sector ETFs, XLB to XLY.") var sectorEtfs = false
    @Flag(help: "Refuse a file with a bad row, or with a word that only may be a symbol.") var strict = false
    @Flag(
        help: "Allow a group to change by more than half, a stock to change its sector, a backup to replace everything."
    )
    var force = false
    @Flag(help: "Say what would change and change nothing.") var dryRun = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if files.isEmpty, sectorEtfs { try refuse(ofFiles, with: "--sector-etfs without a file") }
    }

    /// The options that say how to read lists, and whether each is given.
    private var ofFiles: KeyValuePairs<String, Bool> {
        [
            "--name": name != nil, "--type": type != nil, "--description": description != nil,
            "--mode incremental": mode == .incremental, "--sectors": sectors, "--strict": strict,
        ]
    }

    func run(_ settings: Settings) async throws {
        let importing = try importOptions(settings)
        guard !files.isEmpty || sectorEtfs else {
            throw CommandFailure(.usage, "name a file or a directory to import, or use --sector-etfs")
        }
        let lists: [UniverseImporter.File]
        switch try UniverseFiles(files) {
        case .backup(let contents):
            try refuse(ofFiles, with: "a backup")
            try refuse(["--environment": environment != nil, "--sector-etfs": sectorEtfs], with: "a backup")
            return try await settings.withMirror(isDryRun: dryRun) { try restore(contents, $0) }
        case .lists(let found): lists = found
        }
        if name != nil, lists.count > 1 {
            throw CommandFailure(.usage, "--name is for one file; \(lists.count) are given")
        }
        try await settings.withMirror(isDryRun: dryRun) { try importLists(lists, importing, $0) }
    }

    private func importLists(
        _ lists: [UniverseImporter.File], _ importing: UniverseImporter.Options, _ mirror: UniverseMirror
    ) throws {
        let importer = UniverseImporter(mirror: mirror)
        let progress = ProgressLine(title: "importing", unit: "files", total: lists.count, quietFor: .seconds(2))
        let reports = lists.isEmpty ? [] : try importer.run(lists, importing) { progress.update(done: $0) }
        progress.finish(done: lists.count)
        let derived =
            sectorEtfs
            ? try importer.deriveSectors(environment: importing.environment, force: force, isDryRun: dryRun) : nil
        let coverage =
            sectors && !dryRun && !sectorEtfs
            ? SectorDerivation.coverage(of: try mirror.contents().groups, environment: importing.environment)
            : derived?.coverage
        printResult(reports, derived, coverage)
        // A dry run doesn't know the ETFs that the files would bring.
        let derivesNothing = derived?.hasETFs == false && !(dryRun && !lists.isEmpty)
        if derivesNothing || reports.contains(where: \.outcome.isFault) { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    private func importOptions(_ settings: Settings) throws -> UniverseImporter.Options {
        var result = UniverseImporter.Options(environment: (environment ?? settings.universe.environment).rawValue)
        result.type = type
        if let name,
            !UniverseKey.canMean(name)
                || name.unicodeScalars.contains(where: { [.control, .format].contains($0.properties.generalCategory) })
        {
            throw CommandFailure(
                .usage,
                "--name \(DisplayText.quoted(name)): a universe key can't name such a group: leave out commas, tabs, "
                    + "line breaks, invisible characters, and blanks at either end, and use more than colons")
        }
        result.mode = mode
        result.name = name
        result.description = description
        result.isStrict = strict
        result.force = force
        result.isDryRun = dryRun
        result.derivesSectors = sectors
        return result
    }

    // MARK: - A backup

    private func restore(_ contents: MirrorContents, _ mirror: UniverseMirror) throws {
        let held = try mirror.contents()
        let isSame = held == contents
        let isEmpty = held.groups.isEmpty && held.entries.isEmpty
        guard isSame || isEmpty || force || dryRun else {
            throw CommandFailure(
                .badData,
                "the backup has \(contents.groups.count.counted("group")) and replaces everything in the mirror, which has "
                    + "\(held.groups.count): add --force if that is right (edgetick universe export keeps what is "
                    + "there)")
        }
        if !dryRun, !isSame { try mirror.restore(contents) }
        let result = RestoredJSON(contents, over: held, isDryRun: dryRun)
        if json { return print(WireJSON.text(of: result)) }
        let verb = isSame ? "unchanged:" : dryRun ? "would restore" : "restored"
        let size = "\(result.groups.counted("group")), \(result.memberships.counted("membership"))"
        print("\(verb) \(size), \(result.settings.counted("setting"))")
    }

    // MARK: - What to say

    private func printResult(
        _ reports: [UniverseImporter.Report], _ derived: UniverseImporter.SectorReport?,
        _ coverage: SectorDerivation.Coverage?
    ) {
        if json {
            return print(WireJSON.text(of: ImportJSON(reports, sectors: derived, coverage: coverage, isDryRun: dryRun)))
        }
        for report in reports {
            for problem in report.problems.prefix(Self.shownProblems) {
                printRemark("\(report.file): \(problem.description)")
            }
            let rest = report.problems.count - Self.shownProblems
            if rest > 0 { printRemark("\(report.file): \(rest) more; --json shows all") }
            for remark in report.remarks { printRemark("\(report.file): \(remark)") }
            print(line(report).escapingControls)
            if let difference = report.difference, mode == .incremental || dryRun {
                for line in difference.lines { print("  \(line)".escapingControls) }
            }
        }
        if let derived {
            for remark in derived.remarks { printRemark("sectors: \(remark)") }
            print("sectors: \(derived.sectors.count) \(dryRun ? "would change" : "changed")")
        }
        if let coverage, coverage.stocks > 0 {
            let share = UniverseReport.percent(coverage.share)
            print("\(coverage.classified) of \(coverage.stocks) stocks have a sector (\(share))")
        }
    }

    private func line(_ report: UniverseImporter.Report) -> String {
        let what =
            report.group.map {
                "\($0.name) (\($0.type.rawValue), \($0.environment)): \(report.symbols.counted("symbol"))"
            } ?? report.file
        let format = report.format.map { " from \($0.words) \(report.file)" } ?? ""
        switch report.outcome {
        case .written:
            let name = DisplayText.argument(report.group?.name ?? "")
            let change = report.difference.map(\.summary) ?? ""
            let sectors = report.sectors > 0 ? "; \(report.sectors.counted("sector"))" : ""
            let undo = report.isNew && !dryRun ? " (undo: edgetick universe remove \(name))" : ""
            return "\(what)\(format)\(change.isEmpty ? "" : ", \(change)")\(sectors)\(dryRun ? " (dry run)" : undo)"
        case .unchanged: return "\(what), unchanged"
        case .refused(let text): return "\(what)\(format), NOT IMPORTED: \(text)"
        case .failed(let text): return "\(what), NOT IMPORTED: \(text)"
        }
    }
}

extension HoldingsImport.Format {
    /// What the file is, before its name.
    fileprivate var words: String {
        switch self {
        case .symbols: "the list"
        case .weighted: "the list with weights"
        case .spdr: "the SPDR holdings"
        case .ishares: "the iShares holdings"
        case .vanguard: "the Vanguard holdings"
        case .holdings: "the holdings"
        }
    }
}

extension UniverseImporter.Report.Outcome {
    fileprivate var isFault: Bool {
        switch self {
        case .written, .unchanged: false
        case .refused, .failed: true
        }
    }
}

extension MembershipDifference {
    /// The change as `+3 -1, 12 re-weighted`; empty if nothing changes.
    var summary: String {
        var parts: [String] = []
        if !added.isEmpty || !removed.isEmpty { parts.append("+\(added.count) -\(removed.count)") }
        if !reweighted.isEmpty { parts.append("\(reweighted.count) re-weighted") }
        return parts.joined(separator: ", ")
    }

    /// Every change, one line each.
    var lines: [String] {
        func weight(_ value: Double?) -> String { value.map { "\($0)" } ?? "none" }
        return added.map { "+ \($0)" } + removed.map { "- \($0)" }
            + reweighted.map { "~ \($0.symbol) \(weight($0.old)) → \(weight($0.new))" }
    }
}

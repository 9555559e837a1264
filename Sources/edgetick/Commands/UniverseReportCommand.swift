import ArgumentParser
import MarketData
import Store
import Universe
import Wire

/// Reports on the contents of the mirror.
struct UniverseReportCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Report on groups, their overlaps, sectors and the age of the mirror.",
        discussion: """
            Examples: edgetick universe report
                      edgetick universe report --markdown > universes.md
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print Markdown.") var markdown = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if markdown { try refuse(["--json": json], with: "--markdown") }
    }

    func run(_ settings: Settings) async throws {
        let mirror = try settings.openMirror(.readOnly)
        let report = UniverseReport(
            try mirror.contents(), environment: settings.universe.environment.rawValue, now: WallClock.milliseconds())
        if json { return print(WireJSON.text(of: report)) }
        printNow(markdown ? report.markdown : Self.text(report))
    }

    private static func text(_ report: UniverseReport) -> String {
        let age = report.pullAgeSeconds.map { Duration.seconds($0).spoken }
        let pull = report.source.map { "pulled from \($0) \(age ?? "") ago" } ?? "never pulled"
        var text =
            "\(report.environment): \(report.symbols.counted("symbol")), \(report.entries.counted("setting")), \(pull)"
            .escapingControls + "\n"
        func add(_ title: String, _ columns: [TextTable.Column], _ rows: [[String]]) {
            if !rows.isEmpty { text += "\n\(title)\n\(TextTable(columns, rows).shown)" }
        }
        add(
            "By type", ["TYPE", .right("GROUPS"), .right("LOCAL"), .right("MEMBERSHIPS"), .right("SYMBOLS")],
            report.types.map {
                [$0.type, "\($0.groups)", "\($0.local)", $0.memberships.grouped, $0.symbols.grouped]
            })
        add(
            "Universes and ETFs", ["NAME", "TYPE", .right("MEMBERS"), .right("WEIGHTS %"), "ORIGIN", "HEAVIEST"],
            report.groups.map {
                [
                    $0.name, $0.type, $0.members.grouped, $0.weightSum.map { "\(($0 * 100).rounded() / 100)" } ?? "-",
                    $0.origin, $0.heaviest.joined(separator: ", "),
                ]
            })
        add(
            "Shared symbols", ["SMALLER", "LARGER", .right("SHARED"), .right("OF THE SMALLER")],
            report.overlaps.map { [$0.first, $0.second, $0.shared.grouped, UniverseReport.percent($0.share)] })
        add(
            "Sectors", ["SECTOR", .right("STOCKS"), .right("INDUSTRIES")],
            report.sectors.map { [$0.name, $0.stocks.grouped, "\($0.industries)"] })
        return text + "\n\(UniverseReport.percent(report.sectorCoverage)) of the stocks have a sector\n"
    }
}

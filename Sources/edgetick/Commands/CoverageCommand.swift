import ArgumentParser
import Collector
import MarketData
import Store
import Upstream
import Wire

/// Prints what is known about each minute of the chosen days.
struct CoverageCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "coverage",
        abstract: "Show which minutes have a bar, no trade or a gap, and which were never checked.",
        discussion: """
            Examples: edgetick coverage --date 2026-11-24 --universe nasdaq100
                      edgetick coverage --from 2026-11-01 --by week --json

            Counts the minutes of the regular session (390 per symbol, 210 on a half day): those with a bar, those without
            trades according to the REST aggregates, those in a gap or a drop, and those that were never checked. A day is
            complete only if every symbol was reconciled (edgetick reconcile), a week or month if each of its days is.
            Without symbols, it counts those that the settings name and those with data from that time.
            Reads the local file and, if DATABASE_URI is set, the database. If the database can't be asked, the result comes
            from the file alone, and the exit code is 69.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var days: DayOptions
    @OptionGroup var symbols: SymbolOptions
    @Option(help: "What is counted together.") var by = CoveragePeriod.Length.day
    @Flag(inversion: .prefixedNo, help: "Ask the database too.") var upstream = true
    @Flag(help: "Print JSON.") var json = false

    /// The number of days that one query to the database covers: a trading week.
    private static let daysAtOnce = 5

    func run(_ settings: Settings) async throws {
        let now = WallClock.milliseconds()
        guard let span = days.chosen(today: TradingDay(at: now)) else { return }
        let wanted = try await symbols.chosen(settings).map { Set($0) }
        let collected = wanted == nil ? await settings.namedSymbols() : []
        var evidence = try CoverageEvidence(
            directory: settings.dataDirectory, days: span, collected: collected, pace: ProgressLine.ofRows())
        if upstream, let configuration = try settings.upstream() {
            let reader = UpstreamReader(configuration: configuration)
            let asked = ProgressLine(title: "asking upstream", unit: "days", quietFor: .seconds(1))
            let work = Task<CoverageEvidence, any Error> { [evidence] in
                var evidence = evidence
                await evidence.add(from: reader, symbols: wanted) { done, total in
                    asked.update(done: done, total: total)
                    return Self.daysAtOnce
                }
                return evidence
            }
            evidence = try await Interrupts.cancelling(work)
            await reader.disconnect()
        }
        let report = evidence.report(symbols: wanted, now: now)
        if let problem = report.problem { printRemark("the database could not be asked: \(problem)") }
        if json {
            print(WireJSON.text(of: CoverageJSON(report, by: by)))
        } else {
            printNow(Self.table(CoveragePeriod.periods(of: report.days, by: by)))
            if let day = report.days.first, report.days.count == 1, !day.rows.isEmpty {
                printNow("\n" + Self.table(day))
            }
        }
        if report.problem != nil { throw ExitCode(ExitStatus.unavailable.rawValue) }
    }

    static func table(_ periods: [CoveragePeriod]) -> String {
        let rows = periods.map { period -> [String] in
            let days = period.first == period.last ? "\(period.first)" : "\(period.first) – \(period.last)"
            let reconciled =
                period.symbolDays == 0 ? "-" : "\(period.reconciled.grouped) of \(period.symbolDays.grouped)"
            return [days, period.state.rawValue, period.symbols.grouped, reconciled] + cells(period.minutes)
        }
        return TextTable(["DAYS", "STATE", .right("SYMBOLS"), .right("RECONCILED")] + counted, rows).shown
    }

    /// The columns of ``cells(_:)``.
    private static let counted = ["BARS", "NO TRADE", "MISSING", "UNKNOWN"].map(TextTable.Column.right)

    private static func cells(_ minutes: [DayCoverage.Minute: Int]) -> [String] {
        [DayCoverage.Minute.bar, .noTrade, .gap, .unknown].map { (minutes[$0] ?? 0).grouped }
    }

    /// A day's symbols, each with the times of its missing minutes.
    static func table(_ day: DayCoverage) -> String {
        let rows = day.rows.map { row in
            [row.symbol.description, row.isReconciled ? "yes" : "no"] + cells(row.counts) + [spans(of: row.minutes)]
        }
        return TextTable(["SYMBOL", "RECONCILED"] + counted + ["MISSING IN NEW YORK"], rows).shown
    }

    /// The first missing spans, such as `10:31–10:35`; the regular session begins at 9:30.
    private static func spans(of minutes: [DayCoverage.Minute]) -> String {
        var spans: [String] = []
        var index = 0
        while let start = minutes[index...].firstIndex(of: .gap) {
            let end = minutes[start...].firstIndex { $0 != .gap } ?? minutes.count
            spans.append(end - start == 1 ? clock(start) : "\(clock(start))–\(clock(end - 1))")
            index = end
        }
        return DisplayText.list(spans, showing: 4)
    }

    private static func clock(_ minute: Int) -> String {
        let minutes = 9 * 60 + 30 + minute
        return "\(minutes / 60):\(minutes % 60 < 10 ? "0" : "")\(minutes % 60)"
    }
}

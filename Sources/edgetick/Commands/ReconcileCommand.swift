import ArgumentParser
import Backfill
import Collector
import Logging
import MarketData
import Store
import Upstream
import Wire

/// Compares a day's minute bars with the tape, and corrects them.
struct ReconcileCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile", abstract: "Compare a day's minute bars with the tape, and correct them.",
        discussion: """
            Examples: edgetick reconcile
                      edgetick reconcile --date 2026-11-24 --universe sp500
                      edgetick reconcile --from-file 2026-11-24.csv.gz

            The tape is the REST aggregates of the day, or one of the provider's flat files of minute bars (minute_aggs_v1).
            Each of its bars is compared with the file and, if DATABASE_URI is set, with the database: missing bars are
            added, different ones are corrected, and bars that the tape lacks are listed and kept. Columns that the tape
            doesn't have keep their values. Minutes without a bar on the tape had no trades; those in a trading halt are
            counted separately if LULD is collected.

            The result is stored in the file, so --resume can leave out symbols that are already complete. Running it again
            changes nothing. The exit code is 65 while a bar of the tape is missing, different or unreadable, or a symbol
            could not be compared.
            A running collector holds the buffer; with RECONCILE_AT, it does this by itself.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var symbols: SymbolOptions
    @Option(help: "The day in New York, such as 2026-11-24; default: the last finished one.") var date: String?
    @Option(help: "A flat file of minute bars, gzipped or not, in place of the REST API.", completion: .file())
    var fromFile: String?
    @Flag(help: "Leave out symbols that an earlier run found or made complete.") var resume = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if let date, TradingDay(date) == nil {
            throw ValidationError("--date \(date.escapingControls): allowed: a day such as 2026-11-24")
        }
        if fromFile != nil, day == nil {
            throw ValidationError("--from-file: name the file by its day, as in 2026-11-24.csv.gz, or give --date")
        }
        let now = WallClock.milliseconds()
        guard let day, !day.isFinal(at: now) else { return }
        throw ValidationError(
            day.session == nil
                ? "\(day) had no trading; name a day of trading, such as \(TradingDay.lastFinal(at: now))"
                : "\(day) is not over, and late trades still change its bars: the last one that is over is "
                    + "\(TradingDay.lastFinal(at: now))")
    }

    var needs: Settings.Needs { fromFile == nil ? .feed : .upload }

    func run(_ settings: Settings) async throws {
        let day = try dayToCompare(settings, now: WallClock.milliseconds())
        let upstream = try settings.upstream()
        let client = fromFile == nil ? try settings.aggregatesClient() : nil
        let restart = "stop it, do this, and start it again"
        let advice =
            settings.backfill.reconcileMinute == nil
            ? "\(restart); with RECONCILE_AT, it does this by itself"
            : "it does this by itself at RECONCILE_AT; or \(restart)"
        try await closing({ await client?.shutdown() }) {
            try await settings.withBuffer(heldAdvice: advice, makesFile: true) { buffer in
                let uploader = upstream.map {
                    Uploader(configuration: $0, bufferID: buffer.id, logger: Logger(label: "upload"))
                }
                try await closing({ await uploader?.disconnect() }) {
                    let reconciler = reconciler(settings, client, buffer, uploader)
                    let list = try await chosen(settings, day) { try await reconciler.everySymbol(of: day) }
                    guard !list.isEmpty else {
                        return print(
                            json
                                ? WireJSON.text(of: ReconcileJSON(day, [], failures: [:]))
                                : "every symbol of \(day) is complete")
                    }
                    try await compare(reconciler, day, list)
                }
            }
        }
    }

    /// Returns the day asked for, or the last one that the REST server has; `now` is in milliseconds.
    func dayToCompare(_ settings: Settings, now: Int64) throws(CommandFailure) -> TradingDay {
        let last = TradingDay.lastFinal(at: now - settings.restDelay)
        guard let day else { return last }
        guard fromFile != nil || day <= last else {
            throw CommandFailure(
                .usage,
                "the feed's plan is delayed, so the REST server may not have all of \(day) yet: the last day that it has "
                    + "is \(last)")
        }
        return day
    }

    /// The day asked for, or the day in the file's name.
    private var day: TradingDay? {
        if let date { return TradingDay(date) }
        return fromFile.flatMap { TradingDay(String(($0.split(separator: "/").last ?? "").prefix(10))) }
    }

    private func reconciler(
        _ settings: Settings, _ client: AggregatesClient?, _ buffer: TickBuffer, _ uploader: Uploader?
    ) -> Reconciler {
        let target = uploader.map { uploader in
            let pass = settings.uploadPass(buffer, uploader)
            return Reconciler.Target(uploader, of: buffer) { await pass.report(of: [.bars]) }
        }
        return Reconciler(
            source: client.map { .aggregates($0) } ?? .file(path: fromFile ?? ""), buffer: buffer, target: target)
    }

    private func compare(_ reconciler: Reconciler, _ day: TradingDay, _ list: [Symbol]) async throws {
        let progress = ProgressLine(title: "reconciling", unit: "symbols", total: list.count, quietFor: .seconds(1))
        let work = Task { try await reconciler.run(day, list) { progress.update(done: $0) } }
        let report: Reconciler.Report
        do {
            report = try await Interrupts.cancelling(work)
        } catch let failure as CommandFailure where failure.status == .tryAgain {
            throw CommandFailure(.tryAgain, "stopped; --resume continues where it stopped")
        }
        progress.finish(done: list.count)
        let findings = report.findings.sorted { $0.day.symbol < $1.day.symbol }
        if json {
            print(WireJSON.text(of: ReconcileJSON(day, findings, failures: report.failures.mapValues { "\($0)" })))
        } else {
            let lines = ReconcileText.lines(day, findings, notCompared: report.failures.count)
            printNow(lines.joined(separator: "\n") + "\n")
        }
        for (symbol, error) in report.failures.sorted(by: { $0.key < $1.key }) {
            printRemark("\(symbol) could not be compared: \(error)")
        }
        if !report.isComplete { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    /// The symbols to compare; empty if, with `--resume`, all of them are complete.
    ///
    /// - Parameter every: Returns the symbols of the day if everything is collected.
    private func chosen(
        _ settings: Settings, _ day: TradingDay, every: () async throws -> [Symbol]
    ) async throws -> [Symbol] {
        var all: [Symbol]
        if let named = try await symbols.chosen(settings) {
            all = named
        } else {
            let plan = try await settings.symbolPlan(
                of: settings.wishes, single: settings.singleWish,
                Logger(label: "symbols") { _ in SwiftLogNoOpLogHandler() })
            all = if let symbols = plan.inForce.symbols { symbols } else { try await every() }
        }
        guard !all.isEmpty else {
            throw CommandFailure(
                .configuration,
                "there is nothing to compare: name --symbols or a --universe, or set "
                    + (settings.feed.source == .none ? "USE_MASSIVE_API=true" : "SYMBOLS"))
        }
        if resume {
            let done = try DayLog.reconciled(directory: settings.dataDirectory, days: day...day)
            let complete = Set(done.filter(\.isComplete).map(\.symbol))
            all.removeAll(where: complete.contains)
        }
        return all
    }
}

/// A compared day as text.
enum ReconcileText {
    /// The most bars that are named for one symbol and group.
    private static let mostNamed = 20

    /// The lines for each symbol, with its groups of changed bars below it, and a line with the totals.
    static func lines(_ day: TradingDay, _ findings: [DayFinding], notCompared: Int = 0) -> [String] {
        let totals = DayTotals(findings.map(\.day))
        let what = [
            counted(totals.added, "added"), counted(totals.corrected, "corrected"),
            counted(totals.extra, "not on the tape"), "\(totals.missing.grouped) open",
            counted(findings.reduce(0) { $0 + $1.unreadable }, "of them unreadable"),
            counted(notCompared, "not compared"),
        ].compactMap(\.self).joined(separator: ", ")
        return findings.flatMap(lines) + [
            "\(day): \(totals.have.grouped) of \(totals.tape.counted("bar")) of the tape (\(totals.percent) %) in "
                + "\(totals.symbols.counted("symbol")), \(what)"
        ]
    }

    private static func lines(_ finding: DayFinding) -> [String] {
        let day = finding.day
        let parts = [
            "\(day.symbol) \(day.present) of \(day.regular) regular minutes", counted(day.untraded, "without trades"),
            counted(day.halted, "halted"), counted(day.added, "added"), counted(day.corrected, "corrected"),
            counted(day.extra, "not on the tape"), counted(day.missing, "open"),
            counted(finding.unreadable, "of them unreadable"),
        ]
        let groups = [
            ("added", finding.added), ("corrected", finding.corrected), ("not on the tape", finding.extra),
            ("open", finding.open),
        ]
        return [parts.compactMap(\.self).joined(separator: ", ")]
            + groups.filter { !$0.1.isEmpty }.map { "  \($0): \(named($1))" }
    }

    private static func counted(_ count: Int, _ what: String) -> String? {
        count == 0 ? nil : "\(count.grouped) \(what)"
    }

    private static func named(_ starts: [Int64]) -> String {
        DisplayText.list(starts.map { MomentText.text($0) }, showing: mostNamed)
    }
}

public import ArgumentParser
import Export
import Logging
import MarketData
import ServiceLifecycle
import Store
import Upstream
import Wire

/// Writes events into files for other programs.
struct ExportCommand: ConfiguredCommand {
    /// Where events are read from.
    enum Source: String, CaseIterable, ExpressibleByArgument {
        case file
        case upstream
    }

    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write events as Parquet, CSV or JSON, one file per day.",
        discussion: """
            Examples: edgetick export --date 2026-11-24 --output data
                      edgetick export --from 2026-11-02 --partition symbol --output data
                      edgetick export --universe sp500 --date 2026-11-24 --output data
                      edgetick export --source upstream --from 2026-01-02 --output data
                      edgetick export --date 2026-01-02 --format csv --output data
                      edgetick export --watch --output data

            Files are data/trades/day=2026-11-24/trades.parquet, and with --partition symbol
            data/trades/day=2026-11-24/symbol=AAPL/trades.parquet. A day is the New York date of the events' own time.
            Each bar is written in its newest version. The columns are those of the local file (docs/columns.md); trades
            also have the column adjustment, which marks those that are cancelled, corrected or wrong according to their
            conditions. Parquet has times as timestamps and prices as decimals.

            A file gets its name only when it is complete, and then replaces an existing one; if an export was stopped,
            run it again. If rows of a day were deleted from the local file after their upload (see
            BUFFER_RETENTION_HOURS), that day's file is replaced only with --force; so is a day's file that has symbols
            which the export lacks. The exit code is 65 if rows or numbers were left out, or, without --force, may
            be missing. Only one export at a time can write to a directory.

            If the database lacks a table, the export fails, since the table may be missing only for a moment. Tables of
            second bars, price bands, imbalances and fair values may be missing, unless --stream or FEED_EVENTS names them.

            --watch keeps running and writes each day a quarter of an hour after its trading ends, or 16 minutes later if
            the feed is delayed; when started again, it continues after the last day that it wrote. With --source upstream,
            a day waits until its rows in the local file are uploaded. Without a local file, and for events that other boxes
            collect, make sure that the upload is up to date by then: the export can't detect that it isn't. While a gap of
            the day is open in the local file, or its comparison with the tape (RECONCILE_AT) is due, the day waits for up to
            six hours; it is then written with a warning.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var days: DayOptions
    @OptionGroup var symbols: SymbolOptions
    @Option(help: "A stream, such as trades; may be repeated; default: all.") var stream: [EventStream] = []
    @Option(help: "parquet, csv or json (one object per line).") var format = ExportOptions.Format.parquet
    @Flag(inversion: .prefixedNo, help: "Compress the files with gzip; that takes longer.") var compress = false
    @Option(name: .customLong("partition"), help: "day: one file per day; symbol: one file per day and symbol.")
    var layout = ExportOptions.Layout.day
    @Option(help: "file: the local buffer; upstream: the database.") var source = Source.file
    @Option(help: "The directory to write to.", completion: .directory) var output: String
    @Flag(help: "Replace a day's files even if they have rows or symbols that this export lacks.") var force = false
    @Flag(help: "Keep running, and write each day when it is finished.") var watch = false
    @Flag(help: "Print JSON; with --watch, a line for each day.") var json = false

    func validate() throws {
        // An unset variable in a script.
        if output.isEmpty { throw ValidationError("--output is empty: name a directory") }
        if watch, days.date != nil || days.to != nil {
            throw ValidationError("--watch has no end: leave out --date and --to")
        }
    }

    var needs: Settings.Needs { source == .upstream ? .database : [] }

    func run(_ settings: Settings) async throws {
        let now = WallClock.milliseconds()
        guard let span = days.chosen(today: TradingDay(at: now)) else { return }
        let job = ExportJob(
            options: ExportOptions(
                streams: EventStream.allCases.filter { stream.isEmpty || stream.contains($0) },
                optional: Self.optional(named: stream, collected: settings.feed.events), days: span,
                symbols: try await symbols.chosen(settings).map { Set($0) }, format: format, isCompressed: compress,
                layout: layout, replacesWhole: force, directory: output),
            buffer: settings.dataDirectory,
            databases: source == .upstream ? try settings.upstreams() : [])
        guard watch else { return try await writeOnce(job, span) }
        let mark = WatchMark(job.options, of: symbols.wish)
        let delay = settings.restDelay
        // Days that ended while nobody watched are written too.
        let first = mark.first(
            from: days.from == nil ? nil : span.lowerBound, lastFinal: TradingDay.lastFinal(at: now - delay))
        try await Interrupts.serving([
            DayWatch(plan: WatchPlan(from: first, delay: delay), logger: Logger(label: "export")) {
                [symbols, json] day in
                var job = job
                try job.checkUploaded(day)
                // A universe's members change. A day that waits is looked at every minute.
                job.options.symbols = try await symbols.chosen(settings, warns: false).map { Set($0) }
                let expected = try job.expected(of: day, settings)
                job.options.symbols = try await symbols.chosen(settings).map { Set($0) }
                let report = try await job.write(day...day)
                Self.printReport(report, day...day, asJSON: json)
                if let expected {
                    printWarning("\(expected); once that has changed, run edgetick export --date \(day) --force")
                }
                if !report.kept.isEmpty { printWarning(Self.words(kept: report.kept)) }
                try mark.note(day)
            }
        ])
    }

    private func writeOnce(_ job: ExportJob, _ span: ClosedRange<TradingDay>) async throws {
        let report: ExportReport
        do {
            report = try await Interrupts.cancelling(Task { try await job.write(span) })
        } catch let failure as CommandFailure where failure.status == .tryAgain {
            throw CommandFailure(.tryAgain, "stopped; incomplete files were removed: run it again")
        }
        Self.printReport(report, span, asJSON: json)
        guard report.kept.isEmpty else { throw CommandFailure(.badData, Self.words(kept: report.kept)) }
        // The warnings about left-out rows and numbers are already printed.
        let mayLack = !report.partial.isEmpty && !force
        if mayLack || report.unreadable > 0 || report.leftOut > 0 { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    /// The kinds of events whose table the database may lack: those that few collect, unless this box collects them or
    /// their stream was asked for by name. Second bars stay optional even then, since `bars` also means minute bars.
    static func optional(named streams: [EventStream], collected: Set<EventKind>) -> Set<EventKind> {
        let rare: Set<EventKind> = [.secondBar, .limitBand, .imbalance, .fairValue]
        return rare.subtracting(collected).filter { $0 == .secondBar || !streams.contains($0.stream) }
    }

    /// Says which days kept the files written before.
    private static func words(kept: [EventStream: [TradingDay]]) -> String {
        let days = kept.sorted { $0.key.rawValue < $1.key.rawValue }.map { stream, days in
            "\(stream.rawValue) of \(span(of: days))"
        }
        return "rows of these days were deleted from the local file after their upload (see BUFFER_RETENTION_HOURS), "
            + "so the files written earlier were kept: \(days.joined(separator: "; ")); use --source upstream for "
            + "complete files, or --force to replace them"
    }

    private static func span(of days: [TradingDay]) -> String {
        [days.first, days.count > 1 ? days.last : nil].compactMap { $0?.description }.joined(separator: " to ")
    }

    private static func printReport(_ report: ExportReport, _ days: ClosedRange<TradingDay>, asJSON: Bool) {
        if report.files.isEmpty, report.kept.isEmpty {
            let (first, last) = (days.lowerBound, days.upperBound)
            let when = first == last ? "on \(first)" : "from \(first) to \(last)"
            printRemark("there are no such events \(when) (New York days)")
        }
        if asJSON {
            printNow(WireJSON.text(of: ExportJSON(report, days)) + "\n")
        } else {
            for file in report.files { printNow("\(file.path)  \(file.rows.counted("row"))".escapingControls + "\n") }
        }
        printError("\(report.rows.counted("row")) in \(report.files.count.counted("file"))")
        for (stream, days) in report.partial.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where !days.isEmpty {
            printWarning(
                "\(stream.rawValue) of \(span(of: days)) were deleted from the local file after their upload "
                    + "(see BUFFER_RETENTION_HOURS): use --source upstream for complete files")
        }
        for (kind, text) in report.missing.sorted(by: { $0.key.index < $1.key.index }) {
            printWarning("no \(kind.plural) were exported: \(text)")
        }
        if report.rounded > 0 {
            printWarning("rounded \(report.rounded.counted("number")) with more decimals than the columns")
        }
        if report.leftOut > 0 {
            printWarning("left out \(report.leftOut.counted("number")) that the columns can't hold")
        }
        if report.unreadable > 0 {
            printWarning("left out \(report.unreadable.counted("row")) that can't be read: see edgetick verify")
        }
    }
}

/// The exports of one command: the same options for any span of days.
private struct ExportJob: Sendable {
    var options: ExportOptions
    /// The data directory.
    let buffer: String
    /// The databases to read in place of the buffer.
    let databases: [UpstreamConfiguration]

    /// Checks that the databases to read have what the buffer has of a day.
    ///
    /// - Throws: ``NotReady``, and what reading the buffer throws.
    func checkUploaded(_ day: TradingDay) throws {
        let uploaded = Set(databases.flatMap(\.streams))
        let waiting = try options.streams.filter { try uploaded.contains($0) && waits($0, day) }
        guard !waiting.isEmpty else { return }
        let names = waiting.map(\.rawValue).joined(separator: ", ")
        throw NotReady(description: "\(names) of the day still wait for upload: see edgetick status")
    }

    private func waits(_ stream: EventStream, _ day: TradingDay) throws(StoreError) -> Bool {
        try ifReadable { () throws(StoreError) in
            try TickHistory(directory: buffer).hasWaiting(stream, times: day.span)
        } ?? false
    }

    /// How long a day waits for what may still be added to it, in milliseconds.
    private static let patience: Int64 = 6 * 3_600_000

    /// Returns what may still be added to a day of the buffer; `nil` if nothing may.
    ///
    /// - Throws: ``NotReady`` while it is worth waiting for, and what reading the buffer throws.
    func expected(of day: TradingDay, _ settings: Settings) throws -> String? {
        let now = WallClock.milliseconds()
        let gaps = try openGaps(day)
        if gaps > 0 {
            let text = "\(gaps.counted("gap")) of \(day) \(gaps == 1 ? "is" : "are") still open (edgetick gaps)"
            let limit = (day.session?.close ?? 0) + settings.restDelay + Self.patience
            guard settings.idleBackfill == nil, now < limit else { return text }
            throw NotReady(description: text)
        }
        guard options.streams.contains(.bars), settings.reconcileProblem == nil,
            let minute = settings.backfill.reconcileMinute,
            let due = day.firstFinal(atMinute: minute, delay: settings.restDelay), try !isCompared(day)
        else { return nil }
        let text = "\(day) has not been compared with the tape yet (RECONCILE_AT)"
        guard now < due + Self.patience else { return text }
        throw NotReady(description: text)
    }

    private func openGaps(_ day: TradingDay) throws(StoreError) -> Int {
        let gaps = try ifReadable { () throws(StoreError) in
            try GapLog.read(
                directory: buffer, states: [.open], overlapping: day.span.lowerBound...day.span.upperBound - 1,
                fills: .none)
        }
        return (gaps ?? []).map(\.gap).count { gap in
            gap.events.contains { options.streams.contains($0.stream) }
                && (gap.symbols.isEmpty || options.symbols.map { !$0.isDisjoint(with: gap.symbols) } ?? true)
        }
    }

    private func isCompared(_ day: TradingDay) throws(StoreError) -> Bool {
        let found = try ifReadable { () throws(StoreError) in
            try DayLog.reconciled(directory: buffer, days: day...day)
        }
        return found.map { !$0.isEmpty } ?? true
    }

    /// Returns `nil` if the buffer is missing or can't be read: another box, or another user, collects.
    private func ifReadable<Value>(_ read: () throws(StoreError) -> Value) throws(StoreError) -> Value? {
        do throws(StoreError) {
            return try read()
        } catch {
            guard error.reason == .missing || error.reason == .notReadable else { throw error }
            return nil
        }
    }

    func write(_ days: ClosedRange<TradingDay>) async throws -> ExportReport {
        var options = options
        options.days = days
        let exporter = Exporter(options)
        let line = ProgressLine(title: "exporting", unit: databases.isEmpty ? "rows" : "days", quietFor: .seconds(1))
        guard !databases.isEmpty else {
            return try exporter.export(fileIn: buffer) { _, read, total in
                line.update(done: Int(read), total: Int(total))
            }
        }
        let readers = databases.map { UpstreamReader(configuration: $0) }
        var holders: [EventStream: UpstreamReader] = [:]
        for (database, reader) in zip(databases, readers) {
            for stream in database.streams { holders[stream] = reader }
        }
        return try await closing({ for reader in readers { await reader.disconnect() } }) {
            try await exporter.export(upstream: holders) { _, done, total in line.update(done: done, total: total) }
        }
    }
}

/// A day can't be exported yet, since some of its events may still come.
private struct NotReady: Error, CustomStringConvertible {
    let description: String
}

/// Writes each day when it is finished; a day that can't be written is tried again.
private struct DayWatch: Service {
    let plan: WatchPlan
    let logger: Logger
    let write: @Sendable (TradingDay) async throws -> Void

    /// The longest sleep: the clock may be set meanwhile, so read it again at least this often.
    private static let longestWait: Int64 = 10 * 60_000
    private static let pauseAfterFailure: Duration = .seconds(60)
    /// How often the same failure is logged: an upload may be paused for days.
    private static let logInterval: Duration = .seconds(3600)

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            var plan = plan
            var failures = LogThrottle<TradingDay, ContinuousClock.Instant>(interval: Self.logInterval)
            do {
                while true {
                    let now = WallClock.milliseconds()
                    switch plan.step(at: now) {
                    case .wait(let moment):
                        try await Task.sleep(for: .milliseconds(min(moment - now, Self.longestWait)))
                    case .write(let day):
                        do {
                            try await write(day)
                            plan.wrote(day)
                        } catch  where !(error is CancellationError) {
                            if let count = failures.occurred(day, "\(error)", now: .now) {
                                logger.log(
                                    level: error is NotReady ? .notice : .error,
                                    "a day could not be exported and is tried again",
                                    metadata: ["day": "\(day)", "error": "\(error)", "occurrences": "\(count)"])
                            }
                            try await Task.sleep(for: Self.pauseAfterFailure)
                        }
                    }
                }
            } catch is CancellationError {
                return
            }
        }
    }
}

extension ExportOptions.Format: ExpressibleByArgument {}
extension ExportOptions.Layout: ExpressibleByArgument {}

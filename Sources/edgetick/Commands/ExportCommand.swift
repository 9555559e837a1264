public import ArgumentParser
import Export
import Logging
import MarketData
import ServiceLifecycle
import Store
import Upstream

/// Writes events into files for other programs.
struct ExportCommand: ConfiguredCommand {
    /// Where events are read from.
    enum Source: String, CaseIterable, ExpressibleByArgument {
        case file
        case upstream
    }

    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write events as Parquet, CSV or JSON, a file a day.",
        discussion: """
            Examples: edgetick export --date 2026-11-24 --output data
                      edgetick export --from 2026-11-02 --stream trades --universe nasdaq100 --partition symbol --output data
                      edgetick export --source upstream --from 2026-01-02 --format csv --compress --output data
                      edgetick export --watch --output data

            Files are data/trades/day=2026-11-24/trades.parquet, and with --partition symbol
            data/trades/day=2026-11-24/symbol=AAPL/trades.parquet. A day is the New York date of the events' own time.
            A file has its name only when it is whole, and replaces one that is there; an export that was stopped is
            run again. If rows of a day were deleted from the local file after their upload (see
            BUFFER_RETENTION_HOURS), that day's file is replaced only with --force; so is a day's file that has symbols
            which the export lacks. The exit code is 65 where rows or numbers were left out, or, without --force, may
            be missing. One export at a time writes to a directory. Bars are in their newest version. The columns are
            those of the local file (docs/columns.md), and adjustment for trades that their conditions say are
            cancelled, corrected or wrong; Parquet has times as timestamps and prices as decimals.
            A table that the database lacks ends the export, as it may be gone for a moment only. It can do without those
            of second bars, price bands, imbalances and fair values, unless --stream or FEED_EVENTS names them.
            --watch stays and writes each day a quarter of an hour after its trading, or 16 minutes later if the feed is
            delayed; started again, it goes on after the last day that it wrote. With --source upstream, a day waits until
            its rows in the local file are uploaded. Where there is no such file, and for what other boxes collect, the
            upload must be up to date by then: nothing shows that it isn't.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var days: DayOptions
    @OptionGroup var symbols: SymbolOptions
    @Option(help: "A stream, such as trades; repeatable, all when not given.") var stream: [EventStream] = []
    @Option(help: "parquet, csv or json (an object a line).") var format = ExportOptions.Format.parquet
    @Flag(inversion: .prefixedNo, help: "Make the files smaller with gzip; that takes longer.") var compress = false
    @Option(name: .customLong("partition"), help: "What a file holds: day, or symbol for a file a day and symbol.")
    var layout = ExportOptions.Layout.day
    @Option(help: "file: the local buffer; upstream: the database.") var source = Source.file
    @Option(help: "The directory to write to.", completion: .directory) var output: String
    @Flag(help: "Replace a day's files even if they have rows or symbols that this export lacks.") var force = false
    @Flag(help: "Stay, and write each day when it is finished.") var watch = false

    func validate() throws {
        if watch, days.date != nil || days.to != nil {
            throw ValidationError("--watch has no end: give --from, or neither --date, --from nor --to")
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
            DayWatch(plan: WatchPlan(from: first, delay: delay), logger: Logger(label: "export")) { day in
                try job.checkUploaded(day)
                let report = try await job.write(day...day)
                Self.tell(report, day...day)
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
            throw CommandFailure(.tryAgain, "stopped; files that were not whole are gone: run it again")
        }
        Self.tell(report, span)
        guard report.kept.isEmpty else { throw CommandFailure(.badData, Self.words(kept: report.kept)) }
        // The warnings about left-out rows and numbers are already printed.
        let mayLack = !report.partial.isEmpty && !force
        if mayLack || report.unreadable > 0 || report.leftOut > 0 { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    /// The kinds of events whose table the database may lack: those that few collect, unless this box collects them or
    /// their stream was asked for by name. Bars that were asked for may be those of minutes alone.
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

    private static func tell(_ report: ExportReport, _ days: ClosedRange<TradingDay>) {
        if report.files.isEmpty, report.kept.isEmpty {
            let (first, last) = (days.lowerBound, days.upperBound)
            let when = first == last ? "on \(first)" : "from \(first) to \(last)"
            printRemark("there are no such events \(when); a day is New York's")
        }
        for file in report.files { printNow("\(file.path)  \(file.rows.counted("row"))".escapingControls + "\n") }
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
    let options: ExportOptions
    /// The data directory.
    let buffer: String
    /// The databases to read in place of the buffer.
    let databases: [UpstreamConfiguration]

    /// Checks that the databases to read have what the buffer has of a day.
    ///
    /// - Throws: ``NotUploaded``, and what reading the buffer throws.
    func checkUploaded(_ day: TradingDay) throws {
        let uploaded = Set(databases.flatMap(\.streams))
        let waiting = try options.streams.filter { try uploaded.contains($0) && waits($0, day) }
        guard !waiting.isEmpty else { return }
        let names = waiting.map(\.rawValue).joined(separator: ", ")
        throw NotUploaded(description: "\(names) of the day still wait for upload: see edgetick status")
    }

    private func waits(_ stream: EventStream, _ day: TradingDay) throws(StoreError) -> Bool {
        do throws(StoreError) {
            return try TickHistory(directory: buffer).hasWaiting(stream, times: day.span)
        } catch {
            // Another box, or another user, uploads.
            guard error.reason == .missing || error.reason == .notReadable else { throw error }
            return false
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

/// The error of a day that the database doesn't have whole.
private struct NotUploaded: Error, CustomStringConvertible {
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
                                logger.error(
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

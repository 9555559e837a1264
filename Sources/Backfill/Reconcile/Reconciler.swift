public import MarketData
public import Store
public import Upstream

/// Compares a day's minute bars with the tape, adds those that are missing and corrects those that are different.
///
/// A bar of the tape goes into the buffer like any other, and from there upstream. It is the newest version in the
/// file, and replaces earlier versions in the database (``EventSource/reconcile``). Fields that the tape lacks keep
/// their values. Findings are stored in the file symbol by symbol, so that an interrupted run is not wasted.
public struct Reconciler: Sendable {
    /// Where the day's bars come from.
    public enum Source: Sendable {
        /// The REST aggregates.
        case aggregates(AggregatesClient)
        /// One of the provider's flat files.
        case file(path: String)
    }

    /// The database that holds the bars besides the file.
    public struct Target: Sendable {
        var uploader: Uploader
        /// Uploads the bars that the file holds, and returns when they are there.
        var push: @Sendable () async throws(BackfillError) -> Void

        /// Makes a target; see the properties for meaning.
        public init(uploader: Uploader, push: @escaping @Sendable () async throws(BackfillError) -> Void) {
            self.uploader = uploader
            self.push = push
        }
    }

    /// The result of comparing a day.
    public struct Report: Sendable {
        /// The findings, one per symbol.
        public var findings: [DayFinding] = []
        /// Symbols that could not be compared, and why.
        public var failures: [Symbol: BackfillError] = [:]

        /// Whether every bar of the tape is here with the same numbers.
        public var isComplete: Bool { failures.isEmpty && findings.allSatisfy(\.day.isComplete) }
    }

    private let source: Source
    let buffer: TickBuffer
    private var directory: String { buffer.directory }
    let target: Target?
    /// The present time, in milliseconds since the Unix epoch.
    var now: @Sendable () -> Int64 = { WallClock.milliseconds() }

    /// Makes a reconciler.
    ///
    /// - Parameter target: the database; `nil` compares the file alone.
    public init(source: Source, buffer: TickBuffer, target: Target?) {
        self.source = source
        self.buffer = buffer
        self.target = target
    }

    /// Returns the symbols of a day when everything is collected: those that have bars in the file or the database, and
    /// those that were compared before.
    ///
    /// - Throws: also when there are none, since it is then unknown which symbols to compare.
    public func everySymbol(of day: TradingDay) async throws(BackfillError) -> [Symbol] {
        let starts = day.moment(minuteOfDay: 0)..<day.after.moment(minuteOfDay: 0)
        var symbols = try buffer.reading {
            Set(try DayLog.symbols(directory: directory, starts: starts)).union(
                try DayLog.reconciled(directory: directory, days: day...day).map(\.symbol))
        }
        if let target {
            // The file forgets what it uploaded.
            do {
                symbols.formUnion(try await target.uploader.symbols(withMinuteBars: starts))
            } catch {
                throw BackfillError(.database, "\(error)")
            }
        }
        guard !symbols.isEmpty else {
            throw BackfillError(
                .invalidConfiguration,
                "everything is collected, and there is no bar of \(day), so nobody knows which symbols to compare: run "
                    + "edgetick reconcile --date \(day) with --symbols or --universe")
        }
        return symbols.sorted()
    }

    /// The most symbols whose bars are read from the database at once.
    private static let symbolsAtOnce = 25

    /// Compares a day.
    ///
    /// - Parameters:
    ///   - isLoaded: whether an earlier comparison has shown that the REST server has the day. Otherwise a day of which
    ///     it has no bar of any of the symbols is a failure.
    ///   - progress: called with the number of symbols that the tape was asked for.
    ///   - found: called with each symbol's finding when it is done.
    /// - Throws: a failure that concerns more than one symbol. Symbols that were done before stay done.
    public func run(
        _ day: TradingDay, _ symbols: [Symbol], isLoaded: Bool = false,
        progress: @escaping @Sendable (Int) -> Void = { _ in }, found: (DayFinding) -> Void = { _ in }
    ) async throws(BackfillError) -> Report {
        let starts = day.moment(minuteOfDay: 0)..<day.after.moment(minuteOfDay: 0)
        let tape: any Tape =
            switch source {
            case .aggregates(let client):
                AggregateTape(client, symbols, starts: starts, isLoaded: isLoaded, tell: progress)
            case .file(let path): try FlatFileTape(path: path, symbols, starts: starts, tell: progress)
            }
        // Rows that still wait for upload must not count as missing upstream.
        try await buffer.durable()
        try await target?.push()
        var report = Report()
        var group = try await tape.next().get()
        while let current = group {
            // The next symbols are on their way while these are compared.
            async let following = tape.next()
            let (findings, failures) = try await compare(current, day, starts)
            report.failures.merge(current.failures) { $1 }
            report.failures.merge(failures) { $1 }
            findings.forEach(found)
            report.findings += findings
            group = try await following.get()
        }
        return report
    }

    /// Compares some symbols and stores what was found.
    ///
    /// - Returns: the findings, and why other symbols could not be compared.
    private func compare(
        _ group: TapeGroup, _ day: TradingDay, _ starts: Range<Int64>
    ) async throws(BackfillError) -> (findings: [DayFinding], failures: [Symbol: BackfillError]) {
        // What the stream has delivered meanwhile must be in the file to be found.
        try await buffer.durable()
        let symbols = group.bars.keys.sorted()
        let file = try buffer.reading {
            try DayLog.minuteBars(directory: directory, symbols: Set(symbols), starts: starts)
        }
        let halts = try buffer.reading { try DayLog.halts(directory: directory, symbols: Set(symbols), within: starts) }
        let stored = try await upstream(symbols, starts)
        let all = symbols.map { symbol in
            DayComparison(
                symbol, on: day, tape: group.bars[symbol] ?? [], unreadable: group.unreadable[symbol] ?? 0,
                file: file[symbol] ?? [],
                upstream: stored.map { $0.bars[symbol] ?? [] }, rounding: stored?.rounding ?? BarRounding(),
                halts: halts[symbol] ?? [])
        }
        // A tape that is still empty a day later will stay so.
        let mayBeLate = now() < ReconciledDay.tapeIsFinal(day)
        let failures = all.filter { $0.lacksTape && mayBeLate }.map { ($0.symbol, Self.emptyTape($0, on: day)) }
        let comparisons = all.filter { !($0.lacksTape && mayBeLate) }
        let changed = comparisons.filter { !$0.changes.isEmpty }
        try await write(changed)
        var open: [Symbol: Set<Int64>] = [:]
        if let target, !changed.isEmpty {
            try await target.push()
            // The database's bars decide, not the ones that were sent.
            let after = try await upstream(changed.map(\.symbol), starts)
            for comparison in changed {
                open[comparison.symbol] = comparison.open(
                    in: after?.bars[comparison.symbol] ?? [], rounding: after?.rounding ?? BarRounding())
            }
        }
        let time = now()
        let findings = comparisons.map { $0.finding(open: open[$0.symbol] ?? [], at: time) }
        do throws(StoreError) { try await buffer.record(findings.map(\.day)) } catch { throw BackfillError(error) }
        return (findings, Dictionary(uniqueKeysWithValues: failures))
    }

    private static func emptyTape(_ comparison: DayComparison, on day: TradingDay) -> BackfillError {
        let here = comparison.extra.count.counted("bar is", "bars are")
        return BackfillError(
            .badAnswer,
            "the tape has no bar of \(comparison.symbol) on \(day), but \(here) here: it may not be loaded yet, or "
                + "have the symbol under another name; compare it again later")
    }

    private func upstream(_ symbols: [Symbol], _ starts: Range<Int64>) async throws(BackfillError) -> UpstreamBars? {
        guard let target else { return nil }
        var all = UpstreamBars()
        for part in symbols.parts(of: Self.symbolsAtOnce) {
            do {
                all.add(try await target.uploader.minuteBars(of: Array(part), starts: starts))
            } catch {
                throw BackfillError(.database, "\(error)")
            }
        }
        return all
    }

    /// Hands the tape's bars to the buffer, with the fields that only the file's own rows have.
    private func write(_ changed: [DayComparison]) async throws(BackfillError) {
        guard !changed.isEmpty else { return }
        let turnedAway = buffer.turnedAway
        for comparison in changed {
            let own = try buffer.reading {
                try DayLog.bars(directory: directory, sequences: comparison.changes.compactMap(\.sequence))
            }
            try await buffer.take(
                comparison.changes.map { change in
                    let bar = Bar(comparison.symbol, change.bar)
                    return change.sequence.flatMap { own[$0] }?.taking(bar) ?? bar
                }, as: .reconcile)
        }
        try await buffer.durable(since: turnedAway)
    }
}

public import MarketData
public import Store

/// Fills gaps from the REST API, one after another: asks for the missing events, leaves out those that the stream
/// delivered, hands the rest to the buffer, and records its progress in the file.
///
/// A bar that is already in the buffer is left out. One that the stream delivers later has a higher sequence and wins.
/// Two kinds of bars are fetched again if late trades have added to them: one from shortly before the gap, since its
/// correction was missed, and one that was fetched before, perhaps too early.
public struct GapFiller: Sendable {
    /// The progress of filling one gap or span.
    public struct Progress: Sendable, Equatable {
        /// Symbols and kinds asked for so far.
        public var done: Int
        /// Symbols and kinds to ask for.
        public var total: Int
        /// Bars added.
        public var rows: Int
        /// Bars that the buffer already had.
        public var present: Int
        /// Results of the REST server that are not valid bars. They were left out.
        public var leftOut = 0
    }

    private let client: AggregatesClient
    private let buffer: TickBuffer
    private var ticks: TickFiller
    /// The symbols to ask for when a gap names none, by the streams that it lacks.
    private var everything: [Set<EventStream>: (symbols: Set<Symbol>, isComplete: Bool)] = [:]
    private var directory: String { buffer.directory }
    /// Called between reading which bars the file has and storing others. Tests deliver versions of the stream then.
    var beforeStoring: @Sendable () async -> Void = {}

    /// Makes a filler.
    ///
    /// - Parameters:
    ///   - settleTime: how old a trade or quote must be, by the server's clock, to be fetched: a younger one may still
    ///     come from the stream.
    ///   - gaps: the gaps that will be filled, in this order. Each must have ended that long ago when the first is
    ///     filled: what is asked for one is not asked again for another, and one read of the file looks up the ticks of
    ///     several.
    public init(
        client: AggregatesClient, buffer: TickBuffer, settleTime: Duration = .zero, gaps: [GapRecord] = []
    ) {
        self.client = client
        self.buffer = buffer
        ticks = TickFiller(client: client, buffer: buffer, settleTime: settleTime, gaps: gaps)
    }

    /// Fills one gap, from where the last attempt ended, and stores its new state.
    ///
    /// - Parameters:
    ///   - earliest: nothing before this is asked for, in milliseconds since the Unix epoch. A gap that begins earlier
    ///     stays open.
    ///   - access: which trades and quotes may be fetched, and how many.
    ///   - uncovered: called with each kind that the account's plan does not cover.
    /// - Returns: the gap's new state.
    /// - Throws: what asking throws. The gap then stays open, and what was done is not repeated.
    @discardableResult
    public mutating func fill(
        _ record: GapRecord, earliest: Int64? = nil, ticks access: TickAccess = .all,
        uncovered: (EventKind) -> Void = { _ in }, progress: @Sendable (Progress) -> Void = { _ in }
    ) async throws(BackfillError) -> GapState {
        var everything: (symbols: Set<Symbol>, isComplete: Bool) = ([], true)
        if record.gap.symbols.isEmpty { everything = try known(record.gap.events) }
        let plan = FillPlan(record, everything: everything.symbols, earliest: earliest, ticks: access)
        if let verdict = plan.verdict {
            guard verdict.state != .open else { return .open }
            try await buffer.note(GapFill(of: record, state: verdict.state, detail: verdict.detail))
            return verdict.state
        }
        let result = try await bringBars(of: plan, record, progress)
        guard !plan.isCut else { return .open }
        let ticks = try await ticks.bring(
            plan.requests.filter { $0.event.stream != .bars }, of: record, within: access.budget,
            needingFile: access.needingFile)
        for kind in ticks.uncovered { uncovered(kind) }
        let (state, detail) = FillVerdict.of(
            record, result, ticks, access, asked: everything.symbols.count, isSample: !everything.isComplete)
        try await buffer.note(GapFill(of: record, state: state, detail: detail))
        return state
    }

    private mutating func known(
        _ events: [EventKind]
    ) throws(BackfillError) -> (symbols: Set<Symbol>, isComplete: Bool) {
        let streams = Set(events.map(\.stream))
        if let known = everything[streams] { return known }
        let found = try everySymbol(of: events)
        everything[streams] = found
        return found
    }

    /// Returns the symbols that a connection which takes everything may have had: those of the file's last day, and all
    /// symbols of the universes. The list is not complete if only a sample of that day's rows was read.
    public func everySymbol(of events: [EventKind]) throws(BackfillError) -> (symbols: Set<Symbol>, isComplete: Bool) {
        try buffer.reading {
            var symbols: Set<Symbol> = []
            var isComplete = true
            for stream in Set(events.map(\.stream)) {
                let recent = try TickHistory(directory: directory).recentSymbols(of: stream)
                symbols.formUnion(recent.symbols)
                isComplete = isComplete && recent.isComplete
            }
            do throws(StoreError) {
                let mirror = try UniverseMirror.open(directory: directory, access: .readOnly)
                try mirror.withSnapshot { mirror in
                    for group in try mirror.headings() { symbols.formUnion(try mirror.symbols(of: group.id).symbols) }
                }
            } catch {
                guard error.reason == .missing else { throw error }
            }
            return (symbols, isComplete)
        }
    }

    /// Returns which ticks of a gap may be fetched without a request by a person.
    ///
    /// - Parameters:
    ///   - identified: returns the streams in which the database recognises events that it already has. It is called
    ///     only if the file can't recognise them.
    ///   - elsewhere: returns those of some streams of which another copy of the file has rows to upload, or has uploaded
    ///     some, since a moment in milliseconds since the Unix epoch. It is called only for gaps from before this process
    ///     opened the file.
    /// - Throws: what reading the file, `identified` and `elsewhere` throw. The gap stays open.
    func access(
        _ gap: Gap, uncovered: Set<EventKind> = [],
        identified: () async throws(BackfillError) -> Set<EventStream>,
        elsewhere: (Set<EventStream>, Int64) async throws(BackfillError) -> Set<EventStream> = { _, _ in [] }
    ) async throws(BackfillError) -> TickAccess {
        let streams = Set(gap.events.filter(TickAccess.possible.contains).map(\.stream))
        guard !streams.isEmpty else { return TickAccess(kinds: []) }
        var ends: [EventStream: FileEnd] = [:]
        for stream in streams {
            ends[stream] = try buffer.reading { try FileEnd(of: stream, around: gap, directory: directory) }
        }
        // What a file has says nothing of what went upstream after it was copied.
        let isOlder = gap.from < buffer.opened || gap.cause == .down
        let held = streams.filter { ends[$0]?.holds(gap.from) == true }
        if isOlder, !held.isEmpty {
            for stream in try await elsewhere(held, FileEnd.earliestUpload(of: gap)) { ends[stream]?.isBehind = true }
        }
        let isInFile = streams.allSatisfy { ends[$0]?.holds(gap.from) == true }
        let recognised: Set<EventStream> = isInFile ? [] : try await identified()
        return TickAccess(gap, ends: ends, identified: recognised, uncovered: uncovered)
    }

    /// Returns the same for a gap that is about to be filled. If the database can't be asked, fetches the gap's bars before
    /// it throws, since they need no database.
    ///
    /// - Parameter earliest: as in ``fill(_:earliest:ticks:uncovered:progress:)``.
    public mutating func access(
        toFill record: GapRecord, earliest: Int64? = nil, uncovered: Set<EventKind> = [],
        identified: () async throws(BackfillError) -> Set<EventStream>,
        elsewhere: (Set<EventStream>, Int64) async throws(BackfillError) -> Set<EventStream>
    ) async throws(BackfillError) -> TickAccess {
        do throws(BackfillError) {
            return try await access(
                record.gap, uncovered: uncovered, identified: identified, elsewhere: elsewhere)
        } catch {
            if error.reason == .database { try await fillBars(record, earliest: earliest) }
            throw error
        }
    }

    /// Fetches a gap's bars alone and records which symbols are done; the gap stays open.
    private mutating func fillBars(_ record: GapRecord, earliest: Int64?) async throws(BackfillError) {
        let everything = record.gap.symbols.isEmpty ? try known(record.gap.events).symbols : []
        let plan = FillPlan(record, everything: everything, earliest: earliest, ticks: TickAccess(kinds: []))
        guard plan.verdict == nil else { return }
        _ = try await bringBars(of: plan, record) { _ in }
    }

    /// Fetches a plan's bars, and records which symbols are done unless the plan asks for a part of the gap alone.
    private func bringBars(
        of plan: FillPlan, _ record: GapRecord, _ tell: @Sendable (Progress) -> Void
    ) async throws(BackfillError) -> Progress {
        // Bars were received after their windows, unless the clock was wrong.
        let received = record.gap.isUncertain ? nil : record.gap.from - FillPlan.reach - 60_000
        let bars = plan.requests.filter { $0.event.stream == .bars }
        return try await bring(bars, received: received, gap: plan.isCut ? nil : record, tell)
    }

    /// Fetches the bars of some symbols that are missing in a span of time, whether or not gaps were recorded.
    ///
    /// - Parameters:
    ///   - from: when the first bars may begin, in milliseconds since the Unix epoch.
    ///   - to: when the last bars may begin, in the same unit.
    ///   - latest: bars that ended later are not asked for, in the same unit: the server may have only a part of them.
    public func fill(
        _ symbols: [Symbol], _ events: [EventKind], from: Int64, to: Int64, latest: Int64,
        progress: @Sendable (Progress) -> Void = { _ in }
    ) async throws(BackfillError) -> Progress {
        let requests = events.flatMap { kind -> [FillPlan.Request] in
            guard let length = kind.interval?.milliseconds else { return [] }
            let first = (from + length - 1) / length * length
            let last = min(to, latest - length) / length * length
            guard first <= last else { return [] }
            return symbols.map { FillPlan.Request(symbol: $0, event: kind, starts: first...last) }
        }
        return try await bring(requests, received: nil, gap: nil, progress)
    }

    /// The most bars handed to the buffer at once. Memory holds no more than these and one page.
    private static let mostBars = 10_000
    /// The most symbols that share one lookup of what is in the buffer.
    private static let mostSymbols = 50

    /// Fetches bars. A symbol whose answer is bad doesn't stop the others; its failure is thrown at the end.
    ///
    /// - Parameters:
    ///   - received: no bar that is asked for was received before this, in milliseconds since the Unix epoch.
    ///   - gap: where to record what was done. Corrections of the bars before it are fetched too.
    private func bring(
        _ requests: [FillPlan.Request], received: Int64?, gap: GapRecord?, _ tell: @Sendable (Progress) -> Void
    ) async throws(BackfillError) -> Progress {
        var progress = Progress(done: 0, total: requests.count, rows: 0, present: 0)
        var haul = Haul()
        var failure: BackfillError?
        var failures = 0
        for request in requests {
            if haul.event != request.event {
                try await store(&haul, received, gap, &progress)
                haul = Haul(event: request.event)
            }
            do throws(BackfillError) {
                let leftOut = progress.leftOut
                try await client.bars(
                    of: request.symbol, interval: request.interval, starts: request.starts, needed: request.needed
                ) { (bars, unreadable) async throws(BackfillError) in
                    haul.bars += bars
                    progress.leftOut += unreadable
                    if haul.bars.count >= Self.mostBars { try await store(&haul, received, gap, &progress) }
                }
                // Nobody knows what was left out, so the symbol is not finished.
                if progress.leftOut == leftOut { haul.finished.append(request.symbol) }
                failures = 0
            } catch {
                if error.blamesServer { failures += 1 }
                failure = failure ?? error
                guard error.concernsRequestAlone, failures < BackfillError.mostInARow else {
                    // Keep the bars that were fetched so far.
                    try await store(&haul, received, gap, &progress)
                    throw error
                }
            }
            progress.done += 1
            if haul.finished.count >= Self.mostSymbols { try await store(&haul, received, gap, &progress) }
            tell(progress)
        }
        try await store(&haul, received, gap, &progress)
        if let failure { throw failure }
        return progress
    }

    /// Bars of one kind that were fetched and are not stored yet.
    private struct Haul {
        var event = EventKind.minuteBar
        var bars: [Bar] = []
        /// The symbols whose last page is included.
        var finished: [Symbol] = []
        /// The number of bars added for each symbol that is not finished.
        var rows: [Symbol: Int] = [:]
    }

    private func store(
        _ haul: inout Haul, _ received: Int64?, _ gap: GapRecord?, _ progress: inout Progress
    ) async throws(BackfillError) {
        if let first = haul.bars.first {
            let starts = haul.bars.reduce(first.start...first.start) {
                min($0.lowerBound, $1.start)...max($0.upperBound, $1.start)
            }
            // What the stream has delivered meanwhile must be in the file to be found.
            try await buffer.durable()
            let symbols = Set(haul.bars.map(\.symbol))
            let last = buffer.statistics[.bars].marks.last
            let present = try buffer.reading {
                try GapLog.bars(
                    directory: directory, symbols: symbols, interval: first.interval, starts: starts,
                    received: received)
            }
            var (missing, corrections): ([Bar], [Bar]) = ([], [])
            for bar in haul.bars {
                guard let known = present[bar.symbol]?[bar.start] else {
                    missing.append(bar)
                    continue
                }
                // The stream sends its own bars again. What was fetched before may have been fetched too early.
                let missedCorrections = gap.map { bar.start < $0.gap.from } ?? false
                guard known.source == .backfill || missedCorrections, let newer = known.bar.corrected(by: bar) else {
                    continue
                }
                if known.source == .backfill { missing.append(newer) } else { corrections.append(newer) }
            }
            let bars = missing + corrections
            for bar in bars { haul.rows[bar.symbol, default: 0] += 1 }
            progress.rows += bars.count
            progress.present += haul.bars.count - bars.count
            await beforeStoring()
            let turnedAway = buffer.turnedAway
            try await buffer.take(missing, as: .backfill)
            // In the database, a fill never replaces a bar of the stream; a correction with more volume does.
            try await buffer.take(corrections, as: .reconcile, over: .backfill)
            try await buffer.durable(since: turnedAway)
            if !bars.isEmpty { try await restoreOvertaken(symbols, first.interval, starts, after: last) }
        }
        let fills = haul.finished.map { (symbol: $0, rows: haul.rows.removeValue(forKey: $0) ?? 0) }
        if let gap, !fills.isEmpty { try await buffer.note(GapFill(of: gap, symbols: fills, event: haul.event)) }
        haul.bars = []
        haul.finished = []
    }

    /// Stores versions that the stream brought while older ones were fetched and stored once more: of one file's
    /// versions, the last counts as the newest.
    private func restoreOvertaken(
        _ symbols: Set<Symbol>, _ interval: Bar.Interval, _ starts: ClosedRange<Int64>, after sequence: Int64
    ) async throws(BackfillError) {
        while true {
            let overtaken = try buffer.reading {
                try GapLog.overtaken(
                    directory: directory, symbols: symbols, interval: interval, starts: starts, after: sequence)
            }
            guard !overtaken.isEmpty else { return }
            let turnedAway = buffer.turnedAway
            try await buffer.take(overtaken, as: .reconcile, over: .backfill)
            try await buffer.durable(since: turnedAway)
        }
    }
}

/// Decides a gap's new state and describes it. Pure.
enum FillVerdict {
    static func of(
        _ record: GapRecord, _ bars: GapFiller.Progress, _ ticks: TickFiller.Outcome, _ access: TickAccess,
        asked symbols: Int, isSample: Bool = false
    ) -> (state: GapState, detail: String) {
        let kinds = Set(record.gap.events)
        let rows = (bars: record.rows + bars.rows, ticks: record.ticks + ticks.rows)
        let cameBefore = bars.present > 0 || ticks.present > 0 || ticks.isShared || !record.settled.isEmpty
        var parts: [String] = []
        if rows.bars > 0 { parts.append(rows.bars.counted("bar")) }
        if rows.ticks > 0 { parts.append(rows.ticks.counted("trade or quote", "trades and quotes")) }
        if parts.isEmpty, cameBefore {
            parts.append(
                kinds.isDisjoint(with: TickAccess.possible) ? "every bar was received" : "every event was received")
        }
        if ticks.withdrawn > 0 { parts.append("\(ticks.withdrawn.counted("cancelled or wrong trade")) left out") }
        let asked =
            kinds.contains { $0.stream == .bars }
            || !access.kinds.subtracting(ticks.uncovered).isDisjoint(with: kinds)
        let isEmpty = parts.isEmpty
        if isEmpty, asked { parts.append("nothing was traded") }
        if asked, record.gap.symbols.isEmpty {
            parts.append("asked for \(symbols.counted("symbol")) of the last day and of the universes")
        }
        var missing: [String] = []
        if asked, isSample {
            missing.append(
                "the file has too many rows a day to look through all of them: a symbol that is traded rarely and is "
                    + "in no universe may be left out")
        }
        if bars.leftOut > 0 {
            missing.append(
                "\(bars.leftOut.counted("bar")) that the REST server sent can't be read: 'edgetick backfill' asks again"
            )
        }
        if ticks.isCut { missing.append("the rest of the trades and quotes is left to 'edgetick backfill'") }
        for kind in record.gap.events {
            if ticks.unreadable.contains(kind) {
                missing.append("\(kind.plural) that the REST server sent can't be read: 'edgetick backfill' asks again")
            }
            if ticks.refused.contains(kind) {
                missing.append(
                    "the REST server refuses \(kind.plural) of some symbols: once the account's plan covers them, "
                        + "'edgetick backfill --ticks' asks again")
            }
            if let why = access.refusals[kind], record.lacks(kind) { missing.append(why) }
            if ticks.uncovered.contains(kind) { missing.append(TickAccess.notCovered(kind)) }
        }
        if kinds.contains(where: { $0.stream != .bars && !TickAccess.possible.contains($0) }) {
            missing.append("events other than bars, trades and quotes can't be fetched")
        }
        let state: GapState =
            if !asked { .unfillable } else if !missing.isEmpty { .partial } else if isEmpty { .empty } else { .filled }
        return (state, (parts + missing).joined(separator: "; "))
    }
}

extension Bar {
    /// Returns this bar with what late trades added, keeping what the aggregates lack; `nil` when they added nothing.
    fileprivate func corrected(by later: Bar) -> Bar? {
        // The stream reports fractions of shares; the aggregates may not.
        later.volume - volume >= 1 ? taking(later) : nil
    }
}

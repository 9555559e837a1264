public import Feed
public import Logging
public import MarketData
public import ServiceLifecycle
public import Store
public import Upstream

/// Exchanges claims with the other boxes of a group. Each box claims the spans in which it has all events upstream, and
/// a gap that others cover is reported as covered.
public struct PairService: Service {
    private typealias Failures = LogThrottle<String, ContinuousClock.Instant>

    private let buffer: TickBuffer
    private let symbols: @Sendable () -> Set<Symbol>?
    private let collectedSince: @Sendable (Set<Symbol>?) -> Int64?
    private let kinds: Set<EventKind>
    private let feedDelay: Int64
    private let tables: [StretchTable]
    private let board: FleetBoard?
    private let logger: Logger
    /// How often recent gaps are looked up.
    var interval: Duration = .seconds(10)
    /// How long a loss before an event may stay unknown after that event was the newest.
    var patience: Duration = .seconds(90)
    /// How often covered gaps are checked again.
    var recheck: Duration = .seconds(300)

    /// Makes a service.
    ///
    /// - Parameters:
    ///   - symbols: Returns the symbols that are subscribed now; `nil` for everything.
    ///   - collectedSince: Returns since when the last of some symbols has been collected without a break.
    ///   - kinds: The kinds that are collected.
    ///   - feedDelay: How late the feed's events are, in milliseconds.
    ///   - tables: One for each database.
    ///   - board: Shows whether the exchange works.
    public init(
        buffer: TickBuffer, symbols: @escaping @Sendable () -> Set<Symbol>?,
        collectedSince: @escaping @Sendable (Set<Symbol>?) -> Int64?, kinds: Set<EventKind>, feedDelay: Int64,
        tables: [StretchTable], board: FleetBoard? = nil, logger: Logger
    ) {
        self.buffer = buffer
        self.symbols = symbols
        self.collectedSince = collectedSince
        self.kinds = kinds
        self.feedDelay = feedDelay
        self.tables = tables
        self.board = board
        self.logger = logger
    }

    /// Runs until graceful shutdown. Never throws: a failure is logged, shown on the board and retried.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var log = StretchLog(patience: patience)
            var unsaid: [StretchClaim] = []
            var checked: ContinuousClock.Instant?
            var failures = Failures()
            var problems: (recent: String?, all: String?) = (nil, nil)
            while !Task.isCancelled {
                problems.recent = await attempt("recent", &failures) { try await look(&log, &unsaid) }
                if checked.map({ .now - $0 >= recheck }) ?? true {
                    // A failure is no reason to read it all again at once.
                    checked = .now
                    problems.all = await attempt("all", &failures) { try await lookAgain() }
                }
                board?.exchanged(problem: problems.recent ?? problems.all)
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Returns why it failed; `nil` if it did not.
    private func attempt(_ gaps: String, _ failures: inout Failures, _ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            guard failures.ended(gaps) else { return nil }
            logger.notice(
                "gaps that other boxes of the group cover can be looked up again", metadata: ["gaps": "\(gaps)"])
            return nil
        } catch {
            guard !Task.isCancelled else { return nil }
            if let count = failures.occurred(gaps, "\(error)", now: .now) {
                logger.warning(
                    "gaps that other boxes of the group cover can't be looked up; this is retried",
                    metadata: ["gaps": "\(gaps)", "error": "\(error)", "occurrences": "\(count)"])
            }
            return "\(error)"
        }
    }

    /// Publishes what this box has, and reports which of the gaps that have just ended others cover.
    func look(_ log: inout StretchLog, _ unsaid: inout [StretchClaim]) async throws {
        // The order matters: the newest events must have been in the file before the rest is read.
        let newest = try GapLog.newestEvents(directory: buffer.directory).filter { kinds.contains($0.key) }
        let records = try await buffer.gaps(limit: Self.mostGaps, fills: .none)
        let symbols = symbols()
        let sight = StretchLog.Sight(
            newest: newest, buffer: buffer.statistics, gaps: records.map(\.gap), symbols: symbols,
            collectedSince: collectedSince(symbols), now: Self.start.duration(to: .now),
            time: WallClock.milliseconds() - feedDelay)
        let claims = log.look(sight)
        // The drops may be rows that a restored database lost and the file no longer has. Once the later rows are sent
        // again, the ledger would prove a claim that relies on the lost ones.
        if log.hasDropped { unsaid.removeAll { $0.row != nil } }
        for claim in claims {
            unsaid.removeAll { $0.stretch.kind == claim.stretch.kind && $0.stretch.since == claim.stretch.since }
            unsaid.append(claim)
        }
        // If claims can't be published for long, the oldest are given up; then less is covered than could be.
        unsaid.removeFirst(max(0, unsaid.count - Self.mostUnsaid))
        // The rest is left to `lookAgain`: for one old gap that nobody covers, days of stretches would be read each time.
        let recent = sight.time - 2 * recheck.milliseconds
        let left = records.filter { ($0.gap.to ?? .min) >= recent && Self.uncovered.contains($0.state) }
        guard !unsaid.isEmpty || !left.isEmpty else { return }
        var others: [String: [Stretch]] = [:]
        var failure: (any Error)?
        for table in tables {
            let own = unsaid.filter { table.streams.contains($0.stretch.kind.stream) }
            do {
                let found = try await table.exchange(own, of: buffer.line, reaching: left.dailySpans)
                others.merge(found) { $0 + $1 }
                unsaid.removeAll { table.streams.contains($0.stretch.kind.stream) }
            } catch {
                failure = failure ?? error
            }
        }
        try await cover(left, by: others)
        if let failure { throw failure }
    }

    private func cover(_ left: [GapRecord], by others: [String: [Stretch]]) async throws {
        let fills = left.compactMap { record -> GapFill? in
            guard let boxes = record.gap.covering(others) else { return nil }
            return GapFill(
                of: record, state: .covered,
                detail: "\(boxes.joined(separator: ", ")) had no gap then, and its rows are upstream")
        }
        try await buffer.settle(fills)
        for fill in fills {
            logger.notice("a gap is covered", metadata: ["gap": "\(fill.gap)", "detail": "\(fill.detail ?? "")"])
        }
    }

    /// Reopens gaps that the database no longer shows as covered: it was restored or recreated. Then covers those that
    /// are too old for ``look(_:_:)``, in case their rows were sent late or again.
    private func lookAgain() async throws {
        try await forEachPart(of: [.covered]) { covered in
            let others = try await stretches(reaching: covered.dailySpans, ofAnyGroup: true)
            let fills = covered.filter { $0.gap.covering(others) == nil }.map { record in
                GapFill(of: record, state: .open, detail: "the database no longer shows that another box covered it")
            }
            try await buffer.settle(fills)
            guard !fills.isEmpty else { return }
            logger.warning(
                "gaps are open again: the database no longer shows that other boxes covered them; it may have been restored from a backup",
                metadata: ["gaps": "\(fills.count)"])
        }
        try await forEachPart(of: Self.uncovered) { left in
            try await cover(left, by: stretches(reaching: left.dailySpans, ofAnyGroup: false))
        }
    }

    /// Returns the stretches in all databases that reach into some spans, over one connection to each.
    private func stretches(
        reaching spans: [ClosedRange<Int64>], ofAnyGroup anyGroup: Bool
    ) async throws -> [String: [Stretch]] {
        var found: [String: [Stretch]] = [:]
        for table in tables {
            found.merge(try await table.stretches(reaching: spans, ofAnyGroup: anyGroup)) { $0 + $1 }
        }
        return found
    }

    /// Calls `body` with the gaps in some of the states that stretches may still cover, a bounded number at a time.
    private func forEachPart(of states: Set<GapState>, _ body: ([GapRecord]) async throws -> Void) async throws {
        // Older stretches are deleted.
        let oldest = WallClock.milliseconds() - Int64(StretchTable.kept - 1) * 86_400_000
        var next = Int64.max
        while !Task.isCancelled {
            let part = try await buffer.gaps(states: states, before: next, limit: Self.mostGaps, fills: .none)
            guard let first = part.first else { return }
            next = first.id
            let recent = part.filter { ($0.gap.to ?? 0) >= oldest }
            if !recent.isEmpty { try await body(recent) }
        }
    }

    /// The states in which another box may cover a gap.
    private static let uncovered = GapState.unsettled.union([GapState.unfillable])
    /// The most gaps that are read at once.
    private static let mostGaps = 1000
    private static let mostUnsaid = 256
    private static let start = ContinuousClock.now
}

extension [GapRecord] {
    /// The spans of the gaps that have ended, one span for those that fit into a day together, so that no query is of
    /// much more than a day, and for those that overlap, so that none reads what another reads too.
    fileprivate var dailySpans: [ClosedRange<Int64>] {
        var spans: [ClosedRange<Int64>] = []
        for record in sorted(by: { $0.gap.from < $1.gap.from }) {
            guard let to = record.gap.to else { continue }
            if let last = spans.last, record.gap.from <= last.upperBound || to - last.lowerBound <= 86_400_000 {
                spans[spans.count - 1] = last.lowerBound...Swift.max(last.upperBound, to)
            } else {
                spans.append(record.gap.from...Swift.max(record.gap.from, to))
            }
        }
        return spans
    }
}

extension SetSnapshot {
    /// The symbols that are subscribed now; `nil` for all.
    public var subscribed: Set<Symbol>? {
        let feeds = members.map(\.feed).filter { $0.status == .connected }
        guard !feeds.contains(where: { $0.takesAll && $0.isSettled }) else { return nil }
        return Set(feeds.flatMap(\.confirmed))
    }
}

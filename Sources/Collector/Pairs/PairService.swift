public import Feed
public import Logging
public import MarketData
public import ServiceLifecycle
public import Store
public import Upstream

/// What a box of a group tells the others and hears from them: each says of which span it has all events upstream, and
/// a gap that others cover is reported as covered.
public struct PairService: Service {
    private let buffer: TickBuffer
    private let directory: String
    private let symbols: @Sendable () -> Set<Symbol>?
    private let kinds: Set<EventKind>
    private let feedDelay: Int64
    private let table: StretchTable
    private let interval: Duration
    private let patience: Duration
    private let logger: Logger

    /// A service that looks every `interval`.
    ///
    /// - Parameters:
    ///   - symbols: What is subscribed now; `nil` for everything.
    ///   - kinds: The kinds that are collected.
    ///   - feedDelay: How late the feed's events are, in milliseconds.
    ///   - patience: How long after an event was the newest a loss before it may still come to light.
    public init(
        buffer: TickBuffer, directory: String, symbols: @escaping @Sendable () -> Set<Symbol>?,
        kinds: Set<EventKind>, feedDelay: Int64 = 0, table: StretchTable,
        interval: Duration = .seconds(10), patience: Duration = .seconds(90), logger: Logger
    ) {
        self.buffer = buffer
        self.directory = directory
        self.symbols = symbols
        self.kinds = kinds
        self.feedDelay = feedDelay
        self.table = table
        self.interval = interval
        self.patience = patience
        self.logger = logger
    }

    /// Works until graceful shutdown. Never throws: a failure is logged and tried again.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var log = StretchLog(patience: patience)
            var unsaid: [Stretch] = []
            var failures = LogThrottle<String, ContinuousClock.Instant>()
            while !Task.isCancelled {
                do {
                    try await look(&log, &unsaid)
                    if failures.ended("") { logger.notice("the boxes of the group hear of each other again") }
                } catch {
                    if !Task.isCancelled, let count = failures.occurred("", "\(error)", now: .now) {
                        logger.warning(
                            "gaps that other boxes of the group cover can't be looked up; it is tried again",
                            metadata: ["error": "\(error)", "occurrences": "\(count)"])
                    }
                }
                try? await Task.sleep(for: interval)
            }
        }
    }

    private func look(_ log: inout StretchLog, _ unsaid: inout [Stretch]) async throws {
        // In this order: what is newest was in the file before the rest was looked at.
        let newest = try GapLog.newestEvents(directory: directory).filter { kinds.contains($0.key) }
        let records = try GapLog.read(directory: directory, limit: 1000)
        let sight = StretchLog.Sight(
            newest: newest, buffer: buffer.statistics, gaps: records.map(\.gap), symbols: symbols(),
            now: Self.start.duration(to: .now), time: WallClock.milliseconds() - feedDelay)
        for stretch in log.look(sight) {
            unsaid.removeAll { $0.kind == stretch.kind && $0.since == stretch.since }
            unsaid.append(stretch)
        }
        // What can't be published for long is given up, the oldest first: then less is covered than could be.
        unsaid.removeFirst(max(0, unsaid.count - Self.mostUnsaid))
        let left = records.filter {
            $0.gap.to != nil && (GapState.unsettled.contains($0.state) || $0.state == .unfillable)
        }
        let span = left.compactMap { record in record.gap.to.map { (record.gap.from, $0) } }
        guard !unsaid.isEmpty || !left.isEmpty else { return }
        let reach = span.map(\.0).min().flatMap { first in span.map(\.1).max().map { first...max(first, $0) } }
        let others = try await table.exchange(unsaid, reaching: reach)
        unsaid = []
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

    private static let mostUnsaid = 256
    private static let start = ContinuousClock.now
}

extension SetSnapshot {
    /// The symbols that are subscribed now; `nil` for all.
    public var subscribed: Set<Symbol>? {
        let feeds = members.map(\.feed).filter { $0.status == .connected }
        guard !feeds.contains(where: { $0.takesAll && $0.isSettled }) else { return nil }
        return Set(feeds.flatMap(\.confirmed))
    }
}

import Backfill
import Collector
import Feed
import Logging
import MarketData
import Store
import Upstream

/// Builds the comparison of days with the tape from the settings.
extension Settings {
    /// The service that compares each day at RECONCILE_AT; `nil` when it is off.
    func reconcileService(
        buffer: TickBuffer, symbols: Symbols, sync: SyncService?, upstream: UpstreamConfiguration?, limit: RequestLimit
    ) throws(BackfillError) -> ReconcileService? {
        guard let minute = backfill.reconcileMinute else { return nil }
        let logger = Logger(label: "reconcile")
        if let reconcileProblem {
            logger.warning("RECONCILE_AT has no effect: \(reconcileProblem)")
            return nil
        }
        var target: Reconciler.Target?
        if let upstream, let sync {
            let uploader = Uploader(configuration: upstream, bufferID: buffer.id, logger: logger)
            target = Reconciler.Target(uploader, of: buffer) { await sync.pass() }
        }
        return ReconcileService(
            client: try aggregatesClient(limit), buffer: buffer, target: target, minute: minute, delay: restDelay,
            symbols: { symbols.collected }, logger: logger)
    }

    /// Why RECONCILE_AT has no effect; `nil` if it has one or isn't set.
    var reconcileProblem: String? {
        guard backfill.reconcileMinute != nil else { return nil }
        if feed.source == .simulator { return Self.noSyntheticEvents }
        guard feed.source == .feed, feed.apiKey != nil else { return "there is no feed with a key" }
        guard backfill.mayAsk else { return "set MASSIVE_REST_URL to the REST server of this feed" }
        guard feed.events.contains(.minuteBar) else { return "add AM to FEED_EVENTS" }
        return nil
    }
}

extension Reconciler.Target {
    /// The database to which a file's bars go; `pass` uploads what waits.
    init(_ uploader: Uploader, of buffer: TickBuffer, pass: @escaping @Sendable () async -> UploadReport?) {
        self.init(uploader: uploader) { () async throws(BackfillError) in
            let last = buffer.statistics[.bars].marks.last
            let report = await pass()
            guard buffer.statistics[.bars].marks.settled < last else { return }
            let cause = report?.failures[.bars].map { "\($0)" } ?? report?.problem.map { "\($0)" }
            throw BackfillError(
                .database, "not all bars are in the database: \(cause ?? "the upload has not reached them yet")")
        }
    }
}

extension Symbols {
    /// The symbols that are collected now; `nil` if that is every symbol.
    var collected: [Symbol]? { assignments.symbols }
}

extension [SymbolAssignment] {
    /// The symbols of all assignments, sorted; `nil` if one of them takes every symbol.
    var symbols: [Symbol]? {
        var all: Set<Symbol> = []
        for assignment in self {
            guard case .symbols(let symbols) = assignment.interest else { return nil }
            all.formUnion(symbols)
        }
        return all.sorted()
    }
}

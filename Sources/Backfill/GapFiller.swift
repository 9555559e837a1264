public import MarketData
public import Store

/// Fills gaps from the REST aggregates: asks, leaves out what the stream brought, hands the rest to the buffer, and keeps
/// in the file how far it came.
///
/// A bar of the stream is never overwritten: one that is in the buffer already is left out, and one that comes later has
/// the later sequence and wins.
public struct GapFiller: Sendable {
    /// How far the filling of one gap, or of a span, has come.
    public struct Progress: Sendable, Equatable {
        /// Symbols and kinds asked for so far.
        public var done: Int
        /// Symbols and kinds to ask for.
        public var total: Int
        /// Bars added.
        public var rows: Int
        /// Bars that were there already.
        public var present: Int
    }

    /// The name that backfilled rows carry in place of a connection's.
    public static let connectionName = "backfill"

    private let client: AggregatesClient
    private let buffer: TickBuffer
    private let directory: String
    private let feedDelay: Int64

    /// Makes a filler.
    ///
    /// - Parameter feedDelay: how late the feed's events are, in milliseconds.
    public init(client: AggregatesClient, buffer: TickBuffer, directory: String, feedDelay: Int64 = 0) {
        self.client = client
        self.buffer = buffer
        self.directory = directory
        self.feedDelay = feedDelay
    }

    /// Fills one gap, from where it was left, and stores what became of it.
    ///
    /// - Returns: what became of it.
    /// - Throws: what asking throws; the gap then stays open, and what was done is not done again.
    @discardableResult
    public func fill(
        _ record: GapRecord, progress: @Sendable (Progress) -> Void = { _ in }
    ) async throws(BackfillError) -> GapState {
        var everything: Set<Symbol> = []
        if record.gap.symbols.isEmpty {
            everything = try reading { () throws(StoreError) in try GapLog.recentSymbols(directory: directory) }
        }
        let plan = FillPlan(record, everything: everything, feedDelay: feedDelay)
        if let verdict = plan.verdict {
            try await settle([GapFill(gap: record.id, state: verdict.state, detail: verdict.detail)])
            return verdict.state
        }
        let result = try await bring(plan.requests, received: record.gap.from - 60_000, gap: record.id, progress)
        let rows = record.rows + result.rows
        let isEmpty = rows == 0 && result.present == 0 && record.settled.isEmpty
        var detail = isEmpty ? "nothing was traded" : rows == 0 ? "every bar had come" : "\(rows) bars"
        if record.gap.events.contains(where: { $0.stream != .bars }) { detail += "; trades and quotes stay missing" }
        let state: GapState = isEmpty ? .empty : .filled
        try await settle([GapFill(gap: record.id, state: state, detail: detail)])
        return state
    }

    /// Brings what is missing of some symbols over a span of time, whatever gaps there are.
    public func fill(
        _ symbols: [Symbol], _ events: [EventKind], from: Int64, to: Int64,
        progress: @Sendable (Progress) -> Void = { _ in }
    ) async throws(BackfillError) -> Progress {
        let requests = events.filter { $0.stream == .bars }.flatMap { kind -> [FillPlan.Request] in
            let length: Int64 = kind == .minuteBar ? 60_000 : 1000
            let first = (from + length - 1) / length * length
            let last = to / length * length
            guard first <= last else { return [] }
            return symbols.map { FillPlan.Request(symbol: $0, event: kind, starts: first...last) }
        }
        return try await bring(requests, received: nil, gap: nil, progress)
    }

    /// - Parameters:
    ///   - received: no bar asked for was received before, in milliseconds since the Unix epoch.
    ///   - gap: where to note what was done.
    private func bring(
        _ requests: [FillPlan.Request], received: Int64?, gap: Int64?, _ tell: @Sendable (Progress) -> Void
    ) async throws(BackfillError) -> Progress {
        var progress = Progress(done: 0, total: requests.count, rows: 0, present: 0)
        var position = 0
        while position < requests.count {
            // Those of one kind together: they share one look at what is in the buffer.
            let kind = requests[position].event
            var chunk: [(request: FillPlan.Request, bars: [Bar])] = []
            while position < requests.count, chunk.count < 50, requests[position].event == kind {
                let request = requests[position]
                let bars: [Bar]
                do {
                    bars = try await client.bars(of: request.symbol, interval: request.interval, starts: request.starts)
                } catch {
                    // What was brought so far counts.
                    _ = try await store(chunk, kind, received, gap, &progress)
                    throw error
                }
                chunk.append((request, bars))
                position += 1
                progress.done += 1
                tell(progress)
            }
            try await store(chunk, kind, received, gap, &progress)
            tell(progress)
        }
        return progress
    }

    private func store(
        _ chunk: [(request: FillPlan.Request, bars: [Bar])], _ kind: EventKind, _ received: Int64?, _ gap: Int64?,
        _ progress: inout Progress
    ) async throws(BackfillError) {
        guard let first = chunk.first?.request else { return }
        let starts = chunk.reduce(first.starts) {
            min($0.lowerBound, $1.request.starts.lowerBound)...max($0.upperBound, $1.request.starts.upperBound)
        }
        // What the stream brought while the answers were on their way must be in the file to be seen.
        try await flush()
        let symbols = Set(chunk.map(\.request.symbol))
        let present = try reading { () throws(StoreError) in
            try GapLog.barStarts(
                directory: directory, symbols: symbols, interval: first.interval, starts: starts, received: received)
        }
        var fills: [(symbol: Symbol, rows: Int)] = []
        var batch = EventBatch(connection: Self.connectionName, receivedMicroseconds: GapFiller.wallMicroseconds())
        batch.source = .backfill
        for (request, bars) in chunk {
            let known = present[request.symbol] ?? []
            let missing = bars.filter { !known.contains($0.start) }
            batch.bars += missing
            fills.append((request.symbol, missing.count))
            progress.rows += missing.count
            progress.present += bars.count - missing.count
        }
        try await offer(batch)
        try await flush()
        if let gap { try await settle([GapFill(gap: gap, symbols: fills, event: kind)]) }
    }

    private func offer(_ batch: EventBatch) async throws(BackfillError) {
        var start = 0
        while start < batch.bars.count {
            var part = EventBatch(connection: batch.connection, receivedMicroseconds: batch.receivedMicroseconds)
            part.source = batch.source
            part.bars = Array(batch.bars[start..<min(start + 4096, batch.bars.count)])
            await withCheckedContinuation { continuation in buffer.whenRoom { continuation.resume() } }
            guard buffer.offer(part) != .refused else {
                throw BackfillError(.buffer, "the buffer has no room for the bars; check the disk and its load")
            }
            start += part.bars.count
        }
    }

    private func flush() async throws(BackfillError) {
        do { try await buffer.flush() } catch { throw BackfillError(.buffer, "\(error)") }
    }

    private func settle(_ fills: [GapFill]) async throws(BackfillError) {
        do { try await buffer.settle(fills) } catch { throw BackfillError(.buffer, "\(error)") }
    }

    private func reading<Result>(_ body: () throws(StoreError) -> Result) throws(BackfillError) -> Result {
        do { return try body() } catch { throw BackfillError(.buffer, "\(error)") }
    }
}

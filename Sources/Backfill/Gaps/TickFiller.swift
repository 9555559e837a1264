import MarketData
import Store

/// Fetches the trades and quotes of a gap again: page by page into the buffer, but for those that the file has.
struct TickFiller: Sendable {
    /// What became of a gap's ticks.
    struct Outcome: Sendable {
        /// Rows stored.
        var rows = 0
        /// Events that were there.
        var present = 0
        /// Trades that the tape has withdrawn, and that were left out.
        var withdrawn = 0
        /// Whether the budget was used up.
        var isCut = false
        /// Kinds that the account's plan does not cover.
        var uncovered: Set<EventKind> = []
    }

    /// So many answers in a row that are bad are taken for the server's fault.
    private static let mostFailures = 3
    /// So many rows are handed to the buffer at once.
    private static let rowsAtOnce = 4096
    /// So many events of the file are kept in mind at once, unless one symbol has more.
    private let mostKnown: Int

    let client: AggregatesClient
    let buffer: TickBuffer

    init(client: AggregatesClient, buffer: TickBuffer, mostKnown: Int = 1_000_000) {
        self.client = client
        self.buffer = buffer
        self.mostKnown = mostKnown
    }

    /// Brings what is missing, symbol by symbol, and notes each that is done.
    ///
    /// - Throws: what asking throws; what was brought before is in the buffer and is recognised the next time.
    func bring(
        _ requests: [FillPlan.Request], of record: GapRecord, within budget: TickAccess.Budget?
    ) async throws(BackfillError) -> Outcome {
        var outcome = Outcome()
        var left = budget
        for kind in EventKind.allCases where TickAccess.possible.contains(kind) {
            var requests = requests.filter { $0.event == kind }[...]
            do throws(BackfillError) {
                while !requests.isEmpty, !outcome.isCut {
                    let (known, some) = try await known(requests, record)
                    requests = requests.dropFirst(some.count)
                    if kind == .trade {
                        try await bring(RESTTrade.self, some, record, known, &left, &outcome)
                    } else {
                        try await bring(RESTQuote.self, some, record, known, &left, &outcome)
                    }
                }
            } catch {
                guard error.reason == .notAuthorized else { throw error }
                outcome.uncovered.insert(kind)
            }
        }
        return outcome
    }

    /// The events of a gap that are in the file: those of all symbols asked for, or of the first ones where they are many.
    private func known(
        _ requests: ArraySlice<FillPlan.Request>, _ record: GapRecord
    ) async throws(BackfillError) -> (KnownTicks, of: ArraySlice<FillPlan.Request>) {
        guard let first = requests.first else { return (KnownTicks(), requests) }
        let times = first.starts
        var requests = requests
        // What the stream brought meanwhile must be in the file to be seen.
        try await buffer.durable()
        var known = KnownTicks()
        var wanted = Set(requests.map(\.symbol))
        // Events are received after they happened, unless the clock was wrong.
        let received = record.gap.isUncertain ? nil : times.lowerBound - 60_000
        do {
            try GapLog.forEachEvent(
                of: first.event.stream, directory: buffer.directory, symbols: wanted,
                times: times.lowerBound - 1...times.upperBound + 1, received: received
            ) { event in
                guard wanted.contains(event.symbol), let key = TickKey(event.event, in: event.texts) else { return }
                known.insert(key, event.time)
                while known.count > mostKnown, requests.count > 1 {
                    requests = requests.prefix(requests.count / 2)
                    wanted = Set(requests.map(\.symbol))
                    known.keep(wanted)
                }
            }
        } catch {
            throw BackfillError(.buffer, "\(error)")
        }
        return (known, requests)
    }

    private func bring<Tick: RESTTick>(
        _: Tick.Type, _ requests: ArraySlice<FillPlan.Request>, _ record: GapRecord, _ known: KnownTicks,
        _ budget: inout TickAccess.Budget?, _ outcome: inout Outcome
    ) async throws(BackfillError) {
        var failure: BackfillError?
        var failures = 0
        for request in requests {
            do throws(BackfillError) {
                guard try await bring(Tick.self, request, record, known, &budget, &outcome) else {
                    outcome.isCut = true
                    return
                }
                failures = 0
            } catch {
                failures += 1
                failure = failure ?? error
                guard error.concernsRequestAlone, error.reason != .notAuthorized, failures < Self.mostFailures else {
                    throw error
                }
            }
        }
        if let failure { throw failure }
    }

    /// Brings one symbol's events.
    ///
    /// - Returns: whether all came; else the budget is used up.
    private func bring<Tick: RESTTick>(
        _: Tick.Type, _ request: FillPlan.Request, _ record: GapRecord, _ known: KnownTicks,
        _ budget: inout TickAccess.Budget?, _ outcome: inout Outcome
    ) async throws(BackfillError) -> Bool {
        var rows = 0
        var isAll = true
        try await client.ticks(of: request.symbol, times: request.starts) {
            (ticks: [Tick]) async throws(BackfillError) in
            var stored = 0
            let turnedAway = buffer.turnedAway
            for start in stride(from: 0, to: ticks.count, by: Self.rowsAtOnce) {
                var batch = EventBatch(
                    connection: EventSource.backfill.rawValue, receivedMicroseconds: WallClock.microseconds())
                batch.source = .backfill
                for tick in ticks[start..<min(start + Self.rowsAtOnce, ticks.count)] {
                    if tick.isWithdrawn {
                        outcome.withdrawn += 1
                    } else if known.contains(tick.key(of: request.symbol), tick.milliseconds) {
                        outcome.present += 1
                    } else {
                        tick.append(to: &batch, request.symbol)
                    }
                }
                stored += batch.count
                try await buffer.bring(batch)
            }
            rows += stored
            outcome.rows += stored
            try await buffer.durable(since: turnedAway)
            budget?.requests -= 1
            budget?.rows -= stored
            guard let left = budget, left.requests <= 0 || left.rows <= 0 else { return true }
            isAll = false
            return false
        }
        guard isAll else { return false }
        do {
            try await buffer.settle([
                GapFill(of: record, symbols: [(symbol: request.symbol, rows: rows)], event: request.event)
            ])
        } catch {
            throw BackfillError(.buffer, "\(error)")
        }
        return true
    }
}

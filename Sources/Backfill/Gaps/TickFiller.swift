import MarketData
import Store

/// Fetches the missing trades and quotes of gaps into the buffer, page by page, and leaves out those that the file has.
///
/// Gaps overlap, and there may be many. No moment of a symbol is asked for twice, and one read of the file serves as
/// many gaps as memory allows.
struct TickFiller: Sendable {
    /// The result of filling a gap's ticks.
    struct Outcome: Sendable {
        var rows = 0
        /// Events that the file already had.
        var present = 0
        /// Whether some of them were fetched with an earlier gap.
        var isShared = false
        /// Trades that the tape has withdrawn, and that were left out.
        var withdrawn = 0
        /// Whether the budget was used up.
        var isCut = false
        /// Kinds that the account's plan does not cover.
        var uncovered: Set<EventKind> = []
        /// Kinds that the server refused for some symbols alone.
        var refused: Set<EventKind> = []
        /// Kinds of which the server sent events that can't be read. They were left out.
        var unreadable: Set<EventKind> = []
    }

    /// Events to look up in the file: those of one symbol, or of every symbol.
    private struct Piece {
        var symbol: Symbol?
        var span: ClosedRange<Int64>
        /// No such event was received before this, in milliseconds since the Unix epoch; `nil` when that is not known.
        var received: Int64?

        /// Adds the millisecond before and after, by which an event's time may differ.
        init(_ symbol: Symbol?, _ times: ClosedRange<Int64>, of gap: Gap) {
            self.symbol = symbol
            span = times.lowerBound - 1...times.upperBound + 1
            // Events are received after they happened, unless the clock was wrong.
            received = gap.isUncertain ? nil : times.lowerBound - 60_000
        }

        /// The first half; `nil` for a piece that is too short.
        var half: Piece? {
            let length = span.upperBound - span.lowerBound
            guard length > 2 else { return nil }
            var half = self
            half.span = span.lowerBound...span.lowerBound + max(2, length / 2)
            return half
        }
    }

    /// The most rows handed to the buffer at once.
    private static let rowsAtOnce = 4096
    /// The most events of the file, of each kind, that are held in memory.
    private let mostKnown: Int

    /// How far a clock may be off before the server's counts.
    private static let clockMargin: Duration = .seconds(5)

    private let client: AggregatesClient
    private let buffer: TickBuffer
    /// How old an event must be, by the server's clock, to be missing: a younger one may still come from the stream.
    private let settleTime: Duration
    /// The gaps to fill, in this order. All of them had ended before the first was asked for.
    private let gaps: [GapRecord]
    private var asked: [EventKind: SymbolSpans] = [:]
    /// The part of `asked` for which the server sent events that can't be read.
    private var unreadable: [EventKind: SymbolSpans] = [:]
    /// The events to ask for next that the file already has.
    private var known: [EventKind: KnownTicks] = [:]
    /// The kinds that may be asked for only while the file has the rows around the gap.
    private var needingFile: Set<EventKind> = []

    init(
        client: AggregatesClient, buffer: TickBuffer, settleTime: Duration = .zero, gaps: [GapRecord] = [],
        mostKnown: Int = 500_000
    ) {
        self.client = client
        self.buffer = buffer
        self.settleTime = settleTime
        self.gaps = gaps
        self.mostKnown = mostKnown
    }

    /// Fetches what is missing, symbol by symbol, and records each symbol that is done.
    ///
    /// - Parameter needingFile: see ``TickAccess/needingFile``.
    /// - Throws: what asking throws; `.forgotten` if the file has let the rows around the gap go meanwhile. What was
    ///   fetched before is in the buffer and is recognised the next time.
    mutating func bring(
        _ requests: [FillPlan.Request], of record: GapRecord, within budget: TickAccess.Budget?,
        needingFile: Set<EventKind> = []
    ) async throws(BackfillError) -> Outcome {
        self.needingFile = needingFile
        var outcome = Outcome()
        var left = budget
        for kind in EventKind.allCases where TickAccess.possible.contains(kind) && !outcome.isCut {
            let requests = requests.filter { $0.event == kind }
            do throws(BackfillError) {
                if kind == .trade {
                    try await bring(RESTTrade.self, requests, record, &left, &outcome)
                } else {
                    try await bring(RESTQuote.self, requests, record, &left, &outcome)
                }
            } catch {
                guard error.reason == .notAuthorized else { throw error }
                outcome.uncovered.insert(kind)
            }
        }
        return outcome
    }

    private mutating func bring<Tick: RESTTick>(
        _: Tick.Type, _ requests: [FillPlan.Request], _ record: GapRecord,
        _ budget: inout TickAccess.Budget?, _ outcome: inout Outcome
    ) async throws(BackfillError) {
        var failure: BackfillError?
        var refusal: BackfillError?
        var isCovered = false
        var failures = 0
        for place in requests.indices {
            do throws(BackfillError) {
                guard try await bring(Tick.self, requests[place...], record, &budget, &outcome) else {
                    outcome.isCut = true
                    return
                }
                failures = 0
                isCovered = true
            } catch {
                // Rows that are gone count too: they are gone for each symbol, and each would read the file again.
                failures += 1
                // A refusal may concern one symbol alone.
                if error.reason == .notAuthorized { refusal = error } else { failure = failure ?? error }
                guard error.concernsRequestAlone else { throw error }
                if failures >= BackfillError.mostInARow { break }
            }
        }
        if let failure { throw failure }
        guard let refusal, let kind = requests.first?.event else { return }
        guard isCovered else { throw refusal }
        outcome.refused.insert(kind)
    }

    /// Fetches the first request's events.
    ///
    /// - Returns: whether all of them came; `false` means that the budget is used up.
    private mutating func bring<Tick: RESTTick>(
        _: Tick.Type, _ requests: ArraySlice<FillPlan.Request>, _ record: GapRecord,
        _ budget: inout TickAccess.Budget?, _ outcome: inout Outcome
    ) async throws(BackfillError) -> Bool {
        guard let request = requests.first else { return true }
        let kind = request.event
        let keys = TickKeys<Tick.Event>(kind.stream)
        let stored = outcome.rows
        if asked[kind]?.missing(from: request.starts, of: request.symbol) ?? [request.starts] != [request.starts] {
            outcome.isShared = true
        }
        while let missing = asked[kind, default: SymbolSpans()].missing(from: request.starts, of: request.symbol).first
        {
            let known = try await known(from: missing.lowerBound, keys, requests, record)
            let end = known.spans.end(at: missing.lowerBound - 1, of: request.symbol) ?? missing.upperBound + 1
            let span = missing.lowerBound...min(missing.upperBound, max(missing.lowerBound, end - 1))
            // If the budget cuts this short, the file then has rows that `known` lacks.
            self.known[kind] = nil
            var leftOut = 0
            guard try await bring(Tick.self, request.symbol, span, keys, known, &budget, &outcome, &leftOut) else {
                return false
            }
            self.known[kind] = known
            asked[kind, default: SymbolSpans()].insert(span, of: request.symbol)
            if leftOut > 0 { unreadable[kind, default: SymbolSpans()].insert(span, of: request.symbol) }
        }
        guard
            unreadable[kind]?.missing(from: request.starts, of: request.symbol) ?? [request.starts] == [request.starts]
        else {
            // Not noted as asked for: nobody knows what was left out.
            outcome.unreadable.insert(kind)
            return true
        }
        let symbols = [(symbol: request.symbol, rows: outcome.rows - stored)]
        try await buffer.note(GapFill(of: record, symbols: symbols, event: kind))
        return true
    }

    /// Returns the file's events from a moment of the first request on. Those of the other requests and of later gaps
    /// are read with them, as far as memory allows, so that the file is not read again for each.
    private mutating func known<Event: MarketEvent>(
        from start: Int64, _ keys: TickKeys<Event>, _ requests: ArraySlice<FillPlan.Request>, _ record: GapRecord
    ) async throws(BackfillError) -> KnownTicks {
        guard let first = requests.first else { return KnownTicks() }
        let kind = first.event
        if let known = known[kind], known.spans.end(at: start - 1, of: first.symbol) ?? start > start { return known }
        known[kind] = nil
        // What the stream has delivered meanwhile must be in the file to be found.
        try await buffer.durable()
        var pieces = [Piece(first.symbol, start...first.starts.upperBound, of: record.gap)]
        pieces += requests.dropFirst().map { Piece($0.symbol, $0.starts, of: record.gap) }
        for later in gaps.drop(while: { $0.id != record.id }).dropFirst() where later.gap.events.contains(kind) {
            let gap = later.gap
            guard let to = gap.to, gap.from <= to else { continue }
            let symbols: [Symbol?] = gap.symbols.isEmpty ? [nil] : gap.symbols
            for symbol in symbols {
                let left = symbol.flatMap { asked[kind]?.missing(from: gap.from...to, of: $0) } ?? [gap.from...to]
                pieces += left.map { Piece(symbol, $0, of: gap) }
            }
        }
        func spans(_ pieces: [Piece]) -> SymbolSpans {
            var spans = SymbolSpans()
            for piece in pieces { spans.insert(piece.span, of: piece.symbol) }
            return spans
        }
        let all = spans(pieces)
        let received = pieces.allSatisfy { $0.received != nil } ? pieces.compactMap(\.received).min() : nil
        var known = KnownTicks(of: all)
        guard let times = all.bounds else { return known }
        try buffer.reading {
            try TickHistory(directory: buffer.directory).rows(
                of: kind.stream, received: received, times: times.lowerBound..<times.upperBound + 1
            ) { row in
                guard let key = keys.key(of: row, in: known.spans) else { return }
                known.insert(key)
                while known.count > mostKnown {
                    if pieces.count > 1 {
                        pieces = Array(pieces.prefix(pieces.count / 2))
                    } else if let half = pieces.first?.half {
                        pieces = [half]
                    } else {
                        return
                    }
                    known.keep(spans(pieces))
                }
            }
        }
        // Checked only now: rows may have been deleted until they were read.
        if needingFile.contains(kind) { try checkFile(kind.stream, around: record.gap) }
        self.known[kind] = known
        return known
    }

    /// Checks that the file still has the rows around a gap: what was asked for before may have taken hours, and rows
    /// are deleted meanwhile.
    private func checkFile(_ stream: EventStream, around gap: Gap) throws(BackfillError) {
        let end = try buffer.reading { try FileEnd(of: stream, around: gap, directory: buffer.directory) }
        guard end.holds(gap.from) else {
            throw BackfillError(
                .forgotten,
                "the rows around the gap were deleted from the file while it was being filled; the next attempt works without "
                    + "them")
        }
    }

    /// Fetches one symbol's events of a span.
    ///
    /// - Returns: whether all of them came; `false` means that the budget is used up.
    /// - Throws: what asking throws; `.tooEarly` if some were left out that the stream may still deliver. The next attempt
    ///   recognises those that it has delivered by then.
    private func bring<Tick: RESTTick>(
        _: Tick.Type, _ symbol: Symbol, _ span: ClosedRange<Int64>, _ keys: TickKeys<Tick.Event>, _ known: KnownTicks,
        _ budget: inout TickAccess.Budget?, _ outcome: inout Outcome, _ leftOut: inout Int
    ) async throws(BackfillError) -> Bool {
        var isAll = true
        var areTooYoung = false
        try await client.ticks(of: symbol, times: span) {
            (ticks: [Tick], unreadable, clock) async throws(BackfillError) in
            leftOut += unreadable
            let end = lastSettled(before: known.read, by: clock)
            var stored = 0
            let turnedAway = buffer.turnedAway
            for part in ticks.parts(of: Self.rowsAtOnce) {
                var batch = EventBatch(
                    connection: EventSource.backfill.rawValue, receivedMicroseconds: WallClock.microseconds())
                batch.source = .backfill
                for tick in part {
                    if tick.isWithdrawn {
                        outcome.withdrawn += 1
                        continue
                    }
                    let event = tick.event(of: symbol, texts: &batch.text)
                    if event.time > end {
                        areTooYoung = true
                    } else if known.contains(keys.key(of: event, in: batch.text)) {
                        outcome.present += 1
                    } else {
                        batch.append(event.any)
                    }
                }
                stored += batch.count
                try await buffer.bring(batch)
            }
            outcome.rows += stored
            try await buffer.durable(since: turnedAway)
            budget?.requests -= 1
            budget?.rows -= stored
            guard let left = budget, left.requests <= 0 || left.rows <= 0 else { return true }
            isAll = false
            return false
        }
        guard !areTooYoung else {
            throw BackfillError(
                .tooEarly,
                "by the REST server's clock, the last \(Tick.route) of \(symbol) in the gap may still come from the stream: "
                    + "this machine's clock is probably ahead; the next attempt looks again")
        }
        return isAll
    }

    /// The time of the last event that the stream had certainly delivered at a moment, in milliseconds since the Unix
    /// epoch. By a clock that is ahead, a gap ends in the server's future; what happens until then is on its way in the
    /// stream.
    private func lastSettled(before moment: ContinuousClock.Instant, by clock: ServerClock?) -> Int64 {
        guard let clock, settleTime > .zero else { return .max }
        return clock.latest(at: moment) - (settleTime - Self.clockMargin).milliseconds
    }
}

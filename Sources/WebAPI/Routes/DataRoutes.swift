import Collector
import HTTPTypes
import MarketData
import Store
import Universe
import Wire

/// The collected data and its gaps: symbols, events, bars, coverage, gaps, dead letters.
struct DataRoutes: Sendable {
    /// The most symbols that one gap lists; the count is always there.
    private static let listed = 100

    /// How many of the newest gaps are searched for those of one symbol.
    private static let searched = 2000

    private static let anySymbol = Parameters.anySymbol("symbol", "Only this symbol")
    private static let since = Parameters.number(
        "since_ms", "Only symbols that had an event at this time, in Unix milliseconds, or later; all",
        0...Int(UnixTime.possible.upperBound),
        standard: 0)
    private static let limit = Parameters.number("limit", "The most to return", 1...1000, standard: 100)
    private static let symbol = Parameters.symbol("symbol", .query, "The symbol")
    private static let from = Parameters.time("from", "The first bar's start")
    private static let to = Parameters.time("to", "Bars start before this")
    private static let bars = Parameters.number("limit", "The most to return", 1...5000, standard: 390)
    private static let interval = Parameter<Bar.Interval>(
        name: "interval", place: .query, meaning: "The length of the bars in seconds; 60 when left out",
        schema: .choice([60, 1]), standard: .minute, fault: "must be 60 (minute bars) or 1 (second bars)",
        read: { Int32($0).flatMap { Bar.Interval(rawValue: $0) } })
    private static let states = Parameters.words("state", "Only those in these states", of: GapState.self)

    private static let day = Parameters.day("day", "The last day, in New York; today when left out")
    private static let days = Parameters.number("days", "How many days, back from the last", 1...400, standard: 1)
    private static let length = Parameters.word(
        "by", "What is counted together; day when left out", of: CoveragePeriod.Length.self)
    private static let symbols = Parameters.symbols("symbols", "Only these", atMost: 500)
    private static let universe = Parameters.text("universe", "Only the symbols of this universe key")

    let source: any CollectorSource
    let board: StatusBoard
    let tap: EventTap
    let calls: BoundedCalls
    let coverages: BoundedCalls
    let body: BodyReader
    /// For calls that wait for the upload; one at a time, so that no letter is discarded twice.
    let retries: BoundedCalls

    var routes: [Route] {
        let choice = Route.Body(schema: .of(DeadLetterChoiceJSON.self), isRequired: true)
        return [
            Route(
                .get, "/api/symbols", .data, "symbols", "Every collected symbol, with the time of its last event",
                parameters: [Self.since]
            ) { call in
                let since = try call.value(of: Self.since)
                let sample = board.sample
                return Reply(
                    SymbolsJSON(
                        sample.snapshot.connections, news: tap.news(since: Int64(since)), isAll: since == 0,
                        at: WallClock.milliseconds()))
            },
            Route(
                .get, "/api/ticks/recent", .data, "recentEvents", "The newest events, newest first",
                parameters: [Self.anySymbol, Self.limit], answer: recent),
            Route(
                .get, "/api/bars", .data, "bars", "The newest bars in a range, oldest first",
                parameters: [Self.symbol, Self.from, Self.to, Self.interval, Self.bars], answer: bars),
            Route(
                .get, "/api/gaps", .data, "gaps",
                "Spans in which events may have been missed, and whether they were filled, newest first",
                parameters: [Self.states, Self.anySymbol, Self.limit], answer: gaps),
            Route(
                .get, "/api/coverage", .data, "coverage",
                "What is known about each minute of the regular session: a bar, no trade, a gap, or nothing; one day by "
                    + "symbol, several days as totals",
                parameters: [Self.day, Self.days, Self.length, Self.symbols, Self.universe], answer: coverage),
            Route(
                .get, "/api/dead-letters", .data, "deadLetters", "Rows that upstream refused, newest first",
                parameters: [Self.limit], answer: deadLetters),
            Route(
                .post, "/api/dead-letters/retry", .data, "retryDeadLetters",
                "Puts refused rows back into the queue, to be sent once more", body: choice, statuses: [202]
            ) { call in
                let choice = try await self.choice(call)
                let result = try await retries.run("the upload") { try await source.retryDeadLetters(choice) }
                board.refresh()
                return Reply(DeadLetterRequeueJSON(result), status: .accepted)
            },
            Route(
                .post, "/api/dead-letters/discard", .data, "discardDeadLetters",
                "Deletes refused rows from the file for good", body: choice
            ) { call in
                let choice = try await self.choice(call)
                let result = try await retries.run("the buffer") { try await source.discardDeadLetters(choice) }
                board.refresh()
                return Reply(DeadLetterDiscardJSON(result))
            },
        ]
    }

    /// The newest events: from memory if it has enough, otherwise from the buffer, plus newer ones from memory.
    @Sendable private func recent(_ call: Call) async throws -> Reply<RecentEventsJSON> {
        let symbol = try call.value(of: Self.anySymbol)
        let limit = try call.value(of: Self.limit)
        var events = tap.newest(limit) { symbol == nil || $0.symbol == symbol }
        var origin = RecentEventsJSON.Source.memory
        var isComplete = true
        if events.count < limit {
            let stored = try await calls.run("the buffer") {
                try await source.recentEvents(symbol: symbol, limit: limit)
            }
            isComplete = stored.isComplete
            if let newest = stored.values.map(\.receivedMicroseconds).max() {
                // Events of one socket read become durable together, so no event later than the newest stored one is
                // stored too.
                events = Array((events.filter { $0.receivedMicroseconds > newest } + stored.values).prefix(limit))
                origin = .buffer
            }
        }
        return Reply(
            RecentEventsJSON(
                symbol: symbol, source: origin, isComplete: isComplete, events: events, ids: board.sample.connectionIDs)
        )
    }

    @Sendable private func bars(_ call: Call) async throws -> Reply<BarsJSON> {
        let (from, to) = (try call.value(of: Self.from), try call.value(of: Self.to))
        if let from, let to, from >= to { throw Problem.parameter("to", "must be later than from") }
        let wanted = TickHistory.BarQuery(
            symbol: try call.value(of: Self.symbol), interval: try call.value(of: Self.interval), from: from, to: to,
            limit: try call.value(of: Self.bars))
        let found = try await calls.run("the buffer") { try await source.bars(wanted) }
        return Reply(BarsJSON(symbol: wanted.symbol, interval: wanted.interval, found))
    }

    @Sendable private func gaps(_ call: Call) async throws -> Reply<GapsJSON> {
        let limit = try call.value(of: Self.limit)
        let states = try call.value(of: Self.states)
        let symbol = try call.value(of: Self.anySymbol)
        // One more than is returned shows whether there are older ones.
        let most = symbol == nil ? limit + 1 : Self.searched
        let newest = try await calls.run("the buffer") {
            try await source.gaps(states: states.isEmpty ? Set(GapState.allCases) : states, limit: most)
        }
        let found = newest.filter { record in
            guard let symbol else { return true }
            return record.gap.symbols.isEmpty || record.gap.symbols.contains(symbol)
        }
        return Reply(
            GapsJSON(
                found.suffix(limit), total: board.sample.snapshot.buffer.gaps,
                isComplete: newest.count < most && found.count <= limit, symbolLimit: Self.listed))
    }

    @Sendable private func coverage(_ call: Call) async throws -> Reply<CoverageJSON> {
        let last = try call.value(of: Self.day) ?? TradingDay(at: WallClock.milliseconds())
        let first = last.advanced(by: 1 - (try call.value(of: Self.days)))
        let listed = try call.value(of: Self.symbols)
        let key = try call.value(of: Self.universe)
        let length = try call.value(of: Self.length) ?? .day
        let report = try await coverages.run("the buffer or the database") {
            var wanted = listed
            if let key { wanted.formUnion(try await source.universe(key: key).symbols) }
            return try await source.coverage(days: first...last, symbols: wanted.isEmpty ? nil : wanted)
        }
        return Reply(CoverageJSON(report, by: length))
    }

    @Sendable private func deadLetters(_ call: Call) async throws -> Reply<DeadLettersJSON> {
        let limit = try call.value(of: Self.limit)
        let (letters, groups) = try await calls.run("the buffer") {
            (try await source.deadLetters(limit: limit), try await source.deadLetterGroups())
        }
        return Reply(DeadLettersJSON(letters, groups: groups, total: board.sample.snapshot.buffer.deadLetters))
    }

    private func choice(_ call: Call) async throws -> DeadLetterChoice {
        guard let choice = try await body.read(DeadLetterChoiceJSON.self, from: call)?.choice else {
            throw Problem(
                .badRequest,
                "Send {\"letters\": [\"bars:4711\"]}, {\"stream\": \"bars\"}, with sqlstate and constraint for those "
                    + "refused alike, or {\"all\": true}.")
        }
        return choice
    }
}

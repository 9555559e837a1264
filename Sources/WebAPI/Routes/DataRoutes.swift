import Collector
import HTTPTypes
import MarketData
import Store
import Wire

/// What was collected, and what was not: events, bars, gaps, dead letters.
struct DataRoutes: Sendable {
    /// The most symbols that one gap lists; the count is always there.
    private static let listed = 100

    private static let anySymbol = Parameters.anySymbol("symbol", "Only this symbol")
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

    let source: any CollectorSource
    let board: StatusBoard
    let tap: EventTap
    let calls: BoundedCalls

    var routes: [Route] {
        [
            Route(
                .get, "/api/ticks/recent", .data, "recentEvents", "The newest events, newest first",
                parameters: [Self.anySymbol, Self.limit], answer: recent),
            Route(
                .get, "/api/bars", .data, "bars", "The newest bars in a range, oldest first",
                parameters: [Self.symbol, Self.from, Self.to, Self.interval, Self.bars], answer: bars),
            Route(
                .get, "/api/gaps", .data, "gaps",
                "Spans in which events may have been missed and what became of them, newest first",
                parameters: [Self.states, Self.limit], answer: gaps),
            Route(
                .get, "/api/dead-letters", .data, "deadLetters", "Rows that upstream refused, newest first",
                parameters: [Self.limit], answer: deadLetters),
        ]
    }

    /// The newest events: from memory when it holds enough, else from the buffer with what memory holds beyond it.
    @Sendable private func recent(_ call: Call) async throws -> Reply<RecentEventsJSON> {
        let symbol = try call.value(of: Self.anySymbol)
        let limit = try call.value(of: Self.limit)
        var events = tap.newest(limit) { symbol == nil || $0.symbol == symbol }
        var origin = RecentEventsJSON.Source.memory
        var isComplete = true
        if events.count < limit {
            let source = source
            let stored = try await calls.run("the buffer") { () throws(CollectorProblem) in
                try await source.recentEvents(symbol: symbol, limit: limit)
            }
            isComplete = stored.isComplete
            if let newest = stored.values.map(\.receivedMicroseconds).max() {
                // Events of one read become durable together, so none is both newer and stored.
                events = Array((events.filter { $0.receivedMicroseconds > newest } + stored.values).prefix(limit))
                origin = .buffer
            }
        }
        return Reply(RecentEventsJSON(symbol: symbol, source: origin, isComplete: isComplete, events: events))
    }

    @Sendable private func bars(_ call: Call) async throws -> Reply<BarsJSON> {
        let (from, to) = (try call.value(of: Self.from), try call.value(of: Self.to))
        if let from, let to, from >= to { throw Problem.parameter("to", "must be later than from") }
        let wanted = TickHistory.BarQuery(
            symbol: try call.value(of: Self.symbol), interval: try call.value(of: Self.interval), from: from, to: to,
            limit: try call.value(of: Self.bars))
        let source = source
        let found = try await calls.run("the buffer") { () throws(CollectorProblem) in try await source.bars(wanted) }
        return Reply(BarsJSON(symbol: wanted.symbol, interval: wanted.interval, found))
    }

    @Sendable private func gaps(_ call: Call) async throws -> Reply<GapsJSON> {
        let limit = try call.value(of: Self.limit)
        let states = try call.value(of: Self.states)
        let source = source
        let gaps = try await calls.run("the buffer") { () throws(CollectorProblem) in
            try await source.gaps(states: states.isEmpty ? Set(GapState.allCases) : states, limit: limit)
        }
        return Reply(GapsJSON(gaps, total: board.sample.snapshot.buffer.gaps, symbolLimit: Self.listed))
    }

    @Sendable private func deadLetters(_ call: Call) async throws -> Reply<DeadLettersJSON> {
        let limit = try call.value(of: Self.limit)
        let source = source
        let letters = try await calls.run("the buffer") { () throws(CollectorProblem) in
            try await source.deadLetters(limit: limit)
        }
        return Reply(DeadLettersJSON(letters, total: board.sample.snapshot.buffer.deadLetters))
    }
}

import Collector
import Hummingbird
import MarketData

/// What was collected, and what was not: events, bars, gaps, dead letters.
struct DataRoutes: Sendable {
    let source: any CollectorSource
    let board: StatusBoard
    let tap: EventTap
    let calls: BoundedCalls

    var routes: [Route] {
        [
            Route(method: .get, path: "/api/ticks/recent", access: .data, answer: recent),
            Route(method: .get, path: "/api/bars", access: .data, answer: bars),
            Route(method: .get, path: "/api/gaps", access: .data, answer: gaps),
            Route(method: .get, path: "/api/dead-letters", access: .data, answer: deadLetters),
        ]
    }

    /// The newest events: from memory when it holds enough, else from the buffer with what memory holds beyond it.
    @Sendable private func recent(_ call: Call) async throws -> Response {
        let query = try call.query("symbol", "limit")
        let symbol = try query.symbol("symbol")
        let limit = try query.number("limit", in: 1...1000, default: 100)
        var events = tap.newest(limit) { symbol == nil || $0.symbol == symbol }
        var origin = "memory"
        var isComplete = true
        if events.count < limit {
            let source = source
            let stored = try await calls.run("the buffer") { () throws(CollectorProblem) in
                try await source.recentEvents(symbol: symbol, limit: limit)
            }
            isComplete = stored.isComplete
            if let newest = stored.events.map(\.receivedMicroseconds).max() {
                // Events of one read become durable together, so none is both newer and stored.
                events = Array((events.filter { $0.receivedMicroseconds > newest } + stored.events).prefix(limit))
                origin = "buffer"
            }
        }
        return .json { json in
            json.field("symbol", symbol?.description)
            json.field("count", events.count)
            json.field("source", origin)
            json.field("is_complete", isComplete)
            json.array("events") { json in
                for event in events { json.element { event.write(to: &$0) } }
            }
        }
    }

    @Sendable private func bars(_ call: Call) async throws -> Response {
        let query = try call.query("symbol", "from", "to", "interval", "limit")
        guard let symbol = try query.symbol("symbol") else { throw Problem.parameter("symbol", "is missing") }
        guard let interval = Bar.Interval(rawValue: Int32(try query.number("interval", in: 1...60, default: 60))) else {
            throw Problem.parameter("interval", "must be 60 (minute bars) or 1 (second bars)")
        }
        let from = try query.time("from")
        let to = try query.time("to")
        if let from, let to, from >= to { throw Problem.parameter("to", "must be later than from") }
        let limit = try query.number("limit", in: 1...5000, default: 390)
        let source = source
        let wanted = BarQuery(symbol: symbol, interval: interval, from: from, to: to, limit: limit)
        let found = try await calls.run("the buffer") { () throws(CollectorProblem) in try await source.bars(wanted) }
        return .json { json in
            json.field("symbol", symbol.description)
            json.field("interval_seconds", interval.rawValue)
            json.field("count", found.bars.count)
            json.field("is_complete", found.isComplete)
            json.array("bars") { json in
                for bar in found.bars {
                    json.element { json in
                        json.field("time", milliseconds: bar.start)
                        bar.writePrices(to: &json)
                    }
                }
            }
        }
    }

    @Sendable private func gaps(_ call: Call) async throws -> Response {
        let limit = try call.query("limit").number("limit", in: 1...1000, default: 100)
        let source = source
        let gaps = try await calls.run("the buffer") { () throws(CollectorProblem) in
            try await source.gaps(limit: limit)
        }
        let total = board.sample.snapshot.buffer.gaps
        return .json { json in
            json.field("total", total)
            json.array("gaps") { json in
                for record in gaps { json.element { record.write(to: &$0) } }
            }
        }
    }

    @Sendable private func deadLetters(_ call: Call) async throws -> Response {
        let limit = try call.query("limit").number("limit", in: 1...1000, default: 100)
        let source = source
        let letters = try await calls.run("the buffer") { () throws(CollectorProblem) in
            try await source.deadLetters(limit: limit)
        }
        let total = board.sample.snapshot.buffer.deadLetters
        return .json { json in
            json.field("total", total)
            json.array("dead_letters") { json in
                for letter in letters { json.element { letter.write(to: &$0) } }
            }
        }
    }
}

extension RecordedGap {
    /// The most symbols that one gap lists; the count is always there.
    private static let listed = 100

    fileprivate func write(to json: inout JSONText) {
        json.field("connection", gap.connection)
        json.field("cause", gap.cause.rawValue)
        json.field("from", milliseconds: gap.from)
        json.field("to", milliseconds: gap.to)
        json.field("is_uncertain", gap.isUncertain)
        json.field("events", strings: gap.events.map(\.rawValue))
        json.field("symbol_count", max(symbolCount, gap.symbols.count))
        json.field("symbols", symbols: gap.symbols.prefix(Self.listed))
    }
}

extension RefusedEvent {
    fileprivate func write(to json: inout JSONText) {
        json.field("stream", stream.rawValue)
        json.field("sequence", sequence)
        json.field("sqlstate", sqlState)
        json.field("reason", reason)
        json.field("row", row)
        json.field("time", milliseconds: time)
    }
}

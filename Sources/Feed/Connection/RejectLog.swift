import MarketData

/// Decides when what can't be decoded is logged: the first of a kind at once, then every 30 s with the count. Pure.
struct RejectLog: Sendable {
    /// One line to log.
    struct Line: Sendable, Equatable {
        /// What could not be used.
        enum Loss: Sendable, Equatable {
            /// Events, which are lost.
            case events
            /// Optional fields that were left out of accepted events.
            case fields
        }

        var loss: Loss
        /// `nil` if the kind is not known.
        var kind: EventKind?
        /// How many since the previous line.
        var count: Int
        /// What the newest sample looks like.
        var sample: String
    }

    private struct Entry {
        var count = 0
        var time: Duration?
    }

    private static let interval: Duration = .seconds(30)
    private var events = [Entry](repeating: Entry(), count: DecodeRejects.kinds.count)
    private var fields = [Entry](repeating: Entry(), count: DecodeRejects.kinds.count)
    private var logged = 0

    /// Returns the lines that are due, given all counts so far; called after every socket read.
    mutating func lines(_ rejects: DecodeRejects, now: Duration) -> [Line] {
        guard rejects.events.total + rejects.fields.total != logged else { return [] }
        var lines: [Line] = []
        for (place, kind) in DecodeRejects.kinds.enumerated() {
            lines += line(.events, kind, rejects.events, &events[place], now)
            lines += line(.fields, kind, rejects.fields, &fields[place], now)
        }
        logged += lines.reduce(0) { $0 + $1.count }
        return lines
    }

    private func line(
        _ loss: Line.Loss, _ kind: EventKind?, _ tally: DecodeRejects.Tally, _ entry: inout Entry, _ now: Duration
    ) -> [Line] {
        let count = tally[kind] - entry.count
        guard count > 0, entry.time.map({ now - $0 >= Self.interval }) ?? true else { return [] }
        entry = Entry(count: tally[kind], time: now)
        return [Line(loss: loss, kind: kind, count: count, sample: tally.sample(of: kind)?.description ?? "")]
    }
}

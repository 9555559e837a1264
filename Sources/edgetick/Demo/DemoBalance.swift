import MarketData
import Store

/// Accounts for every event of a demo: sent, durable, uploaded, doubled or lost. Pure.
struct DemoBalance: Equatable {
    struct Line: Equatable {
        var stream: EventStream
        var sent: Int
        var durable: Int
        /// `nil` without a database.
        var uploaded: Int?
        /// Rows in excess, in the file and in the database: a second row of the same event.
        var doubled: Int
        /// Events that were sent but are neither durable nor in a recorded gap, and durable events that are not in the
        /// database.
        var lost: Int
        /// Events that were on their way to a collector when it was killed, and that lie in a gap recorded in the file.
        var inGaps: Int
    }

    let lines: [Line]

    /// - Parameter sent: The events that the feed wrote to a collector's socket.
    init(sent: [EventKind: Int], audit: BufferAudit, upstream: [EventStream: (rows: Int, events: Int)]?) {
        lines = EventStream.allCases.map { stream in
            let file = audit[stream]
            let database = upstream.map { $0[stream] ?? (0, 0) }
            let sent = sent.reduce(0) { $1.key.stream == stream ? $0 + $1.value : $0 }
            let absent = max(0, sent - file.events)
            let inGaps = min(absent, file.missingInGaps)
            return Line(
                stream: stream, sent: sent, durable: file.events, uploaded: database?.events,
                doubled: file.rows - file.events + (database.map { $0.rows - $0.events } ?? 0),
                lost: absent - inGaps + (database.map { max(0, file.events - $0.events) } ?? 0), inGaps: inGaps)
        }
    }

    var isKept: Bool { lines.allSatisfy { $0.doubled == 0 && $0.lost == 0 } }

    /// The numbers as a table, with an explanation of the gaps if there are any.
    var text: String {
        let rows = lines.filter { $0.sent > 0 || $0.durable > 0 || $0.doubled > 0 || $0.lost > 0 }.map {
            [
                $0.stream.rawValue, $0.sent.grouped, $0.durable.grouped, $0.inGaps.grouped,
                $0.uploaded?.grouped ?? "-", $0.doubled.grouped, $0.lost.grouped,
            ]
        }
        let numbers = ["sent", "durable", "in a gap", "uploaded", "doubled", "lost"].map(TextTable.Column.right)
        let table = TextTable([""] + numbers, rows).text
        let inGaps = lines.reduce(0) { $0 + $1.inGaps }
        guard inGaps > 0 else { return table }
        return table + """

            In a gap: in flight when the collector was killed. The file records the gap with
            its symbols and times; with the real feed, its bars are then fetched from the REST
            API.

            """
    }
}

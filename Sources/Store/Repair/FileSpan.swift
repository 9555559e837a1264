import GRDB
import MarketData

/// The span of time in which a damaged file's rows were received, and what was collected into it, judged by what is
/// left of it.
///
/// A hole between two rows lies between their times. One at a stream's beginning or end, or in place of all its rows,
/// is bounded only by this span.
struct FileSpan {
    /// A time in milliseconds since the Unix epoch.
    struct Bound {
        var time: Int64
        /// Whether it is an estimate.
        var isUncertain: Bool
    }

    private struct Row {
        var event: Int64
        /// In milliseconds since the Unix epoch.
        var received: Int64
        /// How long after its time the event was received.
        var delay: Int64 { max(0, received - event) }
    }

    /// When the file was made, in milliseconds since the Unix epoch; `nil` when that is lost.
    private let made: Int64?
    /// The first row that is left of each stream.
    private let firsts: [EventStream: Row]
    /// The last time that the file shows, in milliseconds since the Unix epoch; `nil` when it shows none.
    private let last: Int64?
    /// The kinds that were collected.
    let kinds: Set<EventKind>
    /// A connection that collected; empty when none is known.
    let connection: String

    /// Reads what is left.
    ///
    /// - Parameters:
    ///   - collected: Kinds that are known to be collected.
    ///   - now: The time of the repair, in microseconds since the Unix epoch. A file that was made then is the repaired
    ///     one, and the damaged one's time is lost.
    init(_ database: Database, collected: Set<EventKind>, now: Int64) throws {
        let times = try GRDB.Row.fetchOne(database, sql: "SELECT created_us, alive_us FROM buffer").map(Cells.init)
        let created: Int64? = times?["created_us"]
        made = created.flatMap { $0 >= 0 && $0 < now ? $0 / 1000 : nil }
        let alive: Int64? = times?["alive_us"]
        var firsts: [EventStream: Row] = [:]
        var received = [alive].compactMap { $0.map { $0 / 1000 } }.filter(UnixTime.possible.contains)
        var kinds = collected
        var connections: [String] = []
        for stream in EventStream.allCases {
            // A row that another program wrote may hold anything: if its times are impossible, it shows nothing.
            func row(_ order: String) throws -> (Row, connection: String)? {
                let found = try GRDB.Row.fetchOne(
                    database,
                    sql: """
                        SELECT \(stream.timeColumn) AS event, received_us, connection FROM \(stream.rawValue)
                        ORDER BY seq \(order) LIMIT 1
                        """
                ).map(Cells.init)
                guard let found, let event: Int64 = found["event"], let received: Int64 = found["received_us"],
                    UnixTime.possible.contains(event), UnixTime.possible.contains(received / 1000)
                else { return nil }
                return (Row(event: event, received: received / 1000), found["connection"] ?? "")
            }
            if let (first, _) = try row("ASC") { firsts[stream] = first }
            if let (last, connection) = try row("DESC") {
                received.append(last.received)
                connections.append(connection)
                if stream != .bars { kinds.formUnion(stream.kinds) }
            }
        }
        for row in try GRDB.Row.fetchAll(database, sql: "SELECT DISTINCT interval_s FROM bars") {
            let seconds: Int32? = Cells(row)["interval_s"]
            if let interval = seconds.flatMap(Bar.Interval.init(rawValue:)) { kinds.insert(EventKind(interval)) }
        }
        for gap in try GRDB.Row.fetchAll(database, sql: "SELECT DISTINCT connection, events FROM gaps").map(Cells.init)
        {
            let events: String = gap["events"] ?? ""
            connections.append(gap["connection"] ?? "")
            kinds.formUnion(events.split(separator: ",").compactMap { EventKind(rawValue: String($0)) })
        }
        self.firsts = firsts
        self.kinds = kinds
        last = received.max()
        connection = connections.first { !$0.isEmpty } ?? ""
    }

    /// Returns since when rows of a stream may be missing before the first that is left, or that row's own time if
    /// nothing shows it.
    ///
    /// - Parameter hasDeleted: Whether earlier rows had been deleted before the damage. Rows of all streams are kept
    ///   for the same time, so the first ones of the others show it approximately.
    func beginning(of stream: EventStream, hasDeleted: Bool) -> Bound? {
        let first = firsts[stream]
        let delay = first?.delay ?? firsts.values.map(\.delay).max() ?? 0
        // A file can't be younger than its rows: if it seems to be, the clock was wrong.
        func isPossible(_ time: Int64) -> Bool { time <= first?.event ?? .max }
        let made = self.made.map { $0 - delay }.flatMap { isPossible($0) ? $0 - Gap.eventLateness : nil }
        let others = hasDeleted ? firsts.filter { $0.key != stream }.values.map(\.event).filter(isPossible).min() : nil
        guard let time = [made, others].compactMap(\.self).max() else {
            return first.map { Bound(time: $0.event, isUncertain: true) }
        }
        return Bound(time: time, isUncertain: hasDeleted || self.made == nil)
    }

    /// Until when rows may be missing after the last that is left; accurate to half a minute at best.
    var end: Bound? { last.map { Bound(time: $0, isUncertain: true) } }

    /// Returns the gap for a hole between two times, either of which may be unknown.
    func gap(
        of stream: EventStream, hasDeleted: Bool, connection: String, events: [EventKind], from: Int64?, to: Int64?
    ) -> Gap? {
        let start = from.map { Bound(time: $0, isUncertain: false) } ?? beginning(of: stream, hasDeleted: hasDeleted)
        let stop = to.map { Bound(time: $0, isUncertain: false) } ?? end
        guard let low = start ?? stop, let high = stop ?? start else { return nil }
        return Gap(
            connection: connection, symbols: [], events: events, from: min(low.time, high.time),
            to: max(low.time, high.time), cause: .damaged,
            isUncertain: start?.isUncertain ?? true || stop?.isUncertain ?? true)
    }
}

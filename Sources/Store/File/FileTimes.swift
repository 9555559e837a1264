import GRDB
import MarketData

/// How far a file got, judged by its newest rows. Reads no clock.
///
/// The feed's times come from a good clock; this machine's clock may have been wrong. So a gap begins at the newest
/// event of its kind. A single event from the future has no effect: it happened at its receipt at the latest. If most
/// events were received before they happened, this machine's clock was behind, and receipts are corrected by that much.
struct FileTimes: Sendable, Equatable {
    /// A row's times in milliseconds since the Unix epoch.
    struct Times: Sendable, Equatable {
        /// A bar's end, a trade's or quote's own time.
        var event: Int64
        var received: Int64

        /// Returns the latest time at which the event can have happened, given a clock that was `behind` milliseconds
        /// behind. If the event is still more than a day ahead of its receipt, the clock is not trusted and the
        /// event's own time counts.
        func known(behind: Int64) -> Int64 {
            let latest = received + behind
            return event - latest > FileTimes.day ? event : min(event, latest)
        }
    }

    /// The newest rows of each kind, a few hundred at most.
    var rows: [EventKind: [Times]] = [:]
    /// The last row of each kind from each connection.
    var lasts: [EventKind: [Times]] = [:]
    /// The collector's last sign of life, or when the file was made if there never was one.
    var alive: Int64?
    /// When the file was made; `nil` if rows were deleted from it or it continues another file.
    var made: Int64?

    static let day: Int64 = 86_400_000
    /// The years 1990 to 2199; no event has a time outside them.
    private static let possible: Range<Int64> = 631_152_000_000..<7_258_118_400_000
    private static let tolerance: Int64 = 5000
    /// How far a connection may lag behind another and still have had events to deliver, in milliseconds. What it had
    /// not delivered is missing from its last event on; one that was silent for longer had nothing to deliver.
    private static let longestLag: Int64 = 60_000

    /// Returns how far the file got, as seen at `now`; `nil` if nothing in it shows that.
    func life(now: Int64, told: [Gap] = []) -> PreviousLife? {
        var newest: [EventKind: Int64] = [:]
        var isUncertain = false
        // A little later than now: times just ahead of a clock that was set back by seconds are not in the future.
        let latest = now + Self.tolerance
        for (kind, rows) in rows {
            let behind = behind(kind)
            let known = rows.map { $0.known(behind: behind) }.filter(Self.possible.contains)
            // If all of them are in the future, this machine's clock is behind.
            newest[kind] = known.filter { $0 <= latest + behind }.max() ?? known.min()
            if behind > 0 { isUncertain = true }
            if let known = newest[kind] { newest[kind] = slowest(kind, newest: known, behind: behind) }
        }
        let others = rows.values.joined().map(\.received) + [alive].compactMap(\.self)
        if (others + newest.values).contains(where: { $0 > latest }) { isUncertain = true }
        let past = others.filter { $0 <= latest }.max()
        // If every time is in the future, the earliest is the best estimate.
        guard let end = (Array(newest.values) + [past].compactMap(\.self)).max() ?? others.min() else { return nil }
        return PreviousLife(
            end: end, newest: newest, made: made.flatMap { end - $0 < Self.longestLag ? $0 : nil }, lateness: lateness,
            told: told.filter { ($0.to ?? .max) <= max(now, end) }, isUncertain: isUncertain)
    }

    /// How late the events arrived, judged by the last row of each connection: for a delayed feed, its delay.
    private var lateness: Int64 {
        let late = lasts.flatMap { kind, lasts in lasts.map { $0.received - $0.known(behind: behind(kind)) } }
        return late.filter { $0 < Self.day }.min().map { max(0, $0) } ?? 0
    }

    /// The time of the newest event of each kind. An event that was dated after its receipt counts from its receipt.
    var newest: [EventKind: Int64] {
        rows.reduce(into: [:]) { newest, entry in
            let behind = behind(entry.key)
            newest[entry.key] = entry.value.map { $0.known(behind: behind) }.filter(Self.possible.contains).max()
        }
    }

    /// Returns how far the slowest of the connections that recently delivered events of a kind had got.
    private func slowest(_ kind: EventKind, newest: Int64, behind: Int64) -> Int64 {
        let lasts = lasts[kind] ?? []
        let recent = (lasts.map(\.received).max() ?? 0) - Self.longestLag
        let slowest = lasts.filter { $0.received >= recent }.map { $0.known(behind: behind) }.min() ?? newest
        return min(newest, max(slowest, newest - Self.longestLag))
    }

    /// Returns how far the clock was behind when the rows of a kind were received, in milliseconds: the median of those
    /// rows, or of all rows if there are fewer than three of the kind. A few seconds count as 0.
    private func behind(_ kind: EventKind) -> Int64 {
        var leads = leads(rows[kind] ?? [])
        if leads.count < 3 { leads = self.leads(rows.values.joined()) }
        guard !leads.isEmpty else { return 0 }
        let usual = leads.sorted()[(leads.count - 1) / 2]
        return usual > Self.tolerance ? usual : 0
    }

    /// Returns how long after its receipt each event happened.
    private func leads(_ rows: some Sequence<Times>) -> [Int64] {
        rows.filter { Self.possible.contains($0.event) }.map { $0.event - $0.received }
    }
}

extension PreviousLife {
    /// When losses that had not ended are considered to end, in milliseconds since the Unix epoch and in the events' own
    /// time; what follows belongs to the downtime. A clock that is days ahead of the events may be wrong.
    var lossesEnd: Int64 { min(end - lateness, newest.values.max().map { $0 + FileTimes.day } ?? end) }

    /// How far the events had got, in milliseconds since the Unix epoch.
    var missedSince: Int64 { min(end, newest.values.max() ?? end) }
}

extension FileTimes {
    /// The number of rows that are read for one kind.
    private static let rowsPerKind = 500
    /// The number of rows at a table's end that are searched for those and for the last row of each connection.
    private static let reach = 5000
    /// The longest time from one event of a kind to the next while any arrive, in milliseconds: that of minute bars.
    private static let rhythm: Int64 = 65_000

    /// Reads the times of a file, over any connection.
    ///
    /// - Parameter guesses: Whether events of a kind without rows are assumed to precede the first row by a little.
    init(_ database: Database, guesses: Bool = true) throws {
        self.init()
        // If a collector was killed before its first row, the file's creation is all that is known of it.
        made = try Int64.fetchOne(
            database,
            sql: "SELECT CASE WHEN (SELECT max(deleted_through) FROM streams) = 0 THEN created_us END FROM buffer"
        ).map { $0 / 1000 }
        let hasSigns = try database.columns(in: "buffer").contains { $0.name == "alive_us" }
        let sign = hasSigns ? try Int64.fetchOne(database, sql: "SELECT alive_us FROM buffer") : nil
        alive = sign.map { $0 / 1000 } ?? made
        // Damage among these rows is handled by whoever needs the rows.
        for kind in EventKind.allCases {
            rows[kind] = try? Self.newest(kind, database, guesses)
            lasts[kind] = try? Self.lasts(kind, database)
        }
    }

    /// The newest rows of a kind.
    private static func newest(_ kind: EventKind, _ database: Database, _ guesses: Bool) throws -> [Times]? {
        let table = kind.stream.rawValue
        func times(_ rest: String) throws -> [Times] { try self.times(kind, rest, database) }
        let found = try times("\(condition(kind)) ORDER BY seq DESC LIMIT \(rowsPerKind)")
        guard found.isEmpty else { return found }
        guard guesses else { return nil }
        // If older rows lie further back or were deleted, the newest row of this kind is among them: it came shortly
        // before the first row that is here, at the latest.
        let count = try Int.fetchOne(
            database, sql: "SELECT count(*) FROM \(table) WHERE seq > (SELECT max(seq) FROM \(table)) - \(reach)")
        let deleted = try Int64.fetchOne(
            database, sql: "SELECT deleted_through FROM streams WHERE stream = ?", arguments: [kind.stream.rawValue])
        guard count ?? 0 >= reach || deleted ?? 0 > 0, let first = try times(" ORDER BY seq LIMIT 1").first else {
            return nil
        }
        return [Times(event: first.event - rhythm, received: first.received)]
    }

    /// Returns the last row of a kind from each connection.
    private static func lasts(_ kind: EventKind, _ database: Database) throws -> [Times] {
        let others = EventSource.allCases.filter { $0 != .stream }.map(\.rawValue).sqlList
        // With max() in a GROUP BY, SQLite takes the other columns from the row that has the maximum.
        return try times(
            kind, "\(condition(kind)) AND connection NOT IN (\(others)) GROUP BY connection",
            greatest: "max(seq)", database)
    }

    private static func condition(_ kind: EventKind) -> String {
        switch kind {
        case .minuteBar: " AND interval_s = 60 AND source = 'stream'"
        case .secondBar: " AND interval_s = 1 AND source = 'stream'"
        case .trade, .quote, .limitBand, .imbalance, .fairValue: ""
        }
    }

    /// Returns the times of those rows at a table's end that the rest of a statement selects.
    private static func times(
        _ kind: EventKind, _ rest: String, greatest: String = "seq", _ database: Database
    ) throws -> [Times] {
        let table = kind.stream.rawValue
        return try Row.fetchAll(
            database,
            sql: """
                SELECT \(greatest), \(kind.stream.endColumn) AS event, received_us FROM \(table)
                WHERE seq > (SELECT max(seq) FROM \(table)) - \(reach)\(rest)
                """
        ).compactMap { row in
            let row = Cells(row)
            guard let event: Int64 = row["event"], let received: Int64 = row["received_us"] else { return nil }
            return Times(event: UnixTime.bounded(event), received: received / 1000)
        }
    }
}

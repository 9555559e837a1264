import GRDB
import MarketData

/// The times that a file's newest rows show, and what is believed of them. Reads no clock.
///
/// The feed's own times come from a good clock, this machine's may have been anything. So a gap begins at the newest
/// event of its kind. One event from the future moves nothing: it happened at its receipt at the latest. Where most events
/// were received before they happened, it is the clock that was behind, and receipts count so much later.
struct FileTimes: Sendable, Equatable {
    /// A row's times in milliseconds since the Unix epoch.
    struct Times: Sendable, Equatable {
        /// A bar's end, a trade's or quote's own time.
        var event: Int64
        var received: Int64

        /// When the event had come at the latest, and had happened, by a clock that was so much behind: one that was a day
        /// and more behind still is not believed.
        func known(behind: Int64) -> Int64 {
            let latest = received + behind
            return event - latest > FileTimes.day ? event : min(event, latest)
        }
    }

    /// The newest rows of each kind, a few hundred at most.
    var rows: [EventKind: [Times]] = [:]
    /// The last row of each kind that each connection brought.
    var lasts: [EventKind: [Times]] = [:]
    /// The collector's last sign of life, or the file's beginning when it never had any.
    var alive: Int64?
    /// When the file was made, of one that has no predecessor.
    var made: Int64?

    static let day: Int64 = 86_400_000
    /// The years 1990 to 2199: others are no event's.
    private static let possible: Range<Int64> = 631_152_000_000..<7_258_118_400_000
    private static let tolerance: Int64 = 5000
    /// How far a connection may lag behind another for what it had still to read to be missed from there on, in
    /// milliseconds. One that was silent for longer had nothing to bring.
    private static let longestLag: Int64 = 60_000

    /// How far the file came, as seen at `now`; `nil` when nothing in it says.
    func life(now: Int64, told: [Gap] = []) -> PreviousLife? {
        var newest: [EventKind: Int64] = [:]
        var isUncertain = false
        // A little later than now: the clock was set a little back, and the time is none that is still to come.
        let latest = now + Self.tolerance
        for (kind, rows) in rows {
            let behind = behind(kind)
            let known = rows.map { $0.known(behind: behind) }.filter(Self.possible.contains)
            // All still to come: this machine's clock is behind.
            newest[kind] = known.filter { $0 <= latest + behind }.max() ?? known.min()
            if behind > 0 { isUncertain = true }
            if let known = newest[kind] { newest[kind] = slowest(kind, newest: known, behind: behind) }
        }
        let others = rows.values.joined().map(\.received) + [alive].compactMap(\.self)
        if (others + newest.values).contains(where: { $0 > latest }) { isUncertain = true }
        let past = others.filter { $0 <= latest }.max()
        // Where every time is still to come there is nothing better than the least.
        guard let end = (Array(newest.values) + [past].compactMap(\.self)).max() ?? others.min() else { return nil }
        return PreviousLife(
            end: end, newest: newest, made: made.flatMap { end - $0 < Self.longestLag ? $0 : nil }, lateness: lateness,
            told: told.filter { ($0.to ?? .max) <= max(now, end) },
            isUncertain: isUncertain)
    }

    /// How late the events came, as those show that came last: of a delayed feed its delay.
    private var lateness: Int64 {
        let late = lasts.flatMap { kind, lasts in lasts.map { $0.received - $0.known(behind: behind(kind)) } }
        return late.filter { $0 < Self.day }.min().map { max(0, $0) } ?? 0
    }

    /// The time of the newest event of each kind; one that was still to come when it was received is not believed.
    var newest: [EventKind: Int64] {
        rows.reduce(into: [:]) { newest, entry in
            let behind = behind(entry.key)
            newest[entry.key] = entry.value.map { $0.known(behind: behind) }.filter(Self.possible.contains).max()
        }
    }

    /// How far the slowest of the connections had come that brought events of a kind lately.
    private func slowest(_ kind: EventKind, newest: Int64, behind: Int64) -> Int64 {
        let lasts = lasts[kind] ?? []
        let recent = (lasts.map(\.received).max() ?? 0) - Self.longestLag
        let slowest = lasts.filter { $0.received >= recent }.map { $0.known(behind: behind) }.min() ?? newest
        return min(newest, max(slowest, newest - Self.longestLag))
    }

    /// How far the clock was behind when the rows of a kind were received, in milliseconds, as most of them show; 0 for a
    /// few seconds. Where there are few of the kind, most of all show it.
    private func behind(_ kind: EventKind) -> Int64 {
        var leads = leads(rows[kind] ?? [])
        if leads.count < 3 { leads = self.leads(rows.values.joined()) }
        guard !leads.isEmpty else { return 0 }
        let usual = leads.sorted()[(leads.count - 1) / 2]
        return usual > Self.tolerance ? usual : 0
    }

    /// How long after their receipt the events happened.
    private func leads(_ rows: some Sequence<Times>) -> [Int64] {
        rows.filter { Self.possible.contains($0.event) }.map { $0.event - $0.received }
    }
}

extension PreviousLife {
    /// Where losses that were under way end in the file, in milliseconds since the Unix epoch and in the events' own time;
    /// what comes after is the downtime's. A clock that is days ahead of the events may be wrong.
    var lossesEnd: Int64 { min(end - lateness, newest.values.max().map { $0 + FileTimes.day } ?? end) }

    /// How far the events had come, in milliseconds since the Unix epoch.
    var missedSince: Int64 { min(end, newest.values.max() ?? end) }
}

extension FileTimes {
    /// Rows looked at for one kind.
    private static let rowsPerKind = 500
    /// Rows at a table's end among which those, and the last of each connection, are looked for.
    private static let reach = 5000
    /// The longest time from one event of a kind to the next while any come, in milliseconds: a minute bar's.
    private static let rhythm: Int64 = 65_000

    /// Reads the times of a file, over any connection.
    ///
    /// - Parameter guesses: Whether a kind without rows is taken to have come shortly before the rows that are here.
    init(_ database: Database, guesses: Bool = true) throws {
        self.init()
        // A collector that was killed before its first row has left nothing but the file.
        made = try Int64.fetchOne(
            database,
            sql: "SELECT CASE WHEN (SELECT max(deleted_through) FROM streams) = 0 THEN created_us END FROM buffer"
        ).map { $0 / 1000 }
        let hasSigns = try database.columns(in: "buffer").contains { $0.name == "alive_us" }
        let sign = hasSigns ? try Int64.fetchOne(database, sql: "SELECT alive_us FROM buffer") : nil
        alive = sign.map { $0 / 1000 } ?? made
        // Damage among these rows is for those who need the rows to deal with.
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
        // Where older rows are further back or gone, the newest of the kind is among them: it came shortly before those
        // that are here at the latest.
        let count = try Int.fetchOne(
            database, sql: "SELECT count(*) FROM \(table) WHERE seq > (SELECT max(seq) FROM \(table)) - \(reach)")
        let deleted = try Int64.fetchOne(
            database, sql: "SELECT deleted_through FROM streams WHERE stream = ?", arguments: [kind.stream.rawValue])
        guard count ?? 0 >= reach || deleted ?? 0 > 0, let first = try times(" ORDER BY seq LIMIT 1").first else {
            return nil
        }
        return [Times(event: first.event - rhythm, received: first.received)]
    }

    /// The last row of a kind that each connection brought.
    private static func lasts(_ kind: EventKind, _ database: Database) throws -> [Times] {
        let others = EventSource.allCases.filter { $0 != .stream }.map { "'\($0.rawValue)'" }.joined(separator: ", ")
        // Of a group SQLite gives the columns of the row with the greatest.
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

    /// The times of the rows at a table's end that a statement's rest picks.
    private static func times(
        _ kind: EventKind, _ rest: String, greatest: String = "seq", _ database: Database
    ) throws -> [Times] {
        let table = kind.stream.rawValue
        return try Row.fetchAll(
            database,
            sql: """
                SELECT \(greatest), \(kind.stream == .bars ? "end_ms" : "time_ms") AS event, received_us FROM \(table)
                WHERE seq > (SELECT max(seq) FROM \(table)) - \(reach)\(rest)
                """
        ).compactMap { row in
            let row = Cells(row)
            guard let event: Int64 = row["event"], let received: Int64 = row["received_us"] else { return nil }
            return Times(event: UnixTime.bounded(event), received: received / 1000)
        }
    }
}

import GRDB
import MarketData

/// The times that a file's newest rows show, and what is believed of them. Reads no clock.
///
/// The feed's own times come from a good clock, this machine's may have been anything. So a gap begins at the newest
/// event of its kind; a time that is still to come is not believed.
struct FileTimes: Sendable, Equatable {
    /// A row's times in milliseconds since the Unix epoch.
    struct Times: Sendable, Equatable {
        /// A bar's end, a trade's or quote's own time.
        var event: Int64
        var received: Int64

        /// When the event had come at the latest, and had happened: a clock a day and more behind is not believed.
        var known: Int64 { event - received > FileTimes.day ? event : min(event, received) }
    }

    /// The newest rows of each kind, a few hundred at most.
    var rows: [EventKind: [Times]] = [:]
    /// The collector's last sign of life, or the file's beginning when it never had any.
    var alive: Int64?

    static let day: Int64 = 86_400_000
    /// The years 1990 to 2199: others are no event's.
    private static let possible: Range<Int64> = 631_152_000_000..<7_258_118_400_000
    private static let tolerance: Int64 = 5000

    /// How far the file came, as seen at `now`; `nil` when nothing in it says.
    func life(now: Int64, told: [Gap] = []) -> PreviousLife? {
        var newest: [EventKind: Int64] = [:]
        var isUncertain = false
        // A little later than now: the clock was set a little back, and the time is none that is still to come.
        let latest = now + Self.tolerance
        for (kind, rows) in rows {
            let known = rows.map(\.known).filter(Self.possible.contains)
            // All still to come: this machine's clock is behind.
            newest[kind] = known.filter { $0 <= latest }.max() ?? known.min()
        }
        let others = rows.values.joined().map(\.received) + [alive].compactMap(\.self)
        isUncertain = (others + newest.values).contains { $0 > latest }
        let past = others.filter { $0 <= latest }.max()
        // Where every time is still to come there is nothing better than the least.
        guard let end = (Array(newest.values) + [past].compactMap(\.self)).max() ?? others.min() else { return nil }
        return PreviousLife(
            end: end, newest: newest, told: told.filter { ($0.to ?? .max) <= max(now, end) }, isUncertain: isUncertain)
    }
}

extension FileTimes {
    /// Rows looked at for one kind.
    private static let rowsPerKind = 500
    /// Rows at a table's end among which those are looked for.
    private static let reach = 5000
    /// The longest time from one event of a kind to the next while any come, in milliseconds: a minute bar's.
    private static let rhythm: Int64 = 65_000

    /// Reads the times of a file, over any connection.
    ///
    /// - Parameter guesses: Whether a kind without rows is taken to have come shortly before the rows that are here.
    init(_ database: Database, guesses: Bool = true) throws {
        self.init()
        // A collector that was killed before its first row has left nothing but the file.
        let beginning = "CASE WHEN (SELECT max(deleted_through) FROM streams) = 0 THEN created_us END"
        let hasSigns = try database.columns(in: "buffer").contains { $0.name == "alive_us" }
        alive = try Int64.fetchOne(
            database, sql: "SELECT coalesce(\(hasSigns ? "alive_us" : "NULL"), \(beginning)) FROM buffer"
        ).map { $0 / 1000 }
        // Damage among these rows is for those who need the rows to deal with.
        for kind in EventKind.allCases { rows[kind] = try? Self.newest(kind, database, guesses) }
    }

    private static func newest(_ kind: EventKind, _ database: Database, _ guesses: Bool) throws -> [Times]? {
        let table = kind.stream.rawValue
        let condition =
            switch kind {
            case .minuteBar: "interval_s = 60 AND source = 'stream'"
            case .secondBar: "interval_s = 1 AND source = 'stream'"
            case .trade, .quote, .limitBand, .imbalance, .fairValue: "TRUE"
            }
        let select = """
            SELECT \(kind.stream == .bars ? "end_ms" : "time_ms") AS event, received_us FROM \(table)
            WHERE seq > (SELECT max(seq) FROM \(table)) - \(reach)
            """
        func times(_ rest: String) throws -> [Times] {
            try Row.fetchAll(database, sql: select + rest).compactMap { row in
                let row = Cells(row)
                guard let event: Int64 = row["event"], let received: Int64 = row["received_us"] else { return nil }
                return Times(event: event, received: received / 1000)
            }
        }
        let found = try times(" AND \(condition) ORDER BY seq DESC LIMIT \(rowsPerKind)")
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
}

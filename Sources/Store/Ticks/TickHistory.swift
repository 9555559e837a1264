import GRDB
public import MarketData

/// Queries over a buffer's file, for people and programs: bars of a symbol, the newest events, gaps and rows that
/// upstream refused.
///
/// It costs the collector nothing: every query opens a read-only connection, and reads the tables backwards from their
/// newest row in short snapshots, so that no query holds the write-ahead log for long. There is no index by symbol,
/// because one would slow every append: a query scans the rows and reports how far it got. All calls block on the
/// disk, and throw `.missing` when there is no file, and what reading a file throws.
public struct TickHistory: Sendable {
    /// Which bars are asked for.
    public struct BarQuery: Sendable, Equatable {
        /// The ticker.
        public var symbol: Symbol
        /// The bars' length.
        public var interval: Bar.Interval
        /// The first window's start, in milliseconds since the Unix epoch; `nil` for no bound.
        public var from: Int64?
        /// The windows start before this time, in milliseconds since the Unix epoch; `nil` for no bound.
        public var to: Int64?
        /// The maximum number of bars; the newest are kept.
        public var limit: Int

        /// Makes a query; see the properties for units.
        public init(symbol: Symbol, interval: Bar.Interval, from: Int64? = nil, to: Int64? = nil, limit: Int) {
            self.symbol = symbol
            self.interval = interval
            self.from = from
            self.to = to
            self.limit = limit
        }
    }

    /// The result of a query.
    public struct Answer<Value: Sendable>: Sendable {
        /// The values.
        public var values: [Value]
        /// Whether the whole file was read, or enough of it to be sure that nothing is missing.
        public var isComplete = true
    }

    /// Called between two steps of reading with the number of rows read so far and the number of all rows; returning
    /// `false` ends the reading.
    public typealias Pace = (_ read: Int64, _ total: Int64) -> Bool

    /// The number of rows that are read in one snapshot.
    static let step: Int64 = 65_536
    /// The feed resends bars for 15 minutes: a bar that arrived more than this after another is not an older version.
    /// In microseconds.
    static let lateness: Int64 = 16 * 60 * 1_000_000
    /// How far the clock that dated a bar may be ahead of this one's, in microseconds.
    static let clockSlack: Int64 = 60 * 1_000_000

    private let file: StoreFile

    /// The history in a data directory; opens nothing yet.
    public init(directory: String) {
        file = StoreFile(.ticks, in: directory)
    }

    /// Returns the newest bars in the query's range, each in its newest version, oldest first.
    public func bars(_ query: BarQuery, pace: Pace = { _, _ in true }) throws(StoreError) -> Answer<Bar> {
        try reading { database in
            var newest: [Int64: Bar] = [:]
            // When the last bar that was needed arrived: bars that arrived shortly before it may still be newer than
            // others found.
            var enoughSince: Int64?
            // What was received before a time belongs to windows that began before it.
            let first = query.from.map { Self.microseconds($0) - Self.clockSlack }
            let isComplete = try walk(database, .bars, pace: pace) { database, range in
                let enough = enoughSince.flatMap { since in
                    newest.keys.sorted().suffix(query.limit).first.map {
                        Self.enough(since: since - Self.lateness, oldest: $0)
                    }
                }
                if let earliest = [first, enough].compactMap({ $0 }).max(),
                    let received = try ReceiptOrder.receipt(.bars, through: range.upperBound, database),
                    received < earliest
                {
                    return false
                }
                let rows = try Row.fetchCursor(
                    database,
                    sql: """
                        SELECT * FROM bars
                        WHERE seq BETWEEN ?1 AND ?2 AND interval_s = ?3 AND symbol = ?4
                            AND (?5 IS NULL OR start_ms >= ?5) AND (?6 IS NULL OR start_ms < ?6)
                        ORDER BY seq DESC
                        """,
                    arguments: [
                        range.lowerBound, range.upperBound, query.interval.rawValue, query.symbol.description,
                        query.from, query.to,
                    ])
                while let row = try rows.next() {
                    guard let bar = Bar(row), newest[bar.start] == nil else { continue }
                    newest[bar.start] = bar
                    if enoughSince == nil, newest.count >= query.limit { enoughSince = Cells(row)["received_us"] }
                }
                return true
            }
            let bars = newest.values.sorted { $0.start < $1.start }
            return Answer(values: Array(bars.suffix(max(0, query.limit))), isComplete: isComplete)
        }
    }

    /// Returns the newest events of all streams, newest first; of one symbol, or of all.
    public func newest(
        symbol: Symbol?, limit: Int, pace: Pace = { _, _ in true }
    ) throws(StoreError) -> Answer<StoredEvent> {
        try reading { database in
            var found: [StoredEvent] = []
            var isComplete = true
            for stream in EventStream.allCases {
                var own = 0
                isComplete =
                    try walk(database, stream, pace: pace) { database, range in
                        let rows = try Row.fetchCursor(
                            database,
                            sql: """
                                SELECT * FROM \(stream.rawValue)
                                WHERE seq BETWEEN ?1 AND ?2 AND (?3 IS NULL OR symbol = ?3) ORDER BY seq DESC LIMIT ?4
                                """,
                            arguments: [range.lowerBound, range.upperBound, symbol?.description, limit - own])
                        while let row = try rows.next() {
                            own += 1
                            if let event = StoredEvent(row, of: stream) { found.append(event) }
                        }
                        return own < limit
                    } && isComplete
            }
            found.sort { $0.receivedMicroseconds > $1.receivedMicroseconds }
            return Answer(values: Array(found.prefix(limit)), isComplete: isComplete)
        }
    }

    /// Returns the rows of a stream after a sequence, in order, at most `limit`; with `nil`, only the last sequence.
    ///
    /// - Returns: The events, and the sequence to continue from. If the file has not come that far, because another
    ///   file took its place, that is the sequence of its last row.
    public func events(
        of stream: EventStream, after sequence: Int64?, limit: Int
    ) throws(StoreError) -> (events: [StoredEvent], last: Int64) {
        try snapshot { database in
            guard let sequence, try database.tableExists(stream.rawValue) else {
                return ([], try Self.bounds(database, stream)?.upperBound ?? 0)
            }
            let rows = try Row.fetchAll(
                database, sql: "SELECT * FROM \(stream.rawValue) WHERE seq > ? ORDER BY seq LIMIT ?",
                arguments: [sequence, limit])
            let last: Int64? = rows.last?["seq"]
            let end = try last ?? min(sequence, Self.bounds(database, stream)?.upperBound ?? 0)
            return (rows.compactMap { StoredEvent($0, of: stream) }, end)
        }
    }

    /// Returns the rows that upstream refused, newest first; of one stream, or of all.
    public func deadLetters(of stream: EventStream? = nil, limit: Int) throws(StoreError) -> [DeadLetter] {
        try snapshot { database in
            try Row.fetchAll(
                database,
                sql: "SELECT * FROM dead_letters WHERE ?1 IS NULL OR stream = ?1 ORDER BY rowid DESC LIMIT ?2",
                arguments: [stream?.rawValue, limit]
            ).map(Cells.init).compactMap { row in
                guard let stream = row["stream"].flatMap({ EventStream(rawValue: $0) }),
                    let sequence: Int64 = row["seq"]
                else { return nil }
                return DeadLetter(
                    stream: stream, sequence: sequence, sqlState: row["sql_state"] ?? "",
                    reason: row["reason"] ?? "", row: row["row_json"] ?? "", time: row["at_ms"] ?? 0)
            }
        }
    }

    /// Returns how many rows upstream refused for which reasons, the most recently refused first.
    public func deadLetterGroups() throws(StoreError) -> [DeadLetterGroup] {
        let rows = try snapshot { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT stream, sql_state, reason, count(*) AS letters, min(at_ms) AS first, max(at_ms) AS last
                    FROM dead_letters GROUP BY stream, sql_state, reason ORDER BY last DESC
                    """
            ).map(Cells.init)
        }
        var groups: [DeadLetterGroup] = []
        for row in rows {
            guard let stream = row["stream"].flatMap({ EventStream(rawValue: $0) }) else { continue }
            let reason: String = row["reason"] ?? ""
            let (state, constraint) = (row["sql_state"] ?? "", DeadLetter.constraint(in: reason))
            let (count, first, last): (Int, Int64, Int64) = (row["letters"] ?? 0, row["first"] ?? 0, row["last"] ?? 0)
            let known = groups.firstIndex {
                $0.stream == stream && $0.sqlState == state && $0.constraint == constraint
            }
            if let known {
                groups[known].count += count
                groups[known].first = min(groups[known].first, first)
            } else {
                groups.append(
                    DeadLetterGroup(
                        stream: stream, sqlState: state, constraint: constraint, count: count, first: first,
                        last: last, reason: reason))
            }
        }
        return groups
    }

    /// Returns the receipt, in microseconds, before which there is nothing newer than what was found. Backfilled rows
    /// are received last and may be old, so enough rows are not necessarily the newest.
    ///
    /// - Parameters:
    ///   - received: When the row that completed the limit was received, in microseconds.
    ///   - oldest: The time of the oldest event that is kept, in milliseconds.
    static func enough(since received: Int64, oldest: Int64) -> Int64 {
        min(received, microseconds(oldest) - clockSlack)
    }

    /// Converts milliseconds to microseconds; bounded, since a row that another program wrote may have any time.
    static func microseconds(_ milliseconds: Int64) -> Int64 { min(max(milliseconds, 0), 1 << 50) * 1000 }

    func reading<Value>(_ body: (DatabaseQueue) throws -> Value) throws(StoreError) -> Value {
        guard file.inode != nil else { throw StoreError(.missing, operation: "read", path: file.path) }
        return try StoreConnection.reading(file.path, body)
    }

    /// Reads the file in one snapshot.
    func snapshot<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
        try reading { connection in try connection.read(body) }
    }

    /// Reads a stream backwards, one snapshot per step, until `body` has enough; returns whether nothing was left out.
    func walk(
        _ connection: DatabaseQueue, _ stream: EventStream, pace: Pace,
        _ body: (Database, ClosedRange<Int64>) throws -> Bool
    ) throws -> Bool {
        guard let bounds = try connection.read({ try Self.bounds($0, stream) }) else { return true }
        return try walk(connection, stream, bounds, pace: pace, body)
    }

    /// Reads rows backwards, one snapshot per step; missing numbers are skipped, however many there are.
    func walk(
        _ connection: DatabaseQueue, _ stream: EventStream, _ bounds: ClosedRange<Int64>, pace: Pace,
        _ body: (Database, ClosedRange<Int64>) throws -> Bool
    ) throws -> Bool {
        var end = bounds.upperBound
        while end >= bounds.lowerBound {
            let goesOn = try connection.read { database in
                let last = try Int64.fetchOne(
                    database, sql: "SELECT max(seq) FROM \(stream.rawValue) WHERE seq <= ?", arguments: [end])
                guard let last, last >= bounds.lowerBound else { return false }
                let start = max(bounds.lowerBound, last - Self.step + 1)
                end = start - 1
                return try body(database, start...last)
            }
            guard goesOn, end >= bounds.lowerBound else { return true }
            guard pace(bounds.upperBound - end, bounds.upperBound - bounds.lowerBound + 1) else { return false }
        }
        return true
    }

    /// Returns the first and the last number of a stream's rows; `nil` if it has none. A row before the first number
    /// that is ever given was written by another program and doesn't count.
    ///
    /// - Throws: `.damaged` if the last number was never given.
    static func bounds(_ database: Database, _ stream: EventStream) throws -> ClosedRange<Int64>? {
        let table = stream.rawValue
        // A file of an older version lacks some streams.
        guard try database.tableExists(table),
            let first = try Int64.fetchOne(
                database, sql: "SELECT seq FROM \(table) WHERE seq > 0 ORDER BY seq LIMIT 1"),
            let last = try Int64.fetchOne(database, sql: "SELECT seq FROM \(table) ORDER BY seq DESC LIMIT 1")
        else { return nil }
        guard TickConnection.possibleSequences.contains(last) else { throw TickConnection.neverGiven(stream) }
        return first...last
    }
}

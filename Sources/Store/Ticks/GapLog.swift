import GRDB
public import MarketData

/// What became of a gap.
public enum GapState: String, Sendable, Hashable, CaseIterable, Codable {
    /// Not backfilled yet, or only in part.
    case open
    /// What the REST API has is in the buffer.
    case filled
    /// Part of it is in the buffer, for instance the bars but no trades. The detail says what is missing.
    case partial
    /// Nothing was traded then.
    case empty
    /// The REST API does not have what is missing, or may not be asked for it.
    case unfillable
    /// Other boxes of the group missed nothing then, and their rows are upstream.
    case covered

    /// The states in which missing events may still come: from the REST API when it is asked again, or from another
    /// box.
    public static let unsettled: Set<GapState> = [.open, .partial]
    /// The states in which events are missing, and won't come unless a person removes the reason.
    static let givenUp: Set<GapState> = [.partial, .unfillable]
    /// The states in which events are missing in the buffer's file, whether they may still come or are elsewhere.
    public static let lacking: Set<GapState> = [.open, .partial, .unfillable, .covered]
    /// The states in which no event is missing.
    static let whole = Set(allCases).subtracting(lacking)
}

/// A gap as it is stored in the buffer's file.
public struct GapRecord: Sendable, Equatable {
    /// The row's number.
    public var id: Int64
    /// The gap.
    public var gap: Gap
    /// What became of it.
    public var state: GapState
    /// The reason for the state, in words.
    public var detail: String?
    /// The number of bars that filled it, if it was read: see ``GapFills``.
    public var rows: Int
    /// The number of trades and quotes that filled it, if it was read.
    public var ticks = 0
    /// When it was recorded, in milliseconds since the Unix epoch.
    public var recorded: Int64
    /// The symbols that were asked for already, by kind of event, for the kinds that were read.
    public var settled: [EventKind: Set<Symbol>]
}

/// How much is read about the filling of gaps. One gap may have a row for each symbol and kind.
public enum GapFills: Sendable, Hashable {
    /// Nothing.
    case none
    /// How many rows it brought.
    case counts
    /// Also the symbols that were asked for, of these kinds.
    case symbols(Set<EventKind>)

    /// Everything, which ``GapRecord/settled`` must have for a gap that is to be filled.
    public static let all = GapFills.symbols(Set(EventKind.allCases))
}

/// An open gap that is over, and so waits to be filled.
public struct WaitingGap: Sendable, Hashable {
    /// The row's number.
    public let id: Int64
    /// When the gap ended, in milliseconds since the Unix epoch.
    public let end: Int64
    /// When it was recorded, in milliseconds since the Unix epoch.
    public let recorded: Int64

    /// Makes the value of a gap that was read; `nil` if the gap doesn't wait.
    public init?(_ record: GapRecord) {
        guard record.state == .open, let end = record.gap.to else { return nil }
        (self.id, self.end, self.recorded) = (record.id, end, record.recorded)
    }

    /// Reads a row of `gaps` as ``GapRecord`` has it.
    fileprivate init?(_ row: Row) throws(StoreError) {
        let cells = Cells(row)
        guard let to: Int64 = cells["to_ms"] else { return nil }
        let microseconds: Int64 = cells["recorded_us"] ?? 0
        id = try cells.required("id")
        end = max(UnixTime.bounded(cells["from_ms"] ?? 0), UnixTime.bounded(to))
        recorded = microseconds / 1000
    }
}

/// A step of filling a gap: symbols that were asked for, or what became of the whole.
public struct GapFill: Sendable {
    /// The gap's number.
    public var gap: Int64
    /// The end that the gap had when the backfill began, in milliseconds since the Unix epoch. If it has another end by
    /// now, it was extended, and nothing is stored.
    public var to: Int64?
    /// When the gap was recorded, in milliseconds since the Unix epoch. If a gap of this number was recorded at another
    /// time, a fresh file has given the number to another gap, and nothing is stored.
    public var recorded: Int64
    /// The symbols that were asked for, with the number of rows that each brought.
    public var symbols: [(symbol: Symbol, rows: Int)]
    /// The kind of event that was asked for.
    public var event: EventKind
    /// The gap's new state; `nil` leaves it unchanged.
    public var state: GapState?
    /// The reason for the state, in words.
    public var detail: String?

    /// Makes a step; see the properties for meaning.
    public init(
        of record: GapRecord, symbols: [(symbol: Symbol, rows: Int)] = [], event: EventKind = .minuteBar,
        state: GapState? = nil, detail: String? = nil
    ) {
        gap = record.id
        to = record.gap.to
        recorded = record.recorded
        self.symbols = symbols
        self.event = event
        self.state = state
        self.detail = detail
    }
}

/// Reads gaps, and the bars around them, from a buffer's file: without the lock, whether a collector runs or not.
///
/// All calls block on the disk, and throw `.missing` when there is no file, and what reading a file throws.
public enum GapLog {
    /// Returns how many gaps are in one of these states.
    public static func count(directory: String, states: Set<GapState>) throws(StoreError) -> Int64 {
        try reading(directory) { database in
            try Int64.fetchOne(
                database, sql: "SELECT count(*) FROM gaps WHERE state IN (\(states.map(\.rawValue).sqlList))") ?? 0
        }
    }

    /// Returns the gaps in the order in which they were recorded.
    ///
    /// - Parameters:
    ///   - states: Returns only gaps in these states.
    ///   - span: Returns only gaps that have a moment of this span, in milliseconds since the Unix epoch; `nil` for any
    ///     time.
    ///   - id: Returns only gaps with a lower number.
    ///   - limit: The maximum number of gaps; the newest are returned.
    ///   - fills: What is read about their filling.
    public static func read(
        directory: String, states: Set<GapState> = Set(GapState.allCases), overlapping span: ClosedRange<Int64>? = nil,
        before id: Int64 = .max, limit: Int = 10_000, fills: GapFills = .counts
    ) throws(StoreError) -> [GapRecord] {
        try reading(directory) { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT \(columns)
                    FROM gaps WHERE state IN (\(states.map(\.rawValue).sqlList)) AND id < ?1 AND \(isWithin)
                    ORDER BY id DESC LIMIT ?4
                    """, arguments: [id, span?.upperBound, span?.lowerBound, limit])
            return try rows.reversed().map { row in try record(row, fills, database) }
        }
    }

    /// Returns every open gap that is over, in the order in which they were recorded. Many may wait, and each may have
    /// the symbols of a whole market, so only their times are read.
    static func waiting(directory: String) throws(StoreError) -> [WaitingGap] {
        try reading(directory) { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT id, from_ms, to_ms, recorded_us FROM gaps
                    WHERE state = '\(GapState.open.rawValue)' AND to_ms IS NOT NULL ORDER BY id
                    """)
            var waiting: [WaitingGap] = []
            while let row = try rows.next() {
                if let gap = try WaitingGap(row) { waiting.append(gap) }
            }
            return waiting
        }
    }

    /// Returns the gaps with these numbers that are in the file, in the order in which they were recorded.
    static func read(directory: String, numbers: [Int64], fills: GapFills) throws(StoreError) -> [GapRecord] {
        try reading(directory) { database in
            let list = numbers.map { "\($0)" }.joined(separator: ", ")
            let rows = try Row.fetchAll(
                database, sql: "SELECT \(columns) FROM gaps WHERE id IN (\(list)) ORDER BY id")
            return try rows.map { row in try record(row, fills, database) }
        }
    }

    private static let columns =
        "id, connection, symbols, events, from_ms, to_ms, cause, recorded_us, state, detail, uncertain"

    /// Passes to `each` the gaps in which the file lacks a symbol's events of a kind, in the order in which they were
    /// recorded, each as a gap of these events alone. Gaps for which the symbol was asked for are left out.
    ///
    /// - Parameter span: Passes only gaps that have a moment of this span, in milliseconds since the Unix epoch.
    public static func lacking(
        _ kind: EventKind, of symbol: Symbol, in span: ClosedRange<Int64>, directory: String, each: (Gap) -> Void
    ) throws(StoreError) {
        try reading(directory) { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT connection, ?1 AS symbols, ?4 AS events, from_ms, to_ms, cause, uncertain
                    FROM gaps WHERE state IN (\(GapState.lacking.map(\.rawValue).sqlList)) AND \(isWithin)
                        AND instr(',' || gaps.events || ',', ',' || ?4 || ',')
                        AND (gaps.symbols = '*' OR instr(',' || gaps.symbols || ',', ',' || ?1 || ','))
                        AND NOT EXISTS (SELECT 1 FROM gap_fills WHERE gap = gaps.id AND symbol = ?1 AND event = ?4)
                    ORDER BY id
                    """, arguments: [symbol.description, span.upperBound, span.lowerBound, kind.rawValue])
            while let row = try rows.next() { each(Gap(row)) }
        }
    }

    /// The condition on a gap's times. Its parameters are the end (2) and the start (3) of a span; NULL for any time.
    private static let isWithin = """
        (?2 IS NULL OR from_ms <= ?2) AND (?3 IS NULL OR to_ms IS NULL OR max(from_ms, to_ms) >= ?3)
        """

    /// Returns the newest versions of the buffer's bars of some symbols and one length, within a span of their starts,
    /// and what brought each.
    ///
    /// - Parameter received: A time before which none of them was received, in milliseconds since the Unix epoch; `nil`
    ///   if that is not known. All rows since then are read.
    public static func bars(
        directory: String, symbols: Set<Symbol>, interval: Bar.Interval, starts: ClosedRange<Int64>, received: Int64?
    ) throws(StoreError) -> [Symbol: [Int64: (bar: Bar, source: EventSource)]] {
        try reading(directory) { database in
            let first = try received.map { try sequence(receivedFrom: $0 * 1000, database) } ?? 0
            var found: [Symbol: [Int64: (bar: Bar, source: EventSource)]] = [:]
            try versions(of: symbols, interval, starts, from: first, database) { row, _ in
                found[row.event.symbol, default: [:]][row.event.start] = (row.event, row.source)
            }
            return found
        }
    }

    /// Returns those versions of some bars that the stream brought after a sequence, and that a fetched version without
    /// more volume has replaced since.
    public static func overtaken(
        directory: String, symbols: Set<Symbol>, interval: Bar.Interval, starts: ClosedRange<Int64>,
        after sequence: Int64
    ) throws(StoreError) -> [Bar] {
        try reading(directory) { database in
            var streamed: [Symbol: [Int64: Bar]] = [:]
            var overtaken: [Symbol: [Int64: Bar]] = [:]
            try versions(of: symbols, interval, starts, from: sequence + 1, database) { row, connection in
                let (bar, symbol, start) = (row.event, row.event.symbol, row.event.start)
                let isFetched = row.source == .backfill || row.source.isCorrection(connection: connection)
                if isFetched, let last = streamed[symbol]?[start], last.volume >= bar.volume, last != bar {
                    overtaken[symbol, default: [:]][start] = last
                } else {
                    overtaken[symbol]?[start] = nil
                }
                // A comparison of the day with the tape may lower a bar's volume.
                if !isFetched { streamed[symbol, default: [:]][start] = row.source == .stream ? bar : nil }
            }
            return overtaken.values.flatMap(\.values)
        }
    }

    /// Passes the versions of some bars of one length to `each`, in the order of their sequences, with their
    /// connections.
    private static func versions(
        of symbols: Set<Symbol>, _ interval: Bar.Interval, _ starts: ClosedRange<Int64>, from first: Int64,
        _ database: Database, each: (_ row: Buffered<Bar>, _ connection: String) -> Void
    ) throws(StoreError) {
        let rows = try PreparedStatement(
            reading: """
                SELECT \(EventStream.bars.columnList) FROM bars
                WHERE seq >= ?1 AND interval_s = ?2 AND start_ms BETWEEN ?3 AND ?4 ORDER BY seq
                """, on: database)
        var run = BatchRun(stream: .bars)
        try rows.forEach([first, Int64(interval.rawValue), starts.lowerBound, starts.upperBound]) { row in
            guard let symbol = Symbol(utf8: row.bytes(2)), symbols.contains(symbol) else { return }
            run.append(row)
            if let last = run.batch.bars.popLast() { each(last, run.batch.connections[Int(last.connection)]) }
        }
    }

    /// Returns the time of the newest event of each kind that the feed brought into the file, in milliseconds since the
    /// Unix epoch; a kind without a row near the end is left out. An event that was dated after its receipt counts from
    /// its receipt.
    public static func newestEvents(directory: String) throws(StoreError) -> [EventKind: Int64] {
        try reading(directory) { try FileTimes($0, guesses: false).newest }
    }

    /// Returns whether rows of a stream are no longer here, because they were deleted or were in a file that this one
    /// replaced, and the time of the first row that is here, in milliseconds since the Unix epoch. A row that was
    /// received after its event, as one that filled a gap, counts from its receipt: what came before that is not here.
    public static func beginning(
        of stream: EventStream, directory: String
    ) throws(StoreError) -> (hasForgotten: Bool, oldest: Int64?) {
        try reading(directory) { database in
            let hasForgotten = try Bool.fetchOne(
                database,
                sql: """
                    SELECT deleted_through > 0 OR EXISTS (SELECT 1 FROM incidents WHERE what IN (?2, ?3, ?4))
                    FROM streams WHERE stream = ?1
                    """,
                arguments: [stream.rawValue, Incident.setAside, Incident.setAsideAtStart, Incident.foundEmpty])
            let oldest = try Int64.fetchOne(
                database,
                sql: """
                    SELECT max(\(stream.timeColumn), received_us / 1000) FROM \(stream.rawValue) ORDER BY seq LIMIT 1
                    """)
            return (hasForgotten ?? false, oldest)
        }
    }

    /// Returns whether the file may have lost rows of a stream to damage, with times in a span, in milliseconds since
    /// the Unix epoch. `edgetick repair` records each such loss as a gap, at the time of its incident; other gaps with
    /// this cause are of events that the feed sent damaged.
    public static func hasLostRows(
        of stream: EventStream, in span: ClosedRange<Int64>, directory: String
    ) throws(StoreError) -> Bool {
        try reading(directory) { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM gaps WHERE cause = ? AND symbols = '*' AND from_ms <= ? AND to_ms >= ?
                    AND recorded_us IN (SELECT at_us FROM incidents WHERE what = ?)
                    """,
                arguments: [Gap.Cause.damaged.rawValue, span.upperBound, span.lowerBound, Incident.repaired])
            return rows.contains { row in Gap(row).events.contains { $0.stream == stream } }
        }
    }

    /// Reads the file in a directory over a connection of its own.
    static func reading<Result>(
        _ directory: String, _ body: (Database) throws -> Result
    ) throws(StoreError) -> Result {
        let file = StoreFile(.ticks, in: directory)
        try file.check(to: "read")
        return try StoreConnection.reading(file.path) { try $0.read(body) }
    }

    private static func record(_ row: Row, _ fills: GapFills, _ database: Database) throws -> GapRecord {
        let cells = Cells(row)
        let id: Int64 = try cells.required("id")
        let recorded: Int64 = cells["recorded_us"] ?? 0
        var record = GapRecord(
            id: id, gap: Gap(row), state: cells["state"].flatMap { GapState(rawValue: $0) } ?? .open,
            detail: cells["detail"], rows: 0, recorded: recorded / 1000, settled: [:])
        guard fills != .none else { return record }
        // Each is bounded, since a sum that is too large would be an error.
        let sums = try Row.fetchAll(
            database,
            sql: """
                SELECT event, sum(min(max(CAST(rows AS INTEGER), 0), 1 << 40)) AS rows FROM gap_fills WHERE gap = ?
                GROUP BY event
                """, arguments: [id])
        for sum in sums.map(Cells.init) {
            guard let kind = sum["event"].flatMap({ EventKind(rawValue: $0) }) else { continue }
            if kind.stream == .bars { record.rows += sum.count("rows") } else { record.ticks += sum.count("rows") }
        }
        guard case .symbols(let kinds) = fills else { return record }
        let asked = try Row.fetchCursor(
            database,
            sql: "SELECT symbol, event FROM gap_fills WHERE gap = ? AND event IN (\(kinds.map(\.rawValue).sqlList))",
            arguments: [id])
        while let fill = try asked.next().map(Cells.init) {
            guard let name: String = fill["symbol"], let symbol = Symbol(name),
                let kind = fill["event"].flatMap({ EventKind(rawValue: $0) })
            else { continue }
            record.settled[kind, default: []].insert(symbol)
        }
        return record
    }

    /// Returns the first row of `bars` that was received at a time or later.
    static func sequence(receivedFrom microseconds: Int64, _ database: Database) throws -> Int64 {
        guard let bounds = try TickHistory.bounds(database, .bars) else { return 0 }
        return try ReceiptOrder.first(of: .bars, in: bounds, receivedFrom: microseconds, database)
    }
}

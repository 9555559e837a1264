import GRDB
public import MarketData

/// Checks a file against a feed that numbers its events without a break, as the synthetic market does: trades by their
/// id, trades and quotes together by their sequence, bars by their start. Shows which events are missing and which are
/// there twice.
///
/// Reads every row; made for demonstrations and tests.
public struct BufferAudit: Sendable, Equatable {
    /// One stream's events.
    public struct Stream: Sendable, Equatable {
        /// Rows in the table.
        public var rows = 0
        /// Different events among them.
        public var events = 0
        /// Events that are missing between others.
        public var missing = 0
        /// Of these, the ones that a recorded gap covers.
        public var missingInGaps = 0
    }

    /// The streams.
    public let streams: [EventStream: Stream]

    /// One stream's numbers.
    public subscript(_ stream: EventStream) -> Stream { streams[stream] ?? Stream() }

    /// Reads the file in a data directory; blocks for as long as reading every row takes.
    public static func read(directory: String) throws(StoreError) -> BufferAudit {
        try GapLog.reading(directory) { try BufferAudit($0) }
    }
}

extension BufferAudit {
    private init(_ database: Database) throws {
        let bars = try Self.stream(
            database, "bars", step: "start_ms / (1000 * interval_s)", time: "start_ms", of: ["symbol", "interval_s"])
        let trades = try Self.stream(
            database, "trades", step: "CAST(trade_id AS INTEGER)", time: "time_ms", of: ["symbol"])
        let ticks = try Self.stream(
            database,
            "(SELECT symbol, sequence, time_ms FROM trades UNION ALL SELECT symbol, sequence, time_ms FROM quotes)",
            step: "sequence", time: "time_ms", of: ["symbol"])
        let quotes = Stream(
            rows: ticks.rows - trades.rows, events: ticks.events - trades.events,
            missing: ticks.missing - trades.missing, missingInGaps: ticks.missingInGaps - trades.missingInGaps)
        streams = [.bars: bars, .trades: trades, .quotes: quotes]
    }

    private static func stream(
        _ database: Database, _ table: String, step: String, time: String, of group: [String]
    ) throws -> Stream {
        let group = group.joined(separator: ", ")
        let row = try Row.fetchOne(
            database,
            sql: """
                WITH numbered AS (SELECT \(group), \(step) AS number, min(\(time)) AS time, count(*) AS copies
                        FROM \(table) GROUP BY \(group), number),
                    steps AS (SELECT symbol, number, time, copies,
                            number - lag(number) OVER (PARTITION BY \(group) ORDER BY number) - 1 AS missing,
                            lag(time) OVER (PARTITION BY \(group) ORDER BY number) AS before
                        FROM numbered)
                SELECT coalesce(sum(copies), 0) AS rows, count(*) AS events, coalesce(sum(missing), 0) AS missing,
                    coalesce(sum(CASE WHEN missing > 0 AND EXISTS (
                        SELECT 1 FROM gaps WHERE (symbols = '*' OR ',' || symbols || ',' LIKE '%,' || symbol || ',%')
                            AND from_ms <= time AND (to_ms IS NULL OR to_ms >= before)) THEN missing END), 0) AS covered
                FROM steps
                """)
        guard let row else { return Stream() }
        return Stream(
            rows: row["rows"], events: row["events"], missing: row["missing"], missingInGaps: row["covered"])
    }
}

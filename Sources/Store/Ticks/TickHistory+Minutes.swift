import GRDB
public import MarketData

/// Finds out which minute bars a file has, and which it knows to be missing.
extension TickHistory {
    /// How far ``minuteBars(starts:pace:each:)`` got.
    public struct MinuteReading: Sendable, Equatable {
        /// Whether all rows that may hold such a bar were read.
        public var isComplete = true
        /// When the oldest row was received, in milliseconds since the Unix epoch; `nil` if no row was ever deleted.
        public var heldSince: Int64?
    }

    /// Reports the minute bars that start within a span, one call per row, from the newest step of rows backwards: a
    /// bar that has several versions is reported several times.
    public func minuteBars(
        starts: Range<Int64>, pace: Pace = { _, _ in true }, each: (_ symbol: Symbol, _ start: Int64) -> Void
    ) throws(StoreError) -> MinuteReading {
        try reading { connection in
            var found = MinuteReading()
            let earliest = ReceiptOrder.earliest(ofEventsFrom: starts.lowerBound)
            found.isComplete = try walk(connection, .bars, pace: pace) { database, range in
                let received = try ReceiptOrder.receipt(.bars, through: range.upperBound, database)
                if let received, received < earliest { return false }
                let bars = try PreparedStatement(
                    reading: """
                        SELECT symbol, start_ms FROM bars
                        WHERE seq BETWEEN ?1 AND ?2 AND interval_s = 60 AND start_ms >= ?3 AND start_ms < ?4
                        """, on: database)
                return try bars.rows([range.lowerBound, range.upperBound, starts.lowerBound, starts.upperBound]) {
                    row in
                    if let symbol = Symbol(utf8: row.bytes(0)), let start = row.integer(1) { each(symbol, start) }
                    return true
                }
            }
            // Only now, because rows may have been deleted before they were read.
            found.heldSince = try connection.read { try Self.heldSince(.bars, $0) }
            return found
        }
    }

    /// Returns the spans of the starts of bars that were dropped, clamped to a span, by symbol; `nil` if the symbol is
    /// not known.
    public func lostBars(
        within span: Range<Int64>
    ) throws(StoreError) -> [(symbol: Symbol?, starts: ClosedRange<Int64>)] {
        try snapshot { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT symbol, from_ms, to_ms FROM drops WHERE stream = 'bars' AND from_ms < ? AND to_ms >= ?",
                arguments: [span.upperBound, span.lowerBound])
            return rows.map(Cells.init).compactMap { row in
                guard let from: Int64 = row["from_ms"], let to: Int64 = row["to_ms"], from <= to else { return nil }
                let name: String = row["symbol"] ?? "*"
                let starts = (from...to).clamped(to: span.lowerBound...span.upperBound)
                return (name == "*" ? nil : Symbol(name), starts)
            }
        }
    }
}

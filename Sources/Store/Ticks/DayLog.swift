import GRDB
public import MarketData

/// Reads what a buffer's file knows of whole days, as ``GapLog`` reads gaps.
public enum DayLog {
    /// Returns what comparisons with the tape found, by day and symbol.
    ///
    /// - Parameter days: Returns only these days; all by default.
    public static func reconciled(
        directory: String, days: ClosedRange<TradingDay>? = nil
    ) throws(StoreError) -> [ReconciledDay] {
        try GapLog.reading(directory) { database in
            // A file of an earlier version that no collector has opened since lacks the table.
            guard try database.tableExists("reconciled") else { return [] }
            let span = days.map { "WHERE day BETWEEN '\($0.lowerBound)' AND '\($0.upperBound)'" } ?? ""
            return try Row.fetchAll(
                database, sql: "SELECT \(ReconciledDay.columnList) FROM reconciled \(span) ORDER BY day, symbol"
            ).compactMap { ReconciledDay(Cells($0)) }
        }
    }

    /// Returns the minute bars of some symbols that start within a span, in the order of their rows: of several
    /// versions the last is the newest. Reads the rows received since a day before the span.
    public static func minuteBars(
        directory: String, symbols: Set<Symbol>, starts: Range<Int64>
    ) throws(StoreError) -> [Symbol: [DayBar]] {
        try GapLog.reading(directory) { database in
            let earliest = ReceiptOrder.earliest(ofEventsFrom: starts.lowerBound)
            let first = try GapLog.sequence(receivedFrom: earliest, database)
            let bars = try PreparedStatement(
                reading: """
                    SELECT seq, start_ms, symbol, open, high, low, close, volume, vwap FROM bars
                    WHERE seq >= ?1 AND interval_s = 60 AND start_ms >= ?2 AND start_ms < ?3 ORDER BY seq
                    """, on: database)
            var found: [Symbol: [DayBar]] = [:]
            try bars.forEach([first, starts.lowerBound, starts.upperBound]) { row in
                guard let symbol = Symbol(utf8: row.bytes(2)), symbols.contains(symbol) else { return }
                found[symbol, default: []].append(
                    DayBar(
                        start: row.integer(1) ?? 0, open: row.number(3) ?? .nan, high: row.number(4) ?? .nan,
                        low: row.number(5) ?? .nan, close: row.number(6) ?? .nan, volume: row.number(7) ?? .nan,
                        vwap: row.number(8), sequence: row.integer(0) ?? 0))
            }
            return found
        }
    }

    /// Returns the rows with some numbers as whole bars, by number; rows that are gone are left out.
    public static func bars(directory: String, sequences: [Int64]) throws(StoreError) -> [Int64: Bar] {
        guard !sequences.isEmpty else { return [:] }
        return try GapLog.reading(directory) { database in
            var found: [Int64: Bar] = [:]
            for sequence in sequences {
                let row = try Row.fetchOne(database, sql: "SELECT * FROM bars WHERE seq = ?", arguments: [sequence])
                found[sequence] = row.flatMap { Bar($0) }
            }
            return found
        }
    }

    /// Returns when the file was made, in milliseconds since the Unix epoch.
    public static func made(directory: String) throws(StoreError) -> Int64? {
        try GapLog.reading(directory) { database in
            try Int64.fetchOne(database, sql: "SELECT created_us / 1000 FROM buffer")
        }
    }

    /// Returns the symbols with minute bars that start within a span.
    public static func symbols(directory: String, starts: Range<Int64>) throws(StoreError) -> [Symbol] {
        try GapLog.reading(directory) { database in
            let earliest = ReceiptOrder.earliest(ofEventsFrom: starts.lowerBound)
            let first = try GapLog.sequence(receivedFrom: earliest, database)
            return try String.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT symbol FROM bars
                    WHERE seq >= ? AND interval_s = 60 AND start_ms >= ? AND start_ms < ?
                    """, arguments: [first, starts.lowerBound, starts.upperBound]
            ).compactMap { Symbol($0) }.sorted()
        }
    }

    /// Returns the trading halts of some symbols within a span, from LULD messages: each lasts from indicator 17 to
    /// indicator 18, or to the end of the span.
    public static func halts(
        directory: String, symbols: Set<Symbol>, within span: Range<Int64>
    ) throws(StoreError) -> [Symbol: [Range<Int64>]] {
        try GapLog.reading(directory) { database in
            guard try database.tableExists("luld") else { return [:] }
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT symbol, time_ms, indicators FROM luld
                    WHERE time_ms >= ? AND time_ms < ? AND indicators IS NOT NULL ORDER BY time_ms, seq
                    """, arguments: [span.lowerBound, span.upperBound])
            var halts: [Symbol: [Range<Int64>]] = [:]
            var begun: [Symbol: Int64] = [:]
            while let cells = try rows.next().map(Cells.init) {
                guard let name: String = cells["symbol"], let symbol = Symbol(name), symbols.contains(symbol),
                    let time: Int64 = cells["time_ms"], let list: String = cells["indicators"]
                else { continue }
                let indicators = list.split { !$0.isNumber }
                if indicators.contains("18"), let start = begun.removeValue(forKey: symbol), start < time {
                    halts[symbol, default: []].append(start..<time)
                }
                if indicators.contains("17"), begun[symbol] == nil { begun[symbol] = time }
            }
            for (symbol, start) in begun { halts[symbol, default: []].append(start..<span.upperBound) }
            return halts
        }
    }
}

import GRDB
public import MarketData

extension TickHistory {
    /// Returns how much each symbol was traded according to the newest bars in the file, as a multiple of the average
    /// symbol's volume.
    ///
    /// Reads about 65,000 bars at most, so that a start is not held up; empty if there are none.
    ///
    /// - Throws: `.missing` when there is no file, and what reading a file throws.
    public func relativeVolume() throws(StoreError) -> [Symbol: Double] {
        try reading { database in
            try database.read { database in
                guard let last = try Self.bounds(database, .bars)?.upperBound else { return [:] }
                let rows = try Row.fetchAll(
                    database, sql: "SELECT symbol, SUM(volume) AS volume FROM bars WHERE seq > ? GROUP BY symbol",
                    arguments: [last - Self.step])
                let volumes = rows.compactMap { row -> (Symbol, Double)? in
                    let cells = Cells(row)
                    guard let name: String = cells["symbol"], let symbol = Symbol(name),
                        let volume: Double = cells["volume"]
                    else { return nil }
                    return (symbol, volume)
                }
                let average = volumes.reduce(0) { $0 + $1.1 } / Double(max(1, volumes.count))
                guard average > 0 else { return [:] }
                return Dictionary(volumes.map { ($0.0, $0.1 / average) }) { first, _ in first }
            }
        }
    }
}

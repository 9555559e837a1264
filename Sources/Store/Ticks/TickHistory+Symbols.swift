import GRDB
public import MarketData

extension TickHistory {
    /// The number of steps up to which a span is read in full; of a longer span, this many steps are read, evenly
    /// spread.
    private static let symbolSteps: Int64 = 64

    /// Returns the symbols of a stream's rows of the last day in the file, for a connection that subscribes to
    /// everything.
    ///
    /// Reads about four million rows at most. If there are more, the list is not complete: a symbol with only a few
    /// rows a day may be left out.
    public func recentSymbols(
        of stream: EventStream
    ) throws(StoreError) -> (symbols: Set<Symbol>, isComplete: Bool) {
        try reading { connection in
            guard let bounds = try connection.read({ try Self.bounds($0, stream) }) else { return ([], true) }
            let first = try connection.read { database in
                let newest = try ReceiptOrder.receipt(stream, through: bounds.upperBound, database) ?? 0
                return try ReceiptOrder.first(
                    of: stream, in: bounds, receivedFrom: newest - 86_400_000_000, database)
            }
            let distance = max(Self.step, (bounds.upperBound - first + 1) / Self.symbolSteps)
            var found: Set<Symbol> = []
            for end in Swift.stride(from: bounds.upperBound, through: first, by: -Int(distance)) {
                let names = try connection.read { database in
                    try String.fetchAll(
                        database, sql: "SELECT DISTINCT symbol FROM \(stream.rawValue) WHERE seq BETWEEN ? AND ?",
                        arguments: [max(first, end - Self.step + 1), end])
                }
                for name in names { if let symbol = Symbol(name) { found.insert(symbol) } }
            }
            return (found, distance == Self.step)
        }
    }

    /// Returns how much each symbol was traded according to the newest bars in the file, as a multiple of the average
    /// symbol's volume.
    ///
    /// Reads about 65,000 bars at most, so that a start is not held up; empty if there are none.
    public func relativeVolume() throws(StoreError) -> [Symbol: Double] {
        try snapshot { database in
            guard let last = try Self.bounds(database, .bars)?.upperBound else { return [:] }
            let rows = try Row.fetchAll(
                database, sql: "SELECT symbol, SUM(volume) AS volume FROM bars WHERE seq > ? GROUP BY symbol",
                arguments: [last - Self.step])
            let volumes = rows.map(Cells.init).compactMap { cells -> (Symbol, Double)? in
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

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
    ///
    /// - Throws: `.missing` when there is no file, and what reading a file throws.
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
}

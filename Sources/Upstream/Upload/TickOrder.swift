import MarketData

/// The order in which events go into a table that has each event once: by symbol, time and sequence, like its key, so
/// that the server need not sort. All boxes use the same order, so that they can't deadlock on each other's rows.
enum TickOrder {
    private struct Key {
        let symbol: Symbol
        let time: Int64
        var sequence: Int64
        let place: Int32
    }

    /// The places of a range of rows, in order.
    static func places<Event: MarketEvent>(
        of rows: [Buffered<Event>], in range: Range<Int>, _ texts: TextArena
    ) -> [Int32] {
        let identity = Event.columns.filter(\.column.isIdentity)
        let sequence = identity.first { $0.column.name == "sequence" }
        var keys = range.map { place -> Key in
            let event = rows[place].event
            var key = Key(symbol: event.symbol, time: event.time, sequence: .min, place: Int32(place))
            if case .integer(let number)? = sequence?.value(of: event, in: texts) { key.sequence = number }
            return key
        }
        /// The other values that distinguish events, as text; few comparisons need them.
        func rest(_ key: Key) -> [String] {
            identity.map { column in
                column.value(of: rows[Int(key.place)].event, in: texts).map { "\($0)" } ?? ""
            }
        }
        keys.sort { left, right in
            if left.symbol != right.symbol { return left.symbol < right.symbol }
            if left.time != right.time { return left.time < right.time }
            if left.sequence != right.sequence { return left.sequence < right.sequence }
            let (leftRest, rightRest) = (rest(left), rest(right))
            return leftRest == rightRest ? left.place < right.place : leftRest.lexicographicallyPrecedes(rightRest)
        }
        return keys.map(\.place)
    }
}

import MarketData

/// Bars that go to one table by one rule.
struct BarGroup: Hashable, Sendable {
    var interval: Bar.Interval
    var source: EventSource
    /// Whether they are corrections that a gap missed.
    var isCorrection = false

    /// All groups, those of the stream first, so that bars which fill gaps find them in the table.
    static let all: [BarGroup] =
        [EventSource.stream, .backfill, .reconcile].flatMap { source in
            Bar.Interval.allCases.map { BarGroup(interval: $0, source: source) }
        } + Bar.Interval.allCases.map { BarGroup(interval: $0, source: .reconcile, isCorrection: true) }
}

/// Selects which rows of a batch of bars go into which table, and by which rule.
///
/// Each key appears once, since one INSERT may not touch a row twice (SQLSTATE 21000): in the version with the highest
/// sequence, and in one that fills a gap only if there is no other. The order is by time and symbol, like the tables'
/// indexes and chunks.
struct BarSelection {
    /// The indexes of rows in the batch, by group; empty groups are left out.
    private(set) var groups: [BarGroup: [Int32]] = [:]
    /// The number of bars left out because the batch holds a newer version.
    private(set) var superseded = 0

    /// Selects from the rows at `range`, which are ordered by sequence.
    ///
    /// - Parameter connections: the names that the rows' connections refer to.
    init(_ bars: [Buffered<Bar>], in range: Range<Int>, timestamp: BarTimestamp, connections: [String] = []) {
        for interval in Bar.Interval.allCases {
            var keys: [Key] = []
            keys.reserveCapacity(range.count)
            for index in range where bars[index].event.interval == interval {
                let bar = bars[index].event
                let isFill = bars[index].source == .backfill
                keys.append(
                    Key(time: bar.time(as: timestamp), symbol: bar.symbol, index: Int32(index), isFill: isFill))
            }
            let chosen = Self.newest(&keys)
            superseded += keys.count - chosen.count
            guard chosen.contains(where: { bars[Int($0)].source != .stream }) else {
                if !chosen.isEmpty { groups[BarGroup(interval: interval, source: .stream)] = chosen }
                continue
            }
            for index in chosen {
                let row = bars[Int(index)]
                let place = Int(row.connection)
                let isCorrection =
                    connections.indices.contains(place) && row.source.isCorrection(connection: connections[place])
                let group = BarGroup(interval: interval, source: row.source, isCorrection: isCorrection)
                groups[group, default: []].append(index)
            }
        }
    }

    private struct Key {
        let time: Int64
        let symbol: Symbol
        let index: Int32
        let isFill: Bool

        static func precedes(_ left: Key, _ right: Key) -> Bool {
            if left.time != right.time { return left.time < right.time }
            if left.symbol != right.symbol { return left.symbol < right.symbol }
            if left.isFill != right.isFill { return left.isFill }
            return left.index < right.index
        }
    }

    private static func newest(_ keys: inout [Key]) -> [Int32] {
        let isSorted = zip(keys, keys.dropFirst()).allSatisfy(Key.precedes)
        if !isSorted { keys.sort(by: Key.precedes) }
        var chosen: [Int32] = []
        chosen.reserveCapacity(keys.count)
        for (place, key) in keys.enumerated() {
            let following = place + 1 < keys.count ? keys[place + 1] : nil
            if let following, following.time == key.time, following.symbol == key.symbol { continue }
            chosen.append(key.index)
        }
        return chosen
    }
}

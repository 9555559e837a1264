import MarketData

/// Which rows of a batch of bars go to which table.
///
/// A key is there once, in the version with the highest sequence: one INSERT may not touch a row twice (SQLSTATE
/// 21000). In the order of time and symbol, as the tables' indexes and chunks lie.
struct BarSelection {
    /// Places in the batch of the bars for `ohlcv_1min`.
    private(set) var minutes: [Int32] = []
    /// Places in the batch of the bars for `ohlcv_1sec`.
    private(set) var seconds: [Int32] = []
    /// How many bars were left out because the batch holds a newer version.
    private(set) var superseded = 0

    /// Chooses from the rows at `range`, which are in the order of their sequence.
    init(_ bars: [Buffered<Bar>], in range: Range<Int>, timestamp: BarTimestamp) {
        for interval in Bar.Interval.allCases {
            var keys: [Key] = []
            keys.reserveCapacity(range.count)
            for index in range where bars[index].event.interval == interval {
                let bar = bars[index].event
                keys.append(Key(time: bar.time(as: timestamp), symbol: bar.symbol, index: Int32(index)))
            }
            let chosen = Self.newest(&keys)
            superseded += keys.count - chosen.count
            switch interval {
            case .minute: minutes = chosen
            case .second: seconds = chosen
            }
        }
    }

    private struct Key {
        let time: Int64
        let symbol: Symbol
        let index: Int32

        static func precedes(_ left: Key, _ right: Key) -> Bool {
            if left.time != right.time { return left.time < right.time }
            if left.symbol != right.symbol { return left.symbol < right.symbol }
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

/// Combines bars into longer ones: the open, high, low, close, volume and VWAP of several minutes, an hour or a day.
///
/// Pure. Windows of minutes and hours are counted from midnight in New York, so that those of 5, 10, 15 and 30 minutes
/// begin with the regular session. A day is the New York date, including the hours before and after the regular
/// session. VWAP is sum(vwap·volume) / sum(volume) over the bars that have one. The day's totals so far, which the feed
/// sends with each bar, are left out.
public struct BarRollUp: Sendable, Equatable {
    /// The length of the longer bars.
    public enum Length: Sendable, Equatable {
        case minutes(Int)
        case hours(Int)
        case day

        /// Reads `5m`, `1h` or `1d`; `nil` for anything else, including a length that does not divide a day evenly.
        public init?(_ text: String) {
            guard let unit = text.last, let count = Int(text.dropLast()), count > 0 else { return nil }
            switch unit {
            case "m" where count < 1440 && 1440 % count == 0: self = .minutes(count)
            case "h" where count < 24 && 24 % count == 0: self = .hours(count)
            case "d" where count == 1: self = .day
            default: return nil
            }
        }

        /// The length in seconds. A day counts as 24 hours, also when the clocks change.
        public var seconds: Int32 {
            switch self {
            case .minutes(let count): Int32(count) * 60
            case .hours(let count): Int32(count) * 3600
            case .day: 86_400
            }
        }
    }

    /// A longer bar.
    public struct Bar: Sendable, Equatable {
        /// The window's start, in milliseconds since the Unix epoch.
        public var start: Int64
        /// The window's end.
        public var end: Int64
        /// First price in the window.
        public var open: Double
        /// Highest price in the window.
        public var high: Double
        /// Lowest price in the window.
        public var low: Double
        /// Last price in the window.
        public var close: Double
        /// Shares traded in the window.
        public var volume: Double
        /// Volume-weighted average price; `nil` when no bar with a volume has one.
        public var vwap: Double?
        /// The number of bars that it was made of.
        public var count: Int
    }

    /// The length of the longer bars.
    public let length: Length

    /// A roll-up to a length.
    public init(to length: Length) { self.length = length }

    /// Returns the longer bars of one symbol's bars, which must be sorted by start; impossible starts are skipped.
    public func bars(of bars: [MarketData.Bar]) -> [Bar] {
        var found: [Bar] = []
        var weighted = (price: 0.0, volume: 0.0)
        for bar in bars where UnixTime.possible.contains(bar.start) {
            if var last = found.last, bar.start < last.end {
                last.high = max(last.high, bar.high)
                last.low = min(last.low, bar.low)
                last.close = bar.close
                last.volume = Self.rounded(last.volume + bar.volume)
                last.count += 1
                found[found.count - 1] = last
            } else {
                let window = window(of: bar.start)
                weighted = (0, 0)
                found.append(
                    Bar(
                        start: window.lowerBound, end: window.upperBound, open: bar.open, high: bar.high, low: bar.low,
                        close: bar.close, volume: bar.volume, vwap: nil, count: 1))
            }
            if let vwap = bar.vwap, bar.volume > 0 {
                weighted.price += vwap * bar.volume
                weighted.volume += bar.volume
                found[found.count - 1].vwap = Self.rounded(weighted.price / weighted.volume)
            }
        }
        return found
    }

    /// Rounds to six decimals, or nine below 1: the digits after that are noise from binary sums and quotients.
    private static func rounded(_ value: Double) -> Double {
        let scale = value.magnitude < 1 ? 1e9 : 1e6
        return value.magnitude < 1e9 ? (value * scale).rounded() / scale : value
    }

    /// Widens a span to whole windows, in milliseconds since the Unix epoch: a part would be taken for the whole.
    public func whole(from: Int64?, to: Int64?) -> (from: Int64?, to: Int64?) {
        (from.map { window(of: $0).lowerBound }, to.map { window(of: $0 - 1).upperBound })
    }

    /// The window that holds a moment, in milliseconds since the Unix epoch.
    func window(of moment: Int64) -> Range<Int64> {
        let day = TradingDay(at: moment).span
        guard length != .day else { return day }
        let step = Int64(length.seconds) * 1000
        // Counted in elapsed time: an hour off once the clocks have changed, on a Sunday, when nothing trades.
        let start = day.lowerBound + (moment - day.lowerBound) / step * step
        return start..<min(start + step, day.upperBound)
    }
}

import MarketData

/// The span of past events that a subscription requests.
public struct ReplaySpan: Sendable, Equatable {
    /// A moment, as a client writes it.
    public enum Moment: Sendable, Equatable {
        /// Milliseconds since the Unix epoch.
        case absolute(Int64)
        /// This many milliseconds ago, written as `-15m`.
        case ago(Int64)

        /// Parses a moment such as `1704205800000`, `-15m`, `-90s`, `-2h` or `-1d`; `nil` when the text isn't one.
        init?(_ text: String) {
            if let milliseconds = Int64(text), UnixTime.possible.contains(milliseconds) {
                self = .absolute(milliseconds)
                return
            }
            let units: [Character: Int64] = ["s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
            guard text.first == "-", let unit = text.last.flatMap({ units[$0] }),
                let count = Int64(text.dropFirst().dropLast()), (0...100_000_000).contains(count)
            else { return nil }
            self = .ago(count * unit)
        }

        /// Returns the moment in milliseconds since the Unix epoch.
        public func milliseconds(now: Int64) -> Int64 {
            switch self {
            case .absolute(let milliseconds): milliseconds
            case .ago(let milliseconds): max(0, now - milliseconds)
            }
        }
    }

    /// The time of the first events.
    public var from: Moment
    /// The time of the last events; if `nil`, the live events follow.
    public var to: Moment?
}

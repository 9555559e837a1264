import MarketData

/// Which past events a subscription asks for.
public struct ReplaySpan: Sendable, Equatable {
    /// A moment, as a client writes it.
    public enum Moment: Sendable, Equatable {
        /// Milliseconds since the Unix epoch.
        case absolute(Int64)
        /// So many milliseconds ago: `-15m`.
        case ago(Int64)

        /// Reads a moment: `1704205800000`, `-15m`, `-90s`, `-2h`, `-1d`; `nil` when the text is none.
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

        /// The moment in milliseconds since the Unix epoch.
        public func milliseconds(now: Int64) -> Int64 {
            switch self {
            case .absolute(let milliseconds): milliseconds
            case .ago(let milliseconds): max(0, now - milliseconds)
            }
        }
    }

    /// The first events' time.
    public var from: Moment
    /// The last events' time; without one the live events follow.
    public var to: Moment?
}

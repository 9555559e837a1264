/// How far a buffer's file came before this process: what came afterwards was missed.
public struct PreviousLife: Sendable, Equatable {
    /// The greatest time in the file, in milliseconds since the Unix epoch: of an event, of a row's receipt or of the
    /// collector's last sign of life.
    public var end: Int64
    /// The newest event's time of each kind that the file holds, in milliseconds since the Unix epoch.
    public var newest: [EventKind: Int64]
    /// When the file was made where that was shortly before the newest event, in milliseconds since the Unix epoch: a
    /// connection may not have brought anything yet.
    public var made: Int64?
    /// How late the events came at least, in milliseconds.
    public var lateness: Int64
    /// The gaps that the file has already; those that were under way end at ``end``.
    public var told: [Gap]
    /// Whether the clock was wrong then or is now: the file knows later times than the clock shows.
    public var isUncertain: Bool

    /// Makes a value; see the properties for meaning and units.
    public init(
        end: Int64, newest: [EventKind: Int64] = [:], made: Int64? = nil, lateness: Int64 = 0, told: [Gap] = [],
        isUncertain: Bool = false
    ) {
        self.end = end
        self.newest = newest
        self.made = made
        self.lateness = lateness
        self.told = told
        self.isUncertain = isUncertain
    }

    /// Since when events of each symbol and kind are missed, for one question after the other.
    public struct Ends: Sendable {
        private let life: PreviousLife
        private let delay: Int64
        private var told: [EventKind: [Symbol?: [ClosedRange<Int64>]]] = [:]

        /// Since when events of a kind are missed: since the newest that the file holds, or since the end of the gaps
        /// that tell of the time from there on.
        public func missedSince(_ kind: EventKind, _ symbol: Symbol?) -> Int64 {
            var since = life.newestTime(of: kind, delay: delay)
            var spans = told[kind]?[nil] ?? []
            if symbol != nil { spans += told[kind]?[symbol] ?? [] }
            for span in spans.sorted(by: { $0.lowerBound < $1.lowerBound }) where span.lowerBound <= since {
                since = max(since, span.upperBound)
            }
            return since
        }

        fileprivate init(_ life: PreviousLife, delay: Int64) {
            self.life = life
            self.delay = delay
            for gap in life.told {
                // Where the clock was wrong, a gap's end says nothing of the events.
                guard let to = gap.to, gap.from <= to, !gap.isUncertain else { continue }
                for kind in gap.events where to > life.newestTime(of: kind, delay: delay) {
                    for symbol in gap.symbols.isEmpty ? [nil] : gap.symbols.map(Optional.some) {
                        told[kind, default: [:]][symbol, default: []].append(gap.from...to)
                    }
                }
            }
        }
    }

    /// How far the events of a kind had come. Of a kind that the file holds none of, about as far as those of the others:
    /// events come in their order, however late they are read. Of a file without any, as far as the clock says.
    private func newestTime(of kind: EventKind, delay: Int64) -> Int64 {
        let earliest = made.map { $0 - delay - Gap.eventLateness } ?? .max
        if let own = newest[kind] { return min(own - Gap.startMargin, earliest) }
        // The last minute's bars may have come, and been thrown away, since.
        let rhythm: Int64 = kind == .minuteBar && !newest.isEmpty && made == nil ? 60_000 : 0
        return min((newest.values.max() ?? end - delay) - Gap.eventLateness - rhythm, earliest)
    }

    /// For asking about many symbols.
    ///
    /// - Parameter delay: how late the feed's events are, in milliseconds.
    public func ends(delay: Int64) -> Ends { Ends(self, delay: delay) }
}

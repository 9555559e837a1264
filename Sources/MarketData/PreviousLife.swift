/// The state in which the previous process left a buffer's file. Events after its end were missed.
public struct PreviousLife: Sendable, Equatable {
    /// The latest time in the file, in milliseconds since the Unix epoch: of an event, of a row's receipt, or of the
    /// collector's last sign of life.
    public var end: Int64
    /// The newest event's time of each kind that the file holds, in milliseconds since the Unix epoch.
    public var newest: [EventKind: Int64]
    /// When the file was made, in milliseconds since the Unix epoch; `nil` unless that was shortly before ``end``. Not
    /// every connection may have brought an event by then.
    public var made: Int64?
    /// The least time from an event to its receipt among the last rows, in milliseconds: a delayed feed's delay.
    public var lateness: Int64
    /// The gaps that the file already records. Those that were still open have been ended.
    public var told: [Gap]
    /// Whether the clock was wrong then or is now: it disagrees with times in the file.
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

    /// Looks up since when events of a symbol and kind are missed; prepared for many calls.
    public struct Ends: Sendable {
        private let life: PreviousLife
        private let delay: Int64
        private var told: [EventKind: [Symbol?: [ClosedRange<Int64>]]] = [:]

        /// Returns since when events are missed: since the file's newest, or the end of recorded gaps that follow it.
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
                // If the clock was wrong, a gap's end proves nothing about the events.
                guard let to = gap.to, gap.from <= to, !gap.isUncertain else { continue }
                for kind in gap.events where to > life.newestTime(of: kind, delay: delay) {
                    for symbol in gap.symbols.isEmpty ? [nil] : gap.symbols.map(Optional.some) {
                        told[kind, default: [:]][symbol, default: []].append(gap.from...to)
                    }
                }
            }
        }
    }

    /// Returns how far the events of a kind had come. For a kind without events in the file, that is about as far as
    /// the other kinds: events come in order, however late they are read. For a file without any events, it is what the
    /// clock says.
    private func newestTime(of kind: EventKind, delay: Int64) -> Int64 {
        let earliest = made.map { $0 - delay - Gap.eventLateness } ?? .max
        if let own = newest[kind] { return min(own - Gap.startMargin, earliest) }
        // Bars of the last minute may have come since, and been thrown away.
        let rhythm: Int64 = kind == .minuteBar && !newest.isEmpty && made == nil ? Bar.Interval.minute.milliseconds : 0
        return min((newest.values.max() ?? end - delay) - Gap.eventLateness - rhythm, earliest)
    }

    /// Prepares for questions about many symbols; the feed's events come `delay` milliseconds late.
    public func ends(delay: Int64) -> Ends { Ends(self, delay: delay) }
}

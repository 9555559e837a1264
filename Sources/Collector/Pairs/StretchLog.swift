import MarketData
import Store
import Upstream

/// Decides what a box may claim: the span in which it has all events of a kind upstream. Reads no clock.
///
/// A loss becomes known some time after it began: a silent connection is given up after a minute, and its gap begins at
/// the newest event before the silence. So an event that was the newest is claimed only ``patience`` later, if no loss
/// has become known meanwhile and the database has acknowledged all rows up to it.
struct StretchLog {
    /// The box's knowledge at one moment.
    struct Sight {
        /// The time of the newest event of each kind in the file, in milliseconds since the Unix epoch; read before the
        /// rest.
        var newest: [EventKind: Int64]
        /// The counts of the streams' rows, in the file and upstream.
        var buffer: BufferStatistics
        /// The newest gaps in the file.
        var gaps: [Gap]
        /// The symbols that are subscribed; `nil` for all.
        var symbols: Set<Symbol>?
        /// Since when the last of them has been collected, in milliseconds since the Unix epoch.
        var collectedSince: Int64?
        /// The time on a clock that never jumps.
        var now: Duration
        /// The present time on the events' scale, by this machine's clock, in milliseconds since the Unix epoch.
        var time: Int64
    }

    private struct Mark {
        var newest: Int64
        var sequence: Int64
        var at: Duration
    }

    private struct Course {
        var stretch: Stretch
        /// The numbers of drops and dead letters when the stretch began. They are kept apart, because retrying a letter
        /// doesn't make up for a drop.
        var drops: Int64
        var deadLetters: Int64
        /// ``Sight/collectedSince`` when the stretch began. Another time says that a symbol was given up and taken
        /// again in between.
        var collectedSince: Int64?
        /// The newest event at each of the last looks, oldest first.
        var marks: [Mark]
    }

    /// Events that are further behind the clock than this, in milliseconds, are a replay's; the clock says nothing
    /// about them.
    private static let longestQuiet: Int64 = 30 * 86_400_000
    /// The most looks that are remembered. While the database is away, the first ones are kept.
    private static let mostMarks = 32

    /// How long a loss before an event may stay unknown after that event was the newest.
    private let patience: Duration
    private var courses: [EventKind: Course] = [:]
    /// The number of drops at the last look; `nil` before the first.
    private var drops: Int64?
    /// Whether drops were counted between the last look and the one before.
    private(set) var hasDropped = false

    init(patience: Duration) { self.patience = patience }

    /// Updates the stretches.
    ///
    /// - Returns: The new claims: stretches that reach further, and those that turned out to end earlier than was
    ///   claimed.
    mutating func look(_ sight: Sight) -> [StretchClaim] {
        hasDropped = drops.map { $0 != sight.buffer.drops } ?? false
        drops = sight.buffer.drops
        return sight.newest.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap {
            look($0.key, newest: $0.value, sight)
        }
    }

    private mutating func look(_ kind: EventKind, newest: Int64, _ sight: Sight) -> [StretchClaim] {
        let gaps = sight.gaps.filter { $0.events.contains(kind) }
        let lasting = gaps.filter { $0.to == nil }
        let symbols = sight.symbols.map { $0.subtracting(lasting.flatMap(\.symbols)) }
        let isBlind = symbols?.isEmpty == true || lasting.contains { $0.symbols.isEmpty || symbols == nil }
        guard !isBlind else { return end(kind, gaps) }
        guard var course = courses[kind] else {
            courses[kind] = begin(kind, newest, symbols, gaps, sight)
            return []
        }
        let isBroken = gaps.contains { ($0.to ?? .max) > course.stretch.since && $0.concerns(symbols) }
        guard !isBroken, course.stretch.symbols == symbols, course.collectedSince == sight.collectedSince,
            course.drops == sight.buffer.drops, course.deadLetters == sight.buffer.deadLetters
        else {
            let shortened = end(kind, gaps)
            courses[kind] = begin(kind, newest, symbols, gaps, sight)
            return shortened
        }
        var news: [StretchClaim] = []
        let rows = sight.buffer[kind.stream].marks
        let ripe = course.marks.prefix { sight.now - $0.at >= patience && rows.acknowledged >= $0.sequence }
        if let mark = ripe.last, mark.newest > course.stretch.through {
            course.stretch.through = mark.newest
            news = [StretchClaim(course.stretch, row: mark.sequence)]
        }
        course.marks.removeFirst(ripe.count)
        if course.marks.count < Self.mostMarks {
            course.marks.append(Mark(newest: newest, sequence: rows.last, at: sight.now))
        }
        courses[kind] = course
        return news
    }

    /// Begins a stretch after everything that is known to be missing, and not before now: the newest event of a rare
    /// kind may be older than the subscription.
    private func begin(
        _ kind: EventKind, _ newest: Int64, _ symbols: Set<Symbol>?, _ gaps: [Gap], _ sight: Sight
    ) -> Course {
        let latest = sight.newest.values.max() ?? newest
        let present = sight.time - latest > Self.longestQuiet ? latest : max(latest, sight.time)
        let since = gaps.reduce(present) { max($0, $1.to ?? $0) }
        let stretch = Stretch(kind: kind, symbols: symbols, since: since, through: since)
        let mark = Mark(newest: newest, sequence: sight.buffer[kind.stream].marks.last, at: sight.now)
        return Course(
            stretch: stretch, drops: sight.buffer.drops, deadLetters: sight.buffer.deadLetters,
            collectedSince: sight.collectedSince, marks: [mark])
    }

    /// Ends a stretch, earlier than was claimed if a gap began earlier.
    private mutating func end(_ kind: EventKind, _ gaps: [Gap]) -> [StretchClaim] {
        guard var stretch = courses.removeValue(forKey: kind)?.stretch else { return [] }
        let breaks = gaps.filter { ($0.to ?? .max) > stretch.since && $0.concerns(stretch.symbols) }.map(\.from)
        guard let first = breaks.min(), first < stretch.through else { return [] }
        stretch.through = max(stretch.since, first)
        return [StretchClaim(stretch)]
    }
}

extension Gap {
    /// Whether the gap concerns any of these symbols; `nil` means all symbols.
    fileprivate func concerns(_ others: Set<Symbol>?) -> Bool {
        guard let others, !symbols.isEmpty else { return true }
        return symbols.contains { others.contains($0) }
    }

    /// Returns the other boxes that together have every symbol and kind that this gap misses; `nil` when something is
    /// left.
    func covering(_ stretches: [String: [Stretch]]) -> [String]? {
        guard let to, !isUncertain, !events.isEmpty else { return nil }
        var boxes: Set<String> = []
        for kind in events {
            var left: Set<Symbol>? = symbols.isEmpty ? nil : Set(symbols)
            for (box, stretches) in stretches.sorted(by: { $0.key < $1.key }) {
                for stretch in stretches
                where stretch.kind == kind && stretch.since <= from && to <= stretch.through && left?.isEmpty != true {
                    let before = left
                    if let symbols = stretch.symbols { left?.subtract(symbols) } else { left = [] }
                    if left != before { boxes.insert(box) }
                }
            }
            guard left?.isEmpty == true else { return nil }
        }
        return boxes.sorted()
    }
}

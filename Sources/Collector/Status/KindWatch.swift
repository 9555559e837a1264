import Feed
import MarketData

/// Detects that a connection brings nothing of a kind although its other events prove that there must be some: the kind
/// no longer comes, or never did. Reads no clock.
///
/// Bars are made of trades, so minute bars, second bars and trades prove one another. They also prove quotes, if more
/// quotes than these events have come before: some symbols have no quotes, and those that had them may have been given
/// up. Quotes prove nothing, because they go on in a trading halt, and other kinds may be quiet for hours.
///
/// Only an unbroken run of events within the regular session is a proof, so that a symbol that is traded rarely, a halt
/// or a new subscription never looks like a loss. A kind stays silent until it comes again or the connection ends.
struct KindWatch: Sendable {
    /// The kinds that can be proved to be missing; all but quotes are proofs themselves.
    static let kinds: [EventKind] = [.minuteBar, .secondBar, .trade, .quote]
    /// The longest time between two events of a run, in seconds. Minute bars come once a minute.
    private static let pause = 90.0

    /// How long a run must be to prove that a kind is missing, in seconds.
    private static func length(for kind: EventKind) -> Double { kind == .quote ? 900 : 300 }

    /// How many events a run must have. Trades of less than a round lot, and some others, make no bar.
    private static func count(of proof: EventKind) -> Int64 { proof == .trade ? 1000 : 1 }

    /// Events of one kind that came without a pause while none of another kind did.
    private struct Run {
        let start: ContinuousClock.Instant
        var last: ContinuousClock.Instant
        /// The number of events before it.
        let before: Int64
    }

    private struct Connection {
        let since: Int64?
        var counts: [EventKind: Int64]
        /// The confirmed symbols.
        var symbols: [Symbol]
        /// The counts when a symbol was last given up while quotes came.
        var base: [EventKind: Int64] = [:]
        /// By the kind that is missing and the kind that comes.
        var runs: [EventKind: [EventKind: Run]] = [:]
        var silent: Set<EventKind> = []

        /// Whether the feed's connection is the one that was watched before.
        func isSame(as feed: FeedSnapshot) -> Bool {
            since == feed.connectedSince && counts.allSatisfy { feed.events[$0.key] ?? 0 >= $0.value }
        }

        mutating func took(_ feed: FeedSnapshot, isTrading: Bool, now: ContinuousClock.Instant) {
            let before = counts
            if symbols != feed.confirmed {
                // Quotes that were already missing then are not those of the symbol.
                let isMissed = runs[.quote]?.values.contains { (now - $0.start).inSeconds > KindWatch.pause } ?? false
                if !isMissed, !Set(feed.confirmed).isSuperset(of: symbols) { base = before }
                symbols = feed.confirmed
            }
            func came(_ kind: EventKind) -> Bool { feed.events[kind] ?? 0 > before[kind] ?? 0 }
            counts = feed.events
            for kind in KindWatch.kinds {
                if came(kind) { silent.remove(kind) }
                guard isTrading, !came(kind) else {
                    runs[kind] = nil
                    continue
                }
                for proof in KindWatch.kinds where proof != .quote && came(proof) {
                    var run = Run(start: now, last: now, before: before[proof] ?? 0)
                    if let known = runs[kind]?[proof], (now - known.last).inSeconds <= KindWatch.pause { run = known }
                    run.last = now
                    runs[kind, default: [:]][proof] = run
                    if isProved(kind, by: proof, run, feed) { silent.insert(kind) }
                }
            }
        }

        private func isProved(_ kind: EventKind, by proof: EventKind, _ run: Run, _ feed: FeedSnapshot) -> Bool {
            let count = (feed.events[proof] ?? 0) - run.before
            guard (run.last - run.start).inSeconds >= KindWatch.length(for: kind),
                count >= KindWatch.count(of: proof)
            else { return false }
            // A symbol may be confirmed for one kind and not for the other.
            guard let confirmed = feed.confirmedKinds[kind], confirmed >= feed.confirmedKinds[proof] ?? 0 else {
                return false
            }
            guard kind == .quote else { return true }
            return (feed.events[kind] ?? 0) - (base[kind] ?? 0) > max(0, run.before - (base[proof] ?? 0))
        }
    }

    private var connections: [String: Connection] = [:]

    /// Sets the connections' ``ConnectionState/silentKinds``.
    ///
    /// - Parameter isTrading: Whether the feed's events are of New York's regular session.
    mutating func look(at states: inout [ConnectionState], isTrading: Bool, now: ContinuousClock.Instant) {
        var current: [String: Connection] = [:]
        for index in states.indices where states[index].status == .connected && states[index].hasWork {
            let (id, feed) = (states[index].id, states[index].feed)
            var connection = Connection(since: feed.connectedSince, counts: feed.events, symbols: feed.confirmed)
            if let known = connections[id], known.isSame(as: feed) { connection = known }
            connection.took(feed, isTrading: isTrading, now: now)
            states[index].silentKinds = Self.kinds.filter(connection.silent.contains)
            current[id] = connection
        }
        connections = current
    }
}

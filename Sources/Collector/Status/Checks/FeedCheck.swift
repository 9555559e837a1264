import Feed
import MarketData

extension Health.Check {
    /// How many seconds of trading without an event from a connection make the feed degraded.
    static let quietLimit = 900.0

    /// Whether every connection does its part: those with symbols deliver them, and the others stand by.
    static func feed(_ snapshot: CollectorSnapshot) -> Self {
        guard !snapshot.isStopping else { return Self("feed", .failing, "shutting down") }
        let connections = snapshot.connections
        let working = connections.filter(\.hasWork)
        guard !working.isEmpty else {
            if let shard = snapshot.shard, shard.symbols == 0, shard.total > 0 {
                return Self("feed", ok: "\(shard.summary): the others collect them")
            }
            // The last connection can't be removed, so only the settings leave none.
            guard !connections.isEmpty else {
                return Self("feed", .failing, "there is no feed to collect from: set USE_MASSIVE_API=true and restart")
            }
            let isWaiting = connections.contains { $0.assignment?.problem != nil }
            return Self(
                "feed", .failing,
                isWaiting
                    ? "no connection has symbols: no universe key can be resolved, see symbols"
                    : "no connection has symbols: set SYMBOLS or a universe key")
        }
        let collecting = working.filter(\.doesItsPart)
        let standingBy = connections.count - working.count
        return Self(
            "feed",
            ok: (connections.count == 1
                ? "the connection collects" : "\(working.count) of \(connections.count) connections collect")
                + (standingBy > 0 ? ", \(standingBy) stand by" : ""),
            problems: [idle(connections, collecting.isEmpty), paused(collecting)].compactMap(\.self)
                + unconfirmed(collecting) + quiet(collecting))
    }

    private static func idle(_ connections: [ConnectionState], _ isAll: Bool) -> Health.Problem? {
        let idle = connections.filter { !$0.doesItsPart }
        guard !idle.isEmpty else { return nil }
        let which =
            connections.count == 1
            ? "the connection does not collect: " : "\(idle.count) of \(connections.count) connections do not collect: "
        // The collector collects as long as one connection does.
        return Health.Problem(
            level: isAll ? .failing : .degraded, text: which + idle.map(reason).joined(separator: "; "))
    }

    private static func paused(_ collecting: [ConnectionState]) -> Health.Problem? {
        let paused = collecting.filter(\.feed.isPaused).map(\.name)
        guard !paused.isEmpty else { return nil }
        return .degraded("reading is paused until the buffer catches up: \(paused.joined(separator: ", "))")
    }

    /// Reports what the feed did not confirm: symbols, or kinds of events on a connection that takes all symbols.
    private static func unconfirmed(_ collecting: [ConnectionState]) -> [Health.Problem] {
        var problems: [Health.Problem] = []
        let named = collecting.map(\.feed).filter { !$0.takesAll }
        let missing = named.reduce(0) { $0 + max(0, $1.assigned.count - $1.confirmed.count) }
        if missing > 0 {
            let refused = named.reduce(0) { $0 + $1.refused.count }
            let kinds = Set(named.flatMap(\.refusedChannels).compactMap { FeedChannel($0)?.kind })
            let names = EventKind.allCases.filter(kinds.contains).map(\.plural).joined(separator: ", ")
            problems.degrade(
                "\(missing.counted("symbol is", "symbols are")) not confirmed for every kind of event, \(refused) of "
                    + "them refused by the feed's plan" + (names.isEmpty ? "" : ": \(names)"))
        }
        for connection in collecting {
            let feed = connection.feed
            guard feed.takesAll, feed.confirmedChannels < feed.channels else { continue }
            let refused = feed.refusedChannels
            problems.degrade(
                "\(connection.name): \(feed.channels - feed.confirmedChannels) of \(feed.channels) kinds of events are "
                    + "not confirmed"
                    + (refused.isEmpty ? "" : ", by the feed's plan: \(refused.joined(separator: ", "))"))
        }
        return problems
    }

    /// Reports connections that deliver no events, or no longer any of a kind.
    private static func quiet(_ collecting: [ConnectionState]) -> [Health.Problem] {
        var problems: [Health.Problem] = []
        let quiet = collecting.filter { $0.quietFor ?? 0 > quietLimit }
        if !quiet.isEmpty {
            let names = quiet.map { "\($0.name) for \(Int(($0.quietFor ?? 0) / 60)) min" }
            problems.degrade(
                "connected, but no event has arrived although the market is open: " + names.joined(separator: ", ")
                    + "; if these symbols do trade, ask the feed's provider")
        }
        for connection in collecting where !connection.silentKinds.isEmpty {
            let kinds = connection.silentKinds.map(\.plural).joined(separator: " and no ")
            problems.degrade(
                "\(connection.name): no \(kinds) arrive, although the connection's other events prove that there must "
                    + "be some; restart, so that what is missing becomes a gap and is filled; ask the feed's provider")
        }
        return problems
    }

    /// Why a connection does not do its part.
    private static func reason(_ connection: ConnectionState) -> String {
        let state =
            switch connection.status {
            case .connected: "has nothing confirmed"
            case .error: "has an error"
            case .connecting, .disconnected: "is \(connection.status.rawValue)"
            }
        let error = connection.feed.lastError.map { ": \($0)" } ?? ""
        return "\(connection.name) \(connection.hasWork ? "" : "is idle and ")\(state)\(error)"
    }
}

extension ConnectionState {
    /// Whether the connection delivers anything, or is ready to if it has no symbols.
    fileprivate var doesItsPart: Bool {
        // While the symbols change, those that were confirmed last count.
        status == .connected && (!hasWork || feed.confirmedChannels > 0 || !feed.confirmed.isEmpty)
    }
}

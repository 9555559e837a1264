import Collector
import Feed
import MarketData
import Synchronization
import WebAPI

/// What may be changed while running.
extension RunningCollector {
    func pushNow() async throws(CollectorProblem) {
        guard let sync else {
            throw CollectorProblem(.conflict, "There is no upstream to push to: DATABASE_URI is not set.")
        }
        sync.pushNow()
    }

    func subscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange {
        try changes.withLock { _ throws(CollectorProblem) in
            var wanted = symbols
            var unchanged: [Symbol] = []
            if connection == nil {
                // What some connection has already stays there.
                let held = Set(members.flatMap { $0.feed.snapshot.assigned })
                unchanged = wanted.filter(held.contains)
                wanted.removeAll(where: held.contains)
            }
            let member = try member(connection)
            let snapshot = member.feed.snapshot
            guard !snapshot.takesAll else {
                throw CollectorProblem(
                    .conflict, "\(member.id) (\(snapshot.name)) subscribes to every symbol already.")
            }
            let assigned = Set(snapshot.assigned)
            unchanged += wanted.filter(assigned.contains)
            wanted.removeAll(where: assigned.contains)
            guard !wanted.isEmpty else { return SubscriptionChange(changed: [:], unchanged: unchanged) }
            member.feed.setInterest(.symbols(snapshot.assigned + wanted))
            return SubscriptionChange(changed: [member.id: wanted], unchanged: unchanged)
        }
    }

    func unsubscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange {
        try changes.withLock { _ throws(CollectorProblem) in
            let affected = try connection.map { id throws(CollectorProblem) in [try member(id)] } ?? members
            var rest = Set(symbols)
            var changed: [(member: Member, removed: [Symbol], kept: [Symbol])] = []
            for member in affected {
                let snapshot = member.feed.snapshot
                if snapshot.takesAll {
                    throw CollectorProblem(
                        .conflict,
                        "\(member.id) (\(snapshot.name)) subscribes to every symbol; single ones can't be taken away.")
                }
                let removed = snapshot.assigned.filter(rest.contains)
                guard !removed.isEmpty else { continue }
                rest.subtract(removed)
                changed.append((member, removed, snapshot.assigned.filter { !removed.contains($0) }))
            }
            if let emptied = changed.first(where: { $0.kept.isEmpty }) {
                throw CollectorProblem(
                    .conflict,
                    "\(emptied.member.id) would have no symbol left and collect nothing; leave it one, or stop the "
                        + "collector.")
            }
            for change in changed { change.member.feed.setInterest(.symbols(change.kept)) }
            return SubscriptionChange(
                changed: Dictionary(uniqueKeysWithValues: changed.map { ($0.member.id, $0.removed) }),
                unchanged: symbols.filter(rest.contains))
        }
    }

    func rebalance() async throws(CollectorProblem) -> [SymbolMove] {
        throw CollectorProblem(
            .conflict,
            members.count < 2
                ? "There is one connection, so no symbol can move; USE_MULTI_CONNECTION=true gives up to three."
                : "This collector keeps symbols on the connections that the settings gave them to; change "
                    + "WEBSOCKET_CONNECTION_n_SYMBOLS or _UNIVERSE_KEY and start it again.")
    }

    func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem) {
        guard !members.contains(where: { $0.id == id }) else {
            throw CollectorProblem(.conflict, "\(id) exists already.")
        }
        throw CollectorProblem(.conflict, Self.fixedConnections)
    }

    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol] {
        throw CollectorProblem(.conflict, Self.fixedConnections)
    }

    private static let fixedConnections =
        "Connections are those of the settings and can't be added or removed while running; set "
        + "USE_MULTI_CONNECTION and WEBSOCKET_CONNECTION_n_* and start it again."

    /// The connection named, or the one with the fewest symbols.
    private func member(_ id: String?) throws(CollectorProblem) -> Member {
        let found =
            id.map { id in members.first { $0.id == id } }
            ?? members.min { $0.feed.snapshot.assigned.count < $1.feed.snapshot.assigned.count }
        guard let found else {
            throw CollectorProblem(
                .notFound, id.map { "There is no connection \"\($0)\"." } ?? "There is no connection.",
                nearest: members.map(\.id))
        }
        return found
    }
}

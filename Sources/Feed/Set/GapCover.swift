import MarketData
import Synchronization

/// Leaves out of gaps what another connection brought: knows since when each has brought the symbols that come from two.
final class GapCover: Sendable {
    private struct State {
        var since: [Int: [Symbol: Int64]] = [:]
        var connections: [Int: FeedConnection] = [:]
        var delays: [Int: Int64] = [:]
    }

    private let state = Mutex(State())

    /// - Parameter delay: how late the connection's events are, in milliseconds.
    func add(_ connection: FeedConnection, slot: Int, delay: Int64) {
        state.withLock { state in
            state.connections[slot] = connection
            state.delays[slot] = delay
        }
    }

    func remove(_ slot: Int) {
        state.withLock { state in
            state.since[slot] = nil
            state.connections[slot] = nil
            state.delays[slot] = nil
        }
    }

    /// A connection brings these symbols, all of them redundant, now.
    func confirmed(_ slot: Int, _ symbols: Set<Symbol>, wall: Int64) {
        state.withLock { state in
            let before = state.since[slot] ?? [:]
            state.since[slot] =
                symbols.isEmpty ? nil : Dictionary(uniqueKeysWithValues: symbols.map { ($0, before[$0] ?? wall) })
        }
    }

    /// What is left of a gap without the symbols that another connection brought from before its start until now.
    func rest(of gap: Gap, on slot: Int) -> Gap? {
        let (since, connections, delays) = state.withLock { ($0.since, $0.connections, $0.delays) }
        guard !since.isEmpty, !gap.symbols.isEmpty else { return gap }
        var covered: Set<Symbol> = []
        for (other, symbols) in since where other != slot {
            // Gaps are in the events' own time, which a delayed feed's clock is ahead of.
            let start = gap.from + (delays[other] ?? 0)
            guard let from = connections[other]?.snapshot.connectedSince, from <= start else { continue }
            covered.formUnion(gap.symbols.filter { symbols[$0].map { $0 <= start } ?? false })
        }
        var rest = gap
        rest.symbols.removeAll(where: covered.contains)
        return rest.symbols.isEmpty ? nil : rest
    }
}

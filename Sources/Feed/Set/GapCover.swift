import MarketData
import Synchronization

/// Removes from gaps what another connection delivered. It knows since when each connection has delivered the
/// redundant symbols.
final class GapCover: Sendable {
    private struct State {
        var brought = BroughtSymbols()
        var connections: [Int: FeedConnection] = [:]
    }

    private let state = Mutex(State())

    /// - Parameter delay: how late the connection's events are, in milliseconds.
    func add(_ connection: FeedConnection, slot: Int, delay: Int64) {
        state.withLock { state in
            state.connections[slot] = connection
            state.brought.delays[slot] = delay
        }
    }

    func remove(_ slot: Int) {
        state.withLock { state in
            state.connections[slot] = nil
            state.brought.remove(slot)
        }
    }

    /// Records that a connection delivers exactly these redundant symbols now.
    func confirmed(_ slot: Int, _ symbols: Set<Symbol>, wall: Int64) {
        state.withLock { $0.brought.confirmed(slot, symbols, wall: wall) }
    }

    /// Returns what is left of a gap without the symbols that another connection delivered all the while.
    func rest(of gap: Gap, on slot: Int) -> Gap? {
        let (brought, connections) = state.withLock { ($0.brought, $0.connections) }
        return brought.rest(of: gap, on: slot) { connections[$0]?.snapshot.connectedSince }
    }
}

/// Since when connections have delivered the redundant symbols. Reads no clock.
struct BroughtSymbols {
    private var since: [Int: [Symbol: Int64]] = [:]
    /// How late each connection's events are, in milliseconds.
    var delays: [Int: Int64] = [:]

    /// Records that a connection delivers exactly these symbols now.
    mutating func confirmed(_ slot: Int, _ symbols: Set<Symbol>, wall: Int64) {
        let before = since[slot] ?? [:]
        since[slot] =
            symbols.isEmpty ? nil : Dictionary(uniqueKeysWithValues: symbols.map { ($0, before[$0] ?? wall) })
    }

    mutating func remove(_ slot: Int) {
        since[slot] = nil
        delays[slot] = nil
    }

    /// Returns what is left of a gap of one connection without the symbols that another one delivered from before its
    /// start until now.
    ///
    /// - Parameter connectedSince: since when a connection has been up, in milliseconds since the Unix epoch.
    func rest(of gap: Gap, on slot: Int, connectedSince: (Int) -> Int64?) -> Gap? {
        // What can't be decoded here can't be decoded on the other connection either, and a pause of this process
        // affects all.
        guard !since.isEmpty, !gap.symbols.isEmpty, ![.damaged, .paused].contains(gap.cause) else { return gap }
        var covered: Set<Symbol> = []
        for (other, symbols) in since where other != slot {
            // Gaps are in the events' own time; a delayed feed's clock is ahead of that. The other connection must have
            // delivered everything from the newest event on: the margin before it is a guess.
            let start = gap.from + Gap.startMargin + (delays[other] ?? 0)
            guard let from = connectedSince(other), from <= start else { continue }
            covered.formUnion(gap.symbols.filter { symbols[$0].map { $0 <= start } ?? false })
        }
        var rest = gap
        rest.symbols.removeAll(where: covered.contains)
        return rest.symbols.isEmpty ? nil : rest
    }
}

import MarketData
import Synchronization

/// A connection's way into the confluence: counts what each symbol brings on the way.
final class Inlet: EventSink {
    private let confluence: Confluence
    private let slot: Int
    private let coverage: Coverage
    private let isTallying: Bool
    private let tally = Mutex(Tally())
    private let coveredGaps = Mutex(CoveredGaps())

    struct Tally: Sendable {
        var counts: [Symbol: Int] = [:]
        var offset = 0
    }

    init(_ confluence: Confluence, slot: Int, coverage: Coverage, isTallying: Bool) {
        self.confluence = confluence
        self.slot = slot
        self.coverage = coverage
        self.isTallying = isTallying
    }

    func offer(_ batch: EventBatch) -> Admission {
        if isTallying { tally.withLock { $0.count(batch) } }
        return confluence.offer(batch, from: slot)
    }

    var wantsSentEvents: Bool { confluence.wantsSentEvents }

    func whenRoom(_ resume: @escaping @Sendable () -> Void) { confluence.whenRoom(resume) }

    func record(_ gap: Gap) { record(GapChange(gaps: [gap])) }

    /// Leaves out the symbols that another connection brought all the while.
    func record(_ change: GapChange) {
        let rest = coveredGaps.withLock { $0.rest(of: change) { coverage.uncovered($0, of: slot) } }
        if !rest.ended.isEmpty || !rest.gaps.isEmpty { confluence.record(rest) }
    }

    func record(_ incident: Incident) { confluence.record(incident) }

    /// The counts since ``takeTally()``.
    var currentTally: [Symbol: Int] { tally.withLock { $0.counts } }

    /// The counts since the last call.
    func takeTally() -> [Symbol: Int] {
        tally.withLock { tally in
            defer { tally.counts.removeAll(keepingCapacity: true) }
            return tally.counts
        }
    }
}

/// Remembers how gaps that began were recorded: what another connection brings may differ when they end.
struct CoveredGaps {
    /// As recorded, by the gap as the connection knows it; `nil` for one that was covered and not recorded.
    private var open: [Gap: Gap?] = [:]

    /// What is left of a change without what `uncovered` leaves out.
    mutating func rest(of change: GapChange, _ uncovered: (Gap) -> Gap?) -> GapChange {
        var rest = GapChange(gaps: [])
        for gap in change.ended {
            if let recorded = open.removeValue(forKey: gap) ?? gap { rest.ended.append(recorded) }
        }
        for gap in change.gaps {
            let left = uncovered(gap)
            if gap.to == nil { open[gap] = .some(left) }
            if let left { rest.gaps.append(left) }
        }
        return rest
    }
}

extension Inlet.Tally {
    /// Events of a small batch are all counted, of a large one every eighth, and that eight times: a look-up for each
    /// would cost more than all the rest of the way.
    mutating func count(_ batch: EventBatch) {
        let step = batch.count < 64 ? 1 : 8
        if step > 1 { offset = (offset + 3) % step }
        let start = step > 1 ? offset : 0
        batch.forEachHead(from: start, by: step) { counts[$0.symbol, default: 0] += step }
    }
}

/// Knows since when each connection has brought the symbols that come from two.
final class Coverage: Sendable {
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
    func stands(_ slot: Int, _ symbols: Set<Symbol>, wall: Int64) {
        state.withLock { state in
            let before = state.since[slot] ?? [:]
            state.since[slot] =
                symbols.isEmpty
                ? nil
                : Dictionary(
                    uniqueKeysWithValues: symbols.map { ($0, before[$0] ?? wall) })
        }
    }

    /// What is left of a gap without the symbols that another connection brought from before its start until now.
    func uncovered(_ gap: Gap, of slot: Int) -> Gap? {
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

import MarketData
import Synchronization

/// A connection's entry to the confluence; counts the events of each symbol on the way.
final class Inlet: EventSink {
    private let confluence: Confluence
    private let slot: Int
    private let cover: GapCover
    private let isTallying: Bool
    private let tally = Mutex(Tally())
    private let coveredGaps = Mutex(CoveredGaps())

    struct Tally: Sendable {
        var counts: [Symbol: Int] = [:]
        private var offset = 0

        /// Counts all events of a small batch. Of a large one it counts every eighth eight times, since a look-up for
        /// each would cost more than the rest of the path.
        mutating func count(_ batch: EventBatch) {
            let step = batch.count < 64 ? 1 : 8
            if step > 1 { offset = (offset + 3) % step }
            let start = step > 1 ? offset : 0
            batch.forEachHead(from: start, by: step) { counts[$0.symbol, default: 0] += step }
        }
    }

    init(_ confluence: Confluence, slot: Int, cover: GapCover, isTallying: Bool) {
        self.confluence = confluence
        self.slot = slot
        self.cover = cover
        self.isTallying = isTallying
    }

    func offer(_ batch: EventBatch) -> Admission {
        if isTallying { tally.withLock { $0.count(batch) } }
        return confluence.offer(batch, from: slot)
    }

    var wantedText: KindSet { confluence.sink.wantedText }

    func whenRoom(_ resume: @escaping @Sendable () -> Void) { confluence.sink.whenRoom(resume) }

    /// Leaves out the symbols that another connection delivered all the while.
    func record(_ change: GapChange) {
        let rest = coveredGaps.withLock { $0.rest(of: change) { cover.rest(of: $0, on: slot) } }
        if !rest.ended.isEmpty || !rest.gaps.isEmpty { confluence.sink.record(rest) }
    }

    func record(_ incident: Incident) { confluence.sink.record(incident) }

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

/// Remembers how gaps were recorded when they began, because what another connection delivers may differ when they end.
struct CoveredGaps {
    /// The gaps as recorded, by the gap as the connection knows it; `nil` for one that was covered and not recorded.
    private var open: [Gap: Gap?] = [:]

    /// Returns a change with its new gaps as `uncovered` leaves them, and ended gaps as they were recorded.
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

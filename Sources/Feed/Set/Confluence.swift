import MarketData
import Synchronization

/// Joins the events of a set's connections into one stream for the sink, without duplicates.
///
/// While no symbol comes from two connections, a batch passes at the cost of one atomic load. Otherwise batches pass
/// one at a time, so that an event that is left out as a copy is already in the sink.
final class Confluence: Sendable {
    let sink: any EventSink
    private let isShared = Atomic(false)
    private let sightings: Mutex<Sightings>

    init(sink: any EventSink, memory: Duration, limit: Int) {
        self.sink = sink
        sightings = Mutex(Sightings(memory: memory, limit: limit))
    }

    /// Takes over which connections deliver which symbols; in force on return.
    func share(_ changes: [SetMachine.Sharing]) {
        sightings.withLock { sightings in
            sightings.share(changes)
            isShared.store(!sightings.isEmpty, ordering: .sequentiallyConsistent)
        }
    }

    /// Takes over whether a connection is up, and how often it had reconnected; `nil` while it is down.
    func observe(_ slot: Int, line: Int64?) {
        let now = MonotonicTime.now().sinceBoot
        sightings.withLock { $0.observe(slot, line: line, now: now) }
    }

    /// How many events were left out or forgotten since the start.
    var counts: (duplicates: Int64, forgotten: Int64) { sightings.withLock { ($0.duplicates, $0.forgotten) } }

    func offer(_ batch: EventBatch, from slot: Int) -> Admission {
        guard isShared.load(ordering: .acquiring) else { return sink.offer(batch) }
        let now = MonotonicTime.now().sinceBoot
        return sightings.withLock { sightings in
            guard !sightings.behind.contains(slot) else { return .outdated }
            var batch = batch
            sightings.filter(&batch, from: slot, now: now)
            guard !batch.isEmpty else { return .accepted }
            let admission = sink.offer(batch)
            if admission == .refused { sightings.undo() }
            return admission
        }
    }
}

import MarketData
import Synchronization

/// A sink that keeps everything and answers as told.
final class CollectingSink: EventSink {
    private struct State {
        var batches: [EventBatch] = []
        var gaps: [Gap] = []
        var gapsBeforeBatches: [Gap] = []
        var changes = 0
        var wasSuspended = false
        var answers: [Admission] = []
        var waiters: [@Sendable () -> Void] = []
        var hasRoom = true
    }

    private let state = Mutex(State())

    /// Sets the answers to the next batches; later ones are accepted.
    func answer(_ answers: Admission...) {
        state.withLock {
            $0.answers = answers
            $0.hasRoom = false
        }
    }

    func makeRoom() {
        let waiters = state.withLock { state in
            state.hasRoom = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter() }
    }

    func offer(_ batch: EventBatch) -> Admission {
        state.withLock { state in
            let answer = state.answers.isEmpty ? .accepted : state.answers.removeFirst()
            if answer != .refused { state.batches.append(batch) }
            return answer
        }
    }

    func whenRoom(_ resume: @escaping @Sendable () -> Void) {
        let isNow = state.withLock { state in
            if !state.hasRoom { state.waiters.append(resume) }
            return state.hasRoom
        }
        if isNow { resume() }
    }

    /// Keeps a gap once it is over.
    func record(_ change: GapChange) {
        let ended = change.gaps.filter { $0.to != nil }
        state.withLock { state in
            state.changes += 1
            state.gaps += ended
            if state.batches.isEmpty { state.gapsBeforeBatches += ended }
        }
    }

    func record(_ incident: Incident) {
        if incident.what == "suspended" { state.withLock { $0.wasSuspended = true } }
    }

    var batches: [EventBatch] { state.withLock { $0.batches } }
    /// The gaps, without those of a pause of this process: a loaded machine may stand still for seconds.
    var gaps: [Gap] {
        let (gaps, wasSuspended) = state.withLock { ($0.gaps, $0.wasSuspended) }
        return gaps.filter { $0.cause != .paused || !wasSuspended }
    }
    /// The gaps that were recorded before the first batch came.
    var gapsBeforeBatches: [Gap] { state.withLock { $0.gapsBeforeBatches } }
    /// How often gaps were recorded.
    var changes: Int { state.withLock { $0.changes } }
    var isAwaited: Bool { state.withLock { !$0.waiters.isEmpty } }
    /// The prices of all trades, in order.
    var prices: [Double] { batches.flatMap { $0.trades.map(\.price) } }
}

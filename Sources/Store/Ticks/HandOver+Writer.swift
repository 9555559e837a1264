import MarketData
import Synchronization

/// The writer's side of the queue.
extension HandOver {
    /// Waits until something is due, at most until `deadline`.
    func next(idleUntil deadline: MonotonicTime) -> Next {
        while true {
            let now = MonotonicTime.now()
            let (next, until) = state.withLock { state -> (Next?, MonotonicTime) in
                state.sleep = .awake
                let isClosing = state.closesAt != nil
                if state.hasWork {
                    let start = (state.due ?? now) - state.lead
                    if state.isUrgent || isClosing || now >= start {
                        state.taken = state.isUrgent || isClosing ? nil : state.due
                        return (.work(take(&state)), now)
                    }
                    if now >= deadline { return (.idle, now) }
                    state.sleep = .collecting
                    return (nil, min(start, deadline))
                }
                if isClosing { return (.end, now) }
                if now >= deadline { return (.idle, now) }
                state.sleep = .idle
                return (nil, deadline)
            }
            if let next { return next }
            wake.wait(until: until)
        }
    }

    /// Notes that everything is inserted and the commit starts, and learns from it when to start the next time.
    func committing() {
        let now = MonotonicTime.now()
        state.withLock { state in
            guard let due = state.taken else { return }
            state.taken = nil
            // A fiftieth of the interval is for the pages that go into the log before the sync.
            let late = (due - interval / 50).duration(to: now)
            state.lead = min(max(.zero, state.lead + late / 4), interval / 4)
        }
    }

    /// Whether something waits that must not wait longer.
    var isQuiet: Bool { state.withLock { !$0.isUrgent && $0.events < muchEvents } }

    /// When the writer must have ended; `nil` while the buffer is open.
    var closesAt: MonotonicTime? { state.withLock { $0.closesAt } }

    /// Waits after a failure; a close ends the wait.
    func pause(_ duration: Duration) {
        let end = MonotonicTime.now().advanced(by: duration)
        while MonotonicTime.now() < end {
            guard closesAt == nil else {
                wake.wait(until: min(end, .now().advanced(by: .milliseconds(50))))
                return
            }
            wake.wait(until: end)
        }
    }

    /// Frees what `work` held, and tells those who wait for it or for room.
    func finished(_ work: Work) {
        let (waiters, resumes) = state.withLock { state in
            state.eventsTaken = 0
            state.bytesTaken = 0
            state.isWorking = false
            let done = state.waiters.filter { $0.ticket <= work.ticket }
            state.waiters.removeAll { $0.ticket <= work.ticket }
            var resumes: [@Sendable () -> Void] = []
            if hasRoom(state) { swap(&resumes, &state.roomWaiters) }
            return (done, resumes)
        }
        for resume in resumes { resume() }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
    }

    /// Tells those who wait that an attempt failed; what they wait for stays and is tried again.
    func failed(_ error: StoreError) {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: error) }
    }

    /// Ends the queue, and answers what nobody will write any more.
    func end() -> Work {
        let (rest, waiters, resumes) = state.withLock { state in
            state.isClosed = true
            defer {
                state.waiters = []
                state.roomWaiters = []
            }
            var rest = Work()
            while !state.batches.isEmpty {
                let more = take(&state)
                rest.batches += more.batches
                rest.events += more.events
                rest.drops.add(more.drops)
                rest.gaps.add(more.gaps, limit: HandOver.maximumGaps)
            }
            return (rest, state.waiters, state.roomWaiters)
        }
        for waiter in waiters {
            waiter.continuation.resume(returning: StoreError(.closed, operation: "flush the buffer"))
        }
        for resume in resumes { resume() }
        return rest
    }

    /// Notes that the writer's thread touches nothing any more.
    func writerEnded() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.endWaiters = [] }
            return state.endWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

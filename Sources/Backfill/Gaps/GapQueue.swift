import MarketData
import Store

/// Decides which gaps are filled now and when to look again. Reads no clock.
///
/// After a failure that concerns one gap alone, that gap waits, longer each time, and the others go on. After a failure
/// that concerns the server, all of them wait.
struct GapQueue: Sendable {
    private struct Pause {
        var failures = 0
        var since: Duration = .zero
        var until: Duration = .zero
        var message = ""

        /// Notes a failure and returns whether it differs from the last one.
        mutating func failed(_ message: String, pause: Duration, upTo most: Duration, now: Duration) -> Bool {
            if failures == 0 { since = now }
            failures += 1
            until = now + pause.backoff(after: failures, upTo: most)
            defer { self.message = message }
            return message != self.message
        }
    }

    /// Identifies a gap. The time of recording distinguishes it from a gap with the same number in a fresh file.
    private struct Key: Hashable {
        let id: Int64
        let recorded: Int64

        init(_ record: GapRecord) { (id, recorded) = (record.id, record.recorded) }
        init(_ gap: WaitingGap) { (id, recorded) = (gap.id, gap.recorded) }
    }

    let rules: BackfillService.Configuration
    private var pauses: [Key: Pause] = [:]
    /// Gaps that were filled as far back as the reach allows. They stay open for `edgetick backfill`.
    private var left: Set<Key> = []
    /// When each gap ended, on a clock that never jumps. For a gap that ended before the first look, the clock that may
    /// jump says how long ago that was; one that is noticed later has just ended, but for the feed's delay.
    private var ends: [WaitingGap: Duration] = [:]
    private var hasLooked = false
    /// The kinds of events that the server refused, and until when they are not asked for.
    private var refusals: [EventKind: Duration] = [:]
    private var server = Pause()
    private var streak = 0

    init(rules: BackfillService.Configuration) { self.rules = rules }

    /// Whether the queue leaves the server alone for now.
    func isResting(now: Duration) -> Bool { now < server.until }

    /// Returns the gaps to fill now, in their order, and how long until another is due; `nil` when none will be.
    ///
    /// - Parameter open: every open gap that is over. One that is not is due once it ends, which is recorded as a note.
    mutating func due(_ open: [WaitingGap], wall: Int64, now: Duration) -> (now: [WaitingGap], next: Duration?) {
        var due: [WaitingGap] = []
        var next: Duration?
        var waiting: Set<Key> = []
        left.formIntersection(open.map { Key($0) })
        var ends: [WaitingGap: Duration] = [:]
        for gap in open {
            // An end in the future, after the clock was set back, is treated as now.
            let age = Duration.milliseconds(max(0, wall - gap.end))
            ends[gap] = self.ends[gap] ?? now - (hasLooked ? min(age, rules.delay) : age)
        }
        self.ends = ends
        hasLooked = true
        for gap in open where !left.contains(Key(gap)) {
            guard wall - gap.end <= rules.reach.milliseconds else { continue }
            waiting.insert(Key(gap))
            let unsettled = rules.settleTime - (now - (ends[gap] ?? now))
            let wait = max(.zero, unsettled, (pauses[Key(gap)]?.until ?? now) - now, server.until - now)
            if wait <= .zero { due.append(gap) } else { next = min(next ?? wait, wait) }
        }
        pauses = pauses.filter { waiting.contains($0.key) }
        if waiting.isEmpty {
            server = Pause()
            streak = 0
        }
        return (due, next)
    }

    /// The failure that has kept a gap waiting for longest; `nil` when none does.
    var failure: (message: String, since: Duration)? {
        ([server] + pauses.values).filter { $0.failures > 0 }.min { $0.since < $1.since }
            .map { (message: $0.message, since: $0.since) }
    }

    /// Notes that a gap was processed, and its new state.
    mutating func filled(_ gap: GapRecord, _ state: GapState) {
        pauses[Key(gap)] = nil
        if state == .open { left.insert(Key(gap)) }
        server = Pause()
        streak = 0
    }

    /// Returns the kinds of events that are not asked for at present.
    func uncovered(now: Duration) -> Set<EventKind> { Set(refusals.filter { now < $0.value }.keys) }

    /// Notes that the server refused a kind of events. It is asked again later, since the refusal may concern one time
    /// alone, and plans change.
    ///
    /// - Returns: whether to log it. Each kind is logged only once.
    mutating func refused(_ kind: EventKind, now: Duration) -> Bool {
        refusals.updateValue(now + rules.refusedPause, forKey: kind) == nil
    }

    /// Notes a failure.
    ///
    /// - Returns: whether to log it. The same failure is logged only once.
    mutating func failed(_ gap: GapRecord, _ error: BackfillError, now: Duration) -> Bool {
        guard error.concernsRequestAlone else {
            let refused = rules.refusedPause
            return error.isRetryable
                ? server.failed(error.message, pause: .seconds(30), upTo: .seconds(600), now: now)
                : server.failed(error.message, pause: refused, upTo: refused, now: now)
        }
        // Several such failures in a row are the server's, not the gaps'.
        if error.blamesServer { streak += 1 }
        if streak >= BackfillError.mostInARow {
            _ = server.failed(error.message, pause: .seconds(30), upTo: .seconds(600), now: now)
            streak = 0
        }
        return pauses[Key(gap), default: Pause()].failed(
            error.message, pause: .seconds(60), upTo: .seconds(6 * 3600), now: now)
    }
}

/// Decides when a quiet connection is pinged and when a silent one counts as lost.
///
/// Any frame counts as a sign of life, so pings may stay unanswered while data flows. Times are durations since any
/// fixed point of a monotonic clock.
struct StallWatch: Sendable {
    enum Verdict: Equatable {
        case fine
        /// Quiet for a while: ask for a sign of life.
        case ping
        /// Neither data nor a pong within the time allowed.
        case stalled
    }

    let pingInterval: Duration
    let stallTimeout: Duration
    private var lastSeen: Duration
    private var lastPing: Duration?
    private var isPaused = false

    init(pingInterval: Duration, stallTimeout: Duration, now: Duration) {
        self.stallTimeout = max(stallTimeout, .milliseconds(10))
        self.pingInterval = min(max(pingInterval, .milliseconds(1)), self.stallTimeout / 2)
        lastSeen = now
    }

    /// Records that a frame of any kind came.
    mutating func seen(now: Duration) {
        lastSeen = now
        lastPing = nil
    }

    /// Records that this side stopped reading, so that silence means nothing.
    mutating func paused() { isPaused = true }

    /// Records that reading continues, or begins on a new connection.
    mutating func resumed(now: Duration) {
        isPaused = false
        seen(now: now)
    }

    /// How long nothing has come, if a ping has gone unanswered for so long that events may be lost; otherwise `nil`.
    func overdue(now: Duration) -> Duration? {
        let silence = now - lastSeen
        return !isPaused && lastPing != nil && silence > pingInterval + PauseWatch.tolerance ? silence : nil
    }

    /// When ``tick(now:)`` is due next; `nil` while paused.
    var deadline: Duration? {
        guard !isPaused else { return nil }
        return min((lastPing ?? lastSeen) + pingInterval, lastSeen + stallTimeout)
    }

    /// Judges the silence.
    ///
    /// A tick that comes much too late shows that this process itself was suspended (SIGSTOP, a suspended machine), and
    /// frames may be waiting in the socket. The silence is then measured again from this tick.
    mutating func tick(now: Duration) -> Verdict {
        guard let deadline, now >= deadline else { return .fine }
        if now - deadline >= stallTimeout / 2 {
            lastSeen = now
            lastPing = now
            return .ping
        }
        if now - lastSeen >= stallTimeout { return .stalled }
        lastPing = now
        return .ping
    }
}

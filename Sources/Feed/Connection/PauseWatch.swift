import MarketData

/// Finds that this process or its machine was suspended: a timer of one second that comes much too late.
///
/// Times are of CLOCK_BOOTTIME, which goes on while a machine is suspended and does not jump with the time of day.
struct PauseWatch: Sendable {
    /// How often ``seen(_:)`` is called at least, while nothing is suspended.
    static let interval: Duration = .seconds(1)
    /// A timer that is so much too late shows a pause.
    static let tolerance: Duration = .seconds(5)

    private var last: Duration

    init(now: Duration) { last = now }

    /// The process runs, now.
    ///
    /// - Returns: for how long it was suspended before; `nil` where it was not.
    mutating func seen(_ now: Duration) -> Duration? {
        defer { last = max(last, now) }
        let passed = now - last
        return passed - Self.interval > Self.tolerance ? passed : nil
    }
}

/// Finds where the feed went on later than it had stopped: after a pause, of this process or of the line, because it threw
/// away what waited meanwhile; and behind events that could not be decoded.
///
/// What lay in the sockets' buffers comes first, so the jump may come long after the pause. A quiet market makes a jump
/// too; a gap says that events *may* have been missed.
struct JumpWatch: Sendable {
    /// A part of a kind's time in which no event came.
    struct Jump: Equatable {
        var kind: EventKind
        var from: Int64
        var to: Int64
        var cause: Gap.Cause
    }

    private struct Course {
        /// The newest event's time.
        var newest: Int64
        /// What happens later, in milliseconds since the Unix epoch, is not affected.
        var until: Int64
        var cause: Gap.Cause
    }

    private var courses: [EventKind: Course] = [:]

    /// Whether nothing is watched: every kind has come past what happened.
    var isOver: Bool { courses.isEmpty }

    /// Watches kinds of which events came before, until they come from after `until`.
    mutating func watch(_ kinds: [EventKind], _ times: EventTimes, until: Int64, because cause: Gap.Cause) {
        for kind in kinds {
            guard let start = times[kind]?.lossStart, start < until else { continue }
            courses[kind, default: Course(newest: start, until: until, cause: cause)].until = until
        }
    }

    /// Looks at the events that come.
    mutating func took(_ batch: EventBatch) -> [Jump] {
        var jumps: [Jump] = []
        batch.forEachHead { look($0.kind, $0.end, &jumps) }
        return jumps
    }

    private mutating func look(_ kind: EventKind, _ time: Int64, _ jumps: inout [Jump]) {
        guard let course = courses[kind], time > course.newest else { return }
        if time - course.newest > JumpWatch.allowed(kind) {
            jumps.append(Jump(kind: kind, from: course.newest, to: time, cause: course.cause))
        }
        if time < course.until { courses[kind]?.newest = time } else { courses[kind] = nil }
    }

    /// The longest that two events of a kind may be apart without anything being missed.
    private static func allowed(_ kind: EventKind) -> Int64 {
        switch kind {
        case .minuteBar: 65_000
        case .secondBar: 6000
        case .trade, .quote, .limitBand, .imbalance, .fairValue: 5000
        }
    }
}

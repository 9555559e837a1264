import MarketData

/// Detects that the feed skipped events after a pause, of this process or of the network, because it discarded what was
/// waiting.
///
/// The content of the socket buffers comes first, so the jump may come long after the pause. A quiet market makes a
/// jump too; a gap says that events *may* have been missed.
struct JumpWatch: Sendable {
    /// A part of a kind's time in which no event came.
    struct Jump: Equatable {
        var kind: EventKind
        var from: Int64
        var to: Int64
        var cause: Gap.Cause
        /// When the watch began, in milliseconds since the Unix epoch.
        var watchedSince: Int64
    }

    /// How far a kind's events had come before a pause.
    struct Start: Equatable {
        /// In milliseconds since the Unix epoch.
        var time: Int64
        /// Whether the time is the clock's, because no event has come yet.
        var isGuess = false
    }

    private struct Course {
        /// The newest event's time.
        var newest: Int64
        /// Events after this time, in milliseconds since the Unix epoch, are not affected.
        var until: Int64
        /// How far apart two events may be without a jump, in milliseconds.
        var allowed: Int64
        var cause: Gap.Cause
        var watchedSince: Int64
        /// Whether ``newest`` and ``until`` are the clock's, not an event's.
        var isGuess: Bool

        /// Corrects a guess by an event's time. If the clock is more than a day off, only the length of the span is right.
        mutating func believe(_ time: Int64) {
            if isGuess, abs(time - until) > EventTimes.clockDisbelief {
                newest += time - until
                until = time
            }
            isGuess = false
        }
    }

    private var courses: [EventKind: Course] = [:]

    /// Whether nothing is watched: every kind has come past the affected time.
    var isOver: Bool { courses.isEmpty }

    /// Watches the kinds whose events had not come past the pause, until they do. Times are in milliseconds since the
    /// Unix epoch.
    mutating func watch(
        _ starts: [EventKind: Start], over pause: ClosedRange<Int64>, because cause: Gap.Cause, now: Int64
    ) {
        for (kind, start) in starts {
            let (allowed, until) = JumpWatch.rule(kind, pause)
            guard start.time < until || allowed == 0 && start.time == until else { continue }
            var course =
                courses[kind]
                ?? Course(
                    newest: start.time, until: until, allowed: allowed, cause: cause, watchedSince: now,
                    isGuess: start.isGuess)
            course.until = until
            course.allowed = min(course.allowed, allowed)
            courses[kind] = course
        }
    }

    /// Returns the span in which events of a kind may be missing, if no event has shown its end yet.
    func open(_ kind: EventKind) -> Jump? {
        courses[kind].map {
            Jump(kind: kind, from: $0.newest, to: $0.until, cause: $0.cause, watchedSince: $0.watchedSince)
        }
    }

    /// Returns the jumps that a batch's events show.
    mutating func took(_ batch: EventBatch) -> [Jump] {
        var jumps: [Jump] = []
        batch.forEachHead { look($0.kind, $0.end, &jumps) }
        return jumps
    }

    private mutating func look(_ kind: EventKind, _ time: Int64, _ jumps: inout [Jump]) {
        guard var course = courses[kind] else { return }
        course.believe(time)
        guard time > course.newest else { return }
        if time - course.newest > course.allowed {
            if let last = jumps.lastIndex(where: { $0.kind == kind }), jumps[last].to == course.newest {
                jumps[last].to = time
            } else {
                jumps.append(
                    Jump(
                        kind: kind, from: course.newest, to: time, cause: course.cause,
                        watchedSince: course.watchedSince))
            }
        }
        course.newest = time
        courses[kind] = time < course.until ? course : nil
    }

    private static let minute: Int64 = 60_000
    /// How long the bars of a minute take to come after its end, in milliseconds.
    private static let burst: Int64 = 15_000

    /// The longest time between two events of a kind if none is missed, and until when to watch.
    private static func rule(_ kind: EventKind, _ pause: ClosedRange<Int64>) -> (allowed: Int64, until: Int64) {
        switch kind {
        case .minuteBar:
            // All bars of a minute have the same time. If they came during a pause, some may be missing without a jump.
            let last = pause.upperBound / minute * minute
            return pause.lowerBound - burst < last ? (0, last) : (65_000, pause.upperBound)
        case .secondBar: return (6000, pause.upperBound)
        case .trade, .quote, .limitBand, .imbalance, .fairValue: return (5000, pause.upperBound)
        }
    }
}

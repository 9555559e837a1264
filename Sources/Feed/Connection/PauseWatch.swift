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

/// After a pause: finds where the feed went on later than it had stopped, because it threw away what waited meanwhile.
///
/// What lay in the sockets' buffers comes first, so the jump may come long after the pause. A quiet market makes a jump
/// too; a gap says that events *may* have been missed.
struct JumpWatch: Sendable {
    /// A part of a kind's time in which no event came.
    struct Jump: Equatable {
        var kind: EventKind
        var from: Int64
        var to: Int64
    }

    /// The pause's end, in milliseconds since the Unix epoch: what happens later is not affected.
    private let resumed: Int64
    private var last: [EventKind: Int64]

    /// Watches the kinds of which events came before.
    init(times: EventTimes, resumed: Int64) {
        self.resumed = resumed
        last = [:]
        for kind in EventKind.allCases {
            if let mark = times[kind], mark.lossStart < resumed { last[kind] = mark.lossStart }
        }
    }

    /// Whether every kind has come past the pause.
    var isOver: Bool { last.isEmpty }

    /// Looks at the events that come.
    mutating func took(_ batch: EventBatch) -> [Jump] {
        var jumps: [Jump] = []
        batch.forEachHead { look($0.kind, $0.end, &jumps) }
        return jumps
    }

    private mutating func look(_ kind: EventKind, _ time: Int64, _ jumps: inout [Jump]) {
        guard let before = last[kind], time > before else { return }
        if time - before > JumpWatch.allowed(kind) { jumps.append(Jump(kind: kind, from: before, to: time)) }
        last[kind] = time < resumed ? time : nil
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

import MarketData

/// The longest time from an event's arrival to the start of its commit.
public enum CommitInterval: Sendable, Hashable {
    /// Always this.
    case fixed(Duration)
    /// 50 ms for what comes after a quiet second, and up to a second while events keep coming: each commit writes whole
    /// pages, so fewer of them write less to a disk that wears out.
    case automatic
}

/// Decides when the next commit is due. Pure.
struct CommitPace {
    static let shortest = Duration.milliseconds(50)
    static let longest = Duration.seconds(1)

    private let setting: CommitInterval
    /// The interval of the commit that is due or was due last.
    private(set) var interval = CommitPace.shortest
    private var lastDue: MonotonicTime?

    init(_ setting: CommitInterval) {
        self.setting = setting
        if case .fixed(let interval) = setting { self.interval = interval }
    }

    /// Starts the interval at `now`, when the first work since the last commit arrived, and returns its end.
    mutating func start(at now: MonotonicTime) -> MonotonicTime {
        if setting == .automatic {
            let isSteady = lastDue.map { $0.duration(to: now) < Self.longest } ?? false
            interval = isSteady ? min(interval * 2, Self.longest) : Self.shortest
        }
        let due = now.advanced(by: interval)
        lastDue = due
        return due
    }
}

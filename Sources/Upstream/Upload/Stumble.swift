/// A batch that did not go up, as the next try of the same rows knows it.
///
/// A problem that passes by itself is over at the second or third try. What then comes again with the same rows, on a server
/// that is up, may be the fault of one of them, whatever the code says: a frozen chunk's 0A000, a policy's 42501, an
/// extension's XX000. So the third try looks for the row: in halves, behind savepoints.
struct Stumble: Sendable, Equatable {
    /// How many tries fail as a whole before the rows are looked at one by one.
    static let triesAtOnce = 2
    /// Rows that are slow to fail are looked at one by one from this number down; more are sent in smaller batches first.
    static let fewRows = 8

    private(set) var first: Int64
    private(set) var sqlState: String?
    private(set) var tries = 1
    /// Whether it took a timeout to fail.
    private(set) var isSlow: Bool

    init(first: Int64, error: UpstreamError) {
        self.first = first
        sqlState = error.sqlState
        isSlow = error.isSlow
    }

    /// What is known after another failure.
    func followed(by next: Stumble) -> Stumble {
        guard next.first == first, next.sqlState == sqlState else { return next }
        var result = next
        result.tries = tries + 1
        return result
    }

    /// Whether a batch of these rows is to be loaded in halves, down to single rows, whatever the error.
    func narrows(_ batch: Int64?, rows: Int) -> Bool {
        batch == first && tries >= Self.triesAtOnce && (!isSlow || rows <= Self.fewRows)
    }

    /// What keeps to the server and not to a row: a lock that another holds, a resource that is used up.
    static func mayBeRows(_ error: UpstreamError) -> Bool {
        !error.endsConnection && error.reason != .limit && error.reason != .file
            && error.sqlState != UpstreamError.lockTimeout && error.sqlState?.hasPrefix("53") == false
    }
}

/// How long the search for the row at fault goes on while no row goes through: then it is no row's fault.
struct NarrowingBudget {
    /// So many tries of parts may fail one after the other. As many refused rows as may become dead letters at once are
    /// found within it, wherever they stand.
    static let tries = 300
    /// The same for tries that take a timeout each.
    static let slowTries = 8

    private let limit: Duration
    private let most: Int
    private var failures = 0
    private var since: ContinuousClock.Instant

    /// - Parameter limit: How long tries that fail at once may take in all.
    init(isSlow: Bool, limit: Duration, at now: ContinuousClock.Instant = .now) {
        most = isSlow ? Self.slowTries : Self.tries
        self.limit = isSlow ? limit * Self.slowTries : limit
        since = now
    }

    /// A part went through.
    mutating func passed(at now: ContinuousClock.Instant = .now) {
        failures = 0
        since = now
    }

    /// A part failed.
    ///
    /// - Returns: Whether its halves are to be tried.
    mutating func failed(at now: ContinuousClock.Instant = .now) -> Bool {
        failures += 1
        return failures < most && now - since < limit
    }
}

/// A batch that failed to go up, as the next attempt with the same rows sees it.
///
/// A temporary problem is gone at the second or third attempt. An error that then recurs with the same rows, on a
/// server that is up, may be the fault of one row, whatever the code says: 0A000 for a frozen chunk, 42501 for a
/// policy, XX000 for an extension. So the third attempt searches for the row, in halves, using savepoints.
struct Stumble: Sendable, Equatable {
    /// The number of attempts that fail as a whole before rows are tried one by one.
    static let triesAtOnce = 2
    /// The number of rows up to which a slow failure is searched row by row; larger batches are first made smaller.
    static let fewRows = 8

    private(set) var first: Int64
    private(set) var sqlState: String?
    private(set) var tries = 1
    /// Whether it failed by a timeout.
    private(set) var isSlow: Bool

    init(first: Int64, error: UpstreamError) {
        self.first = first
        sqlState = error.sqlState
        isSlow = error.isSlow
    }

    /// The combined knowledge after another failure.
    func followed(by next: Stumble) -> Stumble {
        guard next.first == first, next.sqlState == sqlState else { return next }
        var result = next
        result.tries = tries + 1
        return result
    }

    /// Whether to load a batch of these rows in halves, down to single rows, whatever the error.
    func narrows(_ batch: Int64?, rows: Int) -> Bool {
        batch == first && tries >= Self.triesAtOnce && (!isSlow || rows <= Self.fewRows)
    }

    /// Whether rows may cause the error. A lock that another session holds and an exhausted resource are the server's.
    static func mayBeRows(_ error: UpstreamError) -> Bool {
        !error.endsConnection && error.reason != .limit && error.reason != .file
            && error.sqlState != UpstreamError.lockTimeout && error.sqlState?.hasPrefix("53") == false
    }
}

/// How long to search for the row at fault while no row succeeds; after that, no row is at fault.
struct NarrowingBudget {
    /// The number of attempts in a row that may fail. It is enough to find as many refused rows as may become dead
    /// letters at once, wherever they are in the batch.
    static let tries = 300
    /// The same for attempts that each fail by a timeout.
    static let slowTries = 8

    private let limit: Duration
    private let most: Int
    private var failures = 0
    private var since: ContinuousClock.Instant

    /// - Parameter limit: the total time for attempts that fail immediately; slow attempts get a multiple of it.
    init(isSlow: Bool, limit: Duration, at now: ContinuousClock.Instant = .now) {
        most = isSlow ? Self.slowTries : Self.tries
        self.limit = isSlow ? limit * Self.slowTries : limit
        since = now
    }

    /// Records that a part succeeded.
    mutating func passed(at now: ContinuousClock.Instant = .now) {
        failures = 0
        since = now
    }

    /// Records that a part failed.
    ///
    /// - Returns: whether to try its halves.
    mutating func failed(at now: ContinuousClock.Instant = .now) -> Bool {
        failures += 1
        return failures < most && now - since < limit
    }
}

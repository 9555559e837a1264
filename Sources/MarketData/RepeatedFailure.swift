/// Decides when a failure that comes again and again is logged: at once when it is new, then every 30 seconds with its
/// count, also when it was gone in between. Reads no clock.
public struct RepeatedFailure<Moment: InstantProtocol>: Sendable where Moment.Duration == Duration {
    private var text = ""
    private var count = 0
    private var nextLog: Moment?
    private var isReported = false

    /// Nothing has failed yet.
    public init() {}

    /// How often the failure came since it was last logged, when it is to be logged now; `nil` when it is not.
    public mutating func occurred(_ failure: String, now: Moment) -> Int? {
        if failure != text {
            text = failure
            count = 0
            nextLog = nil
        }
        count += 1
        if let nextLog, now < nextLog { return nil }
        nextLog = now.advanced(by: .seconds(30))
        isReported = true
        defer { count = 0 }
        return count
    }

    /// Notes that the failure is gone, and answers whether the log should say so.
    public mutating func ended() -> Bool {
        defer { isReported = false }
        return isReported
    }
}

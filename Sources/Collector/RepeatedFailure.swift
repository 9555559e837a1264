/// Decides which of many equal failures are worth a log line: the first at once, then one every 30 s with the count.
///
/// Reads no clock; a different failure, or a success, starts anew.
struct RepeatedFailure {
    /// What to do with a failure.
    enum Report: Equatable {
        case log(occurrences: Int)
        case keepQuiet
    }

    static let interval: Duration = .seconds(30)

    private var text: String?
    private var unreported = 0
    private var lastReport: ContinuousClock.Instant?

    mutating func failed(_ description: String, at now: ContinuousClock.Instant) -> Report {
        unreported += 1
        if description == text, let lastReport, now < lastReport + Self.interval { return .keepQuiet }
        if description != text { unreported = 1 }
        text = description
        lastReport = now
        defer { unreported = 0 }
        return .log(occurrences: unreported)
    }

    /// Forgets the failure; answers whether there was one, so that the recovery can be said.
    mutating func succeeded() -> Bool {
        defer {
            text = nil
            unreported = 0
            lastReport = nil
        }
        return text != nil
    }
}

/// A failure that lasts.
public struct LastingFailure: Sendable, Equatable {
    /// What went wrong and what to do, in one line, without secrets.
    public let description: String
    /// Whether a person must fix it.
    public let needsPerson: Bool
    /// When it began.
    public let since: ContinuousClock.Instant

    /// Makes a failure; see the properties for meaning.
    public init(description: String, needsPerson: Bool = false, since: ContinuousClock.Instant) {
        self.description = description
        self.needsPerson = needsPerson
        self.since = since
    }

    /// Makes a failure that began with the one before it; without one, it begins now.
    public init(
        description: String, needsPerson: Bool = false, after before: LastingFailure?,
        at now: ContinuousClock.Instant = .now
    ) {
        self.init(description: description, needsPerson: needsPerson, since: before?.since ?? now)
    }
}

/// How the local copy of the universes stands.
public struct UniverseState: Sendable, Equatable {
    /// Seconds since the copy was last found to be as the database; `nil` when there was never a pull.
    public var pulledAge: Double?
    /// What went wrong with the newest pull and what to do, in one line, without secrets; `nil` while pulls work.
    public var failure: String?

    /// Makes the state of a copy that was never pulled.
    public init(pulledAge: Double? = nil, failure: String? = nil) {
        self.pulledAge = pulledAge
        self.failure = failure
    }
}

/// How current the local copy of the universes is.
public struct MirrorState: Sendable, Equatable {
    /// How old the pulled groups are, in seconds; `nil` when there was never a pull.
    public var age: Double?
    /// Why pulling fails, in one line, without secrets; `nil` while it does not.
    public var failure: String?

    /// Makes a state; see the properties for meaning.
    public init(age: Double? = nil, failure: String? = nil) {
        self.age = age
        self.failure = failure
    }
}

extension MirrorState {
    /// The mirror's state, from memory.
    ///
    /// - Parameter time: Milliseconds since the Unix epoch.
    init(_ status: UniverseStatus, at time: Int64) {
        self.init(
            age: status.mirrorPulledAt.map { max(0, Double(time - $0) / 1000) },
            failure: status.failure?.description)
    }
}

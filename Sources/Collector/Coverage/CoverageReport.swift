/// What is known about some days, and from which sources.
public struct CoverageReport: Sendable {
    /// The days, oldest first.
    public var days: [DayCoverage]
    /// Whether the database was asked too.
    public var askedUpstream = false
    /// Why the database could not be asked.
    public var problem: String?
    /// Whether the sources were read as far as needed.
    public var isComplete = true
}

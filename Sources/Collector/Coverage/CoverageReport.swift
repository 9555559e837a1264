/// What is known of some days, and from where.
public struct CoverageReport: Sendable {
    /// The days, oldest first.
    public var days: [DayCoverage]
    /// Whether the database was asked too.
    public var askedUpstream: Bool
    /// Why the database could not be asked.
    public var problem: String?
    /// Whether the sources were read as far as needed.
    public var isComplete: Bool

    /// Makes a report; see the properties for meaning.
    public init(days: [DayCoverage], askedUpstream: Bool = false, problem: String? = nil, isComplete: Bool = true) {
        self.days = days
        self.askedUpstream = askedUpstream
        self.problem = problem
        self.isComplete = isComplete
    }
}

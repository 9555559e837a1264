/// Why the running collector did not do what it was asked to do.
public struct CollectorProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of problem; the kind decides the HTTP status.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The thing named in the request does not exist (404).
        case notFound = "not-found"
        /// The request is not valid (422).
        case invalid
        /// The request does not fit the present state or the settings (409).
        case conflict
        /// The collector cannot do it now (503).
        case unavailable
        /// The attempt failed (500).
        case failed
    }

    /// The kind of problem.
    public var kind: Kind
    /// What is wrong and what to do, in one line, without secrets.
    public var detail: String
    /// Names that exist and resemble one that does not, best first.
    public var nearest: [String]

    /// Makes a problem; see the properties for meaning.
    public init(_ kind: Kind, _ detail: String, nearest: [String] = []) {
        self.kind = kind
        self.detail = detail
        self.nearest = nearest
    }

    /// The detail, in one line.
    public var description: String { detail }
}

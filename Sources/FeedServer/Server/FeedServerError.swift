/// An error in opening a feed server; its one-line description says what failed and what to do, and contains no secrets.
public struct FeedServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Reason: String, Sendable, Equatable {
        /// The address can't be listened on.
        case cannotListen
        /// A certificate or key file is missing or wrong.
        case tlsFiles
    }

    /// The kind of failure.
    public let reason: Reason
    /// What was being done: a verb and what it was done to.
    let operation: String
    /// What the system or the library said.
    public let underlying: String
    /// What to do about it.
    let advice: String

    /// The failure as one line.
    public var description: String { "\(operation): \(underlying); \(advice)" }
}

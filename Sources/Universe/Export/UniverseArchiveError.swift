/// Why a backup was rejected.
public struct UniverseArchiveError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong.
    enum Reason: Sendable, Equatable {
        /// The bytes are not a backup.
        case foreign
        /// The backup was written by a newer EdgeTick.
        case tooNew
        /// The backup is damaged.
        case malformed
    }

    /// What went wrong.
    let reason: Reason
    /// One line: what is wrong, where, and what to do.
    public let description: String

    init(_ reason: Reason, _ text: String) {
        self.reason = reason
        description = text
    }
}

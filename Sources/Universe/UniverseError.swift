public import Store

/// Why a universe key gave no symbols.
public struct UniverseError: Error, Sendable, CustomStringConvertible {
    /// What went wrong.
    public enum Reason: Sendable {
        /// The key has no name in it.
        case emptyKey
        /// The key names no group that exists.
        case unknownKey
        /// The groups exist but hold no symbol that the feed could send.
        case noSymbols
        /// The mirror could not be read.
        case mirror(StoreError)
    }

    /// What went wrong.
    public var reason: Reason

    /// What was found on the way: unknown parts, empty groups, symbols left out. Each fits on a log line.
    public var warnings: [String]

    /// Names that exist and resemble those of the key, best first.
    public var nearest: [String]

    /// One line: what is wrong and what to do.
    public let description: String

    init(_ reason: Reason, text: String, warnings: [String] = [], nearest: [String] = []) {
        self.reason = reason
        description = text
        self.warnings = warnings
        self.nearest = nearest
    }
}

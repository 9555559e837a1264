public import Store

/// Why a universe key gave no symbols.
public struct UniverseError: Error, Sendable {
    /// What went wrong.
    public enum Reason: Sendable {
        /// The key has no name in it.
        case emptyKey
        /// The key names no group that exists.
        case unknownKey
        /// The groups exist and hold no symbol that the feed could send.
        case noSymbols
        /// The mirror could not be read.
        case mirror(StoreError)
    }

    /// What went wrong.
    public var reason: Reason

    /// The key that was to be resolved, as written.
    public var key: String

    /// What was found on the way: unknown parts, empty groups, symbols left out. Each fits a log line.
    public var warnings: [String]

    /// Names that exist and resemble those of the key, best first.
    public var nearest: [String]

    private var text: String

    /// Whether the same call may succeed without anybody changing the key or the mirror.
    public var isRetryable: Bool {
        if case .mirror(let error) = reason { error.isRetryable } else { false }
    }

    init(_ reason: Reason, key: String, text: String, warnings: [String] = [], nearest: [String] = []) {
        self.reason = reason
        self.key = key
        self.text = text
        self.warnings = warnings
        self.nearest = nearest
    }
}

extension UniverseError: CustomStringConvertible {
    /// One line: what is wrong and what to do.
    public var description: String { text }
}

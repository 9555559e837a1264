/// Why a backup was rejected.
public struct UniverseArchiveError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One line: what is wrong, where, and what to do.
    public let description: String

    init(_ text: String) { description = text }

    static func damaged(_ text: String) -> Self { Self("the backup is damaged: \(text)") }
}

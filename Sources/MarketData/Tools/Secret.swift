/// A value that no log, error or page may show: an API key, a password, a token.
///
/// Printing, interpolating or dumping one shows a mask; ``reveal()`` is the one way to the value.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    /// Wraps a value.
    public init(_ value: String) { self.value = value }

    /// Whether a text is the value. The time taken reveals the length, but not how much of the text is right.
    public func matches(_ text: String) -> Bool {
        let (mine, theirs) = (Array(value.utf8), Array(text.utf8))
        guard mine.count == theirs.count else { return false }
        var difference: UInt8 = 0
        for (left, right) in zip(mine, theirs) { difference |= left ^ right }
        return difference == 0
    }

    /// The value itself, for the one place that sends it.
    public func reveal() -> String { value }

    /// A mask that shows nothing, not even the length.
    public var description: String { "••••" }

    /// A mask that shows nothing, not even the length.
    public var debugDescription: String { description }

    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

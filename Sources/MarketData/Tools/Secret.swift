/// A value that no log, error or page may show: an API key, a password, a token.
///
/// Printing, interpolating or dumping one shows a mask; ``reveal()`` is the one way to the value.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    /// Wraps a value.
    public init(_ value: String) {
        self.value = value
    }

    /// The value itself, for the one place that sends it.
    public func reveal() -> String { value }

    /// A mask that tells nothing, not even the length.
    public var description: String { "••••" }

    /// A mask that tells nothing, not even the length.
    public var debugDescription: String { description }

    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A value that contains secrets: printing, interpolating or dumping it shows only its type.
protocol ConcealsContents: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension ConcealsContents {
    var description: String { "\(Self.self)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}

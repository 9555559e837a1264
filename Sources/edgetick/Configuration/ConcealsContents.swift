/// A value that holds secrets among others: printing, interpolating or dumping it shows its type alone.
protocol ConcealsContents: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension ConcealsContents {
    var description: String { "\(Self.self)" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}

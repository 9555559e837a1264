import FoundationEssentials

/// A buffer file's own identifier: a UUID in lower case, as in the upload's ledger.
enum BufferID {
    /// Whether a text is a valid identifier.
    static func isValid(_ text: String) -> Bool { UUID(uuidString: text)?.uuidString.lowercased() == text }
}

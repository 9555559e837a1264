/// A buffer file's own identifier: a UUID in lower case, as in the upload's ledger.
enum BufferID {
    /// Whether a text is a valid identifier.
    static func isValid(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [8, 4, 4, 4, 12] else { return false }
        return text.allSatisfy { $0 == "-" || $0.isHexDigit && !$0.isUppercase && $0.isASCII }
    }
}

/// The byte order mark that some programs write before a file's text. It is not part of the text.
public enum ByteOrderMark {
    /// Returns the bytes of UTF-8 text without a leading byte order mark.
    public static func dropped<Bytes: Collection<UInt8>>(from bytes: Bytes) -> Bytes.SubSequence {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    }
}

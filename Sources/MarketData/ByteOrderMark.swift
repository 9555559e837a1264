/// The byte order mark that some programs write before a file's text. It is not part of the text.
public enum ByteOrderMark {
    /// Returns the bytes of UTF-8 text without a leading byte order mark.
    public static func dropped(from bytes: [UInt8]) -> ArraySlice<UInt8> { dropped(from: bytes[...]) }

    /// Returns the bytes of UTF-8 text without a leading byte order mark.
    public static func dropped(from bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
    }
}

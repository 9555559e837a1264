/// The mark that some programs put before a file's text, which is no part of it.
public enum ByteOrderMark {
    /// The bytes of UTF-8 text without a mark before them.
    public static func dropped(from bytes: [UInt8]) -> ArraySlice<UInt8> { dropped(from: bytes[...]) }

    /// The bytes of UTF-8 text without a mark before them.
    public static func dropped(from bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
    }
}

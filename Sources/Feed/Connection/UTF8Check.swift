/// Checks whether bytes are UTF-8 (RFC 3629), with a fast path for ASCII, which is what the feed sends.
enum UTF8Check {
    /// Whether `bytes` are well-formed UTF-8.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let ascii = asciiPrefix(bytes)
        if ascii == bytes.count { return true }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[ascii...])
        return rest.withMemoryRebound(to: UInt8.self) { rest in
            (try? UTF8Span(validating: rest.span)) != nil
        }
    }

    /// The length of the run of ASCII at the start, found in blocks of 32 and 8 bytes and then byte by byte.
    private static func asciiPrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
        let highBits: UInt64 = 0x8080_8080_8080_8080
        var offset = 0
        while offset + 32 <= bytes.count {
            let first = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let second = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
            let third = bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)
            let fourth = bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
            guard (first | second | third | fourth) & highBits == 0 else { break }
            offset += 32
        }
        while offset + 8 <= bytes.count,
            bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) & highBits == 0
        {
            offset += 8
        }
        while offset < bytes.count, bytes[offset] < 0x80 { offset += 1 }
        return offset
    }
}

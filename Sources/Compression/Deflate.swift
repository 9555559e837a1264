import CZlib

/// Deflate compression (RFC 1951) of whole arrays. The raw values are zlib's windowBits for the largest window.
public enum Deflate: Int32 {
    /// Without a header, as in ZIP archives.
    case raw = -15
    /// One gzip member (RFC 1952).
    case gzip = 31

    /// Returns the bytes compressed. Of the levels, 1 is by far the fastest, and 9 gives the fewest bytes.
    public func packed(_ bytes: [UInt8], level: Int32) -> [UInt8] {
        var stream = z_stream()
        let ready = deflateInit2_(
            &stream, level, Z_DEFLATED, rawValue, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(ready == Z_OK, "zlib has no memory")
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        let (packed, ending) = Self.run(deflate, &stream, bytes[...], limit: bound)
        precondition(ending == Z_STREAM_END, "zlib's own bound was too low")
        return packed
    }

    /// Returns the bytes decompressed, at most `limit` of them; `nil` if the compressed ones are damaged or cut short.
    public func unpacked(_ bytes: ArraySlice<UInt8>, limit: Int) -> [UInt8]? {
        var stream = z_stream()
        let ready = inflateInit2_(&stream, rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(ready == Z_OK, "zlib has no memory")
        defer { inflateEnd(&stream) }
        let (unpacked, ending) = Self.run(inflate, &stream, bytes, limit: limit)
        return ending == Z_STREAM_END || unpacked.count == limit ? unpacked : nil
    }

    /// Returns the CRC-32 of the bytes, as gzip and ZIP files store it.
    public static func crc32(_ bytes: [UInt8]) -> Int { Int(crc32_z(0, bytes, bytes.count)) }

    private static func run(
        _ step: (UnsafeMutablePointer<z_stream>?, Int32) -> Int32, _ stream: inout z_stream, _ bytes: ArraySlice<UInt8>,
        limit: Int
    ) -> ([UInt8], ending: Int32) {
        var ending = Z_OK
        // Memory that isn't written to costs nothing.
        let output = [UInt8](unsafeUninitializedCapacity: limit) { output, count in
            ending = bytes.withUnsafeBufferPointer { input in
                stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(limit)
                return step(&stream, Z_FINISH)
            }
            count = limit - Int(stream.avail_out)
        }
        return (output, ending)
    }
}

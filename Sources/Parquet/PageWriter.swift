import CZlib

/// Appends pages with their headers.
struct PageWriter {
    let compression: ParquetWriter.Compression
    /// What the pages and their headers would take without compression.
    private(set) var plainBytes = 0

    init(compression: ParquetWriter.Compression) { self.compression = compression }

    mutating func addDictionary(_ page: [UInt8], count: Int, to bytes: inout [UInt8]) {
        var header = CompactStruct()
        header.add(1, Int32(count))
        header.add(2, Int32(0))
        add(page, type: 2, field: 7, header, to: &bytes)
    }

    mutating func add(_ page: [UInt8], rows: Int, isIndexed: Bool, to bytes: inout [UInt8]) {
        var header = CompactStruct()
        header.add(1, Int32(rows))
        header.add(2, Int32(isIndexed ? 8 : 0))
        header.add(3, Int32(3))
        header.add(4, Int32(3))
        add(page, type: 0, field: 5, header, to: &bytes)
    }

    private mutating func add(
        _ page: [UInt8], type: Int32, field: Int, _ part: CompactStruct, to bytes: inout [UInt8]
    ) {
        let packed = compression == .gzip ? Gzip.compressed(page) : page
        var header = CompactStruct()
        header.add(1, type)
        header.add(2, Int32(page.count))
        header.add(3, Int32(packed.count))
        header.add(field, part)
        let text = header.bytes
        bytes += text
        bytes += packed
        plainBytes += text.count + page.count
    }
}

/// Compression in gzip's format.
public enum Gzip {
    /// Returns the bytes as one gzip member.
    public static func compressed(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        // Adding 16 to the window's size asks for gzip's header. Level 1 is the lowest: the others take several times
        // as long.
        let ready = deflateInit2_(
            &stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(ready == Z_OK, "zlib has no memory")
        defer { deflateEnd(&stream) }
        var packed = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
        var input = bytes
        let count = input.withUnsafeMutableBufferPointer { input in
            packed.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                let ending = deflate(&stream, Z_FINISH)
                precondition(ending == Z_STREAM_END, "zlib's own bound was too low")
                return output.count - Int(stream.avail_out)
            }
        }
        packed.removeLast(packed.count - count)
        return packed
    }
}

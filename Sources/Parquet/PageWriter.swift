import Compression

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
        let packed = compression == .gzip ? Deflate.gzip.packed(page, level: 1) : page
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

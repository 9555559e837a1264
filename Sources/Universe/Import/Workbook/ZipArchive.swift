import Compression

/// Reads the entries of a ZIP archive within limits: whatever sizes the file declares, no entry takes more memory than
/// it may.
struct ZipArchive {
    private struct Entry {
        var method: Int
        var checksum: Int
        var compressed: Int
        var offset: Int
    }

    /// More entries than any workbook has.
    private static let maximumEntries = 4096
    /// A larger entry is not a list of symbols.
    static let maximumBytes = 64 << 20

    private static let damaged = WorkbookError("its directory is damaged")

    private let bytes: [UInt8]
    private var entries: [String: Entry] = [:]

    init(_ bytes: [UInt8]) throws(WorkbookError) {
        self.bytes = bytes
        // The directory's end may be followed by a comment of up to 64 KiB.
        let lowest = max(0, bytes.count - 22 - 0xFFFF)
        var end = bytes.count - 22
        while end >= lowest, !has([0x50, 0x4B, 0x05, 0x06], at: end) { end -= 1 }
        guard end >= lowest, end >= 0 else { throw WorkbookError("it is cut short: its directory is missing") }
        var count = try number(end + 10, 2)
        var place = try number(end + 16, 4)
        if has([0x50, 0x4B, 0x06, 0x07], at: end - 20) {
            // ZIP64, which programs write when they don't know in advance how much they will write.
            let whole = try place64(end - 12)
            guard has([0x50, 0x4B, 0x06, 0x06], at: whole) else { throw Self.damaged }
            count = try place64(whole + 32)
            place = try place64(whole + 48)
        }
        guard count <= Self.maximumEntries else {
            throw WorkbookError("it has \(count) parts, more than the limit of \(Self.maximumEntries)")
        }
        for _ in 0..<count {
            guard has([0x50, 0x4B, 0x01, 0x02], at: place) else { throw Self.damaged }
            guard try number(place + 8, 2) & 1 == 0 else { throw WorkbookError("it is protected by a password") }
            let name = try number(place + 28, 2)
            let extra = try number(place + 30, 2)
            let comment = try number(place + 32, 2)
            guard place + 46 + name <= bytes.count else { throw Self.damaged }
            let text = String(decoding: bytes[place + 46..<place + 46 + name], as: UTF8.self)
            var entry = Entry(
                method: try number(place + 10, 2), checksum: try number(place + 16, 4),
                compressed: try number(place + 20, 4), offset: try number(place + 42, 4))
            try widen(&entry, hasLongSize: try number(place + 24, 4) == Self.long, place + 46 + name, extra)
            entries[text] = entry
            place += 46 + name + extra + comment
        }
    }

    /// In a field of 32 bits, the mark of a number that is stored in 64 bits elsewhere.
    private static let long = 0xFFFF_FFFF

    /// Reads the numbers that an entry has in 64 bits: its packed size and its position. Its own size comes first and
    /// is skipped. Each is there only when the field of 32 bits holds the mark.
    private func widen(_ entry: inout Entry, hasLongSize: Bool, _ start: Int, _ count: Int) throws(WorkbookError) {
        guard entry.compressed == Self.long || entry.offset == Self.long else { return }
        var field = start
        while field + 4 <= start + count {
            let length = try number(field + 2, 2)
            if try number(field, 2) == 1 {
                var place = field + (hasLongSize ? 12 : 4)
                if entry.compressed == Self.long {
                    entry.compressed = try place64(place)
                    place += 8
                }
                if entry.offset == Self.long { entry.offset = try place64(place) }
                return
            }
            field += 4 + length
        }
    }

    /// Reads a number of 64 bits that can't be larger than the file; one that needs more than 32 bits is damaged.
    private func place64(_ place: Int) throws(WorkbookError) -> Int {
        guard try number(place + 4, 4) == 0 else { throw Self.damaged }
        return try number(place, 4)
    }

    /// An entry's content; `nil` when there is no such entry.
    func content(of name: String) throws(WorkbookError) -> [UInt8]? {
        guard let entry = entries[name] else { return nil }
        guard has([0x50, 0x4B, 0x03, 0x04], at: entry.offset) else {
            throw WorkbookError("its part \(name) is not where its directory says")
        }
        let start = entry.offset + 30 + (try number(entry.offset + 26, 2)) + (try number(entry.offset + 28, 2))
        guard start + entry.compressed <= bytes.count else { throw WorkbookError("its part \(name) is cut short") }
        let packed = bytes[start..<start + entry.compressed]
        // One byte more than the limit shows that there is too much.
        let unpacked: [UInt8]?
        switch entry.method {
        case 0: unpacked = Array(packed.prefix(Self.maximumBytes + 1))
        case 8: unpacked = Deflate.raw.unpacked(packed, limit: Self.maximumBytes + 1)
        default: throw WorkbookError("its part \(name) uses an unknown compression method (\(entry.method))")
        }
        if let unpacked, unpacked.count > Self.maximumBytes {
            throw WorkbookError(
                "its part \(name) has more than \(Self.maximumBytes >> 20) MiB: it is not a list of symbols")
        }
        guard let content = unpacked, Deflate.crc32(content) == entry.checksum else {
            throw WorkbookError("its part \(name) is damaged")
        }
        return content
    }

    private func has(_ mark: [UInt8], at place: Int) -> Bool {
        place >= 0 && place + mark.count <= bytes.count && bytes[place..<place + mark.count].elementsEqual(mark)
    }

    private func number(_ place: Int, _ width: Int) throws(WorkbookError) -> Int {
        guard place >= 0, place + width <= bytes.count else { throw WorkbookError("it is cut short") }
        return (0..<width).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }
}

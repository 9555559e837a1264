enum RecordValue: Equatable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text([UInt8])
    case blob([UInt8])
}

/// One page of a tree (sqlite.org/fileformat2.html, section 1.6).
struct TreePage {
    enum Kind: UInt8 {
        case innerIndex = 2
        case innerTable = 5
        case leafIndex = 10
        case leafTable = 13
    }

    let kind: Kind
    let bytes: [UInt8]
    /// The offsets of the cells; those outside the page are left out.
    let cells: [Int]
    /// The rightmost child of an inner page.
    let last: UInt32?
    /// Whether a cell lies outside the page.
    let isDamaged: Bool

    /// `nil` if the bytes are not a page of a tree.
    init?(_ bytes: [UInt8], number: UInt32, usableBytes: Int) {
        let start = number == 1 ? 100 : 0
        let end = min(usableBytes, bytes.count)
        guard end >= start + 12, let kind = Kind(rawValue: bytes[start]) else { return nil }
        let isInner = kind == .innerIndex || kind == .innerTable
        let head = start + (isInner ? 12 : 8)
        let count = bytes.bigEndian16(at: start + 3)
        guard head + 2 * count <= end else { return nil }
        self.kind = kind
        self.bytes = bytes
        cells = (0..<count).map { bytes.bigEndian16(at: head + 2 * $0) }
            .filter { $0 >= head + 2 * count && $0 < end - 3 }
        isDamaged = cells.count < count
        last = isInner ? bytes.bigEndian32(at: start + 8) : nil
    }

    /// Returns a number of variable length and the offset after it; `nil` if it extends beyond the page.
    static func varint(_ bytes: [UInt8], at offset: Int) -> (value: Int64, next: Int)? {
        var value: UInt64 = 0
        for index in 0..<9 {
            guard offset + index < bytes.count else { return nil }
            let byte = bytes[offset + index]
            if index == 8 { return (Int64(bitPattern: value << 8 | UInt64(byte)), offset + 9) }
            value = value << 7 | UInt64(byte & 0x7F)
            if byte < 0x80 { return (Int64(bitPattern: value), offset + index + 1) }
        }
        return nil
    }
}

/// Reads records strictly: bytes that don't add up exactly are not a record.
enum RecordReading {
    /// The largest payload that is plausible, in bytes.
    static let mostBytes = 16 << 20

    static func values(_ payload: [UInt8]) -> [RecordValue]? {
        guard let (head, first) = TreePage.varint(payload, at: 0), head >= first, head <= payload.count else {
            return nil
        }
        var values: [RecordValue] = []
        var type = first
        var body = Int(head)
        while type < Int(head) {
            guard let (code, next) = TreePage.varint(payload, at: type), next <= Int(head),
                let (value, end) = value(code, payload, at: body)
            else { return nil }
            values.append(value)
            (type, body) = (next, end)
        }
        return body == payload.count ? values : nil
    }

    private static func value(_ code: Int64, _ payload: [UInt8], at offset: Int) -> (RecordValue, Int)? {
        func integer(_ count: Int) -> (RecordValue, Int)? {
            guard offset + count <= payload.count else { return nil }
            var value = Int64(Int8(bitPattern: payload[offset]))
            for index in 1..<max(1, count) { value = value << 8 | Int64(payload[offset + index]) }
            return (.integer(value), offset + count)
        }
        switch code {
        case 0: return (.null, offset)
        case 1...4: return integer(Int(code))
        case 5: return integer(6)
        case 6: return integer(8)
        case 7:
            guard case (.integer(let bits), let end)? = integer(8) else { return nil }
            return (.real(Double(bitPattern: UInt64(bitPattern: bits))), end)
        case 8, 9: return (.integer(code - 8), offset)
        case 12...Int64(mostBytes * 2):
            let count = Int(code - 12) / 2
            guard offset + count <= payload.count else { return nil }
            let bytes = Array(payload[offset..<offset + count])
            return (code % 2 == 0 ? .blob(bytes) : .text(bytes), offset + count)
        default: return nil
        }
    }
}

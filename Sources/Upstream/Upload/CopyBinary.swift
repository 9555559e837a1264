import MarketData

/// A column's type in COPY's binary format, among those that EdgeTick can encode.
enum BinaryType: Sendable, Equatable {
    case text, numeric, float8, int2, int4, int8, timestamp, bool

    /// The type of a column with the form `form` and the name `typeName` in pg_type; `nil` if only text can fill it.
    init?(_ form: ColumnForm, typeName: String) {
        switch (form, typeName) {
        case (.text, "text"), (.text, "varchar"), (.text, "bpchar"), (.text, "json"): self = .text
        case (.decimal, "numeric"), (.whole, "numeric"): self = .numeric
        case (.decimal, "float8"): self = .float8
        case (.rounded, "int2"), (.whole, "int2"): self = .int2
        case (.rounded, "int4"), (.whole, "int4"): self = .int4
        case (.rounded, "int8"), (.whole, "int8"): self = .int8
        case (.zonedTime, "timestamptz"), (.plainTime, "timestamp"): self = .timestamp
        case (.flag, "bool"): self = .bool
        default: return nil
        }
    }
}

/// Rows in COPY's binary format (PostgreSQL manual, COPY, "Binary Format"), which costs the server a fifth less than
/// text: every field is its length and its bytes, big-endian.
///
/// A value that its column's type can't hold is written with a wrong length, so that the server refuses the row. Single
/// rows are sent as text, so that the recorded reason is about the value.
struct CopyBinary: CopyWriter {
    var bytes: [UInt8] = []
    private var type = BinaryType.text

    mutating func begin() {
        bytes.append(contentsOf: "PGCOPY\n".utf8)
        bytes.append(contentsOf: [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    mutating func end() { bytes.append(contentsOf: [0xFF, 0xFF]) }

    @inline(__always)
    mutating func beginRow(columns: Int) { store(UInt16(truncatingIfNeeded: columns)) }

    @inline(__always)
    mutating func beginField(_ type: BinaryType?) { self.type = type ?? .text }

    @inline(__always)
    mutating func endRow() {}

    @inline(__always)
    mutating func appendNull() { store(UInt32.max) }

    mutating func append(_ value: Double, rounded: Bool) {
        if rounded {
            guard let whole = Int64(exactly: value.rounded(.toNearestOrAwayFromZero)) else { return appendUnfit() }
            return append(whole)
        }
        guard value.isFinite else { return appendUnfit() }
        guard type == .numeric else { return appendField(value.bitPattern) }
        if let (digits, decimals) = DecimalText.shortDecimal(of: value.magnitude), value != 0 || value.sign == .plus {
            append(digits, decimals: decimals, isNegative: value < 0)
        } else {
            append(long: value)
        }
    }

    @inline(__always)
    mutating func append(_ value: Int64) {
        switch type {
        case .int8: appendField(UInt64(bitPattern: value))
        case .int4:
            if let small = Int32(exactly: value) { appendField(UInt32(bitPattern: small)) } else { appendUnfit() }
        case .int2:
            if let small = Int16(exactly: value) { appendField(UInt16(bitPattern: small)) } else { appendUnfit() }
        case .numeric: append(value.magnitude, decimals: 0, isNegative: value < 0)
        case .text, .float8, .timestamp, .bool: appendUnfit()
        }
    }

    mutating func append(flag: Bool) { appendField(flag ? UInt8(1) : 0) }

    @inline(__always)
    mutating func append(_ symbol: Symbol) { symbol.withUTF8 { append(text: $0) } }

    @inline(__always)
    mutating func append(_ text: SharedText) { text.plain.withUnsafeBufferPointer { append(text: $0) } }

    @inline(__always)
    mutating func append(text: UnsafeBufferPointer<UInt8>) {
        store(UInt32(truncatingIfNeeded: text.count))
        bytes.append(contentsOf: text)
    }

    mutating func append(arrayOf text: UnsafeBufferPointer<UInt8>) { appendUnfit() }

    @inline(__always)
    mutating func append(milliseconds: Int64, zoned: Bool) {
        let (microseconds, overflows) = milliseconds.multipliedReportingOverflow(by: 1000)
        if overflows { appendUnfit() } else { append(microseconds: microseconds, zoned: zoned) }
    }

    /// The binary format counts from 2000-01-01 00:00:00 UTC.
    @inline(__always)
    mutating func append(microseconds: Int64, zoned: Bool) {
        let (value, overflows) = microseconds.subtractingReportingOverflow(946_684_800_000_000)
        if overflows { appendUnfit() } else { appendField(UInt64(bitPattern: value)) }
    }

    // MARK: Parts

    /// Writes a field longer than any of the types: the server reads a zero and refuses the rest (22P03). Too few bytes
    /// would be a protocol violation.
    private mutating func appendUnfit() { bytes.append(contentsOf: [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }

    @inline(__always)
    private mutating func store(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    @inline(__always)
    private mutating func appendField<Value: FixedWidthInteger>(_ value: Value) {
        let length = MemoryLayout<Value>.size
        withUnsafeTemporaryAllocation(byteCount: 4 + length, alignment: 1) { field in
            field.storeBytes(of: UInt32(length).bigEndian, as: UInt32.self)
            field.storeBytes(of: value.bigEndian, toByteOffset: 4, as: Value.self)
            bytes.append(contentsOf: field)
        }
    }

    /// Writes `digits / 10^decimals`, with at most 19 decimals, as a `numeric`: groups of four digits, most significant
    /// first.
    private mutating func append(_ digits: UInt64, decimals: Int, isNegative: Bool) {
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 16) { pieces in
            var place = pieces.count
            var rest = digits
            func push(_ piece: UInt64) {
                place -= 1
                pieces[place] = UInt16(truncatingIfNeeded: piece)
            }
            if decimals % 4 > 0 {
                // The last group is padded with zeros.
                let power = Self.powers[decimals % 4]
                push(rest % power * Self.powers[4 - decimals % 4])
                rest /= power
            }
            for _ in 0..<decimals / 4 {
                push(rest % 10_000)
                rest /= 10_000
            }
            let fraction = pieces.count - place
            while rest > 0 {
                push(rest % 10_000)
                rest /= 10_000
            }
            appendNumeric(
                pieces[place...], weight: pieces.count - place - fraction - 1, isNegative: isNegative,
                decimals: decimals)
        }
    }

    private static let powers: [UInt64] = [1, 10, 100, 1000, 10_000]

    /// Writes a number with more digits than most, using its shortest decimal: `1.5e-07`, `0.30000000000000004`.
    private mutating func append(long value: Double) {
        var text = value.magnitude.description
        let decimal = text.withUTF8 { ShortestDecimal($0) }
        if -19...0 ~= decimal.exponent {
            append(decimal.digits, decimals: -decimal.exponent, isNegative: value < 0)
        } else {
            append(decimal, isNegative: value < 0)
        }
    }

    /// Writes any decimal, digit by digit.
    private mutating func append(_ decimal: ShortestDecimal, isNegative: Bool) {
        var digits = decimal.digits.description.utf8.map { UInt16($0 - UInt8(ascii: "0")) }
        digits += Array(repeating: 0, count: max(0, decimal.exponent))
        let decimals = max(0, -decimal.exponent)
        // Full groups on both sides of the decimal point.
        digits.insert(contentsOf: Array(repeating: 0, count: max(0, decimals - digits.count)), at: 0)
        let before = (4 - (digits.count - decimals) % 4) % 4
        digits.insert(contentsOf: Array(repeating: 0, count: before), at: 0)
        let weight = (digits.count - decimals) / 4 - 1
        digits += Array(repeating: 0, count: (4 - digits.count % 4) % 4)
        var pieces = stride(from: 0, to: digits.count, by: 4).map { place in
            digits[place..<place + 4].reduce(0) { $0 * 10 + $1 }
        }
        pieces.withUnsafeMutableBufferPointer { buffer in
            appendNumeric(buffer[...], weight: weight, isNegative: isNegative, decimals: decimals)
        }
    }

    private mutating func appendNumeric(
        _ pieces: Slice<UnsafeMutableBufferPointer<UInt16>>, weight: Int, isNegative: Bool, decimals: Int
    ) {
        let length = 8 + 2 * pieces.count
        withUnsafeTemporaryAllocation(byteCount: 4 + length, alignment: 2) { field in
            field.storeBytes(of: UInt32(length).bigEndian, as: UInt32.self)
            field.storeBytes(of: UInt16(pieces.count).bigEndian, toByteOffset: 4, as: UInt16.self)
            field.storeBytes(of: Int16(weight).bigEndian, toByteOffset: 6, as: Int16.self)
            field.storeBytes(of: (isNegative ? UInt16(0x4000) : 0).bigEndian, toByteOffset: 8, as: UInt16.self)
            field.storeBytes(of: UInt16(decimals).bigEndian, toByteOffset: 10, as: UInt16.self)
            var offset = 12
            for piece in pieces {
                field.storeBytes(of: piece.bigEndian, toByteOffset: offset, as: UInt16.self)
                offset += 2
            }
            bytes.append(contentsOf: field)
        }
    }
}

/// `digits × 10^exponent`, parsed from `Double.description` of a number that is not negative: at most 17 digits.
struct ShortestDecimal {
    private(set) var digits: UInt64 = 0
    private(set) var exponent = 0

    init(_ text: UnsafeBufferPointer<UInt8>) {
        var place = 0
        var isFraction = false
        while place < text.count, text[place] != UInt8(ascii: "e") {
            if text[place] == UInt8(ascii: ".") {
                isFraction = true
            } else {
                digits = digits * 10 + UInt64(text[place] - UInt8(ascii: "0"))
                if isFraction { exponent -= 1 }
            }
            place += 1
        }
        guard place + 1 < text.count else { return }
        let isNegative = text[place + 1] == UInt8(ascii: "-")
        var power = 0
        for byte in text[(place + 1)...] where byte >= UInt8(ascii: "0") { power = power * 10 + Int(byte - 48) }
        exponent += isNegative ? -power : power
    }
}

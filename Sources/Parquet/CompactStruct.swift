/// A struct in Thrift's compact protocol, as in Parquet's page headers and footer
/// (thrift/doc/specs/thrift-compact-protocol.md, parquet-format/src/main/thrift/parquet.thrift).
///
/// Fields are added in the order of their numbers; ``bytes`` ends with the stop field.
struct CompactStruct {
    private var fields: [UInt8] = []
    private var last = 0

    /// The struct, including its end.
    var bytes: [UInt8] { fields + [0] }

    mutating func add(_ field: Int, _ value: Int32) {
        begin(field, type: 5)
        fields.append(varint: zigzag(Int64(value)))
    }

    mutating func add(_ field: Int, _ value: Int64) {
        begin(field, type: 6)
        fields.append(varint: zigzag(value))
    }

    mutating func add(_ field: Int, _ value: Bool) { begin(field, type: value ? 1 : 2) }

    mutating func add(_ field: Int, _ bytes: some Collection<UInt8>) {
        begin(field, type: 8)
        fields.append(varint: UInt64(bytes.count))
        fields += bytes
    }

    mutating func add(_ field: Int, _ text: String) { add(field, text.utf8) }

    mutating func add(_ field: Int, _ part: CompactStruct) {
        begin(field, type: 12)
        fields += part.bytes
    }

    mutating func add(_ field: Int, _ parts: [CompactStruct]) {
        beginList(field, type: 12, count: parts.count)
        for part in parts { fields += part.bytes }
    }

    mutating func add(_ field: Int, _ values: [Int32]) {
        beginList(field, type: 5, count: values.count)
        for value in values { fields.append(varint: zigzag(Int64(value))) }
    }

    mutating func add(_ field: Int, _ texts: [String]) {
        beginList(field, type: 8, count: texts.count)
        for text in texts {
            fields.append(varint: UInt64(text.utf8.count))
            fields += text.utf8
        }
    }

    /// Writes the short form of a field's header: each number must be 1 to 15 above the one before.
    private mutating func begin(_ field: Int, type: UInt8) {
        precondition((1...15).contains(field - last))
        fields.append(UInt8(field - last) << 4 | type)
        last = field
    }

    private mutating func beginList(_ field: Int, type: UInt8, count: Int) {
        begin(field, type: 9)
        if count < 15 {
            fields.append(UInt8(count) << 4 | type)
        } else {
            fields.append(0xF0 | type)
            fields.append(varint: UInt64(count))
        }
    }

    private func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }
}

extension [UInt8] {
    /// Appends a number with seven bits per byte, the lowest first.
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Appends the length of a text, as it is written before one.
    mutating func append(length: Int) {
        Swift.withUnsafeBytes(of: UInt32(length).littleEndian) { append(contentsOf: $0) }
    }

    /// Appends whole numbers as they are in memory, which is little-endian here as in the file.
    mutating func append<Number: FixedWidthInteger>(numbers: ArraySlice<Number>) {
        numbers.withUnsafeBytes { append(contentsOf: $0) }
    }
}

import MarketData

/// Rows in COPY's text format (PostgreSQL manual, COPY, "Text Format"): tabs between fields, a line feed after each
/// row, `\N` for NULL.
struct CopyText: CopyWriter {
    var bytes: [UInt8] = []
    private var isRowEmpty = true
    /// The times written last. Neighbouring bars share a window, and rows received together share the time of receipt.
    private var lastMilliseconds = TimeText()
    private var lastMicroseconds = TimeText()

    private struct TimeText {
        var time: Int64?
        var isZoned = false
        var bytes: [UInt8] = []
    }

    mutating func begin() {}

    mutating func end() {}

    @inline(__always)
    mutating func beginRow(columns: Int) {}

    @inline(__always)
    mutating func beginField(_ type: BinaryType? = nil) {
        if isRowEmpty { isRowEmpty = false } else { bytes.append(UInt8(ascii: "\t")) }
    }

    @inline(__always)
    mutating func endRow() {
        bytes.append(UInt8(ascii: "\n"))
        isRowEmpty = true
    }

    @inline(__always)
    mutating func appendNull() {
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(UInt8(ascii: "N"))
    }

    @inline(__always)
    mutating func append(_ value: Double, rounded: Bool) {
        // Only a damaged row has such a value. The server would accept NaN as a price; it refuses NULL.
        guard value.isFinite else { return appendNull() }
        guard rounded else { return DecimalText.append(value, to: &bytes) }
        let whole = value.rounded(.toNearestOrAwayFromZero)
        if let integer = Int64(exactly: whole) {
            DecimalText.append(integer, to: &bytes)
        } else {
            // Out of range for every integer column: the server refuses it, and the row becomes a dead letter.
            DecimalText.append(whole, to: &bytes)
        }
    }

    @inline(__always)
    mutating func append(_ value: Int64) { DecimalText.append(value, to: &bytes) }

    mutating func append(flag: Bool) { bytes.append(flag ? UInt8(ascii: "t") : UInt8(ascii: "f")) }

    /// A symbol: printable ASCII without backslash, so nothing to escape.
    @inline(__always)
    mutating func append(_ symbol: Symbol) { symbol.withUTF8 { bytes.append(contentsOf: $0) } }

    @inline(__always)
    mutating func append(_ text: SharedText) { bytes.append(contentsOf: text.escaped) }

    /// Returns a text as it is written in a field.
    static func escaped(_ text: String) -> [UInt8] {
        var copy = CopyText()
        copy.append(text: text)
        return copy.bytes
    }

    /// Undoes the escapes in a field.
    static func unescaped(_ field: some Collection<UInt8>) -> [UInt8] {
        guard field.contains(UInt8(ascii: "\\")) else { return Array(field) }
        var bytes: [UInt8] = []
        var rest = field.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.next() {
            case UInt8(ascii: "b"): bytes.append(8)
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "v"): bytes.append(11)
            case UInt8(ascii: "f"): bytes.append(12)
            case UInt8(ascii: "r"): bytes.append(13)
            case let other?: bytes.append(other)
            case nil: break
            }
        }
        return bytes
    }

    /// A field as an SQL constant, which each column's own type parses.
    static func literal(_ field: [UInt8]) -> String {
        guard field != Array("\\N".utf8) else { return "NULL" }
        return SQLText.literal(String(decoding: unescaped(field), as: UTF8.self))
    }

    mutating func append(text: UnsafeBufferPointer<UInt8>) { for byte in text { appendEscaped(byte) } }

    mutating func append(text: String) {
        var copy = text
        copy.withUTF8 { append(text: $0) }
    }

    mutating func append(arrayOf text: UnsafeBufferPointer<UInt8>) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "["): bytes.append(UInt8(ascii: "{"))
            case UInt8(ascii: "]"): bytes.append(UInt8(ascii: "}"))
            default: appendEscaped(byte)
            }
        }
    }

    @inline(__always)
    private mutating func appendEscaped(_ byte: UInt8) {
        let letter: UInt8
        switch byte {
        case UInt8(ascii: "\\"): letter = byte
        case UInt8(ascii: "\t"): letter = UInt8(ascii: "t")
        case UInt8(ascii: "\n"): letter = UInt8(ascii: "n")
        case UInt8(ascii: "\r"): letter = UInt8(ascii: "r")
        default: return bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(letter)
    }

    /// In UTC, ISO 8601.
    @inline(__always)
    mutating func append(milliseconds: Int64, zoned: Bool) {
        if lastMilliseconds.time != milliseconds || lastMilliseconds.isZoned != zoned {
            lastMilliseconds = Self.text(milliseconds, unitsPerSecond: 1000, digits: 3, zoned: zoned)
        }
        bytes.append(contentsOf: lastMilliseconds.bytes)
    }

    @inline(__always)
    mutating func append(microseconds: Int64, zoned: Bool) {
        if lastMicroseconds.time != microseconds || lastMicroseconds.isZoned != zoned {
            lastMicroseconds = Self.text(microseconds, unitsPerSecond: 1_000_000, digits: 6, zoned: zoned)
        }
        bytes.append(contentsOf: lastMicroseconds.bytes)
    }

    private static func text(_ time: Int64, unitsPerSecond: Int64, digits: Int, zoned: Bool) -> TimeText {
        let perDay = unitsPerSecond * 86_400
        var (days, rest) = time.quotientAndRemainder(dividingBy: perDay)
        if rest < 0 {
            days -= 1
            rest += perDay
        }
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: unitsPerSecond)
        var text: [UInt8] = []
        text.reserveCapacity(32)
        let (year, month, day) = TradingCalendar.civil(Int(days))
        append(Int64(year), digits: 4, to: &text)
        let parts = [Int64(month), Int64(day), seconds / 3600, seconds / 60 % 60, seconds % 60]
        for (mark, number) in zip("-- ::".utf8, parts) {
            text.append(mark)
            append(number, digits: 2, to: &text)
        }
        if fraction != 0 {
            text.append(UInt8(ascii: "."))
            append(fraction, digits: digits, to: &text)
        }
        if zoned { text.append(contentsOf: "+00".utf8) }
        return TimeText(time: time, isZoned: zoned, bytes: text)
    }

    /// Appends a number, padded with leading zeros to `digits` characters.
    private static func append(_ number: Int64, digits: Int, to text: inout [UInt8]) {
        let start = text.count
        if number < 0 { text.append(UInt8(ascii: "-")) }
        let first = text.count
        DecimalText.append(Int64(bitPattern: number.magnitude), to: &text)
        let missing = digits - (text.count - start)
        if missing > 0 { text.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: missing), at: first) }
    }
}

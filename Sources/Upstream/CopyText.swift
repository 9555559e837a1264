import MarketData

/// Rows in COPY's text format (PostgreSQL manual, COPY, "Text Format"): fields apart by tabs, rows by line feeds,
/// `\N` for NULL.
struct CopyText {
    private(set) var bytes: [UInt8] = []
    private var isRowEmpty = true
    /// The day whose date was written last, and the date: most rows of a piece share it.
    private var day = Int64.min
    private var date: [UInt8] = []

    var count: Int { bytes.count }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    mutating func reserve(_ capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    /// Hands the bytes over for `other`'s memory.
    mutating func swapBytes(with other: inout [UInt8]) {
        swap(&bytes, &other)
    }

    @inline(__always)
    mutating func beginField() {
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

    /// The exact decimal, or for a whole-number column the nearest integer, halves away from zero.
    @inline(__always)
    mutating func append(_ value: Double, rounded: Bool) {
        guard rounded else { return DecimalText.append(value, to: &bytes) }
        let whole = value.rounded(.toNearestOrAwayFromZero)
        if let integer = Int64(exactly: whole) {
            DecimalText.append(integer, to: &bytes)
        } else {
            // Out of every integer column's range: the server says so, and the row becomes a dead letter.
            DecimalText.append(whole, to: &bytes)
        }
    }

    @inline(__always)
    mutating func append(_ value: Int64) {
        DecimalText.append(value, to: &bytes)
    }

    mutating func append(flag: Bool) {
        bytes.append(flag ? UInt8(ascii: "t") : UInt8(ascii: "f"))
    }

    /// A symbol: printable ASCII without backslash, so nothing to escape.
    @inline(__always)
    mutating func append(_ symbol: Symbol) {
        symbol.withUTF8 { bytes.append(contentsOf: $0) }
    }

    mutating func append(text: UnsafeBufferPointer<UInt8>) {
        for byte in text { appendEscaped(byte) }
    }

    mutating func append(text: String) {
        var copy = text
        copy.withUTF8 { append(text: $0) }
    }

    /// A JSON array of numbers as a PostgreSQL array: `[0,12]` becomes `{0,12}`.
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

    /// A time in UTC, ISO 8601; with its zone for `timestamptz`.
    @inline(__always)
    mutating func append(milliseconds: Int64, zoned: Bool) {
        append(milliseconds, unitsPerSecond: 1000, digits: 3, zoned: zoned)
    }

    /// As ``append(milliseconds:zoned:)``, to the microsecond.
    @inline(__always)
    mutating func append(microseconds: Int64, zoned: Bool) {
        append(microseconds, unitsPerSecond: 1_000_000, digits: 6, zoned: zoned)
    }

    @inline(__always)
    private mutating func append(_ time: Int64, unitsPerSecond: Int64, digits: Int, zoned: Bool) {
        let perDay = unitsPerSecond * 86_400
        var (days, rest) = time.quotientAndRemainder(dividingBy: perDay)
        if rest < 0 {
            days -= 1
            rest += perDay
        }
        if days != day {
            day = days
            date = CalendarDate.text(daysSinceEpoch: days)
        }
        bytes.append(contentsOf: date)
        bytes.append(UInt8(ascii: " "))
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: unitsPerSecond)
        appendDigits(seconds / 3600, 2)
        bytes.append(UInt8(ascii: ":"))
        appendDigits(seconds / 60 % 60, 2)
        bytes.append(UInt8(ascii: ":"))
        appendDigits(seconds % 60, 2)
        if fraction != 0 {
            bytes.append(UInt8(ascii: "."))
            appendDigits(fraction, digits)
        }
        if zoned { bytes.append(contentsOf: [UInt8(ascii: "+"), UInt8(ascii: "0"), UInt8(ascii: "0")]) }
    }

    @inline(__always)
    private mutating func appendDigits(_ value: Int64, _ width: Int) {
        var divisor: Int64 = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}

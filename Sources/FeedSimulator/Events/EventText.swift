package import MarketData

/// Writes one event as the feed does: a JSON object that starts with `ev` and the ticker.
package struct EventText {
    /// The bytes written so far.
    package private(set) var bytes: [UInt8] = []

    package init(_ kind: EventKind, _ symbol: Symbol) {
        bytes.reserveCapacity(240)
        bytes.append(contentsOf: "{\"ev\":\"".utf8)
        bytes.append(contentsOf: kind.rawValue.utf8)
        bytes.append(contentsOf: kind == .limitBand || kind == .imbalance ? "\",\"T\":\"".utf8 : "\",\"sym\":\"".utf8)
        symbol.withUTF8 { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func key(_ name: StaticString) {
        bytes.append(contentsOf: ",\"".utf8)
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(contentsOf: "\":".utf8)
    }

    package mutating func add(_ name: StaticString, _ value: Int64) {
        key(name)
        DecimalText.append(value, to: &bytes)
    }

    /// Adds the number `value / 10^decimals`, without trailing zeros.
    package mutating func add(_ name: StaticString, _ value: Int64, decimals: Int) {
        key(name)
        bytes.append(contentsOf: Self.decimal(value, decimals: decimals).utf8)
    }

    /// Adds the number `value / 10^decimals` in quotes, without trailing zeros.
    package mutating func addQuoted(_ name: StaticString, _ value: Int64, decimals: Int) {
        key(name)
        bytes.append(contentsOf: "\"\(Self.decimal(value, decimals: decimals))\"".utf8)
    }

    /// Adds a text, which must not contain characters that JSON escapes.
    package mutating func addPlain(_ name: StaticString, _ text: String) {
        key(name)
        bytes.append(contentsOf: "\"\(text)\"".utf8)
    }

    package mutating func add(_ name: StaticString, _ values: [Int]) {
        key(name)
        bytes.append(contentsOf: "[\(values.map(String.init).joined(separator: ","))]".utf8)
    }

    mutating func addTrue(_ name: StaticString) {
        key(name)
        bytes.append(contentsOf: "true".utf8)
    }

    /// Ends the object and returns it.
    package consuming func finished() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// Returns `value / 10^decimals` as text, without trailing zeros.
    static func decimal(_ value: Int64, decimals: Int) -> String {
        var (rest, places) = (value.magnitude, decimals)
        while places > 0, rest % 10 == 0 { (rest, places) = (rest / 10, places - 1) }
        var digits = String(rest)
        if places > 0 {
            if digits.utf8.count <= places {
                digits = String(repeating: "0", count: places + 1 - digits.utf8.count) + digits
            }
            digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -places))
        }
        return value < 0 ? "-" + digits : digits
    }
}

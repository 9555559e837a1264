import MarketData

/// Writes JSON as bytes, in the order of the calls, without an intermediate tree.
struct JSONText: ~Copyable {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Starts empty.
    init() {}

    /// The text of one object.
    static func object(_ body: (inout JSONText) -> Void) -> [UInt8] {
        var text = JSONText()
        text.element(body)
        return text.bytes
    }

    // MARK: Members of an object

    mutating func field(_ name: StaticString, _ value: String?) {
        key(name.description)
        write(value)
    }

    mutating func field(_ name: StaticString, _ value: Int64?) {
        key(name.description)
        if let value { DecimalText.append(value, to: &bytes) } else { writeNull() }
    }

    mutating func field(_ name: StaticString, _ value: Int?) {
        field(name, value.map(Int64.init))
    }

    mutating func field(_ name: StaticString, _ value: Int32?) {
        field(name, value.map(Int64.init))
    }

    mutating func field(_ name: StaticString, _ value: Double?) {
        key(name.description)
        write(value)
    }

    mutating func field(_ name: StaticString, _ value: Bool) {
        key(name.description)
        write(value)
    }

    /// A time kept in milliseconds, written as Unix seconds.
    mutating func field(_ name: StaticString, milliseconds value: Int64?) {
        field(name, value.map { Double($0) / 1000 })
    }

    mutating func object(_ name: StaticString, _ body: (inout JSONText) -> Void) {
        member(name.description, body)
    }

    mutating func array(_ name: StaticString, _ body: (inout JSONText) -> Void) {
        key(name.description)
        nest(UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    mutating func field(_ name: StaticString, strings: some Sequence<String>) {
        array(name) { json in
            for string in strings { json.element(string) }
        }
    }

    mutating func field(_ name: StaticString, symbols: some Sequence<Symbol>) {
        array(name) { json in
            for symbol in symbols { json.element(symbol) }
        }
    }

    // MARK: Members whose names are data

    mutating func member(_ name: String, _ body: (inout JSONText) -> Void) {
        key(name)
        nest(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    mutating func member(_ name: String, _ value: Double?) {
        key(name)
        write(value)
    }

    mutating func member(_ name: String, _ value: Int64) {
        key(name)
        DecimalText.append(value, to: &bytes)
    }

    mutating func member(_ name: String, _ value: String) {
        key(name)
        write(value)
    }

    mutating func member(_ name: String, symbols: some Sequence<Symbol>) {
        key(name)
        nest(UInt8(ascii: "["), UInt8(ascii: "]")) { json in
            for symbol in symbols { json.element(symbol) }
        }
    }

    // MARK: Elements of an array

    mutating func element(_ value: String?) {
        separate()
        write(value)
        needsComma = true
    }

    mutating func element(_ value: Double?) {
        separate()
        write(value)
        needsComma = true
    }

    mutating func element(_ value: Int64) {
        separate()
        DecimalText.append(value, to: &bytes)
        needsComma = true
    }

    mutating func element(_ symbol: Symbol) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        symbol.withUTF8 { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    mutating func element(_ body: (inout JSONText) -> Void) {
        separate()
        nest(UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    // MARK: Bytes

    private mutating func key(_ name: String) {
        separate()
        writeQuoted(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = true
    }

    private mutating func nest(_ open: UInt8, _ close: UInt8, _ body: (inout JSONText) -> Void) {
        bytes.append(open)
        needsComma = false
        body(&self)
        bytes.append(close)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func write(_ value: String?) {
        if let value { writeQuoted(value) } else { writeNull() }
    }

    private mutating func write(_ value: Double?) {
        if let value, value.isFinite { DecimalText.append(value, to: &bytes) } else { writeNull() }
    }

    private mutating func write(_ value: Bool) {
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    private mutating func writeNull() {
        bytes.append(contentsOf: "null".utf8)
    }

    private mutating func writeQuoted(_ text: String) {
        JSONString.append(text, to: &bytes)
    }
}

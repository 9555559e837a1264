import MarketData

/// The one JSON form of all output: members in the order of their declaration, absent values as `null`, dictionaries
/// sorted by key, no whitespace.
package enum WireJSON {
    package static func bytes(of value: some Encodable) -> [UInt8] {
        let output = Output()
        output.write(value)
        return output.bytes
    }

    /// The JSON of a value as a string, for a terminal.
    package static func text(of value: some Encodable) -> String {
        String(decoding: bytes(of: value), as: UTF8.self)
    }
}

/// The text so far.
private final class Output {
    var bytes: [UInt8] = []

    func write<Value: Encodable>(_ value: Value) {
        switch value {
        case let text as String: JSONString.append(text, to: &bytes)
        case let number as Double: write(number)
        case let number as Int64: DecimalText.append(number, to: &bytes)
        case let number as Int: DecimalText.append(Int64(number), to: &bytes)
        case let number as Int32: DecimalText.append(Int64(number), to: &bytes)
        case let flag as Bool: bytes += (flag ? "true" : "false").utf8
        case let map as any TextKeyed: map.write(to: ValueEncoder(self))
        case let number as any BinaryInteger: DecimalText.append(Int64(clamping: number), to: &bytes)
        default:
            let encoder = ValueEncoder(self)
            do {
                try value.encode(to: encoder)
            } catch {
                preconditionFailure("\(Value.self) can't be written as JSON: \(error)")
            }
            encoder.close()
        }
    }

    func writeNull() { bytes += "null".utf8 }

    private func write(_ number: Double) {
        // JSON can't represent infinities or NaN.
        if number.isFinite { DecimalText.append(number, to: &bytes) } else { writeNull() }
    }
}

/// A dictionary with string keys, which are written in order.
private protocol TextKeyed {
    func write(to encoder: ValueEncoder)
}

extension Dictionary: TextKeyed where Key == String, Value: Encodable {
    fileprivate func write(to encoder: ValueEncoder) {
        encoder.open("{", "}")
        for (key, value) in sorted(by: { $0.key < $1.key }) {
            encoder.key(key)
            encoder.output.write(value)
        }
        encoder.close()
    }
}

/// Writes one value. A type that asks for two keyed containers gets one object with the members of both.
private final class ValueEncoder: Encoder, SingleValueEncodingContainer {
    let output: Output
    private var closing: UInt8?
    private var needsComma = false

    init(_ output: Output) { self.output = output }

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func open(_ opening: Unicode.Scalar, _ closing: Unicode.Scalar) {
        guard self.closing == nil else { return }
        output.bytes.append(UInt8(ascii: opening))
        self.closing = UInt8(ascii: closing)
    }

    func close() {
        if let closing { output.bytes.append(closing) }
    }

    func key(_ name: String) {
        separate()
        JSONString.append(name, to: &output.bytes)
        output.bytes.append(UInt8(ascii: ":"))
    }

    func separate() {
        if needsComma { output.bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        open("{", "}")
        return KeyedEncodingContainer(Members(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        open("[", "]")
        return Elements(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
    func encodeNil() { output.writeNull() }
    func encode<Value: Encodable>(_ value: Value) { output.write(value) }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: ValueEncoder
    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) {
        encoder.key(key.stringValue)
        encoder.output.writeNull()
    }

    func encode<Value: Encodable>(_ value: Value, forKey key: Key) {
        encoder.key(key.stringValue)
        encoder.output.write(value)
    }

    // Writes `null`, whereas other encoders leave the member out. The protocol has its own default for each simple
    // type.
    func encodeIfPresent<Value: Encodable>(_ value: Value?, forKey key: Key) { write(value, key) }
    func encodeIfPresent(_ value: Bool?, forKey key: Key) { write(value, key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) { write(value, key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) { write(value, key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) { write(value, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) { write(value, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) { write(value, key) }

    private func write(_ value: (some Encodable)?, _ key: Key) {
        if let value { encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { preconditionFailure("write a value instead") }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        preconditionFailure("write a value instead")
    }

    func superEncoder() -> any Encoder { preconditionFailure("write a value instead") }
    func superEncoder(forKey key: Key) -> any Encoder { preconditionFailure("write a value instead") }
}

private struct Elements: UnkeyedEncodingContainer {
    let encoder: ValueEncoder
    var codingPath: [any CodingKey] { [] }
    private(set) var count = 0

    init(encoder: ValueEncoder) { self.encoder = encoder }

    mutating func encodeNil() {
        encoder.separate()
        encoder.output.writeNull()
        count += 1
    }

    mutating func encode<Value: Encodable>(_ value: Value) {
        encoder.separate()
        encoder.output.write(value)
        count += 1
    }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        preconditionFailure("write a value instead")
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { preconditionFailure("write a value instead") }
    func superEncoder() -> any Encoder { preconditionFailure("write a value instead") }
}

/// The schema of a JSON value.
package indirect enum Schema: Sendable, Equatable {
    /// An object with fixed members.
    package struct Object: Sendable, Equatable {
        /// The name in the API's document; a schema without one is written where it is used.
        package var name: String
        package var members: [Member]
    }

    /// A member of an object.
    package struct Member: Sendable, Equatable {
        package var name: String
        package var schema: Schema
        package var meaning: String?
    }

    case boolean
    case integer(Bounds)
    case number
    case text(Bounds)
    /// One of a list of words.
    case words([String])
    /// One of a list of numbers.
    case choice([Int])
    case list(Schema, Bounds)
    /// An object whose members' names are data.
    case map(Schema)
    case object(Object)
    case oneOf([Schema])
    /// The schema's values, or `null`.
    case nullable(Schema)
    case null
    /// Any value.
    case any

    /// Finds a type's schema by decoding one: the type itself asks for its members.
    package static func of(_ type: any Decodable.Type) -> Schema {
        if let union = type as? any WireUnion.Type { return .oneOf(union.schemas) }
        return Reader.read(type).0
    }

    func with(_ bounds: Bounds?) -> Schema {
        guard let bounds else { return self }
        switch self {
        case .integer: return .integer(bounds)
        case .text: return .text(bounds)
        case .list(let element, _): return .list(element, bounds)
        case .nullable(let schema): return .nullable(schema.with(bounds))
        default: return self
        }
    }
}

/// A type whose values have one of several schemas.
package protocol WireUnion: Codable {
    /// The alternatives.
    static var schemas: [Schema] { get }
}

private protocol Elements: Decodable {
    static var schema: Schema { get }
    init()
}

extension Dictionary: Elements where Key == String, Value: Decodable {
    fileprivate static var schema: Schema { .map(.of(Value.self)) }
}

extension Array: Elements where Element: Decodable {
    fileprivate static var schema: Schema { .list(.of(Element.self), Bounds()) }
}

/// Lets a type decode itself from nothing, and notes what it asks for.
private final class Reader: Decoder {
    var members: [Schema.Member] = []
    private let meanings: [String: String]
    private let bounds: [String: Bounds]

    init(_ type: any WireObject.Type) {
        meanings = type.meanings
        bounds = type.bounds
    }

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Returns the schema of a type, and a placeholder value so that decoding can continue.
    static func read(_ type: any Decodable.Type) -> (Schema, Any) {
        switch type {
        case is String.Type: return (.text(Bounds()), "")
        case is Bool.Type: return (.boolean, false)
        case is Double.Type: return (.number, 0.0)
        case is Int.Type: return (.integer(Bounds()), 0)
        case is Int64.Type: return (.integer(Bounds()), Int64(0))
        case is Int32.Type: return (.integer(Bounds()), Int32(0))
        case let elements as any Elements.Type: return (elements.schema, elements.init())
        case let object as any WireObject.Type:
            let reader = Reader(object)
            guard let value = try? object.init(from: reader) else { preconditionFailure("\(type) has no form") }
            return (.object(.init(name: object.schemaName, members: reader.members)), value)
        case let words as any (CaseIterable & RawRepresentable & Decodable).Type:
            return read(words: words)
        default: preconditionFailure("\(type) is no type for the wire")
        }
    }

    private static func read<Words: CaseIterable & RawRepresentable>(words type: Words.Type) -> (Schema, Any) {
        guard let first = type.allCases.first else { preconditionFailure("\(type) has no case") }
        return (.words(type.allCases.map { "\($0.rawValue)" }), first)
    }

    /// Notes a member, and returns a placeholder for its value.
    func member<Value: Decodable>(_ type: Value.Type, _ name: String, isOptional: Bool = false) -> Value {
        let (schema, value) = Self.read(type)
        guard let value = value as? Value else { preconditionFailure("\(type) has no form") }
        let form = isOptional ? Schema.nullable(schema) : schema
        members.append(.init(name: name, schema: form.with(bounds[name]), meaning: meanings[name]))
        return value
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(Members(reader: self))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw Unknown() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw Unknown() }

    struct Unknown: Error {}

    struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let reader: Reader
        var codingPath: [any CodingKey] { [] }
        var allKeys: [Key] { [] }

        func contains(_ key: Key) -> Bool { true }
        func decodeNil(forKey key: Key) -> Bool { false }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) -> Value {
            reader.member(type, key.stringValue)
        }

        // The protocol has its own default for each simple type, so all must be overridden.
        func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) -> Value? { read(type, key) }
        func decodeIfPresent(_ type: Bool.Type, forKey key: Key) -> Bool? { read(type, key) }
        func decodeIfPresent(_ type: String.Type, forKey key: Key) -> String? { read(type, key) }
        func decodeIfPresent(_ type: Double.Type, forKey key: Key) -> Double? { read(type, key) }
        func decodeIfPresent(_ type: Int.Type, forKey key: Key) -> Int? { read(type, key) }
        func decodeIfPresent(_ type: Int32.Type, forKey key: Key) -> Int32? { read(type, key) }
        func decodeIfPresent(_ type: Int64.Type, forKey key: Key) -> Int64? { read(type, key) }

        private func read<Value: Decodable>(_ type: Value.Type, _ key: Key) -> Value {
            reader.member(type, key.stringValue, isOptional: true)
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> { throw Unknown() }

        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw Unknown() }
        func superDecoder() throws -> any Decoder { throw Unknown() }
        func superDecoder(forKey key: Key) throws -> any Decoder { throw Unknown() }
    }
}

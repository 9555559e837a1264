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
    package static func of<Value: Decodable>(_ type: Value.Type) -> Schema {
        Reader.schema(of: type)
    }

    /// Finds the schema of a type that is only known at run time.
    package static func of(object type: any WireObject.Type) -> Schema { Reader.schema(of: type) }

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

private protocol TextKeyed: Decodable {
    static var valueType: any Decodable.Type { get }
    init()
}

extension Dictionary: TextKeyed where Key == String, Value: Decodable {
    fileprivate static var valueType: any Decodable.Type { Value.self }
}

private protocol Elements: Decodable {
    static var elementType: any Decodable.Type { get }
    init()
}

extension Array: Elements where Element: Decodable {
    fileprivate static var elementType: any Decodable.Type { Element.self }
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

    static func schema(of type: any Decodable.Type) -> Schema {
        if let union = type as? any WireUnion.Type { return .oneOf(union.schemas) }
        return anyRead(type).0
    }

    /// Returns the schema of a type, and a placeholder value so that decoding can continue.
    static func read<Value: Decodable>(_ type: Value.Type) -> (schema: Schema, value: Value) {
        let (schema, value) = anyRead(type)
        guard let value = value as? Value else { preconditionFailure("\(type) has no form") }
        return (schema, value)
    }

    private static func anyRead(_ type: any Decodable.Type) -> (Schema, Any) {
        switch type {
        case is String.Type: return (.text(Bounds()), "")
        case is Bool.Type: return (.boolean, false)
        case is Double.Type: return (.number, 0.0)
        case is Int.Type: return (.integer(Bounds()), 0)
        case is Int64.Type: return (.integer(Bounds()), Int64(0))
        case is Int32.Type: return (.integer(Bounds()), Int32(0))
        case let map as any TextKeyed.Type: return (.map(schema(of: map.valueType)), map.init())
        case let list as any Elements.Type: return (.list(schema(of: list.elementType), Bounds()), list.init())
        case let object as any WireObject.Type:
            let reader = Reader(object)
            guard let value = try? object.init(from: reader) else { preconditionFailure("\(type) has no form") }
            // Wire.SyncJSON.Stream is SyncStream.
            let name = String(reflecting: type).split(separator: ".").dropFirst().joined().replacing("JSON", with: "")
            return (.object(.init(name: name, members: reader.members)), value)
        case let words as any (CaseIterable & RawRepresentable & Decodable).Type:
            return read(words: words)
        default: preconditionFailure("\(type) is no type for the wire")
        }
    }

    private static func read(words type: any (CaseIterable & RawRepresentable).Type) -> (Schema, Any) {
        func all<Words: CaseIterable & RawRepresentable>(_ type: Words.Type) -> (Schema, Any) {
            guard let first = type.allCases.first else { preconditionFailure("\(type) has no case") }
            return (.words(type.allCases.map { "\($0.rawValue)" }), first)
        }
        return all(type)
    }

    func note(_ name: String, _ schema: Schema) {
        members.append(.init(name: name, schema: schema.with(bounds[name]), meaning: meanings[name]))
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
            let (schema, value) = Reader.read(type)
            reader.note(key.stringValue, schema)
            return value
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
            let (schema, value) = Reader.read(type)
            reader.note(key.stringValue, .nullable(schema))
            return value
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> { throw Unknown() }

        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw Unknown() }
        func superDecoder() throws -> any Decoder { throw Unknown() }
        func superDecoder(forKey key: Key) throws -> any Decoder { throw Unknown() }
    }
}

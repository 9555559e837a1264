import HTTPTypes
import Wire

/// The description of the API (OpenAPI 3.1), made from the routes and the types that they return.
struct OpenAPIDocument: Encodable {
    private let routes: [Route]
    private let components: [String: Schema.Object]

    /// Describes these routes, without the page's files.
    init(_ routes: [Route]) {
        self.routes = routes.filter { !$0.path.hasPrefix("/assets/") }
        var components: [String: Schema.Object] = [:]
        for schema in self.routes.flatMap({ $0.answers.values.map(\.schema) }) + [.of(ProblemJSON.self)] {
            schema.gather(into: &components)
        }
        self.components = components
    }

    var bytes: [UInt8] { WireJSON.bytes(of: self) }

    func encode(to encoder: any Encoder) throws {
        let info = Members([
            ("title", "EdgeTick"), ("version", "2"),
            (
                "description",
                "State, data and controls of one EdgeTick collector. Times end in _ms and are milliseconds since the "
                    + "Unix epoch; durations end in _seconds. Errors are problem details (RFC 9457). Where "
                    + "HTTP_TOKEN is set, requests carry it as a bearer token, all but those for the page, its "
                    + "files, /health/live, /health/ready and this document."
            ),
            ("license", Members([("name", "Apache-2.0"), ("identifier", "Apache-2.0")])),
        ])
        let security: [[String: [String]]] = [["token": []], [:]]
        let paths = Dictionary(grouping: routes, by: \.path).mapValues { routes in
            Dictionary(uniqueKeysWithValues: routes.map { ($0.method.rawValue.lowercased(), Self.operation($0)) })
        }
        let schemas = components.mapValues { SchemaText(schema: .object($0), isComponent: true) }
        try Members([
            ("openapi", "3.1.0"), ("info", info), ("servers", [["url": "/"]]), ("security", security), ("paths", paths),
            (
                "components",
                Members([("securitySchemes", ["token": ["type": "http", "scheme": "bearer"]]), ("schemas", schemas)])
            ),
        ]).encode(to: encoder)
    }

    /// An object with the members given here, in this order.
    private struct Members: Encodable {
        let members: [(name: Name, value: any Encodable)]

        init(_ members: [(Name, (any Encodable)?)]) {
            self.members = members.compactMap { name, value in value.map { (name, $0) } }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Name.self)
            for (name, value) in members { try container.encode(value, forKey: name) }
        }
    }

    private struct Name: CodingKey, ExpressibleByStringLiteral {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringLiteral text: String) { stringValue = text }
        init(stringValue text: String) { stringValue = text }
        init?(intValue: Int) { nil }
    }

    private static func operation(_ route: Route) -> Members {
        let problem = Route.Content(
            mediaType: Problem.mediaType, schema: .of(ProblemJSON.self), meaning: "What is wrong and what to do")
        var responses = Dictionary(uniqueKeysWithValues: route.answers.map { (String($0.key), response($0.value)) })
        responses["default"] = response(problem)
        let parameters = route.parameters.map { parameter in
            let isList = if case .list = parameter.schema { true } else { false }
            return Members([
                ("name", parameter.name), ("in", parameter.place), ("required", parameter.isRequired),
                ("description", parameter.meaning), ("schema", SchemaText(schema: parameter.schema)),
                // A blank parameter counts as left out. Several words are one value, separated by commas.
                ("allowEmptyValue", parameter.isRequired ? nil : true), ("explode", isList ? false : nil),
            ])
        }
        let body = route.body.map { body in
            Members([
                ("required", body.isRequired),
                ("content", ["application/json": ["schema": SchemaText(schema: body.schema, isRequest: true)]]),
            ])
        }
        return Members([
            ("operationId", route.name), ("summary", route.summary),
            ("parameters", parameters.isEmpty ? nil : parameters), ("requestBody", body), ("responses", responses),
            ("security", route.access == .open ? [[String: [String]]]() : nil),
        ])
    }

    private static func response(_ content: Route.Content) -> Members {
        Members([
            ("description", content.meaning),
            ("content", [content.mediaType: ["schema": SchemaText(schema: content.schema)]]),
        ])
    }

    /// A schema as JSON Schema 2020-12.
    private struct SchemaText: Encodable {
        let schema: Schema
        /// Whether the object itself is written, rather than a reference to it.
        var isComponent = false
        /// Whether it describes a request: members that may be left out are not required, and unknown ones are ignored.
        var isRequest = false
        var meaning: String?

        func encode(to encoder: any Encoder) throws {
            try Members(members + [("description", meaning)]).encode(to: encoder)
        }

        private var members: [(Name, (any Encodable)?)] {
            switch schema {
            case .boolean: return [("type", "boolean")]
            case .number: return [("type", "number")]
            case .integer(let bounds):
                return [("type", "integer"), ("minimum", bounds.minimum), ("maximum", bounds.maximum)]
            case .text(let bounds):
                return [
                    ("type", "string"), ("minLength", bounds.minimum), ("maxLength", bounds.maximum),
                    ("pattern", bounds.pattern),
                ]
            case .words(let words): return [("type", "string"), ("enum", words)]
            case .choice(let numbers): return [("type", "integer"), ("enum", numbers)]
            case .list(let element, let bounds):
                return [
                    ("type", "array"), ("items", SchemaText(schema: element)), ("minItems", bounds.minimum),
                    ("maxItems", bounds.maximum),
                ]
            case .map(let value): return [("type", "object"), ("additionalProperties", SchemaText(schema: value))]
            case .oneOf(let schemas): return [("oneOf", schemas.map { SchemaText(schema: $0) })]
            case .nullable(let schema):
                if isRequest { return SchemaText(schema: schema).members }
                return [("anyOf", [SchemaText(schema: schema), SchemaText(schema: .null)])]
            case .null: return [("type", "null")]
            case .any: return []
            case .object(let object):
                guard isComponent || isRequest else { return [("$ref", "#/components/schemas/\(object.name)")] }
                let properties = Dictionary(
                    uniqueKeysWithValues: object.members.map {
                        ($0.name, SchemaText(schema: $0.schema, isRequest: isRequest, meaning: $0.meaning))
                    })
                let required = object.members.filter { !isRequest || !$0.schema.isNullable }.map(\.name)
                return [
                    ("type", "object"), ("properties", properties), ("required", required),
                    ("additionalProperties", isRequest ? nil : false),
                ]
            }
        }
    }
}

extension Schema {
    fileprivate var isNullable: Bool { if case .nullable = self { true } else { false } }

    /// Adds the objects that the schema consists of.
    fileprivate func gather(into components: inout [String: Object]) {
        switch self {
        case .object(let object):
            guard components.updateValue(object, forKey: object.name) == nil else { return }
            for member in object.members { member.schema.gather(into: &components) }
        case .list(let schema, _), .map(let schema), .nullable(let schema): schema.gather(into: &components)
        case .oneOf(let schemas): for schema in schemas { schema.gather(into: &components) }
        case .boolean, .integer, .number, .text, .words, .choice, .null, .any: break
        }
    }
}

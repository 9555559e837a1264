import HTTPTypes
import Hummingbird
import Wire

/// An address with its parameters, body and responses. The table of routes serves the requests, and the API's document
/// is made from it.
struct Route: Sendable {
    /// Who may call it.
    enum Access: Sendable {
        /// Requires the token, and refuses requests from other sites' pages: the route shows what is collected or
        /// changes something.
        case data
        /// Open to everybody who reaches the server: the route shows nothing that requires a token.
        case open
    }

    /// The content of a response.
    struct Content: Sendable {
        let mediaType: String
        let meaning: String
        private let describe: @Sendable () -> Schema

        /// Only a reader of the document needs the schema, which takes a while to make.
        init(
            mediaType: String = "application/json", schema: @autoclosure @escaping @Sendable () -> Schema,
            meaning: String = "Answer"
        ) {
            self.mediaType = mediaType
            self.meaning = meaning
            describe = schema
        }

        var schema: Schema { describe() }
    }

    /// The body that a route takes.
    struct Body: Sendable {
        let isRequired: Bool
        private let describe: @Sendable () -> Schema

        init(schema: @autoclosure @escaping @Sendable () -> Schema, isRequired: Bool) {
            self.isRequired = isRequired
            describe = schema
        }

        /// The schema of the type that reads it.
        var schema: Schema { describe() }
    }

    let method: HTTPRequest.Method
    /// The path, with `{name}` for a variable part.
    let path: String
    let access: Access
    /// The name for programs (`operationId`).
    let name: String
    let summary: String
    let parameters: [any DescribedParameter]
    let body: Body?
    /// The possible responses, by status; any other response is a problem.
    let answers: [Int: Content]
    let answer: @Sendable (Call) async throws -> Response

    /// A route that returns JSON of one type, with one of some statuses.
    init<Answer: WireObject>(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, _ name: String, _ summary: String,
        parameters: [any DescribedParameter] = [], body: Body? = nil, statuses: [Int] = [200],
        answer: @escaping @Sendable (Call) async throws -> Reply<Answer>
    ) {
        let content = Content(schema: .of(Answer.self))
        self.init(
            method, path, access, name, summary, parameters: parameters, body: body,
            answers: Dictionary(uniqueKeysWithValues: statuses.map { ($0, content) })
        ) { call in try await answer(call).response }
    }

    /// A route that returns something other than JSON.
    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, _ name: String, _ summary: String,
        parameters: [any DescribedParameter] = [], body: Body? = nil, answers: [Int: Content],
        answer: @escaping @Sendable (Call) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.name = name
        self.summary = summary
        self.parameters = parameters
        self.body = body
        self.answers = answers
        self.answer = answer
    }

    /// The names of the parameters allowed in the query.
    var queryNames: [String] { parameters.filter { $0.place == .query }.map(\.name) }
}

/// Finds the route of a request.
struct RouteTable: Sendable {
    private enum Part: Sendable {
        case fixed(String)
        case open(String)
    }

    let routes: [Route]
    private let parts: [[Part]]

    init(_ routes: [Route]) {
        self.routes = routes
        parts = routes.map { route in
            route.path.split(separator: "/").map { part in
                part.first == "{" ? .open(String(part.dropFirst().dropLast())) : .fixed(String(part))
            }
        }
    }

    /// Looks a path up that was split at its slashes and decoded. `HEAD` counts as `GET`.
    func match(
        _ method: HTTPRequest.Method, _ path: [String]
    ) throws(Problem) -> (route: Route, parts: [String: String]) {
        let wanted = method == .head ? .get : method
        var methods: [HTTPRequest.Method] = []
        for (route, parts) in zip(routes, parts) where parts.count == path.count {
            guard let open = Self.open(parts, path) else { continue }
            if route.method == wanted { return (route, open) }
            methods.append(route.method)
            if route.method == .get { methods.append(.head) }
        }
        guard !methods.isEmpty else {
            throw Problem(.notFound, "There is nothing at this address; /api/openapi.json lists all addresses.")
        }
        throw .methodNotAllowed(methods)
    }

    private static func open(_ parts: [Part], _ path: [String]) -> [String: String]? {
        var open: [String: String] = [:]
        for (part, text) in zip(parts, path) {
            switch part {
            case .fixed(let fixed): guard fixed == text else { return nil }
            case .open(let name): open[name] = text
            }
        }
        return open
    }
}

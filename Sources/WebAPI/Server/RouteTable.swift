import HTTPTypes
import Hummingbird

/// An address and what answers there.
struct Route: Sendable {
    /// Who may call it.
    enum Access: Sendable {
        /// Whoever may read data.
        case data
        /// As ``data``, and from no other site's page: it changes something or stays open.
        case guarded
        /// Everybody who reaches the server: it tells nothing that needs a token.
        case open
    }

    /// The method.
    var method: HTTPRequest.Method
    /// The path, with `{name}` for a part that is left open.
    var path: String
    /// Who may call it.
    var access: Access
    /// What answers.
    var answer: @Sendable (Call) async throws -> Response
}

/// Finds the route of a request.
struct RouteTable: Sendable {
    /// What a path leads to.
    enum Match {
        case route(Route, parameters: [String: String])
        case otherMethods([HTTPRequest.Method])
        case nothing
    }

    private enum Part: Sendable {
        case fixed(String)
        case open(String)
    }

    /// All routes.
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
    func match(_ method: HTTPRequest.Method, _ path: [String]) -> Match {
        let wanted = method == .head ? .get : method
        var methods: [HTTPRequest.Method] = []
        for (route, parts) in zip(routes, parts) where parts.count == path.count {
            guard let parameters = Self.parameters(parts, path) else { continue }
            if route.method == wanted { return .route(route, parameters: parameters) }
            methods.append(route.method)
            if route.method == .get { methods.append(.head) }
        }
        return methods.isEmpty ? .nothing : .otherMethods(methods)
    }

    private static func parameters(_ parts: [Part], _ path: [String]) -> [String: String]? {
        var parameters: [String: String] = [:]
        for (part, text) in zip(parts, path) {
            switch part {
            case .fixed(let fixed): guard fixed == text else { return nil }
            case .open(let name): parameters[name] = text
            }
        }
        return parameters
    }
}

import Collector
import HTTPTypes
import Hummingbird
import Logging
import MarketData
import NIOCore
import Synchronization

/// Handles every request: gate, then route; errors of either become problem details.
struct RequestResponder: HTTPResponder {
    let gate: RequestGate
    let table: RouteTable
    let refusals: RefusalCounts

    func respond(to request: Request, context: RequestScope) async throws -> Response {
        let target = request.head.path ?? ""
        let end = target.firstIndex(of: "?") ?? target.endIndex
        let path = String(target[..<end])
        var response: Response
        do {
            response = try await answer(request, path: path, query: target[end...].dropFirst(), context: context)
        } catch {
            let problem = Self.problem(for: error, logger: context.logger)
            refusals.count(problem)
            context.logger.debug(
                "request refused",
                metadata: [
                    "status": "\(problem.status.code)", "kind": "\(problem.slug)", "path": "\(path.prefix(200))",
                ])
            response = problem.response(instance: path)
        }
        SecurityHeaders.add(to: &response.headers)
        if request.method == .head {
            let length = response.body.contentLength
            response.body = .init()
            if let length { response.headers[.contentLength] = String(length) }
        }
        return response
    }

    private func answer(
        _ request: Request, path: String, query: Substring, context: RequestScope
    ) async throws -> Response {
        let head = request.head
        try gate.checkForm(head)
        try gate.checkHost(head)
        let found: (route: Route, parts: [String: String])
        do throws(Problem) {
            found = try table.match(request.method, Self.parts(path))
        } catch {
            guard request.method == .options, error.status == .methodNotAllowed else { throw error }
            return Response(status: .noContent, headers: error.headers)
        }
        let route = found.route
        if route.access != .open { try gate.checkOrigin(head) }
        let isAuthorized = gate.isAuthorized(head)
        guard isAuthorized || route.access == .open else { throw Problem.unauthorized }
        let values = try Query.read(query, known: route.queryNames).merging(found.parts) { $1 }
        return try await route.answer(
            Call(request: request, values: values, isAuthorized: isAuthorized, channel: context.channel))
    }

    private static func parts(_ path: String) throws(Problem) -> [String] {
        guard path.first == "/" else { throw Problem(.badRequest, "The request's target is not a path.") }
        guard path != "/" else { return [] }
        var parts: [String] = []
        for part in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let text = PercentText.decode(part) else {
                throw Problem(.badRequest, "The path is not valid percent-encoded UTF-8.")
            }
            parts.append(text)
        }
        return parts
    }

    private static func problem(for error: any Error, logger: Logger) -> Problem {
        if let problem = error as? Problem { return problem }
        if let problem = error as? CollectorProblem { return Problem(problem) }
        logger.error("request failed", metadata: ["error": "\(error)"])
        return Problem(.internalServerError, "The request failed; the log says why.")
    }
}

/// The number of refused requests, by a bounded set of reasons.
final class RefusalCounts: Sendable {
    /// The reason, as a metric's label.
    enum Reason: String, CaseIterable, Sendable {
        case host
        case origin
        case token
        case room
        case client
        case busy
        case server
    }

    private let counts = Mutex<[Reason: Int64]>([:])

    func count(_ problem: Problem) {
        let reason: Reason =
            switch problem.status.code {
            case 421: .host
            case 403: .origin
            case 401: .token
            case 503: .busy
            case 500...: .server
            default: .client
            }
        count(reason)
    }

    func count(_ reason: Reason) { counts.withLock { $0[reason, default: 0] += 1 } }

    var all: [Reason: Int64] { counts.withLock { $0 } }
}

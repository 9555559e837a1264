import Collector
import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// A response that says what is wrong, as problem details (RFC 9457).
struct Problem: Error, Sendable {
    var status: HTTPResponse.Status
    /// The kind of problem, stable for programs.
    var slug: String
    /// What is wrong here, and what to do.
    var detail: String
    /// The parameters that are wrong.
    var faults: [ProblemJSON.Fault] = []
    /// Names that exist and resemble one that does not.
    var nearest: [String] = []
    /// Header fields that belong to the status.
    var headers = HTTPFields()
    /// Whether the connection can't be used again, because the rest of the request was not read.
    var closes = false

    init(_ status: HTTPResponse.Status, slug: String? = nil, _ detail: String) {
        self.status = status
        self.slug = slug ?? Problem.slug(of: status)
        self.detail = detail
    }

    init(_ problem: CollectorProblem) {
        let status: HTTPResponse.Status =
            switch problem.kind {
            case .notFound: .notFound
            case .invalid: .unprocessableContent
            case .conflict: .conflict
            case .unavailable: .serviceUnavailable
            case .failed: .internalServerError
            }
        self.init(status, slug: problem.kind.rawValue, problem.detail)
        nearest = problem.nearest
    }

    /// A faulty parameter.
    static func parameter(_ name: String, _ detail: String) -> Problem {
        var problem = Problem(.badRequest, slug: "invalid-parameter", "\(name): \(detail)")
        problem.faults = [ProblemJSON.Fault(parameter: name, detail: detail)]
        return problem
    }

    static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> Problem {
        let names = allowed.map(\.rawValue).joined(separator: ", ")
        var problem = Problem(.methodNotAllowed, "This address takes \(names).")
        problem.headers[.allow] = names
        return problem
    }

    static let unauthorized: Problem = {
        var problem = Problem(
            .unauthorized, "Send the token of HTTP_TOKEN as \"Authorization: Bearer …\".")
        problem.headers[.wwwAuthenticate] = "Bearer realm=\"edgetick\""
        return problem
    }()

    static func busy(_ detail: String) -> Problem {
        var problem = Problem(.serviceUnavailable, slug: "busy", detail)
        problem.headers[.retryAfter] = "2"
        return problem
    }

    func text(instance: String?) -> [UInt8] {
        WireJSON.bytes(
            of: ProblemJSON(
                type: "urn:edgetick:problem:\(slug)", title: status.reasonPhrase, status: status.code, detail: detail,
                instance: instance.map { String($0.prefix(200)) }, nearest: nearest, errors: faults))
    }

    func response(instance: String?) -> Response {
        var fields = headers
        fields[.contentType] = "application/problem+json"
        fields[.cacheControl] = "no-store"
        if closes { fields[.connection] = "close" }
        return Response(
            status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: text(instance: instance))))
    }

    private static func slug(of status: HTTPResponse.Status) -> String {
        String(status.reasonPhrase.lowercased().map { $0 == " " ? "-" : $0 })
    }
}

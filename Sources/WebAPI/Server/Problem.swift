import Collector
import HTTPTypes
import Hummingbird
import NIOCore
import Wire

/// A response that says what is wrong, as problem details (RFC 9457).
struct Problem: Error, Sendable {
    static let mediaType = "application/problem+json"

    var status: HTTPResponse.Status
    /// The kind of problem, stable for programs.
    var slug: String
    /// What is wrong here, and what to do.
    var detail: String
    /// The parameters that are wrong.
    var faults: [ProblemJSON.Fault] = []
    /// Names that exist and resemble one that does not.
    var nearest: [String]
    /// Header fields that belong to the status.
    var headers: HTTPFields
    /// Whether the connection can't be used again, because the rest of the request was not read.
    var closes: Bool

    init(
        _ status: HTTPResponse.Status, slug: String? = nil, _ detail: String, nearest: [String] = [],
        headers: HTTPFields = HTTPFields(), closes: Bool = false
    ) {
        self.status = status
        self.slug = slug ?? status.reasonPhrase.lowercased().replacing(" ", with: "-")
        self.detail = detail
        self.nearest = nearest
        self.headers = headers
        self.closes = closes
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
        self.init(status, slug: problem.kind.rawValue, problem.detail, nearest: problem.nearest)
    }

    static func parameter(_ name: String, _ detail: String) -> Problem {
        var problem = Problem(.badRequest, slug: "invalid-parameter", "\(name): \(detail)")
        problem.faults = [ProblemJSON.Fault(parameter: name, detail: detail)]
        return problem
    }

    static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> Problem {
        let names = allowed.map(\.rawValue).joined(separator: ", ")
        return Problem(.methodNotAllowed, "This address allows only \(names).", headers: [.allow: names])
    }

    static let unauthorized = Problem(
        .unauthorized, "Send the value of HTTP_TOKEN as \"Authorization: Bearer …\".",
        headers: [.wwwAuthenticate: "Bearer realm=\"edgetick\""])

    static func busy(_ detail: String) -> Problem {
        Problem(.serviceUnavailable, slug: "busy", detail, headers: [.retryAfter: "2"])
    }

    func text(instance: String?) -> [UInt8] {
        WireJSON.bytes(
            of: ProblemJSON(
                type: "urn:edgetick:problem:\(slug)", title: status.reasonPhrase, status: status.code, detail: detail,
                instance: instance.map { String($0.prefix(200)) }, nearest: nearest, errors: faults))
    }

    func response(instance: String?) -> Response {
        var fields = headers
        fields[.contentType] = Self.mediaType
        fields[.cacheControl] = "no-store"
        if closes { fields[.connection] = "close" }
        return Response(
            status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: text(instance: instance))))
    }
}

import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// One request on its way to its route.
struct Call: Sendable {
    /// The request.
    var request: Request
    /// The parts of the path that a route leaves open, decoded.
    var parameters: [String: String]
    /// The query, undecoded.
    var rawQuery: Substring?
    /// Whether the request carries the token, or none is asked for.
    var isAuthorized: Bool
    /// The socket.
    var channel: any Channel
    /// Where the route may write its lines.
    var logger: Logger

    /// The query, whose parameters must be among `known`.
    func query(_ known: String...) throws(Problem) -> Query {
        try Query(rawQuery, known: known)
    }

    /// A part of the path that the route leaves open.
    func parameter(_ name: String) -> String { parameters[name] ?? "" }
}

/// What the server knows of a request beside the request itself.
struct RequestScope: InitializableFromSource {
    /// The socket.
    let channel: any Channel
    /// Carries the request's number.
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }
}

extension Response {
    /// A JSON answer that nobody keeps.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = HTTPFields())
        -> Response
    {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// A JSON object that nobody keeps.
    static func json(
        status: HTTPResponse.Status = .ok, headers: HTTPFields = HTTPFields(), _ body: (inout JSONText) -> Void
    ) -> Response {
        json(JSONText.object(body), status: status, headers: headers)
    }
}

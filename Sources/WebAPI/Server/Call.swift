import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Wire

/// One request on its way to its route.
struct Call: Sendable {
    var request: Request
    /// The parts of the path that a route leaves open, decoded.
    var parts: [String: String]
    /// The query; it holds none but the route's parameters.
    var query: Query
    /// Whether the request carries the token, or none is asked for.
    var isAuthorized: Bool
    var channel: any Channel
    /// Where the route may write its lines.
    var logger: Logger

    /// What the request says of a parameter of its route.
    func value<Value>(of parameter: Parameter<Value>) throws(Problem) -> Value {
        switch parameter.place {
        case .path: try parameter.value(of: parts[parameter.name])
        case .query: try parameter.value(of: query[parameter.name])
        }
    }
}

/// What the server knows of a request beside the request itself.
struct RequestScope: InitializableFromSource {
    let channel: any Channel
    /// Carries the request's number.
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }
}

/// What a route returns: a value that goes out as JSON.
struct Reply<Body: WireObject>: Sendable {
    var body: Body
    var status: HTTPResponse.Status = .ok
    var headers = HTTPFields()

    init(_ body: Body, status: HTTPResponse.Status = .ok, headers: HTTPFields = HTTPFields()) {
        self.body = body
        self.status = status
        self.headers = headers
    }

    /// The response, which nobody keeps.
    var response: Response {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.cacheControl] = "no-store"
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: WireJSON.bytes(of: body))))
    }
}

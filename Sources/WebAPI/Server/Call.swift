import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Wire

/// One request on its way to its route.
struct Call: Sendable {
    var request: Request
    /// The variable parts of the path and the query's parameters, decoded; only parameters of the route.
    var values: [String: String]
    /// Whether the request carries the token, or no token is required.
    var isAuthorized: Bool
    var channel: any Channel

    func value<Value>(of parameter: Parameter<Value>) throws(Problem) -> Value {
        try parameter.value(of: values[parameter.name])
    }
}

/// The context of a request: its socket and its logger.
struct RequestScope: InitializableFromSource {
    let channel: any Channel
    /// Carries the request's number.
    let logger: Logger

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        logger = source.logger
    }
}

/// What a route returns: a value to send as JSON.
struct Reply<Body: WireObject>: Sendable {
    var body: Body
    var status: HTTPResponse.Status = .ok
    var headers = HTTPFields()

    init(_ body: Body, status: HTTPResponse.Status = .ok, headers: HTTPFields = HTTPFields()) {
        self.body = body
        self.status = status
        self.headers = headers
    }

    /// The response, which must not be cached.
    var response: Response {
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.cacheControl] = "no-store"
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: WireJSON.bytes(of: body))))
    }
}

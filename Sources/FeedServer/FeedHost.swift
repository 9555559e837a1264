public import MarketData

/// What a server's clients meet: who may log in, what may be subscribed to.
///
/// Called on the clients' event loops; nothing here may block.
public protocol FeedHost: AnyObject, Sendable {
    /// Why a request is refused before anything else, one for an upgrade too; `nil` when it is not.
    func refusal(of request: PlainRequest) -> PlainAnswer?

    /// A client has connected and was greeted.
    func connected(_ client: FeedClient)

    /// A client's connection has ended.
    func disconnected(_ client: FeedClient)

    /// A socket on which nobody had logged in was closed to make room for another.
    func madeRoom()

    /// A client's request has come and is about to be answered.
    func requested(by client: FeedClient)

    /// Decides about a login.
    func login(of client: FeedClient, key: String) -> LoginVerdict

    /// Why a client may not subscribe to channels of one request, as it is told; to the others it may.
    ///
    /// - Parameter replayed: Whether past events are asked for.
    func refusals(of channels: [FeedChannel], to client: FeedClient, replayed: Bool) -> [FeedChannel: StatusMessage]

    /// A client asks for past events of channels; without an end, those channels are subscribed to with it.
    func replay(_ channels: [FeedChannel], _ span: ReplaySpan, to client: FeedClient)

    /// A client has subscribed to channels, or given them up: its subscriptions say which.
    func subscriptionsChanged(of client: FeedClient, _ channels: [FeedChannel])

    /// Less waits for a client than before, or its connection is ending.
    func progressed(_ client: FeedClient)

    /// Whether a client's ping is answered.
    func answersPing(of client: FeedClient) -> Bool

    /// The answer to a request that is plain HTTP; `nil` for one that isn't served. May take its time: it is asked for
    /// off the event loop.
    func answer(_ request: PlainRequest) async -> PlainAnswer?
}

extension FeedHost {
    /// No request is refused.
    public func refusal(of request: PlainRequest) -> PlainAnswer? { nil }

    /// Nobody counts them.
    public func madeRoom() {}

    /// Nothing has to be done before an answer.
    public func requested(by client: FeedClient) {}

    /// For a host that offers no replays.
    public func replay(_ channels: [FeedChannel], _ span: ReplaySpan, to client: FeedClient) {}

    /// Every ping is answered.
    public func answersPing(of client: FeedClient) -> Bool { true }

    /// Nothing is served over plain HTTP.
    public func answer(_ request: PlainRequest) async -> PlainAnswer? { nil }
}

/// What became of a login.
public enum LoginVerdict: Sendable, Equatable {
    /// The client is in.
    case accepted
    /// It gets `auth_failed` and is closed.
    case refused
    /// It gets no answer: the login will time out.
    case ignored
}

/// A request over HTTP.
public struct PlainRequest: Sendable, Equatable {
    /// The path and query.
    var target: String
    /// The header of that name.
    var authorization: String?
    /// The server's own address as the client wrote it, for links.
    public var origin: String
    /// The server's name as the client wrote it; `nil` where it wrote none, or several.
    public var host: String?
    /// Whether a browser sent it for a web page.
    public var isOfPage = false
}

/// An answer over plain HTTP, a JSON document.
public struct PlainAnswer: Sendable, Equatable {
    /// The HTTP status.
    public var status: Int
    /// The document.
    public var body: [UInt8]
    /// The header `Retry-After`, in seconds.
    var retryAfter: Int?

    /// Makes an answer; see the properties for meaning.
    public init(status: Int, body: [UInt8], retryAfter: Int? = nil) {
        self.status = status
        self.body = body
        self.retryAfter = retryAfter
    }
}

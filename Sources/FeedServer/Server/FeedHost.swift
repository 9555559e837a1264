public import MarketData

/// Decides for a server who may log in and what may be subscribed to, and is notified of what its clients do.
///
/// Called on the clients' event loops; nothing here may block.
public protocol FeedHost: AnyObject, Sendable {
    /// Returns the response to an HTTP request that is refused outright, `nil` to accept it; upgrades are checked too.
    func refusal(of request: PlainRequest) -> PlainAnswer?

    /// Called when a client has connected and was greeted.
    func connected(_ client: FeedClient)

    /// Called when a client's connection has ended.
    func disconnected(_ client: FeedClient)

    /// Called when a socket was closed to make room for a new one.
    func madeRoom()

    /// Called when a client's request has arrived, before it is answered.
    func requested(by client: FeedClient)

    /// Returns the verdict on a login.
    func login(of client: FeedClient, key: String) -> LoginVerdict

    /// Returns the channels of one request that a client may not subscribe to, each with the status to send to the
    /// client.
    ///
    /// - Parameter replayed: Whether past events are requested.
    func refusals(of channels: [FeedChannel], to client: FeedClient, replayed: Bool) -> [FeedChannel: StatusMessage]

    /// Called when a client requests past events of channels; if the span has no end, it also subscribes to them.
    func replay(_ channels: [FeedChannel], _ span: ReplaySpan, to client: FeedClient)

    /// Called when a client has subscribed to or unsubscribed from these channels; `client.subscriptions` says which.
    func subscriptionsChanged(of client: FeedClient, _ channels: [FeedChannel])

    /// Called when fewer bytes wait for a client than before, or its connection begins to end.
    func progressed(_ client: FeedClient)

    /// Whether a client's ping is answered.
    func answersPing(of client: FeedClient) -> Bool

    /// Returns the response to a plain HTTP request, or `nil` if it isn't served. It runs off the event loop and may take
    /// its time.
    func answer(_ request: PlainRequest) async -> PlainAnswer?
}

extension FeedHost {
    /// No request is refused.
    public func refusal(of request: PlainRequest) -> PlainAnswer? { nil }

    /// Does nothing.
    public func madeRoom() {}

    /// Does nothing.
    public func requested(by client: FeedClient) {}

    /// Does nothing, for a host that offers no replays.
    public func replay(_ channels: [FeedChannel], _ span: ReplaySpan, to client: FeedClient) {}

    /// Every ping is answered.
    public func answersPing(of client: FeedClient) -> Bool { true }

    /// Nothing is served over plain HTTP.
    public func answer(_ request: PlainRequest) async -> PlainAnswer? { nil }
}

/// The decision about a login.
public enum LoginVerdict: Sendable, Equatable {
    /// The client is logged in.
    case accepted
    /// It gets `auth_failed` and is closed.
    case refused
    /// It gets no answer: the login will time out.
    case ignored
}

import MarketData

/// A status that the server sends.
public struct StatusMessage: Sendable, Equatable {
    /// The kind of status, as one word (`status`).
    var status: String
    /// The explanation (`message`).
    var message: String

    /// Makes a status.
    public init(_ status: String, _ message: String) {
        self.status = status
        self.message = message
    }

    static let connected = StatusMessage("connected", "Connected Successfully")
    static let authenticated = StatusMessage("auth_success", "authenticated")
    /// The login was refused.
    public static let loginFailed = StatusMessage("auth_failed", "authentication failed")
    /// The login didn't come in time.
    static let loginTimedOut = StatusMessage("auth_timeout", "no login within the time allowed")
    /// The client exceeds the number of connections allowed.
    public static let tooManyConnections = StatusMessage("max_connections", "maximum number of connections exceeded")
    /// The client doesn't read fast enough.
    public static let tooSlow = StatusMessage("slow_consumer", "the client reads too slowly")
    /// The key doesn't give access to the channel.
    public static let notAuthorized = StatusMessage("error", "not authorized")

    static func subscribed(_ channel: FeedChannel) -> StatusMessage {
        StatusMessage("success", "subscribed to: \(channel)")
    }

    /// Returns the confirmation that a channel was unsubscribed from; the feed words it this way.
    static func unsubscribed(_ channel: FeedChannel) -> StatusMessage {
        StatusMessage("success", "unsubscribed to: \(channel)")
    }

    static func unknownChannel(_ name: String) -> StatusMessage { error("unknown channel '\(name.prefix(40))'") }

    /// Makes the answer to a request that can't be granted.
    public static func error(_ message: String) -> StatusMessage { StatusMessage("error", message) }

    /// Returns the text of one frame with several messages.
    public static func text(_ messages: some Sequence<StatusMessage>) -> String {
        let objects = messages.map { message in
            #"{"ev":"status","status":"# + JSONString.quoted(message.status)
                + #","message":"# + JSONString.quoted(message.message) + "}"
        }
        return "[\(objects.joined(separator: ","))]"
    }
}

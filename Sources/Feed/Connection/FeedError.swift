/// An error of a feed connection, described in one line that says what to do and contains no secret.
public struct FeedError: Error, Sendable, Equatable {
    /// The kinds of failure; bounded, fit for a metric's label.
    public enum Reason: String, Sendable, Equatable, CaseIterable {
        /// The URL, or another setting of the connection, cannot be used.
        case invalidConfiguration
        /// `ws://` to a host that is not this machine, without permission.
        case plaintextRefused
        /// The file of trusted certificates cannot be read.
        case certificateFile
        /// The host name was not found.
        case hostNotFound
        /// No connection to the host: refused, unreachable, reset.
        case unreachable
        /// TCP, TLS and WebSocket handshake took longer than the time allowed.
        case connectTimeout
        /// The server's certificate is not trusted, expired or for another host; or TLS failed otherwise.
        case certificate
        /// The server responded to the handshake without opening a WebSocket.
        case handshakeRefused
        /// The feed's greeting, or its reply to the login, came too late.
        case loginTimeout
        /// The feed refused the API key.
        case keyRefused
        /// Another client took the account's last connection.
        case connectionLimit
        /// The feed closed the connection because this side reads too slowly.
        case slowConsumer
        /// The account's plan does not cover a channel.
        case notAuthorized
        /// The feed did not confirm the subscription of some channels.
        case unconfirmed
        /// The feed reported another error.
        case feedReported
        /// The feed closed the connection, or it was lost.
        case closed
        /// The connection was open and silent, and no ping was answered.
        case stalled
        /// The feed sent frames that violate RFC 6455, or a message that is too long.
        case protocolViolation
        /// The buffer had no room and the connection was dropped.
        case overflow
        /// The events came so long after another connection's that duplicates can't be told from new ones.
        case fellBehind
        /// The connection object was used in a way that it does not allow.
        case misuse
    }

    /// The kind of failure.
    public var reason: Reason
    /// What was being done: `configure`, `run`, `connect`, `login`, `subscribe` or `read`.
    public var operation: String
    /// What happened and what to do; escaped, one line, without secrets.
    public var message: String

    /// Makes an error; `message` must already be safe to show.
    public init(_ reason: Reason, operation: String, message: String) {
        self.reason = reason
        self.operation = operation
        self.message = message
    }

    /// Whether the connection tries again by itself: after everything except wrong settings and misuse.
    public var isRetryable: Bool { ![.invalidConfiguration, .plaintextRefused, .misuse].contains(reason) }
}

extension FeedError: CustomStringConvertible {
    /// One line: what was being done, what happened, what to do.
    public var description: String { "\(operation): \(message)" }
}

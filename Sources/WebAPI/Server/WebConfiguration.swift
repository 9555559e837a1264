import Glibc
public import MarketData

/// The API's address, token and limits.
public struct WebConfiguration: Sendable {
    /// Limits on what one client can use.
    public struct Limits: Sendable, Equatable {
        /// The largest request body, in bytes.
        public var bodyBytes = 256 * 1024
        /// The largest header field, and the largest total of all header fields, in bytes.
        var headerBytes = 16 * 1024
        /// How long a socket may be silent in the middle of a request, and how long it may take to send the next head.
        public var idleTimeout = Duration.seconds(30)
        /// How long a new socket may take to send the whole head of its first request.
        public var headTimeout = Duration.seconds(10)
        /// How long a request's body may take.
        public var bodyTimeout = Duration.seconds(10)
        /// How long a response may wait for the file of the buffer or the mirror.
        public var callTimeout = Duration.seconds(3)
        /// How long a retry or discard of dead letters may wait for the upload's current batch.
        var retryTimeout = Duration.seconds(20)
        /// The most responses that may wait for a file at the same time.
        public var calls = 8
        /// The most responses about coverage at the same time: a page's calendar and its day. They take longest and
        /// also query the database, so they have their own limit.
        var coverageCalls = 2
        /// The most readers of the event stream at the same time.
        public var eventClients = 32
        /// The most sockets at the same time; one more closes the socket that has waited longest for its request.
        public var connections = 256

        /// The defaults.
        public init() {}
    }

    /// The address to bind (`HTTP_HOST`): a name or an IP address; `0.0.0.0` and `::` bind all.
    public let host: String
    /// The port to bind (`HTTP_PORT`); 0 lets the system choose.
    let port: Int
    /// The token that a client must send as `Authorization: Bearer …` (`HTTP_TOKEN`); `nil`, only on loopback, checks none.
    let token: Secret?
    /// Further names by which clients may address the server, besides ``host`` and the loopback names.
    public let names: [String]
    /// Limits on what one client can use.
    public var limits: Limits
    /// The time between two messages of the event stream.
    public var beat = Duration.milliseconds(500)

    /// The fewest characters that a token may have.
    public static let shortestToken = 16

    /// Validates and stores the settings.
    ///
    /// - Throws: ``WebError`` with the reason `configuration` for an invalid host or port, for a token that is too
    ///   short or can't be sent in a header, and for a host other than loopback without a token.
    public init(
        host: String = "127.0.0.1", port: Int = 8080, token: Secret? = nil, names: [String] = [],
        limits: Limits = Limits()
    ) throws(WebError) {
        guard !host.isEmpty, HostName(host) != nil || host == "::" else {
            throw WebError.configuration(
                "HTTP_HOST=\(host) is not a host name or IP address; use 127.0.0.1 for this machine only")
        }
        guard (0...65535).contains(port) else {
            throw WebError.configuration("HTTP_PORT=\(port) is not a port; use 1 to 65535, or 0 for any free one")
        }
        if let token {
            let bytes = Array(token.reveal().utf8)
            guard bytes.count >= Self.shortestToken, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw WebError.configuration(
                    "HTTP_TOKEN needs at least \(Self.shortestToken) printable ASCII characters without spaces; "
                        + "`openssl rand -hex 24` makes one")
            }
        } else if !HostName.isLoopback(host) {
            throw WebError.configuration(
                "HTTP_HOST=\(host) is reachable from other machines and needs HTTP_TOKEN; "
                    + "`openssl rand -hex 24` makes one")
        }
        self.host = host
        self.port = port
        self.token = token
        self.names = names
        self.limits = limits
    }
}

/// A failure of the server as a whole; an error of one request is returned to its client instead.
public struct WebError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Reason: String, Sendable {
        /// An invalid setting.
        case configuration
        /// The address could not be bound.
        case bind
        /// The server ended by itself.
        case ended
    }

    /// The kind of failure.
    public let reason: Reason
    /// One line that says what is wrong and what to do.
    public let description: String

    static func configuration(_ description: String) -> WebError {
        WebError(reason: .configuration, description: description)
    }

    static func bind(host: String, port: Int, code: Int32, underlying: String) -> WebError {
        let advice =
            switch code {
            case EADDRINUSE: "another program has the port; stop it or choose another HTTP_PORT"
            case EACCES: "ports below 1024 need a privilege; choose another HTTP_PORT"
            case EADDRNOTAVAIL: "this machine has no such address; choose another HTTP_HOST"
            default: "check HTTP_HOST and HTTP_PORT"
            }
        let place = HostName.authority(host, port: port)
        return WebError(reason: .bind, description: "cannot listen on \(place) (\(underlying)): \(advice)")
    }
}

extension WebConfiguration {
    /// Binds the address and releases it again, so that a collector with an unusable address refuses to start. Resolves
    /// the host's name, which may block.
    ///
    /// - Throws: ``WebError`` with the reason `bind`.
    public func checkAddress() throws(WebError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &list)
        guard code == 0, let first = list else {
            throw WebError.bind(
                host: host, port: port, code: EADDRNOTAVAIL, underlying: String(cString: gai_strerror(code)))
        }
        defer { freeaddrinfo(list) }
        let socket = Glibc.socket(first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw failed(errno) }
        defer { close(socket) }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(socket, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, listen(socket, 1) == 0 else {
            throw failed(errno)
        }
    }

    private func failed(_ code: Int32) -> WebError {
        .bind(host: host, port: port, code: code, underlying: String(cString: strerror(code)))
    }
}

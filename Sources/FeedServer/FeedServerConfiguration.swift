/// How a feed server listens, and how long it waits for its clients.
public struct FeedServerConfiguration: Sendable {
    /// A server's certificate and private key, PEM files.
    public struct TLSFiles: Sendable, Equatable {
        /// The path of the certificate chain, the server's own certificate first.
        public var certificateFile: String
        /// The path of the private key.
        public var keyFile: String

        /// Names the two files.
        public init(certificateFile: String, keyFile: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// The address to listen on.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 lets the system choose a free one.
    public var port = 0
    /// Serves TLS with these files; `nil` serves plain text.
    public var tls: TLSFiles?
    /// How long a client has for its login before it gets `auth_timeout`.
    public var loginTimeout: Duration = .seconds(30)
    /// How often the server pings its clients.
    public var pingInterval: Duration = .seconds(20)
    /// How long a client has to answer a close before the socket is closed under it.
    public var closeTimeout: Duration = .seconds(5)
    /// The longest message that a client may send, in bytes, in one frame or in fragments.
    public var maximumRequestBytes = 1 << 20
    /// A client for which more bytes than this wait is cut off when it asks for something.
    public var maximumBacklogBytes = 32 << 20

    /// Makes the configuration of a server on a free port of the loopback.
    public init() {}
}

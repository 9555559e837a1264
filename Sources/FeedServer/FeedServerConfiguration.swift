/// How a feed server listens, and how long it waits for its clients.
public struct FeedServerConfiguration: Sendable {
    /// A server's certificate and private key, PEM files.
    public struct TLSFiles: Sendable, Equatable {
        /// The path of the certificate chain, the server's own certificate first.
        var certificateFile: String
        /// The path of the private key.
        var keyFile: String

        /// Names the two files.
        public init(certificateFile: String, keyFile: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// How many bytes of requests a client may send.
    public struct Allowance: Sendable, Equatable {
        /// So many at once; more than a quarter of a megabyte, which one read may bring.
        var burstBytes: Int
        /// So many a second from then on.
        var bytesPerSecond: Int

        /// Makes an allowance.
        public init(burstBytes: Int, bytesPerSecond: Int) {
            self.burstBytes = burstBytes
            self.bytesPerSecond = bytesPerSecond
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
    /// How long a client whose login is refused waits for the answer, so that a program that tries again at once does
    /// little harm; `nil` answers at once.
    public var refusalDelay: Duration?
    /// How often the server pings its clients.
    public var pingInterval: Duration = .seconds(20)
    /// How long a client has to answer a close before the socket is closed under it.
    public var closeTimeout: Duration = .seconds(5)
    /// The longest message that a client may send, in bytes, in one frame or in fragments.
    var maximumRequestBytes = 1 << 20
    /// A client for which more bytes than this wait is cut off when it asks for something.
    public var maximumBacklogBytes = 32 << 20
    /// What a client may ask for; beyond it the client is read as slowly as it earns more. `nil` sets no limit.
    public var requestAllowance: Allowance?
    /// A client from which nothing comes for so long, no pong either, is closed; `nil` lets it be.
    public var silenceLimit: Duration?
    /// The most sockets open at once, more than clients may be logged in. For a further one, of those that nobody has logged
    /// in on the one that has waited longest is closed. `nil` sets no limit.
    public var maximumSockets: Int?
    /// The most plain HTTP requests that are answered at once, the sending included; further ones get 429. `nil` sets no
    /// limit.
    public var maximumAnswers: Int?
    /// Whether a subscription may ask for past events (`from`, `to`); else these are overlooked, as the feed does.
    public var offersReplays = false

    /// Makes the configuration of a server on a free port of the loopback.
    public init() {}
}

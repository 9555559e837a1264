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

    /// The number of bytes of requests that a client may send.
    public struct Allowance: Sendable, Equatable {
        /// The number of bytes at once; must exceed a quarter of a megabyte, which a single read may bring.
        var burstBytes: Int
        /// The number of bytes a second after that.
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
    /// The delay before a login is refused, so that a program that retries at once does little harm; `nil`
    /// refuses it at once.
    public var refusalDelay: Duration?
    /// How often the server pings its clients.
    public var pingInterval: Duration = .seconds(20)
    /// How long a client may take to reply to a close message before its socket is closed.
    public var closeTimeout: Duration = .seconds(5)
    /// The longest message that a client may send, in bytes, in one frame or in fragments.
    var maximumRequestBytes = 1 << 20
    /// The maximum number of bytes queued for a client; a client with more is reset when the server answers or
    /// pings it.
    public var maximumBacklogBytes = 32 << 20
    /// How much a client may request; beyond that, the server reads from it only as fast as the allowance grows again.
    /// `nil` sets no limit.
    public var requestAllowance: Allowance?
    /// How long a client may send nothing, not even a pong, before it is reset; `nil` sets no limit.
    public var silenceLimit: Duration?
    /// The maximum number of open sockets; it must exceed the number of clients that may be logged in. A further socket
    /// closes the one that has waited longest among those without a login or a request being answered. `nil` sets no
    /// limit.
    public var maximumSockets: Int?
    /// The maximum number of plain HTTP requests being answered at once, including sending; further ones get 429. `nil`
    /// sets no limit.
    public var maximumAnswers: Int?
    /// Whether a subscription may request past events (`from`, `to`); otherwise these are ignored, as by the feed.
    public var offersReplays = false

    /// Makes the configuration of a server on a free port of the loopback interface.
    public init() {}
}

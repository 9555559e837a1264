public import MarketData

/// The meaning of a bar's `timestamp` upstream.
public enum BarTimestamp: String, Sendable, CaseIterable {
    /// The window's start, as in REST aggregates.
    case start
    /// The window's end.
    case end

    /// How much later a bar's `timestamp` is than its window's start, in milliseconds.
    func shift(of interval: Bar.Interval) -> Int64 { self == .end ? interval.milliseconds : 0 }
}

/// Where the upstream database is, and how long it may take to respond.
public struct UpstreamConfiguration: Sendable {
    /// The collector's name, as rows and the ledger carry it.
    public let collector: String
    /// The limit for connecting in all: lookup, every address, TLS, login. The URI's `connect_timeout` comes first.
    private(set) var connectTimeout: Duration
    /// The server's limit for one statement (`statement_timeout`); our own deadline is ``responseLimit``.
    private(set) var statementTimeout: Duration
    /// The meaning of a bar's `timestamp` upstream.
    let barTimestamp: BarTimestamp
    /// Which version of a bar wins if nothing shows their age. `nil` means ``BarConflict/newest`` if the table has the
    /// column received_at, else ``BarConflict/replace``.
    let barConflict: BarConflict?

    let barColumns: BarColumns
    /// Whether other boxes send the same events, so that ticks go only into tables with a ``TickIdentity``.
    public var needsIdentity: Bool
    /// Which of the databases it is.
    public let role: UpstreamRole
    /// The streams whose rows go to this database.
    public let streams: [EventStream]

    private(set) var settings: ConnectionSettings
    private let reread: (@Sendable () -> String?)?

    /// Reads a libpq URI (PostgreSQL manual, 34.1.1.2) and checks it; nothing is opened yet.
    ///
    /// Unless the URI says otherwise, `sslmode` is verify-full, with the system's certificate authorities, if any host
    /// is neither a loopback address nor a Unix socket. What the URI leaves out comes from libpq's environment
    /// variables (PGHOST, PGUSER, PGPASSWORD …) and `.pgpass`.
    ///
    /// - Parameter reread: returns the current URI if it is kept in a file. Blocks.
    /// - Throws: reason ``UpstreamError/Reason/configuration`` if the URI can't be read, or sets an option that would
    ///   make libpq read other files, run other code or misread the data. The error never quotes the password.
    public init(
        uri: String, reread: (@Sendable () -> String?)? = nil, collector: String,
        connectTimeout: Duration = .seconds(10),
        statementTimeout: Duration = .seconds(60), barTimestamp: BarTimestamp = .start,
        barConflict: BarConflict? = nil, barColumns: BarColumns = .usual, needsIdentity: Bool = false,
        role: UpstreamRole = .main, isAlone: Bool = true
    ) throws(UpstreamError) {
        guard !collector.isEmpty, !collector.utf8.contains(0) else {
            throw UpstreamError(.configuration, "read COLLECTOR_ID", "the collector's name is empty or has a NUL in it")
        }
        guard connectTimeout > .zero, statementTimeout > .zero else {
            throw UpstreamError(.configuration, "read the timeouts", "a timeout must be longer than 0")
        }
        do {
            settings = try ConnectionSettings(uri: uri)
        } catch {
            throw error.of(role)
        }
        self.reread = reread
        self.collector = collector
        self.connectTimeout = settings.connectTimeout ?? connectTimeout
        self.statementTimeout = statementTimeout
        self.barTimestamp = barTimestamp
        self.barConflict = barConflict
        self.barColumns = barColumns
        self.needsIdentity = needsIdentity
        self.role = role
        streams = role.streams(isAlone: isAlone)
    }

    /// A copy with the URI's current user and password, so that a password can be changed while the collector runs. A
    /// URI that leads elsewhere takes effect at the next start. Blocks.
    func renewed() -> UpstreamConfiguration {
        guard let uri = reread?(), let now = try? ConnectionSettings(uri: uri), now.leadsWhere(settings) else {
            return self
        }
        var renewed = self
        renewed.settings = now
        return renewed
    }

    /// A copy in which no statement may take longer than `timeout`.
    func limited(to timeout: Duration) -> UpstreamConfiguration {
        var limited = self
        limited.statementTimeout = min(statementTimeout, timeout)
        return limited
    }

    /// The server, port, database and user, without any secret.
    public var target: String { settings.target }

    /// Warnings about the URI, one line each; usually empty.
    public var warnings: [String] { settings.warnings }

    /// How long a step may go unanswered before the connection is given up. A little more than the statement timeout,
    /// so that a live server can report its own error first.
    var responseLimit: Duration { statementTimeout + min(.seconds(5), max(.milliseconds(250), statementTimeout / 10)) }

    /// A copy for a request that somebody waits for: connecting and the response may each take this long.
    func hurried(_ limit: Duration) -> UpstreamConfiguration {
        var hurried = limited(to: limit)
        hurried.connectTimeout = min(connectTimeout, limit)
        return hurried
    }

    /// A copy for work on whole tables, which may take hours.
    var unhurried: UpstreamConfiguration {
        var unhurried = self
        unhurried.statementTimeout = max(statementTimeout, .seconds(86_400))
        return unhurried
    }
}

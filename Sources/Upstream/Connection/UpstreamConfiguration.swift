public import MarketData

/// What `timestamp` of a bar means upstream.
public enum BarTimestamp: String, Sendable, CaseIterable {
    /// The window's start, as in REST aggregates.
    case start
    /// The window's end.
    case end
}

/// Where the upstream database is, and how long it may take to answer.
public struct UpstreamConfiguration: Sendable {
    /// The collector's name, as the rows and the ledger say it.
    public let collector: String
    /// How long connecting may take in all: names, every address, TLS, login. `connect_timeout` in the URI goes first.
    private(set) var connectTimeout: Duration
    /// The server's limit for one statement (`statement_timeout`); our own deadline is ``responseLimit``.
    private(set) var statementTimeout: Duration
    /// What `timestamp` of a bar means upstream.
    let barTimestamp: BarTimestamp
    /// Whose version of a bar stays where nothing tells its age; `nil`: ``BarConflict/newest`` where the table has the
    /// column received_at, else ``BarConflict/replace``.
    let barConflict: BarConflict?

    /// What the tables of bars call their columns.
    let barColumns: BarColumns
    /// Whether other boxes send the same events, so that ticks go only into tables that tell those apart which are there.
    public var needsIdentity: Bool
    /// Which of the databases it is.
    public let role: UpstreamRole
    /// The streams whose rows go there.
    public let streams: [EventStream]

    private(set) var settings: ConnectionSettings
    private let reread: (@Sendable () -> String?)?

    /// Reads a libpq URI (PostgreSQL manual, 34.1.1.2) and checks it; nothing is opened yet.
    ///
    /// `sslmode` is verify-full, with the system's certificate authorities, as soon as a host is neither a loopback
    /// address nor a Unix socket and the URI doesn't say otherwise. What the URI leaves out comes from libpq's
    /// environment variables (PGHOST, PGUSER, PGPASSWORD …) and `.pgpass`.
    ///
    /// - Parameter reread: Returns the URI as it is now, where it is kept in a file. Blocks.
    /// - Throws: reason ``UpstreamError/Reason/configuration``, for a URI that can't be read or that sets what would
    ///   make libpq read other files, run other code or misread the data; never quotes the password.
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
            throw UpstreamError(error.reason, error.operation, error.text, role: role)
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

    /// The same with the user and the password that the URI has by now, so that a password may be changed under a running
    /// collector. A URI that leads elsewhere counts from the next start on. Blocks.
    func renewed() -> UpstreamConfiguration {
        guard let uri = reread?(), let now = try? ConnectionSettings(uri: uri), now.leadsWhere(settings) else {
            return self
        }
        var renewed = self
        renewed.settings = now
        return renewed
    }

    /// The same, with no statement allowed to take longer than this.
    func limited(to timeout: Duration) -> UpstreamConfiguration {
        var limited = self
        limited.statementTimeout = min(statementTimeout, timeout)
        return limited
    }

    /// The server, port, database and user, without any secret.
    public var target: String { settings.target }

    /// What a careful person should know about the URI, a line each; empty as a rule.
    public var warnings: [String] { settings.warnings }

    /// How long a step may stay unanswered before the connection is given up: the statement timeout and a little
    /// more, so that a server that is alive gets to say its own error first.
    var responseLimit: Duration {
        statementTimeout + min(.seconds(5), max(.milliseconds(250), statementTimeout / 10))
    }

    /// The same for a question that somebody waits for: connecting and the answer may take so long each.
    func hurried(_ limit: Duration) -> UpstreamConfiguration {
        var hurried = self
        hurried.connectTimeout = min(connectTimeout, limit)
        hurried.statementTimeout = min(statementTimeout, limit)
        return hurried
    }

    /// The same for work on whole tables, which may take hours.
    var unhurried: UpstreamConfiguration {
        var unhurried = self
        unhurried.statementTimeout = max(statementTimeout, .seconds(86_400))
        return unhurried
    }
}

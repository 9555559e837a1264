/// Why the upload, or another exchange with the upstream database, did not work.
///
/// Decided by the SQLSTATE's class, never by the words of a message. The description fits one log line, holds no
/// password and says what to do.
public struct UpstreamError: Error, Sendable, Equatable {
    /// What kind of problem it is.
    public enum Reason: String, Sendable, CaseIterable {
        /// The connection was refused, lost or ended by the server (08xxx, 57P01–57P05, no SQLSTATE at all).
        case connectionLost
        /// The server didn't answer within the deadline, or had a limit of its own for a transaction (25P04); the connection
        /// was discarded.
        case deadline
        /// A passing condition: a deadlock, a lock, a timeout, no room, too many clients (40xxx, 55P03, 57014, 53xxx …).
        case busy
        /// A configured limit was exceeded, as by rows of a compressed chunk (53400).
        case limit
        /// A batch took longer than the statement timeout (57014 after that time).
        case tooSlow
        /// A table, column, key or right is missing or of another kind (42xxx, 3F000, 0A000 …).
        case schema
        /// The server doesn't let the user in, or the database isn't there (28xxx, 3D000).
        case login
        /// The server takes no writes: a standby, or set so (25006).
        case readOnly
        /// A value that the target doesn't take (22xxx, 23xxx …). Rows that cause it alone become dead letters.
        case data
        /// So many rows are refused that it is hardly their fault, or no partition takes them. They stay in the queue.
        case refused
        /// The server could not prove who it is, or speaks no TLS.
        case tls
        /// The URI or another setting can't be used.
        case configuration
        /// The task was cancelled; the connection was discarded.
        case cancelled
        /// What the ledger says does not fit the file: another copy of it uploads, or rows are gone upstream.
        case ledger
        /// The local file could not be read or written, so that nothing was committed: refused rows could not be kept, say.
        case file
    }

    /// What kind of problem it is.
    public let reason: Reason
    let operation: String
    /// The server's or libpq's words, in one line, without secrets.
    public let text: String
    /// The server's five-character code; `nil` when the error didn't come from the server.
    public let sqlState: String?
    /// The table, column or constraint concerned; `nil` when none is known.
    let object: String?
    /// The constraint's name alone; `nil` when the server named none.
    let constraint: String?
    /// Which database it came from; its setting is named in what to do.
    let role: UpstreamRole

    init(
        _ reason: Reason, _ operation: String, _ text: String, sqlState: String? = nil, object: String? = nil,
        constraint: String? = nil, role: UpstreamRole = .main
    ) {
        self.reason = reason
        self.operation = operation
        self.text = text
        self.sqlState = sqlState
        self.object = object
        self.constraint = constraint
        self.role = role
    }

    /// Whether the same batch may simply be sent again, after a short wait.
    public var isRetryable: Bool {
        switch reason {
        case .connectionLost, .deadline, .busy, .limit, .tooSlow, .cancelled, .file: true
        case .schema, .login, .readOnly, .data, .refused, .ledger, .tls, .configuration: false
        }
    }

    /// Whether a person must fix something: the upload pauses and tries again slowly.
    var pausesUpload: Bool { !isRetryable }

    /// Whether the connection can't be used any more.
    var endsConnection: Bool {
        switch reason {
        case .connectionLost, .deadline, .cancelled, .tls, .configuration: true
        case .busy, .limit, .tooSlow, .schema, .login, .readOnly, .data, .refused, .ledger, .file: false
        }
    }

    /// Whether the server ended the session with it.
    var endsSession: Bool { sqlState != nil && isLostConnection }

    /// Whether the connection was lost, or given up, while something was on its way.
    public var isLostConnection: Bool { reason == .connectionLost || reason == .deadline }

    /// Whether the ledger's row had moved, and is known again: the rows may be sent at once.
    public var isLedgerMoved: Bool { reason == .busy && operation == UploadTransaction.lockOperation }

    /// Whether a smaller batch may go up where this one took too long.
    public var isSlow: Bool { reason == .tooSlow || reason == .deadline }

    /// Whether a closer look at the same rows may get past the error: it may be one row's, or the batch's size.
    public var mayBeOfRows: Bool {
        reason == .tooSlow || reason != .refused && reason != .data && Stumble.mayBeRows(self)
    }

    /// The same error, of which is known that the server needed more time than it has.
    func asTooSlow() -> UpstreamError {
        UpstreamError(
            .tooSlow, operation, text, sqlState: sqlState, object: object, constraint: constraint, role: role)
    }
}

extension UpstreamError: CustomStringConvertible {
    /// One line: what was tried, what went wrong, the SQLSTATE and object, what to do.
    public var description: String { line(advice) }

    /// As ``description``, for a command that doesn't try again by itself.
    public var lastDescription: String {
        switch reason {
        case .connectionLost: line("is the server up and reachable?")
        case .deadline where sqlState == Self.transactionTimeout: line("raise the server's transaction_timeout")
        case .deadline: line(Self.whySilent)
        case .busy: line("run it again")
        case .limit: line("raise the limit named above")
        case .tooSlow: line("raise SYNC_STATEMENT_TIMEOUT")
        case .file: line("run it again")
        case .schema, .login, .readOnly, .data, .refused, .ledger, .tls, .configuration, .cancelled: description
        }
    }

    private func line(_ advice: String) -> String {
        var details: [String] = []
        if let sqlState { details.append("SQLSTATE \(sqlState)") }
        if let object { details.append(object) }
        let place = details.isEmpty ? "" : " (\(details.joined(separator: ", ")))"
        return "\(operation): \(text)\(place); \(advice)"
    }

    private var advice: String {
        switch reason {
        case .connectionLost where sqlState == Self.idleTimeout:
            "it is tried again, nothing is lost: this machine stood still for longer than the server waits"
        case .connectionLost: "it is tried again, nothing is lost; is the server up and reachable?"
        case .deadline where sqlState == Self.transactionTimeout:
            "it is tried again in smaller parts; raise the server's transaction_timeout if it stays"
        case .deadline: "the connection was given up and is made again; \(Self.whySilent)"
        case .busy where sqlState == Self.lockTimeout:
            "it is tried again with the same rows; pg_stat_activity and pg_locks show who holds the lock"
        case .busy: "it is tried again with the same rows"
        case .limit: "it is tried again in smaller parts; raise the limit named above if it stays"
        case .tooSlow: "it is tried again in smaller parts; raise SYNC_STATEMENT_TIMEOUT if it stays"
        case .schema: schemaAdvice
        case .login: "check user, password and database in \(role.setting), and the server's pg_hba.conf"
        case .readOnly:
            object == Self.readOnlySetting
                ? "somebody set it for the server, the database or the role, as where the disk is full: ALTER ROLE … or "
                    + "DATABASE … SET default_transaction_read_only = off"
                : "point \(role.setting) at the primary, or list all servers with target_session_attrs=read-write"
        case .data:
            sqlState == nil
                ? "nothing was changed" : "the row can't be stored as it is; look at the target's constraints"
        case .refused:
            (isWithoutPartition ? "make the partition" : "correct the table, its constraints or triggers")
                + ", and the rows, which wait in the queue, go up; or set them aside with `edgetick sync --set-aside`"
        case .ledger:
            "rows are kept and collection goes on; see Backups and copies in docs/operations.md: `edgetick sync --again --from …` "
                + "sends rows again, and takes the upload over from another copy"
        case .tls where text.contains("does not support SSL"):
            "turn on TLS at the server (ssl = on); or, on a line that nobody else can read, write sslmode=disable in "
                + "\(role.setting)"
        case .tls: "check the server's certificate, or sslrootcert and sslmode in \(role.setting)"
        case .configuration: "correct \(role.setting)"
        case .cancelled: "nothing is lost: what wasn't committed is sent again"
        case .file: "it is tried again with the same rows"
        }
    }

    private static let whySilent = "is the server overloaded, a synchronous standby away or the network cut?"

    /// What a server that is no standby refuses writes for.
    static let readOnlySetting = "the setting default_transaction_read_only"

    private var schemaAdvice: String {
        switch sqlState {
        case nil where object == "table edgetick_uploads": "run `edgetick migrate`"
        case nil where object == nil: "nothing was changed"
        case "42501": "grant the right named above to the user in \(role.setting)"
        case "42P01", "3F000": "run `edgetick migrate`, or check the search_path"
        default: "compare the table with `edgetick migrate --print`"
        }
    }
}

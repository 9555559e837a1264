/// Why the upload, or another exchange with the upstream database, did not work.
///
/// The reason follows from the SQLSTATE, never from the words of a message, except while connecting: see
/// ``ConnectionRefusal``. The description fits one log line, holds no password and says what to do.
public struct UpstreamError: Error, Sendable, Equatable {
    /// The kind of problem.
    public enum Reason: String, Sendable, CaseIterable {
        /// The connection was refused, lost or ended by the server (08xxx, 25P03, 57P01–57P05, no SQLSTATE at all).
        case connectionLost
        /// The server didn't answer in time, or ended a transaction at its own limit (25P04); the connection is gone.
        case deadline
        /// A temporary condition: a deadlock, a timeout, no space, too many clients (40xxx, 55P03, 57014, 53xxx …).
        case busy
        /// A configured limit was exceeded, for example by rows of a compressed chunk (53400).
        case limit
        /// A batch took longer than the statement timeout (57014 after that time).
        case tooSlow
        /// A table, column, key or privilege is missing or of the wrong kind (42xxx, 3F000, 0A000 …).
        case schema
        /// The server rejects the user, or the database doesn't exist (28xxx, 3D000).
        case login
        /// The server accepts no writes: it is a standby, or was set to read-only (25006).
        case readOnly
        /// The target rejects a value (22xxx, 23xxx …). A row that is rejected on its own becomes a dead letter.
        case data
        /// So many rows are refused that they are hardly at fault, or no partition takes them; they stay in the queue.
        case refused
        /// The server could not prove its identity, or doesn't support TLS.
        case tls
        /// The URI or another setting can't be used.
        case configuration
        /// The task was cancelled; the connection was discarded.
        case cancelled
        /// The ledger contradicts the file: another copy of the file uploads, or rows are gone upstream.
        case ledger
        /// The local file could not be read or written, for example to keep refused rows, so nothing was committed.
        case file
    }

    /// The kind of problem.
    public let reason: Reason
    let operation: String
    /// The message of the server or libpq, in one line, without secrets.
    public let text: String
    /// The server's five-character code; `nil` when the error didn't come from the server.
    public let sqlState: String?
    /// The table, column or constraint concerned; `nil` when none is known.
    let object: String?
    /// The constraint's name alone; `nil` when the server named none.
    let constraint: String?
    /// The database that it came from, whose setting the advice names; known where the error leaves the connection.
    private var role = UpstreamRole.main

    init(
        _ reason: Reason, _ operation: String, _ text: String, sqlState: String? = nil, object: String? = nil,
        constraint: String? = nil
    ) {
        self.reason = reason
        self.operation = operation
        self.text = text
        self.sqlState = sqlState
        self.object = object
        self.constraint = constraint
    }

    /// Whether the same batch may simply be sent again, after a short wait. If not, a person must fix something: the
    /// upload pauses and tries again slowly.
    public var isRetryable: Bool {
        switch reason {
        case .connectionLost, .deadline, .busy, .limit, .tooSlow, .cancelled, .file: true
        case .schema, .login, .readOnly, .data, .refused, .ledger, .tls, .configuration: false
        }
    }

    /// Whether the connection can no longer be used.
    var endsConnection: Bool {
        switch reason {
        case .connectionLost, .deadline, .cancelled, .tls, .configuration: true
        case .busy, .limit, .tooSlow, .schema, .login, .readOnly, .data, .refused, .ledger, .file: false
        }
    }

    /// Whether the server ended the session with this error.
    var endsSession: Bool { sqlState != nil && isLostConnection }

    /// Whether the connection was lost or given up, so that the outcome of what was in flight is unknown.
    public var isLostConnection: Bool { reason == .connectionLost || reason == .deadline }

    /// Whether a table is missing, or is not on the search_path.
    public var isOfMissingTable: Bool { sqlState == Self.undefinedTable }

    /// Whether the ledger's row had moved and is known again; the rows can be sent again at once.
    public var isLedgerMoved: Bool { reason == .busy && operation == UploadTransaction.lockOperation }

    /// Whether a smaller batch may succeed, since this one took too long.
    public var isSlow: Bool { reason == .tooSlow || reason == .deadline }

    /// Whether one row may cause it, or the size of the batch, so that it may help to look more closely.
    public var mayBeOfRows: Bool {
        reason == .tooSlow || reason == .connectionLost
            || reason != .refused && reason != .data && Stumble.mayBeRows(self)
    }

    /// The same error as one of the database with this role, whose setting the advice then names.
    func of(_ role: UpstreamRole) -> UpstreamError {
        var error = self
        error.role = role
        return error
    }

    /// The same error with another reason, and with `preface` before its text.
    func with(_ reason: Reason, preface: String = "") -> UpstreamError {
        UpstreamError(reason, operation, preface + text, sqlState: sqlState, object: object, constraint: constraint)
    }
}

extension UpstreamError: CustomStringConvertible {
    /// One line: what was tried, what went wrong, the SQLSTATE and object, what to do.
    public var description: String { line(advice) }

    /// Like ``description``, for a command that doesn't retry by itself.
    public var lastDescription: String {
        switch reason {
        case .connectionLost: line(Self.checkServer)
        case .deadline where sqlState == Self.transactionTimeout: line("raise the server's transaction_timeout")
        case .deadline: line(Self.whySilent)
        case .busy where sqlState == Self.lockTimeout: line("run it again; \(Self.whoHoldsLock)")
        case .busy, .file: line("run it again")
        case .limit: line("raise that limit")
        case .tooSlow: line("raise SYNC_STATEMENT_TIMEOUT")
        case .schema, .login, .readOnly, .data, .refused, .ledger, .tls, .configuration, .cancelled: description
        }
    }

    private func line(_ advice: String) -> String { "\(operation): \(detailedText); \(advice)" }

    /// The text, with the SQLSTATE and the object.
    var detailedText: String {
        let details = [sqlState.map { "SQLSTATE \($0)" }, object].compactMap(\.self)
        return text + (details.isEmpty ? "" : " (\(details.joined(separator: ", ")))")
    }

    private var advice: String {
        switch reason {
        case .connectionLost where sqlState == Self.idleTimeout:
            "EdgeTick will retry and no rows are lost; this machine stalled or slept for longer than the server waits"
        case .connectionLost: "EdgeTick will retry and no rows are lost; \(Self.checkServer)"
        case .deadline where sqlState == Self.transactionTimeout:
            "EdgeTick will retry in smaller batches; raise the server's transaction_timeout if this persists"
        case .deadline: "EdgeTick closed the connection and will reconnect; \(Self.whySilent)"
        case .busy where sqlState == Self.lockTimeout:
            "EdgeTick will retry with the same rows; \(Self.whoHoldsLock)"
        case .busy, .file: "EdgeTick will retry with the same rows"
        case .limit: "EdgeTick will retry in smaller batches; raise that limit if this persists"
        case .tooSlow: "EdgeTick will retry in smaller batches; raise SYNC_STATEMENT_TIMEOUT if this persists"
        case .schema: schemaAdvice
        case .login where sqlState == "3D000": "create that database, or correct its name in \(role.setting)"
        case .login: "check user, password and database in \(role.setting), and the server's pg_hba.conf"
        case .readOnly:
            object == Self.readOnlySetting
                ? "somebody set it for the server, the database or the role, perhaps because the disk was full; to undo it: "
                    + "ALTER ROLE … or ALTER DATABASE … SET default_transaction_read_only = off"
                : "point \(role.setting) at the primary, or list all servers with target_session_attrs=read-write"
        case .data:
            sqlState == nil
                ? "nothing was changed" : "the row can't be stored as it is; look at the target's constraints"
        case .refused:
            (isWithoutPartition ? "create the partition" : "correct the table, its constraints or triggers")
                + ", and the waiting rows are uploaded; or set them aside with `edgetick sync --set-aside`"
        case .ledger:
            "rows are kept and collection goes on; see Backups and copies in docs/operations.md: `edgetick sync --again --from …` "
                + "sends rows again, and takes the upload over from another copy"
        case .tls where text.contains("does not support SSL"):
            "turn on TLS at the server (ssl = on); or, on a network that nobody else can read, write sslmode=disable in "
                + "\(role.setting)"
        case .tls: "check the server's certificate, or sslrootcert and sslmode in \(role.setting)"
        case .configuration where text.hasPrefix(Self.oldServer):
            "upgrade the server, or name another one in \(role.setting)"
        case .configuration: "correct \(role.setting)"
        case .cancelled: "nothing is lost: what wasn't committed is sent again"
        }
    }

    private static let whoHoldsLock = "pg_stat_activity and pg_locks show who holds the lock"
    private static let checkServer = "check that the server is up and reachable"
    private static let whySilent = "is the server overloaded, a synchronous standby down or the network cut?"

    /// How the `text` begins where the server's version is too old.
    static let oldServer = "PostgreSQL 15 or later is needed"

    /// The `object` of a read-only error from a server that is not a standby.
    static let readOnlySetting = "the setting default_transaction_read_only"

    private var schemaAdvice: String {
        switch sqlState {
        case nil where object == Ledger.object: "run `edgetick migrate`"
        case nil where object == nil: "nothing was changed"
        // No GRANT makes an owner.
        case Self.insufficientPrivilege where text.contains("must be owner"):
            "run this as the owner, or let the owner run the statements that --print prints"
        case Self.insufficientPrivilege: "grant that right to the user in \(role.setting)"
        case Self.undefinedTable, "3F000": "run `edgetick migrate`, or check the search_path"
        default: "compare the table with `edgetick migrate --print`"
        }
    }
}

extension UpstreamError.Reason {
    /// The kind of problem that a server's code means (PostgreSQL manual, appendix A). `nil` means that the error
    /// didn't come from the server, so the connection is gone.
    ///
    /// An unknown code pauses the upload: rows are set aside only for errors that are certainly the row's own fault.
    init(sqlState: String?) {
        self =
            switch sqlState {
            case nil: .connectionLost
            case "57P01", "57P02", "57P03", "57P04", "57P05", UpstreamError.idleTimeout: .connectionLost
            case UpstreamError.transactionTimeout: .deadline
            case UpstreamError.readOnlyTransaction: .readOnly
            case "3D000": .login
            case "53400": .limit
            case "55000", "55P02": .schema
            default:
                switch sqlState?.prefix(2) {
                case "08": .connectionLost
                case "28": .login
                // A trigger's own RAISE (P0) and limits that one row exceeds (54) are about the row, as 22 and 23 are.
                case "21", "22", "23", "44", "54", "P0": .data
                // 25: transaction state; 58: the server's own I/O; XX: its own errors.
                case "25", "40", "53", "55", "57", "58", "72", "XX": .busy
                default: .schema
                }
            }
    }
}

extension UpstreamError {
    static let uniqueViolation = "23505"
    /// The server's internal error; on Citus also an error about a single row of a COPY.
    static let internalError = "XX000"
    static let lockTimeout = "55P03"
    /// The server ended a session that was idle in a transaction for too long.
    static let idleTimeout = "25P03"
    /// The server ended a session whose transaction took longer than it allows.
    static let transactionTimeout = "25P04"
    /// The server cancelled a statement: at our own limit, or because a person asked for it.
    public static let canceled = "57014"
    static let undefinedTable = "42P01"
    static let insufficientPrivilege = "42501"
    /// A write to a standby, or in a transaction that a setting makes read-only.
    static let readOnlyTransaction = "25006"
    /// What a dead letter names if the session ended without a code.
    static let connectionFailure = "08006"
}

import Testing

@testable import Upstream

@Suite(.timeLimit(.minutes(5))) struct SQLStateTests {
    @Test(
        arguments: [
            ("08000", .connectionLost), ("08006", .connectionLost), ("08P01", .connectionLost),
            ("57P01", .connectionLost), ("57P02", .connectionLost), ("57P03", .connectionLost),
            ("57P05", .connectionLost), ("25P03", .connectionLost), ("25P04", .deadline),
            ("40001", .busy), ("40P01", .busy), ("55P03", .busy), ("55006", .busy), ("57014", .busy), ("53000", .busy),
            ("53100", .busy), ("53200", .busy), ("53300", .busy), ("58030", .busy), ("XX000", .busy),
            ("53400", .limit),
            ("42P01", .schema), ("42703", .schema), ("42501", .schema), ("42P10", .schema), ("3F000", .schema),
            ("0A000", .schema), ("55000", .schema), ("TS001", .schema), ("ZZ123", .schema),
            ("28000", .login), ("28P01", .login), ("3D000", .login),
            ("25006", .readOnly),
            ("22003", .data), ("22021", .data), ("22P02", .data), ("23502", .data), ("23503", .data), ("23505", .data),
            ("23514", .data), ("21000", .data), ("44000", .data), ("54000", .data), ("P0001", .data),
        ] as [(String, UpstreamError.Reason)])
    func `a code decides what is done`(code: String, reason: UpstreamError.Reason) {
        #expect(UpstreamError.Reason(sqlState: code) == reason)
    }

    @Test func `no code means that the connection is gone`() {
        #expect(UpstreamError.Reason(sqlState: nil) == .connectionLost)
    }

    @Test func `a transaction that the server found too long is tried again in smaller parts, and the limit is named`()
    {
        let text = "terminating connection due to transaction timeout"
        let error = UpstreamError(UpstreamError.Reason(sqlState: "25P04"), "COPY", text, sqlState: "25P04")
        #expect(error.isSlow && error.isLostConnection)
        #expect(error.description.hasSuffix("raise the server's transaction_timeout if this persists"))
        #expect(error.lastDescription.hasSuffix("raise the server's transaction_timeout"))
    }

    @Test func `a command that finds a table locked or another's names what helps`() {
        let text = "canceling statement due to lock timeout"
        let locked = UpstreamError(UpstreamError.Reason(sqlState: "55P03"), "plan", text, sqlState: "55P03")
        #expect(locked.lastDescription.hasSuffix("run it again; pg_stat_activity and pg_locks show who holds the lock"))
        let foreign = UpstreamError(.schema, "plan", "must be owner of table trades", sqlState: "42501")
        #expect(foreign.lastDescription.hasSuffix("let the owner run the statements that --print prints"))
        let closed = UpstreamError(.schema, "plan", "permission denied for schema public", sqlState: "42501")
        #expect(closed.lastDescription.hasSuffix("grant that right to the user in DATABASE_URI"))
    }

    @Test func `what passes by itself is tried again and the rest waits for a person`() {
        let retried: Set<UpstreamError.Reason> = [
            .connectionLost, .deadline, .busy, .limit, .tooSlow, .cancelled, .file,
        ]
        for reason in UpstreamError.Reason.allCases {
            let error = UpstreamError(reason, "copy", "text", sqlState: "XX000", object: "table trades")
            #expect(error.isRetryable == retried.contains(reason))
            #expect(error.description.hasPrefix("copy: text (SQLSTATE XX000, table trades); "))
            #expect(!error.description.contains("\n"))
        }
    }
}

extension UpstreamConfiguration {
    /// What data and deadlines rely on, whatever the server's defaults are; for the time of a transaction.
    ///
    /// A pooler may give each transaction another session, and the session to others afterwards. So nothing is set for
    /// longer, and what others left is not believed: the schema, the role and the form of values are set each time.
    var sessionSQL: [String] {
        let timeout = statementTimeout.settingMilliseconds
        let idle = responseLimit.settingMilliseconds
        // A server that waits for a lock doesn't notice by itself that we are gone, and would keep the ledger's row
        // locked meanwhile; Linux can tell it. One that waits for a COPY's next rows over a dead line, with no timeout
        // of its own at work, notices by keepalives alone: by default after two hours.
        // A commit that was reported must outlive a crash of the server, so synchronous_commit is never off; where an
        // administrator asks for more than on, it stays.
        return [
            "SET LOCAL role TO DEFAULT", "SET LOCAL search_path TO DEFAULT",
            "SET LOCAL statement_timeout = \(timeout)", "SET LOCAL lock_timeout = \(max(1, timeout / 2))",
            "SET LOCAL idle_in_transaction_session_timeout = \(idle)",
            "SET LOCAL tcp_keepalives_idle = 30", "SET LOCAL tcp_keepalives_interval = 10",
            "SET LOCAL tcp_keepalives_count = 3",
            "SET LOCAL timezone = 'UTC'", "SET LOCAL datestyle = 'ISO, YMD'",
            "SET LOCAL standard_conforming_strings = on",
            // Below that, floating-point numbers come rounded.
            "SET LOCAL extra_float_digits = 1",
            """
            SELECT set_config('client_connection_check_interval', '1s', true)
            WHERE current_setting('client_connection_check_interval') = '0' AND version() LIKE '%linux%'
            """,
            // Of PostgreSQL 17. Each statement has a limit of its own.
            """
            SELECT set_config('transaction_timeout', '0', true)
            WHERE current_setting('transaction_timeout', true) <> '0'
            """,
            Ledger.waitSQL,
        ]
    }
}

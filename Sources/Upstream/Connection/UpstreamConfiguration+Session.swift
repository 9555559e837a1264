extension UpstreamConfiguration {
    /// The settings that data and deadlines rely on, whatever the server's defaults are. They last for one transaction.
    ///
    /// A pooler may run each transaction in another session and then give that session to other clients. So nothing is
    /// set for longer than a transaction, and no earlier setting is trusted: schema, role and value formats are set
    /// each time.
    var sessionSQL: [String] {
        let timeout = statementTimeout.settingMilliseconds
        let idle = responseLimit.settingMilliseconds
        // A server that waits for a lock doesn't notice by itself that the client is gone, and would keep the ledger's
        // row locked meanwhile; Linux can report it. A server that waits for a COPY's next rows over a dead connection
        // has no timeout running and notices only through keepalives, by default after two hours.
        // A reported commit must survive a crash of the server, so synchronous_commit is never off; if an administrator
        // asks for more than on, that stays.
        return [
            "SET LOCAL role TO DEFAULT", "SET LOCAL search_path TO DEFAULT",
            // Temporary tables come first unless the path names them, and another client may have left some in the
            // session. Without any schema before them, tables would be made as temporary ones.
            """
            SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true)
            WHERE current_schema() IS NOT NULL
            """,
            "SET LOCAL statement_timeout = \(timeout)", "SET LOCAL lock_timeout = \(max(1, timeout / 2))",
            "SET LOCAL idle_in_transaction_session_timeout = \(idle)",
            "SET LOCAL tcp_keepalives_idle = 30", "SET LOCAL tcp_keepalives_interval = 10",
            "SET LOCAL tcp_keepalives_count = 3",
            "SET LOCAL timezone = 'UTC'", "SET LOCAL datestyle = 'ISO, YMD'",
            "SET LOCAL standard_conforming_strings = on",
            // Below 1, floating-point numbers are rounded.
            "SET LOCAL extra_float_digits = 1",
            // In a table that was never analyzed, compiling a look-up takes the server ten times as long as running it.
            "SET LOCAL jit = off",
            """
            SELECT set_config('client_connection_check_interval', '1s', true)
            WHERE current_setting('client_connection_check_interval') = '0' AND version() LIKE '%linux%'
            """,
            // PostgreSQL 17 and later. Each statement has a limit of its own.
            """
            SELECT set_config('transaction_timeout', '0', true)
            WHERE current_setting('transaction_timeout', true) <> '0'
            """,
            Ledger.waitSQL,
        ]
    }
}

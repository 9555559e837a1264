import MarketData

/// The statements about one buffer file's rows in the ledger table.
struct Ledger: Sendable {
    let table: TableDescription
    let bufferID: String
    let collector: String

    private func condition(_ stream: EventStream) -> String {
        "buffer_id = \(SQLText.literal(bufferID)) AND stream = \(SQLText.literal(stream.rawValue))"
    }

    func readSQL(_ stream: EventStream) -> String {
        "SELECT last_sequence FROM \(table.sqlName) WHERE \(condition(stream))"
    }

    /// Answers the last sequence when a transaction that changes the row is over, and the disk has whatever was
    /// committed: the lock is written to the server's log, and the COMMIT of one that wrote waits for the disk.
    func settledSQL(_ stream: EventStream) -> String {
        "BEGIN ISOLATION LEVEL READ COMMITTED; \(readSQL(stream)) FOR UPDATE; \(Self.waitSQL); COMMIT"
    }

    /// Has a transaction's COMMIT wait for the disk, also where a pooler gave it a session of another's settings.
    private static let waitSQL =
        "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"

    /// Begins a transaction, locks the stream's row until its end and answers the last sequence.
    ///
    /// The lock comes before any data: a transaction of a connection that was given up may still be open on the
    /// server, and whether it commits is known only when it is over. Constraints are checked with the statement, so
    /// that a deferred one can't spoil the COMMIT of all rows.
    func beginSQL(_ stream: EventStream) -> String {
        let values = [bufferID, collector, stream.rawValue].map(SQLText.literal).joined(separator: ", ")
        return """
            BEGIN ISOLATION LEVEL READ COMMITTED; SET CONSTRAINTS ALL IMMEDIATE;
            INSERT INTO \(table.sqlName) (buffer_id, collector, stream, last_sequence, rows, updated_at)
            VALUES (\(values), 0, 0, now())
            ON CONFLICT (buffer_id, stream) DO UPDATE SET collector = EXCLUDED.collector RETURNING last_sequence
            """
    }

    /// Moves the stream's row on and commits. The division keeps a row that was not written, because a rule, trigger
    /// or policy is in the way, from ever being committed past: see ``Ledger/wasNotMoved``.
    ///
    /// A lazy COMMIT is answered before the server's disk has it; the next one that is not lazy covers it.
    func commitSQL(_ stream: EventStream, through sequence: Int64, rows: Int, isLazy: Bool = false) -> String {
        """
        \(isLazy ? "SET LOCAL synchronous_commit = off" : Self.waitSQL); WITH moved AS (
        UPDATE \(table.sqlName) SET last_sequence = \(sequence), rows = rows + \(rows), updated_at = now()
        WHERE \(condition(stream)) RETURNING last_sequence)
        SELECT 1 / count(*) FROM moved; COMMIT
        """
    }

    /// The SQLSTATE with which ``commitSQL(_:through:rows:)`` fails when it moved nothing: division by zero.
    static let wasNotMoved = "22012"
}

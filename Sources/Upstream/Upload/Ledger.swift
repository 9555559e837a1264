import MarketData

/// A stream's row of the ledger: how far it came under one identifier of a file.
struct LedgerRow: Equatable {
    var sequence: Int64
    /// The transaction that moved it there; `nil` where none did, or one of a version without tokens.
    var token: String?
    /// The identifier that took over what was left.
    var successor: String?
    /// Rows that files of the line count as lost upstream: the first's sequence through the last's.
    var lost: ClosedRange<Int64>?

    /// Whether anything was uploaded under the identifier.
    var isUsed: Bool { token != nil || sequence > 0 }
}

extension LedgerRow {
    /// Reads the columns of ``Ledger/columns``.
    init?(_ row: ArraySlice<String?>) {
        let row = Array(row)
        guard row.count == 5, let text = row[0], let sequence = Int64(text) else { return nil }
        self.init(sequence: sequence, token: row[1], successor: row[2])
        if let first = row[3].flatMap({ Int64($0) }), let last = row[4].flatMap({ Int64($0) }), first <= last {
            lost = first...last
        }
    }
}

/// Where the file expects its row of the ledger to be.
struct LedgerPosition: Sendable, Equatable {
    var sequence: Int64
    var token: String
}

/// The statements about one buffer file's rows in the ledger table.
struct Ledger: Sendable {
    let table: TableDescription
    let bufferID: String
    let collector: String
    /// What every transaction begins with: see ``UpstreamConfiguration/sessionSQL``.
    let sessionSQL: [String]

    /// The columns of a ``LedgerRow``.
    var columns: String { "last_sequence, token, successor, " + (tellsLost ? "lost_from, lost_through" : "NULL, NULL") }

    /// Whether the table has the columns for lost rows, as one of an earlier version has not, and the user may use them.
    var tellsLost: Bool {
        ["lost_from", "lost_through"].allSatisfy { name in
            table.column(name).map { $0.typeName == "int8" && !$0.isGenerated && $0.canSelect && $0.canUpdate } ?? false
        }
    }

    /// Adds to what a row says is lost: another file of the line may have said so before.
    private func lostSQL(_ lost: ClosedRange<Int64>?) -> String {
        guard tellsLost, let lost else { return "" }
        return "lost_from = least(lost_from, \(lost.lowerBound)), "
            + "lost_through = greatest(lost_through, \(lost.upperBound)), "
    }

    private func condition(_ stream: EventStream, _ id: String? = nil) -> String {
        "buffer_id = \(SQLText.literal(id ?? bufferID)) AND stream = \(SQLText.literal(stream.rawValue))"
    }

    /// Has a transaction's COMMIT wait for the disk, also where a pooler gave it a session of another's settings.
    static let waitSQL =
        "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"

    /// Returns the row of one identifier, if there is one.
    func readSQL(_ stream: EventStream, of id: String) -> String {
        "SELECT \(columns) FROM \(table.sqlName) WHERE \(condition(stream, id))"
    }

    /// Returns the identifiers' rows, each with the identifier first.
    func readSQL(_ stream: EventStream, of ids: [String]) -> String {
        """
        SELECT buffer_id, \(columns) FROM \(table.sqlName) WHERE stream = \(SQLText.literal(stream.rawValue))
        AND buffer_id IN (\(ids.map(SQLText.literal).joined(separator: ", ")))
        """
    }

    /// Returns the collector that has rows under an identifier.
    func collectorSQL(of id: String) -> String {
        """
        SELECT collector, updated_at FROM \(table.sqlName) WHERE buffer_id = \(SQLText.literal(id))
        ORDER BY updated_at DESC LIMIT 1
        """
    }

    /// Returns when another file than this one, with the identifiers that it had, last uploaded bars under the collector's
    /// name, and a day more, because the time of receipt is a box's and this the server's; and what time it is there.
    func othersSQL(besides ids: [String]) -> String {
        """
        SELECT max(updated_at) + interval '1 day', now() FROM \(table.sqlName)
        WHERE collector = \(SQLText.literal(collector))
        AND stream = \(SQLText.literal(EventStream.bars.rawValue)) AND last_sequence > 0
        AND buffer_id NOT IN (\(ids.map(SQLText.literal).joined(separator: ", ")))
        """
    }

    /// Begins a transaction, locks the stream's row until its end and returns it.
    ///
    /// The lock comes before any data: a transaction of a connection that was given up may still be open on the
    /// server, and whether it commits is known only when it is over. Constraints are checked with the statement, so
    /// that a deferred one can't spoil the COMMIT of all rows.
    func beginSQL(_ stream: EventStream) -> String {
        "\(beginSQL); \(lockSQL(stream, of: bufferID))"
    }

    var beginSQL: String {
        (["BEGIN ISOLATION LEVEL READ COMMITTED"] + sessionSQL + ["SET CONSTRAINTS ALL IMMEDIATE"])
            .joined(separator: "; ")
    }

    /// Locks the row of an identifier, which is made where it is missing, and returns it.
    func lockSQL(_ stream: EventStream, of id: String) -> String {
        let values = [id, collector, stream.rawValue].map(SQLText.literal).joined(separator: ", ")
        let name = id == bufferID ? "EXCLUDED.collector" : "existing.collector"
        return """
            INSERT INTO \(table.sqlName) AS existing (buffer_id, collector, stream, last_sequence, rows, updated_at)
            VALUES (\(values), 0, 0, now())
            ON CONFLICT (buffer_id, stream) DO UPDATE SET collector = \(name) RETURNING \(columns)
            """
    }

    /// Moves the stream's row on from where it is expected, and commits. The division keeps a row that was not written,
    /// because a rule, trigger or policy is in the way, from ever being committed past: see ``Ledger/wasNotMoved``.
    ///
    /// A lazy COMMIT is answered before the server's disk has it; the next one that is not lazy covers it.
    func commitSQL(
        _ stream: EventStream, from start: LedgerPosition, to end: LedgerPosition, rows: Int, isLazy: Bool = false
    ) -> String {
        """
        \(isLazy ? "SET LOCAL synchronous_commit = off" : Self.waitSQL); WITH moved AS (
        UPDATE \(table.sqlName) SET last_sequence = \(end.sequence), token = \(SQLText.literal(end.token)),
        rows = rows + \(rows), updated_at = now()
        WHERE \(condition(stream)) AND last_sequence = \(start.sequence) AND token = \(SQLText.literal(start.token))
        AND successor IS NULL RETURNING 1)
        SELECT 1 / count(*) FROM moved; COMMIT
        """
    }

    /// Puts the stream's row where the file's uploads begin, under a token of their own, and says what it counts as lost.
    func placeSQL(_ stream: EventStream, at position: LedgerPosition, lost: ClosedRange<Int64>? = nil) -> String {
        """
        WITH moved AS (
        UPDATE \(table.sqlName) SET last_sequence = \(position.sequence), token = \(SQLText.literal(position.token)),
        \(lostSQL(lost))updated_at = now() WHERE \(condition(stream)) RETURNING 1)
        SELECT 1 / count(*) AS placed FROM moved
        """
    }

    /// Has this file take over what an identifier left, and say there what it counts as lost.
    func claimSQL(_ stream: EventStream, from id: String, lost: ClosedRange<Int64>?) -> String {
        """
        UPDATE \(table.sqlName) SET successor = \(SQLText.literal(bufferID)), \(lostSQL(lost))updated_at = now()
        WHERE \(condition(stream, id))
        """
    }

    /// Deletes the row of an identifier that the file forgets, and the rows that it had taken over.
    func forgetSQL(_ stream: EventStream, _ id: String) -> String {
        """
        DELETE FROM \(table.sqlName) WHERE stream = \(SQLText.literal(stream.rawValue))
        AND (buffer_id = \(SQLText.literal(id)) OR successor = \(SQLText.literal(id)))
        """
    }

    /// The SQLSTATE with which a move fails that moved nothing: division by zero.
    static let wasNotMoved = "22012"
}

import MarketData

/// A stream's row in the ledger: how far its uploads got under one identifier of a file.
struct LedgerRow: Equatable {
    var sequence: Int64
    /// The token of the transaction that moved it there; `nil` if none did, or if a version without tokens did.
    var token: String?
    /// The identifier that took over the remaining rows.
    var successor: String?
    /// The rows that files of the line count as lost upstream, by sequence.
    var lost: ClosedRange<Int64>?

    /// Whether anything was uploaded under the identifier.
    var isUsed: Bool { token != nil || sequence > 0 }
}

extension LedgerRow {
    /// Reads the columns of ``Ledger/columns``.
    init?(_ row: [String?]) {
        guard row.count == 5, let sequence: Int64 = row.number(0) else { return nil }
        // Rows are numbered from 1, and the table may hold anything.
        self.init(sequence: max(0, sequence), token: row[1], successor: row[2])
        if let first: Int64 = row.number(3), let last: Int64 = row.number(4), max(first, 1) <= last {
            lost = max(first, 1)...last
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
    /// The statements that begin every transaction: see ``UpstreamConfiguration/sessionSQL``.
    let sessionSQL: [String]

    /// The columns of a ``LedgerRow``.
    var columns: String { "last_sequence, token, successor, " + (tellsLost ? "lost_from, lost_through" : "NULL, NULL") }

    /// Whether the table has the columns for lost rows, which earlier versions lack, and the user may use them.
    var tellsLost: Bool {
        ["lost_from", "lost_through"].allSatisfy { name in
            table.column(name).map { $0.typeName == "int8" && !$0.isGenerated && $0.canSelect && $0.canUpdate } ?? false
        }
    }

    /// Extends the lost rows that a row records, since another file of the line may have recorded some before.
    private func lostSQL(_ lost: ClosedRange<Int64>?) -> String {
        guard tellsLost, let lost else { return "" }
        return "lost_from = least(lost_from, \(lost.lowerBound)), "
            + "lost_through = greatest(lost_through, \(lost.upperBound)), "
    }

    private func condition(_ stream: EventStream, _ id: String? = nil) -> String {
        "buffer_id = \(SQLText.literal(id ?? bufferID)) AND stream = \(SQLText.literal(stream.rawValue))"
    }

    /// Makes a transaction's COMMIT wait for the disk, even if a pooler assigned it a session with other settings.
    static let waitSQL =
        "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"

    /// Returns the row of one identifier, if there is one.
    func readSQL(_ stream: EventStream, of id: String) -> String {
        "SELECT \(columns) FROM \(table.sqlName) WHERE \(condition(stream, id))"
    }

    /// Returns the rows of several identifiers, each with the identifier first.
    func readSQL(_ stream: EventStream, of ids: [String]) -> String {
        """
        SELECT buffer_id, \(columns) FROM \(table.sqlName) WHERE stream = \(SQLText.literal(stream.rawValue))
        AND buffer_id IN (\(SQLText.list(ids)))
        """
    }

    /// Returns what was uploaded of some streams under some identifiers, and since a moment under any; the times are in
    /// milliseconds since the Unix epoch.
    func uploadsSQL(of streams: [EventStream], under ids: [String], since moment: Int64) -> String {
        """
        SELECT stream, buffer_id, collector, last_sequence, rows, successor, \(SQLText.milliseconds(of: "updated_at"))
        FROM \(table.sqlName) WHERE (last_sequence > 0 OR successor IS NOT NULL)
        AND stream IN (\(SQLText.list(streams.map(\.rawValue))))
        AND (updated_at >= \(SQLText.moment(moment)) OR buffer_id IN (\(SQLText.list(ids))))
        """
    }

    /// Returns the collector that has rows under an identifier.
    func collectorSQL(of id: String) -> String {
        """
        SELECT collector, updated_at FROM \(table.sqlName) WHERE buffer_id = \(SQLText.literal(id))
        ORDER BY updated_at DESC LIMIT 1
        """
    }

    /// Returns the last time at which another file, under none of this file's identifiers, uploaded bars under the
    /// collector's name, and the server's time. A day is added to the first, because times of receipt are by a box's
    /// clock and this one is by the server's.
    func othersSQL(besides ids: [String]) -> String {
        """
        SELECT max(updated_at) + interval '1 day', now() FROM \(table.sqlName)
        WHERE collector = \(SQLText.literal(collector))
        AND stream = \(SQLText.literal(EventStream.bars.rawValue)) AND last_sequence > 0
        AND buffer_id NOT IN (\(SQLText.list(ids)))
        """
    }

    /// Begins a transaction, locks the stream's row until its end and returns it.
    ///
    /// The lock comes before any data: a transaction of an abandoned connection may still be open on the server, and
    /// whether it commits is known only once it has ended. Constraints are checked with each statement, so that a
    /// deferred one can't fail the COMMIT of all rows.
    func beginSQL(_ stream: EventStream) -> String { "\(beginSQL); \(lockSQL(stream, of: bufferID))" }

    var beginSQL: String {
        (["BEGIN ISOLATION LEVEL READ COMMITTED"] + sessionSQL + ["SET CONSTRAINTS ALL IMMEDIATE"])
            .joined(separator: "; ")
    }

    /// Locks the row of an identifier, creating it if it is missing, and returns it.
    func lockSQL(_ stream: EventStream, of id: String) -> String {
        let values = SQLText.list([id, collector, stream.rawValue])
        let name = id == bufferID ? "EXCLUDED.collector" : "existing.collector"
        return """
            INSERT INTO \(table.sqlName) AS existing (buffer_id, collector, stream, last_sequence, rows, updated_at)
            VALUES (\(values), 0, 0, now())
            ON CONFLICT (buffer_id, stream) DO UPDATE SET collector = \(name) RETURNING \(columns)
            """
    }

    /// Moves the stream's row on from its expected position, and commits. If the row was not updated, because a rule,
    /// trigger or policy is in the way, the division fails before the COMMIT: see ``explained(_:_:)``.
    ///
    /// A lazy COMMIT is answered before it is on the server's disk; the next COMMIT that is not lazy covers it.
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

    /// Sets the stream's row to the position where the file's uploads begin, under a new token, and records what the
    /// file counts as lost. A successor that a person took the upload back from is no longer one.
    func placeSQL(_ stream: EventStream, at position: LedgerPosition, lost: ClosedRange<Int64>? = nil) -> String {
        """
        WITH moved AS (
        UPDATE \(table.sqlName) SET last_sequence = \(position.sequence), token = \(SQLText.literal(position.token)),
        successor = NULL, \(lostSQL(lost))updated_at = now() WHERE \(condition(stream)) RETURNING 1)
        SELECT 1 / count(*) AS placed FROM moved
        """
    }

    /// Makes this file the successor of an identifier, and records there what the file counts as lost.
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

    /// The error for a row that isn't one of a ledger.
    static let unreadable = UpstreamError(.schema, "lock the ledger", "its row can't be read back", object: object)

    /// The error of a statement that moves a row; in words if it updated none, which is a division by zero.
    static func explained(_ error: UpstreamError, _ operation: String) -> UpstreamError {
        guard error.sqlState == "22012" else { return error }
        return UpstreamError(
            .schema, operation, "its row was not written: a rule, trigger or policy is in the way", object: object)
    }

    /// The ledger as the object of an error.
    static let object = "table \(TableShape.ledger.name)"
}

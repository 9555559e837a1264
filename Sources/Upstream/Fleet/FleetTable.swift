import MarketData
import Migrations

/// The table of the fleet, over a connection of its own: uploads never wait for it, and it never waits for uploads.
///
/// The connection stays open, since that is how the server knows that a box is alive between two reports.
public actor FleetTable {
    /// The result of writing a row.
    public struct Written: Sendable, Equatable {
        /// How far this machine's clock is ahead of the server's, in milliseconds.
        public var clockOffset: Int64
        /// The id of the buffer's file in the row before; `nil` when there was no row.
        public var fileBefore: String?
    }

    /// The time limit for one statement.
    private static let patience: Duration = .seconds(10)

    private let configuration: UpstreamConfiguration
    private let executor = QueueExecutor(label: "edgetick.fleet")
    private let interrupt = Wakeup()
    private var connection: PostgresConnection?
    /// The table's name for SQL; `nil` until the table is found, and again after an error.
    private var table: String?

    /// Runs on a dispatch queue of its own, because the work blocks.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Creates a handle on the table; it connects on first use.
    public init(configuration: UpstreamConfiguration) { self.configuration = configuration.limited(to: Self.patience) }

    /// Writes a box's row. If the table is missing and the user may create it, creates it first.
    ///
    /// The commit doesn't wait for the server's disk: a row lost in a crash of the server is soon followed by another.
    ///
    /// - Throws: any ``UpstreamError/Reason``; `schema` names the missing GRANT.
    public func write(_ report: FleetReport) async throws(UpstreamError) -> Written {
        try await withTable(making: true) { (connection, table) throws(UpstreamError) in
            let (offset, process) = try Self.clock(over: connection)
            var report = report
            report.clockOffset = offset
            // A pooler reports process numbers of its own; its sessions say nothing about the box.
            let backend = process == connection.backend ? process : nil
            let sql = Self.writeSQL(report, backend: backend, into: table)
            let results = try connection.run(
                (["BEGIN"] + configuration.sessionSQL + ["SET LOCAL synchronous_commit = off", sql, "COMMIT"])
                    .joined(separator: "; "), "write the row of the fleet")
            // Some of the session's settings return rows too, but as SELECT.
            return Written(clockOffset: offset, fileBefore: results.last { $0.tag.hasPrefix("INSERT") }?.value)
        }
    }

    /// Reads the rows of one group, or of all.
    public func rows(ofGroup group: String? = nil) async throws(UpstreamError) -> [FleetRow] {
        try await withTable(making: false) { (connection, table) throws(UpstreamError) in
            try connection.ask(Self.readSQL(table, group), "read the fleet").rows.compactMap(FleetRow.init)
        }
    }

    /// Removes a box's row.
    ///
    /// - Returns: whether there was one.
    public func forget(_ id: String) async throws(UpstreamError) -> Bool {
        try await withTable(making: false) { (connection, table) throws(UpstreamError) in
            let sql = "DELETE FROM \(table) WHERE id = \(SQLText.literal(id))"
            return try connection.ask(sql, "remove the box \(id)").last?.affected == 1
        }
    }

    /// Closes the connection.
    public func disconnect() {
        connection?.finish()
        connection = nil
        table = nil
    }

    // MARK: Parts

    private func opened(making isMaking: Bool) throws(UpstreamError) -> (PostgresConnection, String) {
        if let connection, connection.isUsable, let table { return (connection, table) }
        disconnect()
        let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
        let shape = TableShape.fleet
        var catalog = try connection.readCatalog(of: [shape.name])
        if isMaking, catalog.tables[shape.name] == nil, catalog.place(of: shape.name) == nil, catalog.allowsCreating {
            try Self.make(over: connection)
            catalog = try connection.readCatalog(of: [shape.name])
        }
        // Reading must not require the right to write.
        let found = isMaking ? try shape.usable(in: catalog) : catalog.tables[shape.name]
        guard let table = found else {
            throw UpstreamError(
                .schema, "read the fleet",
                "the table is missing or not on the search_path; a collector whose user may create tables creates it",
                sqlState: UpstreamError.undefinedTable, object: "table \(shape.name)")
        }
        self.connection = connection
        self.table = table.sqlName
        return (connection, table.sqlName)
    }

    /// Runs `body` with an open connection; after an error it disconnects, so that no transaction stays open and the
    /// table is looked for again. If the connection was open before and turns out to be lost, as after
    /// idle_session_timeout, it reconnects and retries at once.
    private func withTable<Value: Sendable>(
        making isMaking: Bool, _ body: (PostgresConnection, String) throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        try await interruptible(by: interrupt, role: configuration.role) { () throws(UpstreamError) in
            while true {
                let wasOpen = connection?.isUsable == true
                do throws(UpstreamError) {
                    let (connection, table) = try opened(making: isMaking)
                    return try body(connection, table)
                } catch {
                    disconnect()
                    guard wasOpen, error.reason == .connectionLost else { throw error }
                }
            }
        }
    }

    private static func make(over connection: PostgresConnection) throws(UpstreamError) {
        guard let step = UpstreamMigrations.all.first(where: { $0.table == TableShape.fleet.name }) else { return }
        try connection.begin("", "begin creating the fleet's table")
        try connection.run(UpstreamSchema.lockSQL, "lock the schema")
        // Another box may have made it meanwhile.
        if try connection.readCatalog(of: [step.table]).tables[step.table] == nil {
            try connection.run(step.migration.sql, "create the table \(step.table)")
        }
        try connection.run("COMMIT", "commit the fleet's table")
    }

    /// How far this machine's clock is ahead of the server's, in milliseconds; and the server's process id.
    private static func clock(over connection: PostgresConnection) throws(UpstreamError) -> (offset: Int64, Int?) {
        let asked = WallClock.microseconds()
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, pg_backend_pid()"
        let row = try connection.run(sql, "ask for the time").rows.first
        let answered = WallClock.microseconds()
        guard let row, row.count == 2, let shown: Int64 = row.number(0), shown.magnitude < 1 << 60 else {
            throw UpstreamError(.schema, "ask for the time", "the server's response is not a time")
        }
        return (Self.offset(asked: asked, shown: shown, answered: answered) / 1000, row.number(1))
    }

    /// Returns how far a clock that showed `asked` and `answered` is ahead of one that showed `shown` between the two.
    /// All are microseconds.
    ///
    /// Request and reply are assumed to take equally long. If they took too long for that, only the least offset that is
    /// certain counts: a busy server, or a machine that was suspended, doesn't make a clock wrong.
    static func offset(asked: Int64, shown: Int64, answered: Int64) -> Int64 {
        let took = answered - asked
        if took < WallClock.tolerance * 1000 { return asked + took / 2 - shown }
        return max(asked - shown, min(0, answered - shown))
    }

    private static func writeSQL(_ report: FleetReport, backend: Int?, into table: String) -> String {
        let id = SQLText.literal(report.id)
        let now = "clock_timestamp()"
        // Earlier versions write 0 for a box that collects everything, so having no symbols is written as -1.
        let symbols = report.symbols == 0 && !report.takesAll ? -1 : report.symbols
        let values: [(column: String, value: String)] = [
            ("id", id), ("\"group\"", text(report.group)), ("host", text(report.host)),
            ("version", text(report.version)),
            ("started", "\(now) - make_interval(secs => \(number(report.uptime)))"), ("seen", now),
            ("state", text(report.state.rawValue)), ("reason", text(report.reason)),
            ("symbols", "\(symbols)"), ("events_per_second", number(report.eventsPerSecond)),
            ("rows_pending", "\(report.rowsPending)"), ("oldest_pending_seconds", number(report.oldestPending)),
            ("last_event", report.lastEvent.map(SQLText.moment) ?? "NULL"),
            ("gaps_open", "\(report.gapsOpen)"), ("events_dropped", "\(report.eventsDropped)"),
            ("dead_letters", "\(report.deadLetters)"),
            ("disk_free_bytes", report.diskFreeBytes.map { "\($0)" } ?? "NULL"),
            ("file_id", text(report.fileID)), ("clock_offset_ms", report.clockOffset.map { "\($0)" } ?? "NULL"),
            ("pushed_out", "\(report.isPushedOut)"),
            ("shares_with", report.sharesWith.map(SQLText.array) ?? "NULL"),
            ("backend", backend.map { "\($0)" } ?? "NULL"),
        ]
        // A process that has stopped was last seen when it first said so: after that it collected nothing. The row may
        // be the one of an earlier process, if the database was away while this one ran.
        let seen = """
            CASE WHEN existing.state = 'stopped' AND EXCLUDED.state = 'stopped' AND existing.started
                BETWEEN EXCLUDED.started - interval '5 s' AND EXCLUDED.started + interval '5 s'
            THEN existing.seen ELSE EXCLUDED.seen END
            """
        let changes = values.dropFirst().map {
            "\($0.column) = \($0.column == "seen" ? seen : "EXCLUDED.\($0.column)")"
        }
        return """
            WITH before AS (SELECT file_id FROM \(table) WHERE id = \(id))
            INSERT INTO \(table) AS existing (\(values.map(\.column).joined(separator: ", ")))
            VALUES (\(values.map(\.value).joined(separator: ", ")))
            ON CONFLICT (id) DO UPDATE SET \(changes.joined(separator: ", "))
            RETURNING (SELECT file_id FROM before)
            """
    }

    private static func text(_ text: String?) -> String {
        text.map { SQLText.literal($0.replacing("\0", with: "")) } ?? "NULL"
    }

    private static func number(_ number: Double) -> String { number.isFinite ? "\(number)" : "0" }

    private static func readSQL(_ table: String, _ group: String?) -> String {
        """
        SELECT id, "group", host, version, extract(epoch FROM seen - started), state, reason, symbols,
            events_per_second, rows_pending, oldest_pending_seconds, \(SQLText.milliseconds(of: "last_event")),
            gaps_open, events_dropped, dead_letters, disk_free_bytes, file_id, clock_offset_ms, pushed_out,
            array_to_string(shares_with, ','), \(SQLText.milliseconds(of: "seen")),
            extract(epoch FROM clock_timestamp() - seen),
            CASE WHEN backend IS NOT NULL AND NOT pg_is_in_recovery()
                THEN backend IN (SELECT pid FROM pg_stat_activity) END
        FROM \(table)
        WHERE isfinite(seen) AND isfinite(started) AND isfinite(last_event) IS NOT FALSE
            \(group.map { "AND \"group\" = \(SQLText.literal($0))" } ?? "") ORDER BY id
        """
    }
}

extension FleetRow {
    /// A bound above any real value and within what arithmetic here can take, since anybody may write to the table.
    private static let most = Double(1 << 50)

    /// Reads a row of ``FleetTable/readSQL(_:_:)``; `nil` if a required column is missing or malformed.
    fileprivate init?(_ row: [String?]) {
        guard row.count == 23, let id = row[0], let host = row[2], let version = row[3], let word = row[5],
            let file = row[16], let seen: Int64 = row.number(20)
        else { return nil }
        func whole(_ place: Int) -> Int64? {
            row.number(place).map { min(max($0, -Int64(Self.most)), Int64(Self.most)) }
        }
        func number(_ place: Int) -> Double {
            guard let number: Double = row.number(place), number.isFinite else { return 0 }
            return min(max(number, -Self.most), Self.most)
        }
        var report = FleetReport(id: id, group: row[1], host: host, version: version, fileID: file)
        report.uptime = number(4)
        // A state that only a newer version knows counts as degraded, and is shown with its reason.
        report.state = FleetReport.State(rawValue: word) ?? .degraded
        report.reason = row[6]
        let symbols = Int(whole(7) ?? 0)
        report.symbols = max(0, symbols)
        report.takesAll = symbols == 0
        report.eventsPerSecond = number(8)
        report.rowsPending = whole(9) ?? 0
        report.oldestPending = number(10)
        report.lastEvent = whole(11)
        report.gapsOpen = whole(12) ?? 0
        report.eventsDropped = whole(13) ?? 0
        report.deadLetters = whole(14) ?? 0
        report.diskFreeBytes = whole(15)
        report.clockOffset = whole(17)
        report.isPushedOut = row[18] == "t"
        report.sharesWith = row[19].map { $0.split(separator: ",").map(String.init) }
        self.init(report: report, seen: seen, age: max(0, number(21)), isConnected: row[22].map { $0 == "t" })
    }
}

import FoundationEssentials
import MarketData

/// One transaction: it locks the ledger's row, loads rows and moves the ledger on.
///
/// Statements whose result can wait travel with the next exchange: the COMMIT of the previous transaction, the
/// beginning of this one and its first COPY are one exchange. Every attempt to load rows runs behind a savepoint. If
/// the server refuses a row, the rows are halved until the refused ones are alone, so k refused rows of n cost about
/// 2k·log2(n/k) attempts. Rows that failed several times alike are halved too, whatever the error: see ``Stumble``.
final class UploadTransaction {
    let connection: PostgresConnection
    let catalog: Catalog
    let ledger: Ledger
    let batch: BufferedBatch
    /// The position at which the ledger's row must be.
    private let start: LedgerPosition
    /// The operation of no other error, since ``UpstreamError/isLedgerMoved`` compares it.
    static let lockOperation = "lock the ledger's row"
    let token = UUID().uuidString.lowercased()
    private var pending = ""
    /// The error whose rows are searched for one by one, and the budget of the search.
    private var narrowing: (sqlState: String?, budget: NarrowingBudget)?
    /// The first error that made a row count as refused although the server may be at fault.
    private var doubtful: UpstreamError?
    /// The code of which too many rows were refused together with those of earlier batches, and the error.
    private var excess: (sqlState: String, error: UpstreamError)?
    private var hasComparedTables = false
    /// The transaction whose COMMIT travels with this one's beginning, and what to do when it is answered.
    private var before: UploadTransaction?
    private var onCommit: (UploadTransaction) -> Void = { _ in }
    /// The last sequence that is upstream, once the ledger's row is locked.
    private(set) var settledSequence: Int64?
    /// The current and earlier identifiers of the batch's file.
    private let fileIDs: [String]
    /// See ``BarVersions/othersUntil``.
    private var othersUntil: String?
    /// See ``BarVersions/now``.
    private var serverTime: String?
    /// Whether the ledger's row was moved on; only the COMMIT remains.
    private var isMoved = false
    /// Whether the COMMIT was answered; before that, nothing may count as stored.
    private(set) var isCommitted = false
    /// Whether rows of the batch are upstream already, so that only a part must be loaded.
    private(set) var overlaps = false
    /// Whether the ledger's row is not where the file left it.
    private(set) var isElsewhere = false
    var outcome = UploadOutcome()
    /// How long the server took, including the previous transaction's COMMIT.
    var took: Duration = .zero
    /// The last sequence that the COMMIT moves the ledger to.
    var last: Int64 = 0
    /// The number of rows of the batch that this transaction uploads.
    var rows = 0
    private(set) var refused: [DeadLetter] = []
    private(set) var refusals = Refusals()
    /// The rows of the stream refused lately; `nil` if any number of refused rows is set aside.
    var earlierRefusals: Refusals? = Refusals()
    /// Rows that end the session whenever they are sent, by sequence: they become dead letters unsent.
    var fatal: [Int64: UpstreamError] = [:]
    /// Whether the server took another row before those that may end the session: see ``BatchPart/Trial``.
    var hasPassedTrial = false

    init(
        on connection: PostgresConnection, catalog: Catalog, ledger: Ledger, batch: BufferedBatch,
        from start: LedgerPosition, fileIDs: [String]
    ) {
        self.start = start
        self.fileIDs = fileIDs
        self.connection = connection
        self.catalog = catalog
        self.ledger = ledger
        self.batch = batch
    }

    /// Makes the transaction search one by one for rows that fail with the same error again.
    func narrow(_ stumble: Stumble, within limit: Duration) {
        narrowing = (stumble.sqlState, NarrowingBudget(isSlow: stumble.isSlow, limit: limit))
    }

    /// Shortens the wait for locks on the tables, once the ledger's row is locked.
    func waitForLocks(_ limit: Duration) { pending += "SET LOCAL lock_timeout = \(limit.settingMilliseconds); " }

    /// Checks, after all rows were tried, that those refused are really at fault.
    ///
    /// - Throws: the first doubtful error, if no row passed and the server is as likely to be at fault; reason `refused`
    ///   if too many rows were refused lately, and not nearly all rows of this batch succeeded.
    func confirmRefusals() throws(UpstreamError) {
        if !outcome.hasLoaded, !hasPassedTrial, let doubtful { throw doubtful }
        if let excess, !refusals.areFew(excess.sqlState, among: outcome.loaded) { throw excess.error }
    }

    /// The position of the ledger's row once this is committed.
    var end: LedgerPosition { LedgerPosition(sequence: last, token: token) }

    /// Begins the transaction, and returns the last sequence that is upstream.
    func begin() throws(UpstreamError) -> Int64 {
        for result in try connection.run(beginSQL, "lock the ledger") { try lock(result) }
        guard let settledSequence else { throw Ledger.unreadable }
        return settledSequence
    }

    /// Prepares a beginning that travels with the first statement that loads rows, together with the COMMIT of
    /// `before`; `onCommit` is called once that is answered. If rows of the batch turn out to be upstream already,
    /// nothing is loaded and ``overlaps`` is set.
    func begin(after before: UploadTransaction?, isLazy: Bool, onCommit: @escaping (UploadTransaction) -> Void) {
        self.before = before
        self.onCommit = onCommit
        pending = before.map { $0.commitSQL(isLazy: isLazy) + "; " } ?? ""
        pending += beginSQL + "; "
    }

    private var beginSQL: String {
        var statements = [ledger.beginSQL(batch.stream)]
        if batch.stream == .bars { statements.append(ledger.othersSQL(besides: fileIDs)) }
        // The limit is there so that no whole table is decompressed by mistake; here only what the rows need is.
        if catalog.limitsOpening {
            statements.append("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
        }
        return statements.joined(separator: "; ")
    }

    /// Moves the ledger on and commits; on return this and all earlier lazy commits are on the server's disk.
    func commit() throws(UpstreamError) {
        do {
            for result in try connection.run(commitSQL(isLazy: false), "commit") { try committed(result) }
        } catch {
            throw Ledger.explained(error, "move the ledger on")
        }
    }

    private func commitSQL(isLazy: Bool) -> String {
        takePending()
            + ledger.commitSQL(batch.stream, from: start, to: end, rows: rows - outcome.refused, isLazy: isLazy)
    }

    /// Handles the result of one of the statements that travelled with a COPY.
    private func take(_ result: StatementResult) throws(UpstreamError) {
        if let before, !before.isCommitted {
            try before.committed(result)
            guard before.isCommitted else { return }
            onCommit(before)
            // Otherwise each transaction would keep the one before it, and so all batches.
            self.before = nil
            onCommit = { _ in }
        } else {
            let isLocked = settledSequence != nil
            try lock(result)
            guard !isLocked, let settledSequence, settledSequence >= batch.firstSequence ?? .max else { return }
            overlaps = true
            throw UpstreamError(.busy, "lock the ledger", "part of the batch is already upstream")
        }
    }

    private func committed(_ result: StatementResult) throws(UpstreamError) {
        switch result.tag {
        case "SELECT 1": isMoved = true
        case "COMMIT": isCommitted = true
        // Rolling back to a savepoint has the same tag, but comes earlier.
        case "ROLLBACK" where isMoved: throw UpstreamError(.busy, "commit", "the server rolled the transaction back")
        default: break
        }
    }

    private func lock(_ result: StatementResult) throws(UpstreamError) {
        guard settledSequence == nil else {
            if result.tag == "SELECT 1", let row = result.rows.first, row.count == 2 {
                (othersUntil, serverTime) = (row[0], row[1])
            }
            return
        }
        guard result.tag.hasPrefix("INSERT") else { return }
        guard let row = result.rows.first.flatMap({ LedgerRow($0) }) else { throw Ledger.unreadable }
        guard row.sequence == start.sequence, row.token == start.token, row.successor == nil else {
            isElsewhere = true
            throw UpstreamError(
                .busy, Self.lockOperation, "it has changed since this file last wrote it", object: Ledger.object)
        }
        settledSequence = row.sequence
    }

    /// Loads rows to see whether the server takes them, and takes them back.
    func tryOut(_ load: () throws(UpstreamError) -> Void) throws(UpstreamError) {
        let before = (outcome, refused, refusals, doubtful, excess)
        try connection.run(takePending() + "SAVEPOINT edgetick_trial", "try a row out")
        outcome = UploadOutcome()
        try load()
        let hasPassed = outcome.hasLoaded
        (outcome, refused, refusals, doubtful, excess) = before
        pending = ""
        // At once, because rows may be looked up next: a refused row leaves the transaction aborted, and one that passed
        // would be found.
        let rollback = "ROLLBACK TO SAVEPOINT edgetick_trial; RELEASE SAVEPOINT edgetick_trial"
        try connection.run(rollback, "take the tried row back")
        hasPassedTrial = hasPassed
    }

    /// Makes dead letters of the rows in ``fatal``, and returns the others: see ``confirmRefusals()``.
    private func withoutFatal<Field: RowField>(_ rows: UploadRows<Field>) throws(UpstreamError) -> UploadRows<Field> {
        guard !fatal.isEmpty else { return rows }
        var others: [Int32] = []
        for place in rows.order {
            let row = rows.rows[Int(place)]
            if let error = fatal[row.sequence] {
                doubtful = doubtful ?? error
                try refuse(row, error, rows.context)
            } else {
                others.append(place)
            }
        }
        return rows.at(others[...])
    }

    /// Loads rows of a stream other than bars.
    func load(_ rows: UploadRows<some RowField>) throws(UpstreamError) {
        try loadHalving(withoutFatal(rows)) { part throws(UpstreamError) in
            if let identity = part.target.identity {
                try copyNew(part, by: identity)
            } else {
                try copyDirectly(part)
            }
        }
    }

    /// Begins without loading rows: all rows of the batch are upstream, so only the ledger is moved on.
    func loadNothing() throws(UpstreamError) {
        do {
            for result in try connection.run(takePending(), "lock the ledger") { try take(result) }
        } catch {
            if let before, !before.isCommitted { throw Ledger.explained(error, "move the ledger on") }
            throw error
        }
    }

    /// Loads bars, directly or over the staging table.
    func loadBars(
        _ bars: UploadRows<BarField>, by versions: BarVersions, from source: EventSource, choice: inout UploadPathChoice
    ) throws(UpstreamError) {
        let bars = try withoutFatal(bars)
        guard let first = bars.order.first else { return }
        let oldest = bars.rows[Int(first)].event.time(as: bars.context.barTimestamp)
        // In the columnstore, a direct COPY decompresses chunks to find that a key exists; the merge does so again.
        let isShut = catalog.columnstoreEnds[bars.target.table.name].map { oldest < $0 } ?? false
        var direct = choice.path == .direct && !isShut
        let startedDirect = direct
        try loadHalving(bars) { part throws(UpstreamError) in
            if direct {
                do throws(UpstreamError) {
                    return try copyDirectly(part)
                } catch {
                    let mayBeKey = error.sqlState == UpstreamError.uniqueViolation || hidesCode(error)
                    guard mayBeKey, settledSequence != nil else { throw error }
                    direct = false
                }
            }
            try copyStaged(part, by: versions, from: source)
        }
        switch (startedDirect, direct) {
        case (true, true): choice.wentDirect()
        case (true, false): choice.conflicted()
        default: choice.wentStaged()
        }
    }

    private func copyDirectly(_ part: UploadRows<some RowField>) throws(UpstreamError) {
        let target = part.target
        var keptOut = 0
        try attempt { sql throws(UpstreamError) in
            if let row = part.only, catalog.isDistributed, settledSequence != nil {
                let operation = "INSERT into \(target.table.displayName)"
                // By itself: if the server can't read a constant, it runs no statement of the exchange, and without this
                // savepoint, the earlier one would take back rows that passed.
                try connection.run(sql, operation)
                try connection.run(target.insertSQL(row, part.context), operation)
                return
            }
            let operation = "COPY into \(target.table.displayName)"
            let stored = try send(part, operation) { sql + target.copySQL(isBinary: $0) }
            guard stored < part.count else { return }
            // This server doesn't know the triggers of a table that is on other servers.
            guard target.table.mayKeepOutInserts || catalog.isDistributed else {
                throw incomplete(stored, of: part.count, operation)
            }
            keptOut = part.count - stored
        }
        outcome.inserted += part.count - keptOut
        outcome.keptOut += keptOut
        if outcome.path == nil { outcome.path = .direct }
    }

    /// The error for a COPY that succeeded without storing all of its rows.
    private func incomplete(_ stored: Int, of sent: Int, _ operation: String) -> UpstreamError {
        UpstreamError(
            .busy, operation, "\(sent.counted("row was", "rows were")) sent and the server stored \(stored.grouped)")
    }

    /// Sends rows to the staging table, which must store all of them.
    private func stage(_ part: UploadRows<some RowField>, isNumbered: Bool, after sql: String) throws(UpstreamError) {
        let operation = "COPY for \(part.target.table.displayName)"
        let stored = try send(part, operation) { sql + part.target.stageSQL(isBinary: $0, isNumbered: isNumbered) }
        guard stored == part.count else { throw incomplete(stored, of: part.count, operation) }
    }

    /// Sends rows in the binary format if all columns allow it. A single row is sent as text, so that the reason for a
    /// refusal is about the value.
    ///
    /// - Returns: the number of rows that the server says it stored.
    private func send(
        _ part: UploadRows<some RowField>, _ operation: String, _ sql: (_ isBinary: Bool) -> String
    ) throws(UpstreamError) -> Int {
        let isBinary = part.count > 1 && part.target.takesBinary
        func copy(as writer: (some CopyWriter).Type) throws(UpstreamError) -> Int {
            let encoder = CopyEncoder(
                part.rows, order: part.order, columns: part.target.columns, context: part.context, as: writer)
            let (bytes, stored) = try connection.copy(sql(isBinary), from: encoder, operation, take)
            outcome.bytes += bytes
            return stored
        }
        return isBinary ? try copy(as: CopyBinary.self) : try copy(as: CopyText.self)
    }

    private func needTemporary() throws(UpstreamError) {
        guard catalog.allowsTemporary else {
            throw UpstreamError(
                .schema, "create a temporary table",
                "the user \(catalog.user) may not: \(catalog.temporaryGrant)",
                sqlState: UpstreamError.insufficientPrivilege, object: "the database")
        }
    }

    /// Loads the rows whose event doesn't exist yet, whoever sent it.
    private func copyNew<Field: RowField>(_ part: UploadRows<Field>, by identity: TickIdentity) throws(UpstreamError) {
        try needTemporary()
        let target = part.target
        let operation = "insert into \(target.table.displayName)"
        let joins = catalog.needsJoin(with: target.table)
        let times = times(of: part)
        let leaveOut = leaveOutSQL(of: part, times, joins: joins)
        var (written, keptOut) = (0, 0)
        try attempt { sql throws(UpstreamError) in
            try stage(part, isNumbered: joins && leaveOut != nil, after: sql)
            if let leaveOut { try connection.run(leaveOut, operation) }
            let looks = [
                target.keptOutSQL(times: times),
                identity.isNarrow ? target.missingSQL(by: target.told, times: times) : nil,
            ]
            let statements = [target.insertSQL] + looks.compactMap(\.self) + [UploadTarget<Field>.unstageSQL]
            var results = try connection.run(statements.joined(separator: "; "), operation)[...]
            written = results.popFirst()?.affected ?? 0
            if looks[0] != nil { keptOut = min(results.popFirst()?.number ?? 0, part.count - written) }
            guard !identity.isNarrow || results.popFirst()?.number == keptOut else {
                throw UpstreamError(
                    .data, operation,
                    "a unique key of the table has too few columns and takes the event for another one",
                    sqlState: UpstreamError.uniqueViolation, object: "table \(target.table.name)")
            }
        }
        outcome.inserted += written
        outcome.unchanged += part.count - written - keptOut
        outcome.keptOut += keptOut
        outcome.path = .staging
    }

    /// How old rows of the stream are at least, in microseconds, if their events can be there from the REST API: another
    /// box of the group fetches them half a minute after its gap.
    private static let leastFetched: Int64 = 20_000_000

    /// The first and the last time of the rows.
    private func times(of part: UploadRows<some RowField>) -> ClosedRange<Int64>? {
        let times = part.order.lazy.map { part.rows[Int($0)].event.time }
        guard let first = times.min(), let last = times.max() else { return nil }
        return first...last
    }

    /// Leaves out rows whose event exists with a time that is a millisecond off; `nil` if none can.
    private func leaveOutSQL<Field: RowField>(
        of part: UploadRows<Field>, _ times: ClosedRange<Int64>?, joins: Bool
    ) -> String? {
        guard let times else { return nil }
        let rest = part.context.connections.firstIndex(of: EventSource.backfill.rawValue).map(Int32.init)
        if part.order.contains(where: { part.rows[Int($0)].connection == rest }) {
            return part.target.leaveOutSQL(onlyFetched: false, times: times, joins: joins)
        }
        guard connection.configuration.needsIdentity else { return nil }
        let now = WallClock.microseconds()
        let fresh = now - Self.leastFetched...now + Self.leastFetched
        let isFresh = part.order.allSatisfy { fresh.contains(part.rows[Int($0)].receivedMicroseconds) }
        return isFresh ? nil : part.target.leaveOutSQL(onlyFetched: true, times: times, joins: joins)
    }

    private func copyStaged(
        _ part: UploadRows<BarField>, by versions: BarVersions, from source: EventSource
    ) throws(UpstreamError) {
        try needTemporary()
        let target = part.target
        let tellsNew = target.tellsNew(in: catalog)
        let countsStaying = target.mayKeepOut && !catalog.isDistributed
        var (written, new, keptOut) = (0, 0, 0)
        try attempt { sql throws(UpstreamError) in
            try stage(part, isNumbered: countsStaying, after: sql)
            var versions = versions
            versions.othersUntil = othersUntil
            versions.now = serverTime
            versions.boxTime = WallClock.milliseconds()
            let results = try connection.run(
                target.mergeSQL(tellsNew: tellsNew, countsStaying: countsStaying, versions: versions, from: source),
                "merge into \(target.table.displayName)")
            written = results.first?.affected ?? 0
            if tellsNew, let row = results.first?.rows.first {
                written = row.number(0) ?? 0
                new = row.number(1) ?? 0
            }
            guard countsStaying, let last = results[1].number else { return }
            keptOut = part.count - written - (last - part.count)
        }
        outcome.inserted += new
        outcome.updated += written - new
        outcome.unchanged += part.count - written - keptOut
        outcome.keptOut += keptOut
        outcome.path = .staging
    }

    /// Runs `body` behind a savepoint; `body` puts the statements it gets before its own.
    private func attempt(_ body: (String) throws(UpstreamError) -> Void) throws(UpstreamError) {
        let statements = takePending() + "SAVEPOINT edgetick; "
        do {
            try body(statements)
            pending = "RELEASE SAVEPOINT edgetick; "
        } catch {
            if let before, !before.isCommitted { throw Ledger.explained(error, "move the ledger on") }
            pending = "ROLLBACK TO SAVEPOINT edgetick; RELEASE SAVEPOINT edgetick; "
            throw error
        }
    }

    private func takePending() -> String {
        defer { pending = "" }
        return pending
    }

    /// Loads `part`, in halves if the server refuses one of its rows.
    private func loadHalving<Field: RowField>(
        _ part: UploadRows<Field>, isRepeated: Bool = false, _ load: (UploadRows<Field>) throws(UpstreamError) -> Void
    ) throws(UpstreamError) {
        guard part.count > 0 else { return }
        do {
            try load(part)
            narrowing?.budget.passed()
            return
        } catch {
            // Before the ledger's row is locked there is no savepoint to go back to, and no row to blame.
            guard settledSequence != nil, !overlaps else { throw error }
            if hidesCode(error), narrowing == nil {
                let limit = connection.configuration.responseLimit
                narrowing = (error.sqlState, NarrowingBudget(isSlow: false, limit: limit))
            }
            let isDoubtful = error.reason != .data
            guard !isDoubtful || narrows(error) else { throw error }
            try compareTable(part.target.table)
            if let row = part.only {
                // A temporary error may have hit this row by chance.
                if isDoubtful, !isRepeated { return try loadHalving(part, isRepeated: true, load) }
                if isDoubtful { doubtful = doubtful ?? error }
                return try refuse(row, error, part.context)
            }
        }
        let middle = part.order.startIndex + part.count / 2
        try loadHalving(part.at(part.order[..<middle]), load)
        try loadHalving(part.at(part.order[middle...]), load)
    }

    /// Whether the error may be about a row although its code doesn't show it, as Citus hides the code during a COPY.
    private func hidesCode(_ error: UpstreamError) -> Bool {
        catalog.isDistributed && error.sqlState == UpstreamError.internalError
    }

    /// Whether to search for the row that causes an error, although the error need not be a row's fault.
    private func narrows(_ error: UpstreamError) -> Bool {
        guard let sqlState = narrowing?.sqlState, error.sqlState == sqlState, Stumble.mayBeRows(error) else {
            return false
        }
        return narrowing?.budget.failed() ?? false
    }

    /// Checks, before the first row is refused, that the table hasn't changed since it was read: after an ALTER TABLE
    /// every row would seem to be at fault.
    private func compareTable(_ table: TableDescription) throws(UpstreamError) {
        guard !hasComparedTables else { return }
        hasComparedTables = true
        try connection.run(takePending(), "roll back to the savepoint")
        let now = try connection.readCatalog(of: [table.name]).tables[table.name]
        guard now == table else {
            throw UpstreamError(
                .busy, "COPY into \(table.displayName)", "the table was altered; its columns are read again",
                object: "table \(table.displayName)")
        }
    }

    /// Makes the row a dead letter.
    ///
    /// - Throws: reason `refused`, if too many rows were refused or its partition is missing.
    private func refuse<Event: MarketEvent>(
        _ row: Buffered<Event>, _ error: UpstreamError, _ context: RowContext
    ) throws(UpstreamError) {
        let sqlState = error.sqlState ?? UpstreamError.connectionFailure
        if var all = earlierRefusals {
            if error.isWithoutPartition { throw refusals.pause(because: error) }
            refusals.add(row.event.symbol, sqlState)
            all.add(refusals)
            if refusals.areTooMany(sqlState) { throw all.pause(because: error) }
            if excess == nil, all.areTooMany(sqlState) { excess = (sqlState, all.pause(because: error)) }
        }
        let object = error.object.map { " (\($0))" } ?? ""
        refused.append(
            DeadLetter(
                stream: batch.stream, sequence: row.sequence, sqlState: sqlState,
                reason: error.text + object, row: RowJSON.text(row, context)))
        outcome.refused += 1
    }
}

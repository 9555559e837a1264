import FoundationEssentials
import MarketData

/// One transaction: the ledger's row locked, rows loaded, the ledger moved on.
///
/// Statements that wait for no answer travel with the next exchange: the COMMIT of the transaction before, this one's
/// beginning and the first COPY are one. Every attempt to load rows stands behind a savepoint. When the server refuses
/// a row, the rows are halved until the refused ones stand alone, so k refused rows of n cost about 2k·log2(n/k)
/// attempts. So are rows that failed the same way several times, whatever the error: see ``Stumble``.
final class UploadTransaction {
    let connection: PostgresConnection
    let catalog: Catalog
    let ledger: Ledger
    let batch: BufferedBatch
    /// Where the ledger's row must be, and the token that it gets.
    private let start: LedgerPosition
    static let lockOperation = "find the ledger's row where it was"
    let token = UUID().uuidString.lowercased()
    private var pending = ""
    /// The error that is looked for row by row, and how long.
    private var narrowing: (sqlState: String?, budget: NarrowingBudget)?
    /// The first error that made a row a refused one although it may be the server's fault.
    private var doubtful: UpstreamError?
    private var lastRefusal: UpstreamError?
    private var hasComparedTables = false
    /// The transaction whose COMMIT travels with this one's beginning, and what to do when it is answered.
    private var before: UploadTransaction?
    private var onCommit: (UploadTransaction) -> Void = { _ in }
    /// The last sequence that is upstream, once the ledger's row is locked.
    private(set) var settledSequence: Int64?
    /// The identifiers of the batch's file, now and before.
    private let fileIDs: [String]
    /// As ``BarVersions/othersUntil``.
    private var othersUntil: String?
    /// As ``BarVersions/now``.
    private var serverTime: String?
    /// Whether the ledger's row was moved on; what follows is the COMMIT.
    private var isMoved = false
    /// Whether the COMMIT was answered; nothing may be taken for stored before.
    private(set) var isCommitted = false
    /// Whether rows of the batch are upstream already, so that it must be loaded in part.
    private(set) var overlaps = false
    /// Whether the ledger's row is not where the file left it.
    private(set) var isElsewhere = false
    var outcome = UploadOutcome()
    /// How long the server took, the COMMIT before included.
    var took: Duration = .zero
    /// The last sequence that the COMMIT moves the ledger to.
    var last: Int64 = 0
    /// How many rows of the batch this transaction brings up.
    var rows = 0
    private(set) var refused: [RefusedRow] = []
    private(set) var refusals = Refusals()
    /// The rows refused since one of the stream last went through; `nil` where refused rows are set aside, however many.
    var earlierRefusals: Refusals? = Refusals()

    init(
        on connection: PostgresConnection, catalog: Catalog, ledger: Ledger, batch: BufferedBatch,
        from start: LedgerPosition, fileIDs: [String] = []
    ) {
        self.start = start
        self.fileIDs = [ledger.bufferID] + fileIDs
        self.connection = connection
        self.catalog = catalog
        self.ledger = ledger
        self.batch = batch
    }

    /// Has rows that fail with the same error again found one by one.
    func narrow(_ stumble: Stumble, within limit: Duration) {
        narrowing = (stumble.sqlState, NarrowingBudget(isSlow: stumble.isSlow, limit: limit))
    }

    /// Has statements of this transaction wait less for locks on the tables, once the ledger's row is locked.
    func waitForLocks(_ limit: Duration) {
        pending += "SET LOCAL lock_timeout = \(limit.settingMilliseconds); "
    }

    /// Makes sure that rows were refused for what they are, after all were tried.
    ///
    /// - Throws: The error of the first row, when no row went through where the server's own problem is as likely; reason
    ///   `refused` when none has for too many.
    func confirmRefusals() throws(UpstreamError) {
        guard !outcome.hasLoaded, let lastRefusal else { return }
        if let doubtful { throw doubtful }
        guard var all = earlierRefusals, let sqlState = lastRefusal.sqlState else { return }
        all.add(refusals)
        if all.areTooMany(sqlState) { throw all.pause(because: lastRefusal) }
    }

    /// Where the ledger's row is when this is committed.
    var end: LedgerPosition { LedgerPosition(sequence: last, token: token) }

    /// Begins, and returns the last sequence that is upstream.
    func begin() throws(UpstreamError) -> Int64 {
        for result in try connection.run(beginSQL, "lock the ledger") { try lock(result) }
        guard let settledSequence else { throw unreadable }
        return settledSequence
    }

    /// Begins with the first statement that loads rows, and commits `before` with it; `onCommit` hears of it once that is
    /// answered. When rows of the batch turn out to be upstream already, nothing is loaded and ``overlaps`` is set.
    func begin(after before: UploadTransaction?, isLazy: Bool, onCommit: @escaping (UploadTransaction) -> Void) {
        self.before = before
        self.onCommit = onCommit
        pending = before.map { $0.commitSQL(isLazy: isLazy) + "; " } ?? ""
        pending += beginSQL + "; "
    }

    private var beginSQL: String {
        var statements = [ledger.beginSQL(batch.stream)]
        if batch.stream == .bars { statements.append(ledger.othersSQL(besides: fileIDs)) }
        // The limit keeps a careless statement from opening a whole table; this one opens what its rows need.
        if catalog.limitsOpening {
            statements.append("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
        }
        return statements.joined(separator: "; ")
    }

    /// Moves the ledger on and commits; on return the server's disk has this and every lazy COMMIT before.
    func commit() throws(UpstreamError) {
        do {
            for result in try connection.run(commitSQL(isLazy: false), "commit") { try committed(result) }
        } catch {
            throw commitError(error)
        }
    }

    private func commitSQL(isLazy: Bool) -> String {
        takePending()
            + ledger.commitSQL(batch.stream, from: start, to: end, rows: rows - outcome.refused, isLazy: isLazy)
    }

    /// Takes an answer to one of the statements that travelled with a COPY.
    private func take(_ answer: StatementResult) throws(UpstreamError) {
        if let before, !before.isCommitted {
            try before.committed(answer)
            guard before.isCommitted else { return }
            onCommit(before)
            // Its rows are upstream; whoever kept it would keep all batches, each by the next.
            self.before = nil
            onCommit = { _ in }
        } else if settledSequence != nil {
            try lock(answer)
        } else {
            try lock(answer)
            guard let settledSequence, let first = batch.firstSequence, settledSequence >= first else { return }
            overlaps = true
            throw UpstreamError(.busy, "lock the ledger", "a part of the batch is upstream already")
        }
    }

    private func committed(_ answer: StatementResult) throws(UpstreamError) {
        switch answer.tag {
        case "SELECT 1": isMoved = true
        case "COMMIT": isCommitted = true
        // Going back to a savepoint answers with the same word, but before.
        case "ROLLBACK" where isMoved: throw UpstreamError(.busy, "commit", "the server rolled the transaction back")
        default: break
        }
    }

    private func lock(_ answer: StatementResult) throws(UpstreamError) {
        guard settledSequence == nil else {
            if answer.tag == "SELECT 1", let row = answer.rows.first, row.count == 2 {
                (othersUntil, serverTime) = (row[0], row[1])
            }
            return
        }
        guard answer.tag.hasPrefix("INSERT") else { return }
        guard let row = answer.rows.first.flatMap({ LedgerRow($0[...]) }) else { throw unreadable }
        guard row.sequence == start.sequence, row.token == start.token, row.successor == nil else {
            isElsewhere = true
            throw UpstreamError(
                .busy, Self.lockOperation, "its row is not where this file left it", object: "table edgetick_uploads")
        }
        settledSequence = row.sequence
    }

    private var unreadable: UpstreamError {
        UpstreamError(.schema, "lock the ledger", "its row can't be read back", object: "edgetick_uploads")
    }

    private func commitError(_ error: UpstreamError) -> UpstreamError {
        guard error.sqlState == Ledger.wasNotMoved else { return error }
        return UpstreamError(
            .schema, "move the ledger on", "its row was not written: a rule, trigger or policy is in the way",
            object: "table edgetick_uploads")
    }

    /// Loads rows of a stream other than bars.
    func load<Field: RowField>(
        _ rows: [Buffered<Field.Event>], _ order: ArraySlice<Int32>, into target: UploadTarget<Field>,
        _ context: RowContext
    ) throws(UpstreamError) {
        try loadHalving(order, into: target, rows: rows, context) { part throws(UpstreamError) in
            if let identity = target.identity {
                try self.copyNew(rows, part, into: target, by: identity, context)
            } else {
                try self.copyDirectly(rows, part, into: target, context)
            }
        }
    }

    /// Begins without rows: all of the batch are upstream, and the ledger alone is moved on.
    func loadNothing() throws(UpstreamError) {
        do {
            for result in try connection.run(takePending(), "lock the ledger") { try take(result) }
        } catch {
            if let before, !before.isCommitted { throw before.commitError(error) }
            throw error
        }
    }

    /// Loads bars, directly or over the staging table.
    func loadBars(
        _ rows: [Buffered<Bar>], _ order: ArraySlice<Int32>, into target: UploadTarget<BarField>,
        by versions: BarVersions, from source: EventSource, _ context: RowContext, choice: inout UploadPathChoice
    ) throws(UpstreamError) {
        guard let first = order.first else { return }
        let oldest = rows[Int(first)].event.time(as: context.barTimestamp)
        // In the columnstore a direct COPY opens the chunks only to find that a key is there, and the merge opens them again.
        let isShut = catalog.columnstoreEnds[target.table.name].map { oldest < $0 } ?? false
        var direct = choice.path == .direct && !isShut
        let startedDirect = direct
        try loadHalving(order, into: target, rows: rows, context) { part throws(UpstreamError) in
            if direct {
                do throws(UpstreamError) {
                    return try self.copyDirectly(rows, part, into: target, context)
                } catch {
                    let mayBeKey = error.sqlState == UpstreamError.uniqueViolation || self.hidesCode(error)
                    guard mayBeKey, self.settledSequence != nil else { throw error }
                    direct = false
                }
            }
            try self.copyStaged(rows, part, into: target, by: versions, from: source, context)
        }
        switch (startedDirect, direct) {
        case (true, true): choice.wentDirect()
        case (true, false): choice.conflicted()
        default: choice.wentStaged()
        }
    }

    private func copyDirectly<Field: RowField>(
        _ rows: [Buffered<Field.Event>], _ part: ArraySlice<Int32>, into target: UploadTarget<Field>,
        _ context: RowContext
    ) throws(UpstreamError) {
        var keptOut = 0
        try attempt { sql throws(UpstreamError) in
            if let index = part.first, part.count == 1, self.catalog.isDistributed, self.settledSequence != nil {
                let operation = "INSERT into \(target.table.displayName)"
                try self.connection.run(sql + target.insertSQL(rows[Int(index)], context), operation)
                return
            }
            let operation = "COPY into \(target.table.displayName)"
            let stored = try self.send(rows, part, to: target, context, operation) {
                sql + target.copySQL(isBinary: $0)
            }
            guard stored < part.count else { return }
            // Of a table on other servers, this one doesn't know the triggers.
            guard target.table.mayKeepOutInserts || self.catalog.isDistributed else {
                throw self.incomplete(stored, of: part.count, operation)
            }
            keptOut = part.count - stored
        }
        outcome.inserted += part.count - keptOut
        outcome.keptOut += keptOut
        if outcome.path == nil { outcome.path = .direct }
    }

    /// The error that a COPY ended well and not all of its rows are there.
    private func incomplete(_ stored: Int, of sent: Int, _ operation: String) -> UpstreamError {
        UpstreamError(.busy, operation, "\(sent.grouped) rows were sent and the server stored \(stored.grouped)")
    }

    /// Sends rows to the staging table, which stores each.
    private func stage<Field: RowField>(
        _ rows: [Buffered<Field.Event>], _ part: ArraySlice<Int32>, of target: UploadTarget<Field>,
        _ context: RowContext, _ sql: (_ isBinary: Bool) -> String
    ) throws(UpstreamError) {
        let operation = "COPY for \(target.table.displayName)"
        let stored = try send(rows, part, to: target, context, operation, sql)
        guard stored == part.count else { throw incomplete(stored, of: part.count, operation) }
    }

    /// Sends rows in the binary format where all columns allow it. A row that stands alone goes as text: of one that the
    /// server refuses, the reason then speaks of the value.
    ///
    /// - Returns: How many the server says it stored.
    private func send<Field: RowField>(
        _ rows: [Buffered<Field.Event>], _ part: ArraySlice<Int32>, to target: UploadTarget<Field>,
        _ context: RowContext, _ operation: String, _ sql: (_ isBinary: Bool) -> String
    ) throws(UpstreamError) -> Int {
        let isBinary = part.count > 1 && target.takesBinary
        func copy(as writer: (some CopyWriter).Type) throws(UpstreamError) -> Int {
            let encoder = CopyEncoder(rows, order: part, columns: target.columns, context: context, as: writer)
            let (bytes, stored) = try connection.copy(sql(isBinary), from: encoder, operation, take)
            outcome.bytes += bytes
            return stored
        }
        return isBinary ? try copy(as: CopyBinary.self) : try copy(as: CopyText.self)
    }

    private func needTemporary() throws(UpstreamError) {
        guard catalog.allowsTemporary else {
            throw UpstreamError(
                .schema, "make a temporary table",
                "the user \(catalog.user) may not: GRANT TEMPORARY ON DATABASE … TO \(catalog.user)",
                sqlState: "42501", object: "the database")
        }
    }

    /// Brings up those rows whose event is not there yet, whoever brought it.
    private func copyNew<Field: RowField>(
        _ rows: [Buffered<Field.Event>], _ part: ArraySlice<Int32>, into target: UploadTarget<Field>,
        by identity: TickIdentity, _ context: RowContext
    ) throws(UpstreamError) {
        try needTemporary()
        let operation = "insert into \(target.table.displayName)"
        let rest = context.connections.firstIndex(of: EventSource.backfill.rawValue).map(Int32.init)
        let leaveOut = part.contains { rows[Int($0)].connection == rest } ? target.leaveOutSQL : nil
        var (written, keptOut) = (0, 0)
        try attempt { sql throws(UpstreamError) in
            try self.stage(rows, part, of: target, context) {
                sql + target.stageSQL(isBinary: $0, isNumbered: leaveOut != nil)
            }
            if let leaveOut { try self.connection.run(leaveOut, operation) }
            let looks = [target.keptOutSQL, identity.isNarrow ? target.missingSQL(by: target.told) : nil]
            let statements = [target.insertSQL] + looks.compactMap(\.self) + [UploadTarget<Field>.unstageSQL]
            var results = try self.connection.run(statements.joined(separator: "; "), operation)[...]
            written = results.popFirst()?.affected ?? 0
            if looks[0] != nil { keptOut = min(results.popFirst()?.number ?? 0, part.count - written) }
            guard !identity.isNarrow || results.popFirst()?.number == keptOut else {
                throw UpstreamError(
                    .data, operation, "another event is in its place in a unique key",
                    sqlState: UpstreamError.uniqueViolation, object: "table \(target.table.name)")
            }
        }
        outcome.inserted += written
        outcome.unchanged += part.count - written - keptOut
        outcome.keptOut += keptOut
        outcome.path = .staging
    }

    private func copyStaged(
        _ rows: [Buffered<Bar>], _ part: ArraySlice<Int32>, into target: UploadTarget<BarField>,
        by versions: BarVersions, from source: EventSource, _ context: RowContext
    ) throws(UpstreamError) {
        try needTemporary()
        let tellsNew = target.tellsNew(in: catalog)
        let countsStaying = target.mayKeepOut && !catalog.isDistributed
        var (written, new, keptOut) = (0, 0, 0)
        try attempt { sql throws(UpstreamError) in
            try self.stage(rows, part, of: target, context) {
                sql + target.stageSQL(isBinary: $0, isNumbered: countsStaying)
            }
            var versions = versions
            versions.othersUntil = self.othersUntil
            versions.now = self.serverTime
            versions.boxTime = WallClock.milliseconds()
            let results = try self.connection.run(
                target.mergeSQL(tellsNew: tellsNew, countsStaying: countsStaying, versions: versions, from: source),
                "merge into \(target.table.displayName)")
            written = results.first?.affected ?? 0
            if tellsNew, let row = results.first?.rows.first {
                written = row[0].flatMap { Int($0) } ?? 0
                new = row[1].flatMap { Int($0) } ?? 0
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
            if let before, !before.isCommitted { throw before.commitError(error) }
            pending = "ROLLBACK TO SAVEPOINT edgetick; RELEASE SAVEPOINT edgetick; "
            throw error
        }
    }

    private func takePending() -> String {
        defer { pending = "" }
        return pending
    }

    /// Loads `part`, in halves when the server refuses a row of it.
    private func loadHalving<Field: RowField>(
        _ part: ArraySlice<Int32>, into target: UploadTarget<Field>, rows: [Buffered<Field.Event>],
        _ context: RowContext, isRepeated: Bool = false, _ load: (ArraySlice<Int32>) throws(UpstreamError) -> Void
    ) throws(UpstreamError) {
        guard !part.isEmpty else { return }
        do {
            try load(part)
            narrowing?.budget.passed()
            return
        } catch {
            // Before the ledger's row is locked there is no savepoint to go back to, and no row to blame.
            guard settledSequence != nil, !overlaps else { throw error }
            if hidesCode(error), narrowing == nil {
                narrowing = (error.sqlState, NarrowingBudget(isSlow: false, limit: connection.responseLimit))
            }
            let isDoubtful = error.reason != .data
            guard !isDoubtful || narrows(error) else { throw error }
            try compareTable(target.table)
            if part.count == 1, let index = part.first {
                // What passes by itself may have hit this row by chance.
                if isDoubtful, !isRepeated {
                    return try loadHalving(part, into: target, rows: rows, context, isRepeated: true, load)
                }
                if isDoubtful { doubtful = doubtful ?? error }
                try refuse(rows[Int(index)], error, context)
                return
            }
        }
        let middle = part.startIndex + part.count / 2
        try loadHalving(part[..<middle], into: target, rows: rows, context, load)
        try loadHalving(part[middle...], into: target, rows: rows, context, load)
    }

    /// Whether an error may be a row's and the server kept its code to itself, as Citus does with what a COPY meets.
    private func hidesCode(_ error: UpstreamError) -> Bool {
        catalog.isDistributed && error.sqlState == UpstreamError.internalError
    }

    /// Whether the row behind an error is to be found, though the error need not be a row's fault.
    private func narrows(_ error: UpstreamError) -> Bool {
        guard let sqlState = narrowing?.sqlState, error.sqlState == sqlState, Stumble.mayBeRows(error) else {
            return false
        }
        return narrowing?.budget.failed() ?? false
    }

    /// Makes sure, before the first row is refused, that the table is still the one that was read: after an ALTER
    /// TABLE every row would seem at fault.
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

    /// Has the row become a dead letter.
    ///
    /// - Throws: Reason `refused`, when it is one of too many, or would find a place in a partition that is missing.
    private func refuse<Event: MarketEvent>(
        _ row: Buffered<Event>, _ error: UpstreamError, _ context: RowContext
    ) throws(UpstreamError) {
        lastRefusal = error
        if earlierRefusals != nil {
            if error.isWithoutPartition { throw refusals.pause(because: error) }
            let sqlState = error.sqlState ?? ""
            refusals.add(row.event.symbol, sqlState)
            if refusals.areTooMany(sqlState) { throw refusals.pause(because: error) }
        }
        let object = error.object.map { " (\($0))" } ?? ""
        refused.append(
            RefusedRow(
                sequence: row.sequence, sqlState: error.sqlState ?? "", reason: error.text + object,
                rowJSON: RowJSON.text(row, context)))
        outcome.refused += 1
    }
}

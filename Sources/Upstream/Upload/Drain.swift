import MarketData

/// One upload of everything that a source has: see ``Uploader/drain(_:of:)``.
final class Drain<Source: UploadSource> {
    private let session: UploadSession
    private let memory: UploadMemory
    private let source: Source
    private let file: any UploadFile
    private let ahead: ReadAhead
    private let commits = CommitGroup()
    private var failures: [EventStream: UpstreamError] = [:]
    /// The first stream's failure, which the drain throws at its end.
    private var firstFailure: UpstreamError?

    private var configuration: UpstreamConfiguration { session.configuration }

    /// - Throws: any ``UpstreamError/Reason``, if the tables can't be read to find out which events they recognize.
    init(
        _ source: Source, of file: any UploadFile, over session: UploadSession, _ memory: UploadMemory
    ) throws(UpstreamError) {
        let (_, catalog) = try session.connected()
        self.session = session
        self.memory = memory
        self.source = source
        self.file = file
        let identified = Set(EventStream.allCases.filter { catalog.identity(of: $0) != nil })
        ahead = ReadAhead(source) { [configuration = session.configuration] batch in
            UploadParcel(
                batch, context: RowContext(of: batch, configuration), isByIdentity: identified.contains(batch.stream))
        }
    }

    /// Sends everything.
    ///
    /// - Throws: the error that ends the drain for all streams; otherwise, once everything else is upstream, the first
    ///   stream's failure.
    nonisolated(nonsending) func run() async throws {
        do {
            try await send()
            try await settleCommitted()
        } catch {
            session.abandon()
            _ = await ahead.parcel()
            try? await settleCommitted()
            // Whether the committed batches that aren't settled are upstream is for the ledger to find out.
            if !commits.waiting.isEmpty { session.places.forget() }
            throw error
        }
        if let firstFailure { throw firstFailure }
    }

    private nonisolated(nonsending) func send() async throws {
        // Loaded, but committed together with the beginning of the next batch if one follows.
        var loaded: UploadTransaction?
        while true {
            let next = await ahead.parcel()
            try Task.checkCancellation()
            if let before = loaded, !mayFollow(next) {
                loaded = nil
                try await commit(before)
            }
            guard let parcel = try next.get() else { return }
            guard parcel.batch.count > 0, failures[parcel.batch.stream] == nil else {
                ahead.readOn(after: [])
                continue
            }
            loaded = try await load(parcel, after: loaded)
        }
    }

    /// Whether the next batch can begin in the same exchange: its tables can be used, its position in the ledger is
    /// known, and no row has to be looked up first. If not, the loaded batch is committed alone first.
    private func mayFollow(_ next: Result<UploadParcel?, any Error>) -> Bool {
        guard case .success(let parcel?) = next, failures[parcel.batch.stream] == nil,
            !memory.hasLostConnection(parcel.batch.stream), !mayBeUpstream(parcel.batch),
            session.places.position(of: parcel.batch.stream) != nil, let (_, catalog) = try? session.connected()
        else { return false }
        return (try? UploadPlan(parcel, in: catalog)) != nil
    }

    // MARK: Ends

    /// Commits a batch after which no other can begin in the same exchange.
    private nonisolated(nonsending) func commit(_ loaded: UploadTransaction) async throws {
        do throws(UpstreamError) {
            try loaded.commit()
        } catch {
            session.places.forget([loaded.batch.stream])
            try await giveUp(loaded.batch, because: error, loaded.connection)
            return
        }
        wentUp(loaded, isOnDisk: true)
        try await settle(SettledBatch(loaded.batch, loaded.outcome, took: loaded.took), by: loaded.ledger)
    }

    private func wentUp(_ transaction: UploadTransaction, isOnDisk: Bool) {
        wentUp(transaction.batch.stream, transaction.outcome, transaction.refusals)
        session.places.move(transaction.batch.stream, to: transaction.end, isOnDisk: isOnDisk)
    }

    private func wentUp(_ stream: EventStream, _ outcome: UploadOutcome, _ refusals: Refusals) {
        session.note(outcome, of: stream)
        memory.wentUp(stream, outcome, refusals)
    }

    /// Settles a batch whose COMMIT has waited for the disk, and all batches before it.
    private nonisolated(nonsending) func settle(_ batch: SettledBatch, by ledger: Ledger) async throws {
        for batch in commits.add(batch, by: ledger, isLazy: false) { try await source.settled(batch) }
    }

    /// Settles the batches committed before the problem if the connection is still usable: its server is up, and can be
    /// made to wait for its disk.
    private nonisolated(nonsending) func settleCommitted() async throws {
        guard let connection = session.standing, let ledger = commits.ledger, let newest = commits.waiting.last,
            let token = commits.token
        else { return }
        // Another server may answer at the same address.
        guard try session.settledRow(newest.stream, ledger, connection)?.token == token else { return }
        for stream in Set(commits.waiting.map(\.stream)) { session.places.reachedDisk(stream) }
        for batch in commits.settle() { try await source.settled(batch) }
    }

    /// Ends a stream's part in the drain after an error that leaves the connection usable.
    ///
    /// - Throws: the error, if it ends the drain for all streams: nothing can be sent over a lost connection, and its
    ///   lazy commits may be lost too, whatever another connection commits.
    private nonisolated(nonsending) func giveUp(
        _ batch: BufferedBatch, because error: UpstreamError, _ connection: PostgresConnection
    ) async throws {
        session.abandon()
        guard session.standing === connection else {
            if error.isLostConnection { await fail(batch.stream, error) }
            throw error
        }
        memory.stumbled(batch, because: error)
        await fail(batch.stream, error)
    }

    private nonisolated(nonsending) func fail(_ stream: EventStream, _ error: UpstreamError) async {
        let error = error.of(configuration.role)
        failures[stream] = error
        firstFailure = firstFailure ?? error
        await source.failed(stream, error)
    }

    // MARK: Loading

    /// Loads a batch after `before`, which is committed in the same exchange.
    ///
    /// - Returns: the transaction to commit next; `nil` if nothing is left to commit.
    private nonisolated(nonsending) func load(
        _ parcel: UploadParcel, after before: UploadTransaction?
    ) async throws -> UploadTransaction? {
        let stream = parcel.batch.stream
        let (connection, catalog) = try session.connected()
        if before == nil { ahead.readOn(after: []) }
        if memory.hasLostConnection(stream) {
            let uploaded = await uploadedRow(of: stream, in: catalog)
            if let parts = memory.parts(of: parcel.batch, canTryUploaded: uploaded != nil) {
                return try await load(parcel, in: parts, uploaded, over: connection)
            }
        }
        let plan: UploadPlan
        let start: LedgerPosition
        do throws(UpstreamError) {
            plan = try UploadPlan(parcel, in: catalog)
            let end = before.flatMap { $0.batch.stream == stream ? $0.end : nil }
            if let end { start = end } else { start = try await position(of: stream) }
        } catch {
            try await giveUp(parcel.batch, because: error, connection)
            return nil
        }
        let transaction = try makeTransaction(parcel.batch, from: start)
        let isLazy = commits.mayBeLazy() && !memory.hasStumbled(stream) && !catalog.isDistributed
        let began = ContinuousClock.now
        do throws(UpstreamError) {
            transaction.begin(after: before, isLazy: isLazy) { committed in
                self.wentUp(committed, isOnDisk: !isLazy)
                let batch = SettledBatch(committed.batch, committed.outcome, took: committed.took)
                let settled = self.commits.add(batch, by: committed.ledger, token: committed.token, isLazy: isLazy)
                self.ahead.readOn(after: settled)
            }
            memory.prepare(transaction, within: configuration.statementTimeout)
            transaction.rows = parcel.batch.count
            transaction.last = parcel.batch.lastSequence ?? 0
            try await load(parcel, plan, in: transaction)
            transaction.took = .now - began
            return transaction
        } catch {
            return try await goOn(after: error, with: parcel, transaction, before, since: began)
        }
    }

    /// Goes on after an error while a batch was loaded: with the whole batch again, in parts, or without its stream.
    ///
    /// - Returns: the transaction to commit next; `nil` if nothing is left to commit.
    private nonisolated(nonsending) func goOn(
        after error: UpstreamError, with parcel: UploadParcel, _ transaction: UploadTransaction,
        _ before: UploadTransaction?, since began: ContinuousClock.Instant
    ) async throws -> UploadTransaction? {
        let stream = parcel.batch.stream
        session.abandon()
        if let before, !before.isCommitted {
            session.places.forget([before.batch.stream])
            try await giveUp(before.batch, because: error, before.connection)
            guard failures[stream] == nil else {
                ahead.readOn(after: [])
                return nil
            }
            return try await load(parcel, after: nil)
        }
        let isConnected = session.standing === transaction.connection
        if isConnected, transaction.isElsewhere {
            try await giveUp(parcel.batch, because: await reason(for: error, stream), transaction.connection)
            return nil
        }
        if isConnected, transaction.overlaps || mayHelpToSplit(parcel.batch.count, error) {
            return try await loadInParts(parcel, transaction)
        }
        // Until its row is locked, a transaction has used only the ledger, which all streams share, so all would fail.
        guard !isConnected || transaction.settledSequence != nil || error.reason == .busy else { throw error }
        if let first = parcel.batch.firstSequence, let last = parcel.batch.lastSequence {
            noteLoss(error, transaction, with: first...last)
        }
        try await giveUp(parcel.batch, because: timed(error, since: began), transaction.connection)
        return nil
    }

    /// The position of the stream's row in the ledger; settles the stream first if it isn't known.
    ///
    /// - Throws: also if rows were taken back. The batch was read before that, so the rows that wait again are not in
    ///   it, and the ledger must not move past them.
    private nonisolated(nonsending) func position(
        of stream: EventStream
    ) async throws(UpstreamError) -> LedgerPosition {
        if let position = session.places.position(of: stream) { return position }
        let acknowledged = file.marks(of: stream).acknowledged
        try await Settlement(stream: stream, file: file, session: session, needsRow: true).run()
        guard let position = session.places.position(of: stream) else {
            throw UpstreamError(.ledger, "settle with the ledger", "it has no row for \(stream.rawValue)")
        }
        guard file.marks(of: stream).acknowledged >= acknowledged else {
            throw UpstreamError(
                .busy, UploadTransaction.lockOperation, "rows before this batch wait again", object: Ledger.object)
        }
        return position
    }

    /// Finds out why the ledger's row is not where the file left it.
    private nonisolated(nonsending) func reason(for error: UpstreamError, _ stream: EventStream) async -> UpstreamError
    {
        session.places.forget([stream])
        do throws(UpstreamError) {
            _ = try await position(of: stream)
            return error
        } catch {
            return error
        }
    }

    /// Loads the part of a batch that is not upstream yet, or a batch that is too large for a limit in halves.
    private nonisolated(nonsending) func loadInParts(
        _ parcel: UploadParcel, _ transaction: UploadTransaction
    ) async throws -> UploadTransaction? {
        let all = 0..<parcel.batch.count
        var sum = Sum()
        do throws(UpstreamError) {
            if transaction.overlaps {
                let rest = try await loadRest(parcel, all)
                guard rest.rows == 0 else { return rest }
                sum.add(rest)
            } else {
                try await loadHalves(parcel, all, &sum)
            }
        } catch {
            try await giveUp(parcel.batch, because: error, transaction.connection)
            return nil
        }
        wentUp(parcel.batch.stream, sum.outcome, sum.refusals)
        try await settle(SettledBatch(parcel.batch, sum.outcome), by: transaction.ledger)
        return nil
    }

    /// What became of the parts of a batch.
    private struct Sum {
        private(set) var outcome = UploadOutcome()
        private(set) var refusals = Refusals()

        mutating func add(_ transaction: UploadTransaction) {
            outcome.add(transaction.outcome)
            refusals.add(transaction.refusals)
        }
    }

    /// Loads a batch with whose rows the connection was lost again and again in parts, each with its position in the
    /// ledger.
    ///
    /// - Parameter uploaded: the row for ``BatchPart/Trial/uploaded``.
    private nonisolated(nonsending) func load(
        _ parcel: UploadParcel, in parts: [BatchPart], _ uploaded: UploadParcel?, over connection: PostgresConnection
    ) async throws -> UploadTransaction? {
        let stream = parcel.batch.stream
        var sum = Sum()
        for part in parts {
            let trial: UploadParcel? =
                switch part.trial {
                case .waiting(let place): parcel.part(place..<place + 1)
                case .uploaded: uploaded
                case .waived, nil: nil
                }
            let transaction: UploadTransaction
            var loading: UploadTransaction?
            do throws(UpstreamError) {
                transaction = try makeTransaction(parcel.batch, from: try await position(of: stream))
                transaction.fatal = memory.fatalRows(of: stream)
                transaction.hasPassedTrial = part.trial == .waived
                memory.prepare(transaction, within: configuration.statementTimeout)
                loading = transaction
                try await loadRest(parcel, part.rows, after: trial, in: transaction)
                // No row is to blame for what happens to a COMMIT.
                loading = nil
                if transaction.rows > 0 {
                    try transaction.commit()
                    session.places.move(stream, to: transaction.end, isOnDisk: true)
                }
            } catch {
                if let loading, trial == nil || loading.hasPassedTrial {
                    noteLoss(error, loading, with: part.sent, isProof: part.trial != nil)
                } else if loading != nil {
                    memory.triedInVain(stream)
                }
                var error = error
                if parts.count == 1, part.trial == nil, error.isLostConnection, loading?.settledSequence != nil,
                    let row = memory.lonelyRow(of: stream)
                {
                    let preface =
                        "row \(row) ends the session whenever it is sent; it becomes a dead letter once another row goes "
                        + "through beside it, or with `edgetick sync --set-aside`: "
                    error = error.with(error.reason, preface: preface)
                }
                session.places.forget([stream])
                try await giveUp(parcel.batch, because: error, connection)
                return nil
            }
            sum.add(transaction)
            let settled = SettledBatch(
                stream: stream, last: transaction.last, rows: part.rows.count, outcome: transaction.outcome,
                took: .zero)
            try await settle(settled, by: transaction.ledger)
        }
        wentUp(stream, sum.outcome, sum.refusals)
        return nil
    }

    /// The last row of a stream that went up, if the file still has it. Where a key keeps it from being stored again, it
    /// shows nothing.
    private nonisolated(nonsending) func uploadedRow(of stream: EventStream, in catalog: Catalog) async -> UploadParcel?
    {
        let end = file.marks(of: stream).acknowledged
        guard stream != .bars, catalog.identity(of: stream) == nil, end > 0,
            let rows = try? await RowsOfFile.read(stream, after: max(0, end - 100), through: end, of: file)
        else { return nil }
        let batch = rows.batch
        let place = (0..<batch.count).last { place in batch.sequence(at: place).map { !rows.isRefused($0) } ?? false }
        return place.map { place in
            UploadParcel(
                batch, rows: place..<place + 1, context: RowContext(of: batch, configuration), isByIdentity: false)
        }
    }

    /// Remembers that the connection was lost while rows were loaded, if the server had begun their transaction.
    private func noteLoss(
        _ error: UpstreamError, _ transaction: UploadTransaction, with rows: ClosedRange<Int64>, isProof: Bool = false
    ) {
        guard error.isLostConnection, session.standing !== transaction.connection, transaction.settledSequence != nil
        else { return }
        // With such a code, a distributed database reports that one of its other servers is away, and the rows that go
        // elsewhere pass.
        guard error.sqlState == nil || !transaction.catalog.isDistributed else { return }
        memory.lostConnection(with: rows, of: transaction.batch.stream, because: error, isProof: isProof)
    }

    /// The error; as ``UpstreamError/Reason/tooSlow`` if the server cancelled the statement at our own limit.
    private func timed(_ error: UpstreamError, since began: ContinuousClock.Instant) -> UpstreamError {
        let isOurs = error.sqlState == UpstreamError.canceled && .now - began >= configuration.statementTimeout * 0.9
        return isOurs ? error.with(.tooSlow) : error
    }

    /// Loads the rows of a range that are not upstream; if there are none, leaves no transaction open.
    private nonisolated(nonsending) func loadRest(
        _ parcel: UploadParcel, _ rows: Range<Int>
    ) async throws(UpstreamError) -> UploadTransaction {
        let transaction = try makeTransaction(parcel.batch, from: try await position(of: parcel.batch.stream))
        try await loadRest(parcel, rows, in: transaction)
        return transaction
    }

    /// The same in a transaction that has not begun.
    ///
    /// - Parameter trial: A row that is loaded first, and taken back.
    private nonisolated(nonsending) func loadRest(
        _ parcel: UploadParcel, _ rows: Range<Int>, after trial: UploadParcel? = nil, in transaction: UploadTransaction
    ) async throws(UpstreamError) {
        let fresh = parcel.batch.rows(in: rows, after: try transaction.begin())
        transaction.outcome.skipped = rows.count - fresh.count
        transaction.rows = fresh.count
        transaction.last = parcel.batch.sequence(at: rows.upperBound - 1) ?? 0
        guard !fresh.isEmpty else {
            // Committed, not rolled back: the COMMIT waits until what the ledger said is on disk.
            try transaction.connection.run("COMMIT", "end the transaction")
            return
        }
        if let trial {
            // A pooler may end a session that waits for long, and whoever holds a lock is not the row's fault.
            transaction.waitForLocks(min(.seconds(1), configuration.statementTimeout / 2))
            let plan = try UploadPlan(trial, in: transaction.catalog)
            try transaction.tryOut { () throws(UpstreamError) in try send(trial, plan, in: transaction) }
        }
        let part = parcel.part(fresh)
        try await load(part, try UploadPlan(part, in: transaction.catalog), in: transaction)
    }

    /// Loads and commits the two halves, splitting them further if necessary, each with its position in the ledger.
    private nonisolated(nonsending) func loadHalves(
        _ parcel: UploadParcel, _ rows: Range<Int>, _ sum: inout Sum
    ) async throws(UpstreamError) {
        let stream = parcel.batch.stream
        let middle = rows.lowerBound + rows.count / 2
        let connection = session.standing
        for half in [rows.lowerBound..<middle, middle..<rows.upperBound] {
            do throws(UpstreamError) {
                let transaction = try await loadRest(parcel, half)
                if transaction.rows > 0 {
                    try transaction.commit()
                    session.places.move(stream, to: transaction.end, isOnDisk: true)
                }
                sum.add(transaction)
            } catch {
                session.abandon()
                session.places.forget([stream])
                guard session.standing === connection, mayHelpToSplit(half.count, error) else { throw error }
                try await loadHalves(parcel, half, &sum)
            }
        }
    }

    /// Whether a smaller transaction may stay within the limit (53400).
    private func mayHelpToSplit(_ rows: Int, _ error: UpstreamError) -> Bool { error.reason == .limit && rows > 1 }

    private func makeTransaction(
        _ batch: BufferedBatch, from start: LedgerPosition
    ) throws(UpstreamError) -> UploadTransaction {
        let (connection, catalog) = try session.connected()
        let line = file.line
        let transaction = UploadTransaction(
            on: connection, catalog: catalog, ledger: try session.ledger(in: catalog), batch: batch, from: start,
            fileIDs: [line.id] + line.predecessors.map(\.id))
        transaction.earlierRefusals = memory.earlierRefusals(of: batch.stream)
        return transaction
    }

    /// Whether rows of a batch may be upstream although the ledger doesn't say so.
    private func mayBeUpstream(_ batch: BufferedBatch) -> Bool {
        batch.stream != .bars && batch.firstSequence ?? .max <= file.marks(of: batch.stream).sentAgain
    }

    /// The places of the parcel's rows, except those that are upstream although the ledger doesn't say so. Rows that
    /// can't be distinguished from another collector's are sent.
    private func missing(
        of parcel: UploadParcel, over connection: PostgresConnection, in catalog: Catalog
    ) throws(UpstreamError) -> [Int32] {
        let batch = parcel.batch
        guard mayBeUpstream(batch), catalog.allowsReading(batch.stream) else { return parcel.ticks }
        let end = file.marks(of: batch.stream).sentAgain
        let there = try RowsUpstream(batch, by: configuration, over: connection, in: catalog).stored
        return parcel.ticks.filter { place in
            batch.sequence(at: Int(place)).map { $0 > end || !there.contains($0) } ?? true
        }
    }

    private nonisolated(nonsending) func load(
        _ parcel: UploadParcel, _ plan: UploadPlan, in transaction: UploadTransaction
    ) async throws(UpstreamError) {
        // The file records the transaction while the server loads its rows.
        let (file, move) = (file, session.places.prepare(parcel.batch.stream, to: transaction.end))
        async let written: Void = file.prepare(move)
        try send(parcel, plan, in: transaction)
        try transaction.confirmRefusals()
        do {
            try await written
        } catch {
            throw UpstreamError(.file, "record the upload in the file", String(describing: error))
        }
        guard !transaction.refused.isEmpty else { return }
        do {
            try await source.keep(transaction.refused)
        } catch {
            throw UpstreamError(.file, "keep \(transaction.refused.count) refused rows", String(describing: error))
        }
    }

    /// Sends a parcel's rows that are not upstream.
    private func send(
        _ parcel: UploadParcel, _ plan: UploadPlan, in transaction: UploadTransaction
    ) throws(UpstreamError) {
        let ticks = try missing(of: parcel, over: transaction.connection, in: transaction.catalog)
        transaction.outcome.skipped += parcel.ticks.count - ticks.count
        switch plan {
        case _ where parcel.batch.stream != .bars && ticks.isEmpty: try transaction.loadNothing()
        case .bars(let tables):
            transaction.outcome.superseded = parcel.bars.superseded
            for (group, bars) in tables {
                var versions = bars.target.versions(configuration.barConflict)
                versions.isCorrection = group.isCorrection
                try transaction.loadBars(
                    bars, by: versions, from: group.source,
                    choice: &memory.choices[group, default: UploadPathChoice()])
            }
        case .trades(let rows): try transaction.load(rows.at(ticks[...]))
        case .quotes(let rows): try transaction.load(rows.at(ticks[...]))
        case .luld(let rows): try transaction.load(rows.at(ticks[...]))
        case .imbalances(let rows): try transaction.load(rows.at(ticks[...]))
        case .fairValues(let rows): try transaction.load(rows.at(ticks[...]))
        }
    }
}

extension SettledBatch {
    fileprivate init(_ batch: BufferedBatch, _ outcome: UploadOutcome, took: Duration = .zero) {
        self.init(stream: batch.stream, last: batch.lastSequence ?? 0, rows: batch.count, outcome: outcome, took: took)
    }
}

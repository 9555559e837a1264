import MarketData

/// What a drain knows while it lasts: what it reads from, what waits for the disk, which streams can't go on.
final class Drain<Source: UploadSource> {
    let source: Source
    let file: any UploadFile
    let ahead: ReadAhead<Source>
    let commits = CommitGroup()
    private(set) var failures: [EventStream: UpstreamError] = [:]
    /// The failure that the drain ends with, where it ends with one.
    private(set) var firstFailure: UpstreamError?

    init(_ source: Source, of file: any UploadFile, _ ahead: ReadAhead<Source>) {
        self.source = source
        self.file = file
        self.ahead = ahead
    }

    /// The stream takes no further part.
    func fail(
        _ stream: EventStream, _ error: UpstreamError, isolation: isolated (any Actor)? = #isolation
    ) async {
        failures[stream] = error
        firstFailure = firstFailure ?? error
        await source.failed(stream, error)
    }

    /// Settles a batch whose COMMIT has waited for the disk, and with it all before.
    func settle(
        _ batch: SettledBatch, by ledger: Ledger, isolation: isolated (any Actor)? = #isolation
    ) async throws {
        for batch in commits.add(batch, by: ledger, isLazy: false) { try await source.settled(batch) }
    }
}

extension Uploader {
    /// Sends all that `source` has: each batch's rows and the ledger in one transaction (in several, one after the
    /// other, when a limit of the server makes that necessary).
    ///
    /// The server never waits for a batch to be read: that happens while it loads the one before. Its COMMIT travels
    /// with the next batch's beginning, so a far server costs two exchanges a batch, and most COMMITs don't wait for the
    /// server's disk: see ``CommitGroup``. Rows that the ledger has already are skipped. Each transaction is written down
    /// in the file while its rows are loaded.
    ///
    /// A stream that fails while the connection stands is left out from then on; `source` hears of it, and the other
    /// streams go on.
    ///
    /// - Throws: What ends the drain for all streams: a lost connection, a ledger that can't be used,
    ///   `CancellationError`, what `source` throws; else, when everything else is upstream, the first stream's failure. The
    ///   transaction under way is rolled back, or its end is unknown and the ledger tells: draining again from the first
    ///   batch that was not settled is always right. What was read ahead is dropped.
    ///
    /// - Parameter file: The file that the rows come from; without one, what this uploader did is all that is known of them.
    public func drain(_ source: some UploadSource, of file: (any UploadFile)? = nil) async throws {
        let file = file ?? NoFile(id: bufferID)
        try await inTurn { try await self.drainInTurn(source, of: file) }
    }

    private func drainInTurn<Source: UploadSource>(_ source: Source, of file: any UploadFile) async throws {
        let ahead = ReadAhead(source) { [configuration] batch in
            UploadParcel(batch, collector: configuration.collector, barTimestamp: configuration.barTimestamp)
        }
        let drain = Drain(source, of: file, ahead)
        do {
            try await send(drain)
            try await settleCommitted(drain)
        } catch {
            abandon()
            _ = await ahead.parcel()
            try? await settleCommitted(drain)
            // What was committed and is not settled is for the ledger to tell.
            if !drain.commits.waiting.isEmpty { forgetPositions() }
            throw error
        }
        if let failure = drain.firstFailure { throw failure }
    }

    /// Settles what was committed before the trouble, when the connection is still there: its server lives then, and
    /// can be made to wait for its disk.
    private func settleCommitted(_ drain: Drain<some UploadSource>) async throws {
        let commits = drain.commits
        guard let connection = standing, let ledger = commits.ledger, let newest = commits.waiting.last,
            let token = commits.token
        else { return }
        // Another server may answer at the same address.
        guard try settledRow(newest.stream, ledger, connection)?.token == token else { return }
        for stream in Set(commits.waiting.map(\.stream)) {
            if let position = positions[stream] { onDisk(position.token, of: stream) }
        }
        for batch in commits.settle() { try await drain.source.settled(batch) }
    }

    private func send(_ drain: Drain<some UploadSource>) async throws {
        // Loaded, and committed with the next batch's beginning where one follows.
        var loaded: UploadTransaction?
        while true {
            let next = await drain.ahead.parcel()
            try Task.checkCancellation()
            if let before = loaded, !mayFollow(next, drain) {
                loaded = nil
                try await commit(before, drain)
            }
            guard let parcel = try next.get() else { return }
            guard parcel.batch.count > 0, drain.failures[parcel.batch.stream] == nil else {
                drain.ahead.readOn(after: [])
                continue
            }
            loaded = try await load(parcel, after: loaded, drain)
        }
    }

    /// Whether a batch is there whose tables can be used, and its place in the ledger known; else what was loaded is
    /// committed alone, before that.
    private func mayFollow(_ next: Result<UploadParcel?, any Error>, _ drain: Drain<some UploadSource>) -> Bool {
        guard case .success(let parcel?) = next, drain.failures[parcel.batch.stream] == nil,
            positions[parcel.batch.stream] != nil, let (_, catalog) = try? connected()
        else { return false }
        return (try? UploadPlan(parcel, in: catalog)) != nil
    }

    /// Commits a batch that none follows.
    private func commit(_ loaded: UploadTransaction, _ drain: Drain<some UploadSource>) async throws {
        do throws(UpstreamError) {
            try loaded.commit()
        } catch {
            forgetPositions(of: [loaded.batch.stream])
            try await giveUp(loaded.batch, because: error, loaded.connection, drain)
            return
        }
        wentUp(loaded.batch.stream, loaded.outcome, loaded.refusals)
        moved(loaded, isOnDisk: true)
        try await drain.settle(loaded.settledBatch, by: loaded.ledger)
    }

    /// The transaction was committed.
    private func moved(_ transaction: UploadTransaction, isOnDisk: Bool) {
        let stream = transaction.batch.stream
        positions[stream] = transaction.end
        if isOnDisk { onDisk(transaction.token, of: stream) }
    }

    /// Ends a stream's part in the drain, for a fault that leaves the connection.
    ///
    /// - Throws: The error where it ends the drain for all: nothing goes over a connection that is gone, and what was
    ///   committed lazily over it may be gone too, whatever another one commits.
    private func giveUp(
        _ batch: BufferedBatch, because error: UpstreamError, _ connection: PostgresConnection,
        _ drain: Drain<some UploadSource>
    ) async throws {
        abandon()
        guard standing === connection else {
            if error.isLostConnection { await drain.fail(batch.stream, error) }
            throw error
        }
        let stumble = Stumble(first: batch.firstSequence ?? 0, error: error)
        stumbles[batch.stream] = stumbles[batch.stream]?.followed(by: stumble) ?? stumble
        await drain.fail(batch.stream, error)
    }

    /// Loads a batch behind the one before, and commits that one on the way.
    ///
    /// - Returns: The transaction to be committed; `nil` when nothing is left to commit.
    private func load(
        _ parcel: UploadParcel, after before: UploadTransaction?, _ drain: Drain<some UploadSource>
    ) async throws -> UploadTransaction? {
        let stream = parcel.batch.stream
        let (connection, catalog) = try connected()
        if before == nil { drain.ahead.readOn(after: []) }
        let plan: UploadPlan
        let start: LedgerPosition
        do throws(UpstreamError) {
            plan = try UploadPlan(parcel, in: catalog)
            let end = before.flatMap { $0.batch.stream == stream ? $0.end : nil }
            if let end { start = end } else { start = try await position(of: stream, with: drain.file) }
        } catch {
            try await giveUp(parcel.batch, because: error, connection, drain)
            return nil
        }
        let transaction = try makeTransaction(parcel.batch, from: start, of: drain.file)
        let isLazy = drain.commits.mayBeLazy() && stumbles[stream] == nil && !catalog.isDistributed
        let began = ContinuousClock.now
        do throws(UpstreamError) {
            transaction.begin(after: before, isLazy: isLazy) {
                if let before { self.wentUp(before.batch.stream, before.outcome, before.refusals) }
                if let before { self.moved(before, isOnDisk: !isLazy) }
                let settled = before.map {
                    drain.commits.add($0.settledBatch, by: $0.ledger, token: $0.token, isLazy: isLazy)
                }
                drain.ahead.readOn(after: settled ?? [])
            }
            prepare(transaction)
            transaction.rows = parcel.batch.count
            transaction.last = parcel.batch.lastSequence ?? 0
            try await load(parcel, plan, in: transaction, drain)
            transaction.took = .now - began
            return transaction
        } catch {
            abandon()
            if let before, !before.isCommitted {
                forgetPositions(of: [before.batch.stream])
                try await giveUp(before.batch, because: error, before.connection, drain)
                guard drain.failures[stream] == nil else {
                    drain.ahead.readOn(after: [])
                    return nil
                }
                return try await load(parcel, after: nil, drain)
            }
            let stands = standing === transaction.connection
            if stands, transaction.isElsewhere {
                try await giveUp(parcel.batch, because: await reason(for: error, stream, drain), connection, drain)
                return nil
            }
            guard stands, transaction.overlaps || mayHelpToSplit(parcel.batch.count, error) else {
                // Before it locks its row, a stream has met nothing but the ledger, which all share.
                guard !stands || transaction.settledSequence != nil || error.reason == .busy else { throw error }
                try await giveUp(parcel.batch, because: timed(error, since: began), transaction.connection, drain)
                return nil
            }
        }
        return try await loadInParts(parcel, transaction, drain)
    }

    /// Why the ledger's row is not where the file left it.
    private func reason(
        for error: UpstreamError, _ stream: EventStream, _ drain: Drain<some UploadSource>
    ) async -> UpstreamError {
        forgetPositions(of: [stream])
        do throws(UpstreamError) {
            _ = try await position(of: stream, with: drain.file)
            return error
        } catch {
            return error
        }
    }

    /// Loads what is not upstream of a batch that overlaps with it, or halves of one that is too large for a limit.
    private func loadInParts(
        _ parcel: UploadParcel, _ transaction: UploadTransaction, _ drain: Drain<some UploadSource>
    ) async throws -> UploadTransaction? {
        let all = 0..<parcel.batch.count
        var outcome = UploadOutcome()
        do throws(UpstreamError) {
            if transaction.overlaps {
                let rest = try await loadRest(parcel, all, drain)
                guard rest.rows == 0 else { return rest }
                outcome = rest.outcome
            } else {
                try await loadHalves(parcel, all, &outcome, drain)
            }
        } catch {
            try await giveUp(parcel.batch, because: error, transaction.connection, drain)
            return nil
        }
        wentUp(parcel.batch.stream, outcome, Refusals())
        try await drain.settle(SettledBatch(parcel.batch, outcome), by: transaction.ledger)
        return nil
    }

    /// Forgets what kept a stream's head from going up.
    private func wentUp(_ stream: EventStream, _ outcome: UploadOutcome, _ refused: Refusals) {
        stumbles[stream] = nil
        if outcome.hasLoaded { refusals[stream] = nil } else { refusals[stream, default: Refusals()].add(refused) }
    }

    /// Has rows that failed before looked at more closely, and a lock that was waited for in vain waited for shortly: the
    /// other streams wait as well.
    private func prepare(_ transaction: UploadTransaction) {
        let batch = transaction.batch
        guard let stumble = stumbles[batch.stream] else { return }
        if stumble.narrows(batch.firstSequence, rows: batch.count) {
            transaction.narrow(stumble, within: configuration.statementTimeout)
        }
        if stumble.sqlState == UpstreamError.lockTimeout {
            transaction.waitForLocks(min(.seconds(1), configuration.statementTimeout / 2))
        }
    }

    /// The error, where the server ended a statement as one that says whether it was at our own limit.
    private func timed(_ error: UpstreamError, since began: ContinuousClock.Instant) -> UpstreamError {
        let isOurs = error.sqlState == UpstreamError.canceled && .now - began >= configuration.statementTimeout * 0.9
        return isOurs ? error.asTooSlow() : error
    }

    /// Loads those rows of a range that are not upstream; of none, no transaction is left open.
    private func loadRest(
        _ parcel: UploadParcel, _ rows: Range<Int>, _ drain: Drain<some UploadSource>
    ) async throws(UpstreamError) -> UploadTransaction {
        let transaction = try makeTransaction(
            parcel.batch, from: try await position(of: parcel.batch.stream, with: drain.file), of: drain.file)
        let fresh = parcel.batch.rows(in: rows, after: try transaction.begin())
        transaction.outcome.skipped = rows.count - fresh.count
        transaction.rows = fresh.count
        transaction.last = parcel.batch.sequence(at: rows.upperBound - 1) ?? 0
        guard !fresh.isEmpty else {
            // Not rolled back: the COMMIT waits until the disk has what the ledger told.
            try transaction.connection.run("COMMIT", "end the transaction")
            return transaction
        }
        let part = parcel.part(fresh)
        try await load(part, try UploadPlan(part, in: transaction.catalog), in: transaction, drain)
        return transaction
    }

    /// Loads and commits halves, and halves of them, each with its place in the ledger.
    private func loadHalves(
        _ parcel: UploadParcel, _ rows: Range<Int>, _ outcome: inout UploadOutcome, _ drain: Drain<some UploadSource>
    ) async throws(UpstreamError) {
        let middle = rows.lowerBound + rows.count / 2
        let connection = standing
        for half in [rows.lowerBound..<middle, middle..<rows.upperBound] {
            do throws(UpstreamError) {
                let transaction = try await loadRest(parcel, half, drain)
                if transaction.rows > 0 {
                    try transaction.commit()
                    moved(transaction, isOnDisk: true)
                }
                outcome.add(transaction.outcome)
            } catch {
                abandon()
                forgetPositions(of: [parcel.batch.stream])
                guard standing === connection, mayHelpToSplit(half.count, error) else { throw error }
                try await loadHalves(parcel, half, &outcome, drain)
            }
        }
    }

    /// 53400: a smaller transaction may keep to the limit.
    private func mayHelpToSplit(_ rows: Int, _ error: UpstreamError) -> Bool { error.reason == .limit && rows > 1 }

    private func makeTransaction(
        _ batch: BufferedBatch, from start: LedgerPosition, of file: any UploadFile
    ) throws(UpstreamError) -> UploadTransaction {
        let (connection, catalog) = try connected()
        let line = file.line
        let transaction = UploadTransaction(
            on: connection, catalog: catalog, ledger: try ledger(in: catalog), batch: batch, from: start,
            fileIDs: [line.id] + line.predecessors.map(\.id))
        transaction.earlierRefusals = setsAside ? nil : refusals[batch.stream] ?? Refusals()
        return transaction
    }

    /// The places of the parcel's rows, without those that are upstream although the ledger says nothing of them; where they
    /// can't be told from another collector's, all.
    private func missing(
        of parcel: UploadParcel, over connection: PostgresConnection, in catalog: Catalog
    ) throws(UpstreamError) -> [Int32] {
        let batch = parcel.batch
        guard batch.stream != .bars, let end = sentAgain[batch.stream], batch.firstSequence ?? .max <= end,
            mayRead(batch.stream, in: catalog)
        else { return parcel.ticks }
        let found = try rowsUpstream(batch, over: connection, in: catalog)
        guard found.isCertain else { return parcel.ticks }
        let there = Set(found.rows.lazy.filter { $0.upstream >= $0.alike }.map(\.sequence))
        return parcel.ticks.filter { place in
            batch.sequence(at: Int(place)).map { $0 > end || !there.contains($0) } ?? true
        }
    }

    private func load(
        _ parcel: UploadParcel, _ plan: UploadPlan, in transaction: UploadTransaction,
        _ drain: Drain<some UploadSource>
    ) async throws(UpstreamError) {
        // The file writes the transaction down while the server loads its rows.
        let (file, move) = (drain.file, move(to: transaction.end, of: parcel.batch.stream))
        async let written: Void = file.prepare(move)
        let ticks = try missing(of: parcel, over: transaction.connection, in: transaction.catalog)
        transaction.outcome.skipped += parcel.ticks.count - ticks.count
        switch plan {
        case _ where parcel.batch.stream != .bars && ticks.isEmpty: try transaction.loadNothing()
        case .bars(let tables):
            transaction.outcome.superseded = parcel.bars.superseded
            for (group, target, order) in tables {
                var choice = choices[group] ?? UploadPathChoice()
                let versions = target.versions(configuration.barConflict)
                try transaction.loadBars(
                    parcel.batch.bars, order[...], into: target, by: versions, from: group.source, parcel.context,
                    choice: &choice)
                choices[group] = choice
            }
        case .trades(let target):
            try transaction.load(parcel.batch.trades, ticks[...], into: target, parcel.context)
        case .quotes(let target):
            try transaction.load(parcel.batch.quotes, ticks[...], into: target, parcel.context)
        case .luld(let target):
            try transaction.load(parcel.batch.limitBands, ticks[...], into: target, parcel.context)
        case .imbalances(let target):
            try transaction.load(parcel.batch.imbalances, ticks[...], into: target, parcel.context)
        case .fairValues(let target):
            try transaction.load(parcel.batch.fairValues, ticks[...], into: target, parcel.context)
        }
        try transaction.confirmRefusals()
        do {
            try await written
        } catch {
            throw UpstreamError(.deadLetters, "write the upload down", String(describing: error))
        }
        guard !transaction.refused.isEmpty else { return }
        do {
            try await drain.source.keep(transaction.refused, of: parcel.batch.stream)
        } catch {
            throw UpstreamError(
                .deadLetters, "keep \(transaction.refused.count) refused rows", String(describing: error))
        }
    }
}

extension SettledBatch {
    fileprivate init(_ batch: BufferedBatch, _ outcome: UploadOutcome, took: Duration = .zero) {
        self.init(stream: batch.stream, last: batch.lastSequence ?? 0, rows: batch.count, outcome: outcome, took: took)
    }
}

extension UploadTransaction {
    /// What to report when the transaction is committed.
    fileprivate var settledBatch: SettledBatch { SettledBatch(batch, outcome, took: took) }
}

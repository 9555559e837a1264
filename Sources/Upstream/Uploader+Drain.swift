import MarketData

extension Uploader {
    /// Sends all that `source` has: each batch's rows and the ledger in one transaction (in several, one after the
    /// other, when a limit of the server makes that necessary).
    ///
    /// The server never waits for a batch to be read: that happens while it loads the one before. Its COMMIT travels
    /// with the next batch's beginning, so a far server costs two exchanges a batch, and most COMMITs don't wait for the
    /// server's disk: see ``CommitGroup``. Rows that the ledger has already are skipped.
    ///
    /// - Throws: any ``UpstreamError/Reason``, `CancellationError`, and what `source` throws. The transaction under way is
    ///   rolled back, or its end is unknown and the ledger tells: draining again from the first batch that was not
    ///   settled is always right. What was read ahead is dropped.
    public func drain(_ source: some UploadSource) async throws {
        try await inTurn { try await self.drainInTurn(source) }
    }

    private func drainInTurn(_ source: some UploadSource) async throws {
        let ahead = ReadAhead(source) { [configuration] batch in
            UploadParcel(batch, collector: configuration.collector, barTimestamp: configuration.barTimestamp)
        }
        let commits = CommitGroup()
        do {
            try await send(ahead, commits, to: source)
        } catch {
            abandon()
            _ = await ahead.parcel()
            try? await settleCommitted(commits, source)
            throw error
        }
    }

    /// Settles what was committed before the trouble, when the connection is still there: its server lives then, and
    /// can be made to wait for its disk.
    private func settleCommitted(_ commits: CommitGroup, _ source: some UploadSource) async throws {
        guard let connection = standing, let ledger = commits.ledger, let newest = commits.waiting.last else { return }
        // Another server may answer at the same address.
        guard try settledSequence(newest.stream, ledger, connection) >= newest.last else { return }
        for batch in commits.settle() { try await source.settled(batch) }
    }

    /// Settles a batch whose COMMIT has waited for the disk, and with it all before.
    private func settle(
        _ batch: SettledBatch, by ledger: Ledger, _ commits: CommitGroup, _ source: some UploadSource
    ) async throws {
        for batch in commits.add(batch, by: ledger, isLazy: false) { try await source.settled(batch) }
    }

    private func send<Source: UploadSource>(
        _ ahead: ReadAhead<Source>, _ commits: CommitGroup, to source: Source
    ) async throws {
        // Loaded, and committed with the next batch's beginning where one follows.
        var loaded: UploadTransaction?
        while true {
            let next = await ahead.parcel()
            try Task.checkCancellation()
            if let before = loaded, !mayFollow(next) {
                loaded = nil
                try before.commit()
                try await settle(before.settledBatch, by: before.ledger, commits, source)
            }
            guard let parcel = try next.get() else { return }
            guard parcel.batch.count > 0 else {
                ahead.readOn(after: [])
                continue
            }
            loaded = try await load(parcel, after: loaded, ahead, commits, source)
        }
    }

    /// Whether a batch is there whose tables can be used; else what was loaded is committed alone, before the trouble.
    private func mayFollow(_ next: Result<UploadParcel?, any Error>) -> Bool {
        guard case .success(let parcel?) = next, let (_, catalog) = try? connected() else { return false }
        return (try? UploadPlan(parcel, in: catalog)) != nil
    }

    /// Loads a batch behind the one before, and commits that one on the way.
    ///
    /// - Returns: The transaction to be committed; `nil` when nothing is left to commit.
    private func load<Source: UploadSource>(
        _ parcel: UploadParcel, after before: UploadTransaction?, _ ahead: ReadAhead<Source>, _ commits: CommitGroup,
        _ source: Source
    ) async throws -> UploadTransaction? {
        let transaction = try makeTransaction(parcel.batch)
        let plan = try UploadPlan(parcel, in: transaction.catalog)
        if before == nil { ahead.readOn(after: []) }
        let isLazy = commits.mayBeLazy()
        do throws(UpstreamError) {
            transaction.begin(after: before, isLazy: isLazy) {
                let settled = before.map { commits.add($0.settledBatch, by: $0.ledger, isLazy: isLazy) }
                ahead.readOn(after: settled ?? [])
            }
            transaction.rows = parcel.batch.count
            transaction.last = parcel.batch.lastSequence ?? 0
            try await load(parcel, plan, in: transaction, source)
            return transaction
        } catch {
            abandon()
            // What was committed lazily over a connection that is gone may be gone too, whatever another one commits.
            guard standing === transaction.connection else { throw error }
            guard before?.isCommitted ?? true, transaction.overlaps || mayHelpToSplit(parcel.batch.count, error) else {
                throw error
            }
        }
        if !transaction.overlaps {
            var outcome = UploadOutcome()
            try await loadHalves(parcel, 0..<parcel.batch.count, &outcome, source)
            try await settle(SettledBatch(parcel.batch, outcome), by: transaction.ledger, commits, source)
            return nil
        }
        let rest = try await loadRest(parcel, 0..<parcel.batch.count, source)
        guard rest.rows == 0 else { return rest }
        try await settle(rest.settledBatch, by: rest.ledger, commits, source)
        return nil
    }

    /// Loads those rows of a range that are not upstream; of none, no transaction is left open.
    private func loadRest(
        _ parcel: UploadParcel, _ rows: Range<Int>, _ source: some UploadSource
    ) async throws(UpstreamError) -> UploadTransaction {
        let transaction = try makeTransaction(parcel.batch)
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
        try await load(part, try UploadPlan(part, in: transaction.catalog), in: transaction, source)
        return transaction
    }

    /// Loads and commits halves, and halves of them, each with its place in the ledger.
    private func loadHalves(
        _ parcel: UploadParcel, _ rows: Range<Int>, _ outcome: inout UploadOutcome, _ source: some UploadSource
    ) async throws(UpstreamError) {
        let middle = rows.lowerBound + rows.count / 2
        let connection = standing
        for half in [rows.lowerBound..<middle, middle..<rows.upperBound] {
            do throws(UpstreamError) {
                let transaction = try await loadRest(parcel, half, source)
                if transaction.rows > 0 { try transaction.commit() }
                outcome.add(transaction.outcome)
            } catch {
                abandon()
                guard standing === connection, mayHelpToSplit(half.count, error) else { throw error }
                try await loadHalves(parcel, half, &outcome, source)
            }
        }
    }

    /// 53400: a smaller transaction may keep to the limit.
    private func mayHelpToSplit(_ rows: Int, _ error: UpstreamError) -> Bool { error.reason == .limit && rows > 1 }

    private func makeTransaction(_ batch: BufferedBatch) throws(UpstreamError) -> UploadTransaction {
        let (connection, catalog) = try connected()
        return UploadTransaction(on: connection, catalog: catalog, ledger: try ledger(in: catalog), batch: batch)
    }

    private func load(
        _ parcel: UploadParcel, _ plan: UploadPlan, in transaction: UploadTransaction, _ source: some UploadSource
    ) async throws(UpstreamError) {
        switch plan {
        case .bars(let tables):
            transaction.outcome.superseded = parcel.bars.superseded
            for (interval, target, order) in tables {
                var choice = choices[interval] ?? UploadPathChoice()
                try transaction.loadBars(
                    parcel.batch.bars, order[...], into: target, parcel.context, choice: &choice)
                choices[interval] = choice
            }
        case .trades(let target):
            try transaction.load(parcel.batch.trades, parcel.ticks[...], into: target, parcel.context)
        case .quotes(let target):
            try transaction.load(parcel.batch.quotes, parcel.ticks[...], into: target, parcel.context)
        }
        guard !transaction.refused.isEmpty else { return }
        do {
            try await source.keep(transaction.refused, of: parcel.batch.stream)
        } catch {
            throw UpstreamError(
                .deadLetters, "keep \(transaction.refused.count) refused rows", String(describing: error))
        }
    }
}

extension SettledBatch {
    fileprivate init(_ batch: BufferedBatch, _ outcome: UploadOutcome) {
        self.init(stream: batch.stream, last: batch.lastSequence ?? 0, rows: batch.count, outcome: outcome)
    }
}

extension UploadTransaction {
    /// What to report when the transaction is committed.
    fileprivate var settledBatch: SettledBatch { SettledBatch(batch, outcome) }
}

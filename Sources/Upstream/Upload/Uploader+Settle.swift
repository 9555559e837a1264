import FoundationEssentials
public import MarketData

/// Finds out how far a file's uploads are, before the first row goes over a connection: docs/design/ledger.md, "Settling".
extension Uploader {
    /// Settles a stream with the ledger; returns at once when that was done over this connection.
    ///
    /// - Parameter isTakeover: Whether a person decided: what another copy took over is taken back. Each row that waits
    ///   then is looked up before it goes, and left out where it is upstream.
    /// - Throws: reason `ledger` when a person must decide; any ``UpstreamError/Reason``.
    public func settle(
        _ stream: EventStream, with file: some UploadFile, isTakeover: Bool = false
    ) async throws(UpstreamError) {
        try await inTurn { () throws(UpstreamError) in
            _ = try self.connected()
            guard isTakeover || !self.settled.contains(stream) else { return }
            try await self.settleInTurn(stream, with: file, isTakeover: isTakeover)
            if isTakeover { self.sentAgain[stream] = file.marks(of: stream).last }
        }
    }

    /// Makes sure that the ledger's row is where uploads of a stream begin.
    func position(
        of stream: EventStream, with file: any UploadFile
    ) async throws(UpstreamError) -> LedgerPosition {
        if let position = positions[stream] { return position }
        try await settleInTurn(stream, with: file, needsRow: true)
        guard let position = positions[stream] else {
            throw UpstreamError(.ledger, "settle with the ledger", "it has no place for \(stream.rawValue)")
        }
        return position
    }

    private func settleInTurn(
        _ stream: EventStream, with file: any UploadFile, isTakeover: Bool = false, needsRow: Bool = false
    ) async throws(UpstreamError) {
        // Rows that are to be sent again change what is asked for.
        for _ in 0..<3 {
            do throws(UpstreamError) {
                if try await settleOnce(stream, file, isTakeover, needsRow) { return }
            } catch {
                abandon()
                positions[stream] = nil
                throw error
            }
        }
        throw UpstreamError(.busy, "settle with the ledger", "it changes while it is read")
    }

    /// - Returns: Whether all is settled; `false` when rows wait again.
    private func settleOnce(
        _ stream: EventStream, _ file: any UploadFile, _ isTakeover: Bool, _ needsRow: Bool
    ) async throws(UpstreamError) -> Bool {
        let (connection, catalog) = try connected()
        let ledger = try ledger(in: catalog)
        let view = try lock(stream, file, ledger, connection)
        switch view.standing {
        case .own(let position) where !isTakeover:
            try connection.run("\(Ledger.waitSQL); COMMIT", "settle with the ledger")
            try await tell(file) { try await $0.acknowledge(stream, through: position.sequence) }
            begin(stream, at: position)
            return true
        case .taken(let id) where !isTakeover: throw try rivalry(id, ledger, connection)
        default: break
        }
        let settling = Settling(view: view, file: file, catalog: catalog, ledger: ledger, connection: connection)
        var acknowledged = view.marks.acknowledged
        var isRestored = false
        if case .foreign(let sequence) = view.standing, !isTakeover {
            guard try await holds(settling, through: sequence) else {
                throw UpstreamError(
                    .ledger, "settle \(stream.rawValue) with the ledger",
                    "another process uploads under this file's identifier, through \(sequence): a machine was copied while it ran",
                    object: "table edgetick_uploads")
            }
            acknowledged = sequence
            isRestored = true
        } else if !isTakeover {
            switch try await prove(settling) {
            case .sound: break
            case .ledgerLost: isRestored = true
            case .rowsLost(let through):
                try connection.run("ROLLBACK", "roll back")
                try await tell(file) { try await $0.takeBack(stream, to: through) }
                return false
            }
            if view.rows[view.line.id]?.isUsed != true {
                acknowledged = try await settleRemainder(settling)
                acknowledged = try await lookUpWaiting(settling, after: acknowledged)
            }
        }
        guard needsRow || isTakeover || isRestored || acknowledged < view.marks.last || !view.remainder.isEmpty else {
            try connection.run("ROLLBACK", "roll back")
            settled.insert(stream)
            return true
        }
        try await place(settling, at: acknowledged)
        return true
    }

    /// Locks the stream's row and those of identifiers with rows that are left, and reads the others.
    private func lock(
        _ stream: EventStream, _ file: any UploadFile, _ ledger: Ledger, _ connection: PostgresConnection
    ) throws(UpstreamError) -> LedgerView {
        var line = file.line
        for token in made[stream] ?? [] { line.add(token, of: stream, under: line.id) }
        let marks = file.marks(of: stream)
        let all = line.predecessors(of: stream)
        let left = all.filter { $0.through > marks.acknowledged }.map(\.id)
        let others = all.map(\.id).filter { !left.contains($0) }
        // All boxes lock in one order, oldest first.
        var sql = [ledger.beginSQL] + (left + [line.id]).map { ledger.lockSQL(stream, of: $0) }
        if !others.isEmpty { sql.append(ledger.readSQL(stream, of: others)) }
        let results = try connection.run(sql.joined(separator: "; "), "lock the ledger")
        var rows: [String: LedgerRow] = [:]
        let locked = results.filter { $0.tag.hasPrefix("INSERT") }.map(\.rows)
        for (id, found) in zip(left + [line.id], locked) {
            guard let row = found.first.flatMap({ LedgerRow($0[...]) }) else {
                throw UpstreamError(
                    .schema, "lock the ledger", "its row can't be read back", object: "table edgetick_uploads")
            }
            rows[id] = row
        }
        for found in others.isEmpty ? [] : results.last?.rows ?? [] {
            if let id = found.first, let id, let row = LedgerRow(found.dropFirst()) { rows[id] = row }
        }
        return LedgerView(line: line, stream: stream, marks: marks, rows: rows)
    }

    /// Writes the file's own row, takes over what earlier identifiers left, and forgets the oldest of them.
    private func place(_ settling: Settling, at acknowledged: Int64) async throws(UpstreamError) {
        let (view, file, stream) = (settling.view, settling.file, settling.view.stream)
        let position = LedgerPosition(sequence: acknowledged, token: UUID().uuidString.lowercased())
        let move = move(to: position, of: stream)
        try await tell(file) { try await $0.prepare(move) }
        let forgotten = view.forgotten(acknowledged: acknowledged)
        var sql = [settling.ledger.placeSQL(stream, at: position)]
        sql += settling.claimed.map { settling.ledger.claimSQL(stream, from: $0) }
        sql += forgotten.done.map { settling.ledger.forgetSQL(stream, $0) }
        do throws(UpstreamError) {
            try settling.connection.run(
                (sql + [Ledger.waitSQL, "COMMIT"]).joined(separator: "; "), "settle with the ledger")
        } catch {
            guard error.sqlState == Ledger.wasNotMoved else { throw error }
            throw UpstreamError(
                .schema, "settle with the ledger",
                "its row was not written: a rule, trigger or policy is in the way", object: "table edgetick_uploads")
        }
        try await tell(file) { file throws in
            try await file.acknowledge(stream, through: acknowledged)
            try await file.forget(forgotten.ids, of: stream)
        }
        begin(stream, at: position)
    }

    private func begin(_ stream: EventStream, at position: LedgerPosition) {
        positions[stream] = position
        settled.insert(stream)
        onDisk(position.token, of: stream)
    }

    /// What the file is to write down before a transaction's COMMIT is sent.
    func move(to end: LedgerPosition, of stream: EventStream) -> UploadMove {
        let move = UploadMove(stream: stream, token: end.token, through: end.sequence, settled: made[stream]?.first)
        made[stream, default: []].append(end.token)
        return move
    }

    /// The newest transaction that is known to be on the server's disk: none from before it can come back.
    func onDisk(_ token: String, of stream: EventStream) {
        guard let place = made[stream]?.firstIndex(of: token) else { return made[stream] = [token] }
        made[stream]?.removeFirst(place)
    }

    private func tell(
        _ file: any UploadFile, _ body: (any UploadFile) async throws -> Void
    ) async throws(UpstreamError) {
        do {
            try await body(file)
        } catch {
            throw UpstreamError(.deadLetters, "write down what is uploaded", String(describing: error))
        }
    }
}

/// A stream whose ledger rows are locked.
private final class Settling {
    let view: LedgerView
    let file: any UploadFile
    let catalog: Catalog
    let ledger: Ledger
    let connection: PostgresConnection
    /// Earlier identifiers that this one takes over from.
    var claimed: [String] = []

    init(
        view: LedgerView, file: any UploadFile, catalog: Catalog, ledger: Ledger, connection: PostgresConnection
    ) {
        self.view = view
        self.file = file
        self.catalog = catalog
        self.ledger = ledger
        self.connection = connection
    }

    /// Bars are the same however often they are sent, and are never looked up.
    var isTicks: Bool { view.stream != .bars }

    /// Whether a row that is sent twice may be there twice.
    var mayDouble: Bool {
        guard isTicks, let shape = TableShape.targets.first(where: { $0.name == view.stream.rawValue }) else {
            return false
        }
        return catalog.tables[shape.name].flatMap(shape.identity)?.isWhole != true
    }
}

// MARK: - Proof, remainder, waiting rows

extension Uploader {
    private enum Proof {
        case sound
        /// The rows are there, and the ledger's row is not.
        case ledgerLost
        /// Rows behind a sequence are not there any more.
        case rowsLost(after: Int64)
    }

    private func prove(_ settling: Settling) async throws(UpstreamError) -> Proof {
        let view = settling.view
        let acknowledged = view.marks.acknowledged
        let proof = view.proof
        let end = min(proof.through, acknowledged)
        if !proof.isOurs, settling.isTicks, end > 0 {
            // A copy may have moved the ledger there: then the last row is one of its own.
            let found = try await lookUp(settling, after: end - 100, through: end)
            if found.last == false {
                throw needsPerson(
                    settling, "row \(end) counts as uploaded and is not there, and the ledger's position is a copy's")
            }
        }
        guard acknowledged > proof.through else { return .sound }
        guard settling.isTicks else { return .rowsLost(after: proof.through) }
        let found = try await lookUp(settling, after: proof.through, through: acknowledged)
        let there = found.count { $0 }
        if there == 0 { return .rowsLost(after: proof.through) }
        guard there < found.count else { return .ledgerLost }
        guard settling.mayDouble else { return .rowsLost(after: proof.through) }
        throw needsPerson(
            settling,
            "rows through \(acknowledged) count as uploaded, the ledger proves \(proof.through), and of the \(found.count) "
                + "between, \(there) are there")
    }

    /// Whether all rows through a position that the file knows nothing of are its own, and upstream: then the move there
    /// was one of its own, forgotten since, and the database was restored to it. Of a copy's rows, none is in this file.
    private func holds(_ settling: Settling, through sequence: Int64) async throws(UpstreamError) -> Bool {
        guard settling.isTicks, sequence <= settling.view.marks.last else { return false }
        let found = try await lookUp(
            settling, after: settling.view.marks.acknowledged, through: sequence, of: .own)
        return !found.isEmpty && found.allSatisfy { $0 }
    }

    /// Takes over what earlier identifiers left.
    ///
    /// - Returns: How far it is upstream.
    private func settleRemainder(_ settling: Settling) async throws(UpstreamError) -> Int64 {
        let view = settling.view
        guard let end = view.remainder.map(\.through).max() else { return view.marks.acknowledged }
        guard let rival = view.rival else {
            settling.claimed = view.remainder.filter { view.rows[$0.id]?.successor == nil }.map(\.id)
            return view.settledRemainder
        }
        // Bars that two copies send are the same bars.
        guard settling.isTicks else { return view.marks.acknowledged }
        let found = try await lookUp(settling, after: view.marks.acknowledged, through: end)
        guard found.allSatisfy({ $0 }) else { throw try rivalry(rival, settling.ledger, settling.connection) }
        return end
    }

    /// Looks up whether rows that wait are there all the same, sent by a copy of which the ledger knows nothing any more.
    /// Rows go up in order: if the first ones aren't there, none is.
    private func lookUpWaiting(_ settling: Settling, after start: Int64) async throws(UpstreamError) -> Int64 {
        let last = settling.view.marks.last
        guard settling.mayDouble, start < last, mayRead(settling.view.stream, in: settling.catalog) else {
            return start
        }
        var end = start
        while end < last {
            let limit = end == start ? 100 : 1000
            let (found, through) = try await lookUpPart(settling, after: end, through: last, limit: limit)
            guard let missing = found.firstIndex(where: { !$0.isThere }) else {
                end = through
                continue
            }
            guard found[missing...].allSatisfy({ !$0.isThere }) else {
                throw needsPerson(settling, "of the rows that wait some are there, with others missing between them")
            }
            return missing == 0 ? end : found[missing - 1].sequence
        }
        return end
    }

    /// Whether the rows are there, of those that were not refused, in order.
    private func lookUp(
        _ settling: Settling, after start: Int64, through end: Int64, of whose: RowOwner = .anybody
    ) async throws(UpstreamError) -> [Bool] {
        var all: [Bool] = []
        var position = max(0, start)
        while position < end {
            let (found, through) = try await lookUpPart(
                settling, after: position, through: end, limit: 1000, of: whose)
            all += found.map(\.isThere)
            position = through
        }
        return all
    }

    private func lookUpPart(
        _ settling: Settling, after start: Int64, through end: Int64, limit: Int, of whose: RowOwner = .anybody
    ) async throws(UpstreamError) -> (found: [(sequence: Int64, isThere: Bool)], through: Int64) {
        let stream = settling.view.stream
        let batch: BufferedBatch
        let refused: [ClosedRange<Int64>]
        do {
            batch = try await settling.file.rows(of: stream, after: start, through: end, limit: limit)
            refused = try await settling.file.refusedRows(of: stream, after: start, through: end)
        } catch {
            throw UpstreamError(.deadLetters, "read rows to look up", String(describing: error))
        }
        guard let last = batch.lastSequence else { return ([], end) }
        let present = try rowsUpstream(batch, of: whose, over: settling.connection, in: settling.catalog).present
        let sequences = (0..<batch.count).compactMap { batch.sequence(at: $0) }
        let found = sequences.filter { sequence in !refused.contains { $0.contains(sequence) } }
        return (found.map { ($0, present.contains($0)) }, batch.count < limit ? end : last)
    }

    /// Whether this user may look rows up at all; who may not has never been asked to.
    func mayRead(_ stream: EventStream, in catalog: Catalog) -> Bool {
        catalog.tables[stream.rawValue]?.columns.allSatisfy(\.canSelect) ?? false
    }

    private func needsPerson(_ settling: Settling, _ text: String) -> UpstreamError {
        UpstreamError(
            .ledger, "settle \(settling.view.stream.rawValue) with the ledger", text,
            object: "table \(settling.view.stream.rawValue)")
    }

    private func rivalry(
        _ id: String, _ ledger: Ledger, _ connection: PostgresConnection
    ) throws(UpstreamError) -> UpstreamError {
        let row = try connection.ask(ledger.collectorSQL(of: id), "read the ledger").last?.rows.first
        let name = (row?.first ?? nil).map { "collector \($0), " } ?? ""
        return UpstreamError(
            .ledger, "settle with the ledger",
            "another copy of this file has taken over its upload: \(name)identifier \(id)",
            object: "table edgetick_uploads")
    }
}

import FoundationEssentials
import MarketData

/// Finds out how far a stream has been uploaded, before its first row goes over a connection: docs/design/ledger.md,
/// "Settling".
struct Settlement {
    let stream: EventStream
    let file: any UploadFile
    let session: UploadSession
    /// Whether a person decided to take back what another copy took over. Each waiting row is then looked up before it
    /// is sent, and left out if it is upstream.
    var isTakeover = false
    /// Whether to create the ledger's row in any case, because rows follow.
    var needsRow = false

    /// Settles the stream; afterwards the session knows its place.
    ///
    /// - Throws: reason `ledger` when a person must decide; any ``UpstreamError/Reason``.
    nonisolated(nonsending) func run() async throws(UpstreamError) {
        // If rows are taken back, the ledger must be read again.
        for _ in 0..<3 {
            do throws(UpstreamError) {
                if try await settle() { return }
            } catch {
                session.abandon()
                session.places.forget([stream])
                throw error
            }
        }
        throw UpstreamError(.busy, "settle with the ledger", "it changed each time it was read")
    }

    /// - Returns: whether all is settled; `false` if rows were taken back and wait again.
    private nonisolated(nonsending) func settle() async throws(UpstreamError) -> Bool {
        let (connection, catalog) = try session.connected()
        let ledger = try session.ledger(in: catalog)
        let lost = try await withFile("read which rows are lost") { try await $0.lostRows(of: stream) }
        let view = try lock(ledger, connection, lost)
        let evidence = LedgerEvidence(
            view: view, file: file, ledger: ledger, connection: connection, catalog: catalog,
            configuration: session.configuration)
        if let start = view.lossStart { return try await takeBack(to: start, over: connection) }
        var acknowledged = view.marks.acknowledged
        var claimed: [String] = []
        var needsPlacing = false
        switch view.standing {
        case _ where isTakeover: break
        case .own(let position) where !view.tellsLost && ledger.tellsLost:
            acknowledged = position.sequence
            needsPlacing = true
        case .own(let position):
            try connection.run("\(Ledger.waitSQL); COMMIT", "settle with the ledger")
            try await withFile { try await $0.acknowledge(stream, through: position.sequence) }
            session.places.settle(stream, at: position)
            return true
        case .taken(let id): throw try evidence.rivalry(with: id)
        case .foreign(let sequence):
            guard try await evidence.holds(through: sequence) else {
                throw UpstreamError(
                    .ledger, "settle \(stream.rawValue) with the ledger",
                    "another process has uploaded under this file's identifier, through row \(sequence): "
                        + "this machine was probably cloned while the collector ran", object: Ledger.object)
            }
            acknowledged = sequence
            needsPlacing = true
        case .unproven:
            switch try await evidence.proof() {
            case .sound: break
            case .ledgerLost: needsPlacing = true
            case .rowsLost(let through):
                let isUncertain = try await evidence.mayHaveBeenSent(after: acknowledged)
                return try await takeBack(to: through, over: connection, isUncertain: isUncertain)
            }
            if view.rows[view.line.id]?.isUsed != true {
                (acknowledged, claimed) = try await evidence.remainder()
                acknowledged = try await evidence.waiting(after: acknowledged)
            }
        }
        let isWaiting = max(acknowledged, view.marks.deleted) < view.marks.last
        guard needsRow || isTakeover || needsPlacing || isWaiting || !view.remainder.isEmpty else {
            try connection.run("ROLLBACK", "roll back")
            session.places.settle(stream)
            return true
        }
        try await place(view, at: acknowledged, claiming: claimed, ledger, connection)
        return true
    }

    /// - Parameter isUncertain: whether some of the rows that wait then may be upstream.
    /// - Returns: `false`, because rows wait again.
    private nonisolated(nonsending) func takeBack(
        to sequence: Int64, over connection: PostgresConnection, isUncertain: Bool = false
    ) async throws(UpstreamError) -> Bool {
        try connection.run("ROLLBACK", "roll back")
        try await withFile {
            try await $0.agree(withLedger: [stream: sequence], uncertain: isUncertain ? [stream] : [])
        }
        return false
    }

    /// Locks the stream's row and those of earlier identifiers with remaining rows, and reads the other rows.
    private func lock(
        _ ledger: Ledger, _ connection: PostgresConnection, _ lost: ClosedRange<Int64>?
    ) throws(UpstreamError) -> LedgerView {
        var line = file.line
        for token in session.places.tokens(of: stream) { line.add(token, of: stream, under: line.id) }
        let marks = file.marks(of: stream)
        let left = line.remainder(of: stream, behind: marks).map(\.id)
        let others = line.predecessors(of: stream).map(\.id).filter { !left.contains($0) }
        // All boxes lock in the same order, oldest first, so that they can't deadlock.
        var sql = [ledger.beginSQL] + (left + [line.id]).map { ledger.lockSQL(stream, of: $0) }
        if !others.isEmpty { sql.append(ledger.readSQL(stream, of: others)) }
        let results = try connection.run(sql.joined(separator: "; "), "lock the ledger")
        var rows: [String: LedgerRow] = [:]
        let locked = results.filter { $0.tag.hasPrefix("INSERT") }.map(\.rows)
        for (id, found) in zip(left + [line.id], locked) {
            guard let row = found.first.flatMap({ LedgerRow($0) }) else { throw Ledger.unreadable }
            rows[id] = row
        }
        for found in others.isEmpty ? [] : results.last?.rows ?? [] {
            if let id = found.first, let id, let row = LedgerRow(Array(found.dropFirst())) { rows[id] = row }
        }
        return LedgerView(line: line, stream: stream, marks: marks, rows: rows, lost: lost)
    }

    /// Writes the file's own row, takes over the remainder of earlier identifiers, and forgets the oldest of them.
    private nonisolated(nonsending) func place(
        _ view: LedgerView, at acknowledged: Int64, claiming claimed: [String], _ ledger: Ledger,
        _ connection: PostgresConnection
    ) async throws(UpstreamError) {
        let position = LedgerPosition(sequence: acknowledged, token: UUID().uuidString.lowercased())
        let move = session.places.prepare(stream, to: position)
        try await withFile { try await $0.prepare(move) }
        let forgotten = view.forgotten(acknowledged: acknowledged)
        var sql = [ledger.placeSQL(stream, at: position, lost: view.lost)]
        sql += claimed.map { ledger.claimSQL(stream, from: $0, lost: view.lost) }
        if ledger.table.canDelete { sql += forgotten.done.map { ledger.forgetSQL(stream, $0) } }
        do throws(UpstreamError) {
            try connection.run((sql + [Ledger.waitSQL, "COMMIT"]).joined(separator: "; "), "settle with the ledger")
        } catch {
            throw Ledger.explained(error, "settle with the ledger")
        }
        try await withFile { file throws in
            try await file.acknowledge(stream, through: acknowledged)
            try await file.forget(forgotten.ids, of: stream)
        }
        session.places.settle(stream, at: position)
    }

    private nonisolated(nonsending) func withFile<Value: Sendable>(
        _ operation: String = "record what is uploaded", _ body: (any UploadFile) async throws -> Value
    ) async throws(UpstreamError) -> Value {
        do {
            return try await body(file)
        } catch {
            throw UpstreamError(.file, operation, String(describing: error))
        }
    }
}

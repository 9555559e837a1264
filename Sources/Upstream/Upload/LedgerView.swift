import MarketData

/// What the ledger's rows for one file and stream mean. Pure: looking up rows is left to ``LedgerEvidence``.
struct LedgerView {
    let line: UploadLine
    let stream: EventStream
    let marks: UploadMarks
    /// The ledger's rows by identifier; missing rows are left out.
    let rows: [String: LedgerRow]
    /// The rows that the file counts as lost upstream.
    let lost: ClosedRange<Int64>?

    /// The state of the file's own row.
    enum Standing: Equatable {
        /// The last transaction was this file's; rows through the position are upstream.
        case own(LedgerPosition)
        /// Another copy took over.
        case taken(by: String)
        /// It is beyond what was acknowledged, moved by a transaction that this file doesn't know.
        case foreign(at: Int64)
        /// It is missing, has no token or is behind what was acknowledged; or a transaction that this file doesn't know
        /// left it exactly there: a forgotten one of its own that a restored database brought back, or a copy's.
        case unproven
    }

    var standing: Standing {
        guard let own = rows[line.id] else { return .unproven }
        if let successor = own.successor { return .taken(by: successor) }
        guard let token = own.token, own.sequence >= marks.acknowledged else { return .unproven }
        if line.made(token, of: stream, under: line.id) {
            return .own(LedgerPosition(sequence: own.sequence, token: token))
        }
        return own.sequence > marks.acknowledged ? .foreign(at: own.sequence) : .unproven
    }

    /// The sequence through which rows are upstream, according to the newest identifier that uploaded any; and whether
    /// this file moved the ledger there, not a copy of it.
    var proof: (through: Int64, isOurs: Bool) {
        if let own = rows[line.id], own.isUsed { return (own.sequence, isOurs(own, under: line.id)) }
        for predecessor in line.predecessors(of: stream).reversed() {
            guard let row = rows[predecessor.id], row.isUsed else { continue }
            return (min(row.sequence, predecessor.through), isOurs(row, under: predecessor.id))
        }
        return (0, true)
    }

    /// Whether the file's own row records all that the file counts as lost.
    var tellsLost: Bool {
        guard let lost else { return true }
        guard let recorded = rows[line.id]?.lost else { return false }
        return recorded.lowerBound <= lost.lowerBound && recorded.upperBound >= lost.upperBound
    }

    /// The sequence after which another file of this line counts rows as lost that count as uploaded in this one. Taken
    /// from the newest row of the line, if another file wrote or claimed it; `nil` if there are none.
    var lossStart: Int64? {
        let ids = [line.id] + line.predecessors(of: stream).reversed().map(\.id)
        let newest = ids.lazy.compactMap { id in self.rows[id].map { (id, $0) } }.first { $1.isUsed || $1.lost != nil }
        guard let (id, row) = newest, let other = row.lost, other.lowerBound <= marks.acknowledged else { return nil }
        let isClaimed = row.successor.map { !line.contains($0) } ?? false
        guard isClaimed || !row.isUsed || !isOurs(row, under: id) else { return nil }
        let end = min(other.upperBound, marks.acknowledged)
        if let lost, lost.lowerBound <= other.lowerBound, lost.upperBound >= end { return nil }
        return other.lowerBound - 1
    }

    /// The last sequence that files of this line count as lost. Before it, another file may lack rows that this one
    /// has, and may have sent the rows after them.
    var lossEnd: Int64 { rows.values.compactMap { $0.lost?.upperBound }.max() ?? 0 }

    /// Earlier identifiers with waiting rows, oldest first.
    var remainder: [UploadLine.Predecessor] { line.remainder(of: stream, behind: marks) }

    /// The identifier of another copy that took the remainder over, if one did.
    var rival: String? { remainder.lazy.compactMap { self.rows[$0.id]?.successor }.first { !line.contains($0) } }

    /// How far the file's own transactions have uploaded the remainder.
    var settledRemainder: Int64 {
        // Earlier transactions prove nothing of rows that a person has sent again: these are looked up batch by batch.
        guard marks.sentAgain <= marks.acknowledged else { return marks.acknowledged }
        var settled = marks.acknowledged
        for predecessor in remainder {
            guard let row = rows[predecessor.id], row.isUsed, isOurs(row, under: predecessor.id) else { continue }
            settled = max(settled, min(row.sequence, predecessor.through))
        }
        return settled
    }

    /// Identifiers that the file forgets, and those of them that have no rows left to upload.
    func forgotten(acknowledged: Int64) -> (ids: [String], done: [String]) {
        let all = line.predecessors(of: stream)
        let old = all.prefix(max(0, all.count - UploadLine.mostPredecessors))
        return (old.map(\.id), old.filter { $0.through <= acknowledged }.map(\.id))
    }

    /// Whether this file moved the row. Of a version without tokens, only the position counts.
    private func isOurs(_ row: LedgerRow, under id: String) -> Bool {
        row.token.map { line.made($0, of: stream, under: id) } ?? true
    }
}

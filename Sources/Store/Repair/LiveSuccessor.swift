import GRDB
import MarketData

/// The file with which a collector continued when it set a damaged one aside. It had the same identifier then, so the
/// ledger upstream applies to both. The rows that waited in the damaged file were recorded as dropped, unless that could
/// not be read any more when the next file was set aside too.
struct LiveSuccessor {
    /// Whether it says which rows waited in the damaged file.
    private(set) var isTold = false
    private var waiting: [EventStream: [ClosedRange<Int64>]] = [:]
    /// The first row of each stream that the successor counts as lost by the database, if it counts any.
    private(set) var lost: [EventStream: Int64] = [:]

    /// `nil` if the file in use in the same directory does not continue the damaged one, or is the damaged one itself.
    init?(of id: String, besides path: String) throws(StoreError) {
        let file = StoreFile(path: path, kind: .ticks)
        let live = StoreFile(.ticks, in: file.directory)
        guard !live.isSame(as: file), case .ours? = try? live.inspect() else { return nil }
        let found: (isNamed: Bool, drops: [Row])? = try StoreConnection.reading(live.path) { reader in
            try reader.read { database -> (isNamed: Bool, drops: [Row])? in
                // It is recognised by its identifier. If it was opened since, it has another one: then by a
                // predecessor's, and by the incident that names the damaged file.
                let isSame = try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM buffer WHERE id = ?)", arguments: [id])
                let isNamed =
                    try Bool.fetchOne(
                        database,
                        sql: """
                            SELECT EXISTS (SELECT 1 FROM incidents WHERE what = ?3 AND instr(detail, ?2) > 0) AND EXISTS (
                                SELECT 1 FROM buffer WHERE id = ?1 UNION ALL SELECT 1 FROM predecessors WHERE id = ?1)
                            """,
                        arguments: [id, path.split(separator: "/").last.map { "/\($0): " } ?? "", Incident.setAside])
                    ?? false
                guard isSame == true || isNamed else { return nil }
                let drops = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT stream, reason, first_seq, last_seq FROM drops WHERE \(DropReason.concernsSuccessor)
                        """)
                return (isNamed, drops)
            }
        }
        guard let found else { return nil }
        isTold = found.isNamed
        for row in found.drops.map(Cells.init) {
            guard let stream = row["stream"].flatMap({ EventStream(rawValue: $0) }),
                let span = row.sequences("first_seq", "last_seq")
            else { continue }
            if row["reason"] == DropReason.upstreamLost.rawValue {
                lost[stream] = min(lost[stream] ?? .max, span.lowerBound)
            } else {
                waiting[stream, default: []].append(span)
            }
        }
    }

    /// Returns the last sequence that was upstream when a file whose rows end at `last` was set aside.
    func uploaded(_ stream: EventStream, through last: Int64) -> Int64 {
        // Rows through `last` that were not recorded as waiting were upstream.
        let spans = (waiting[stream] ?? []).filter { $0.lowerBound <= last && $0.upperBound >= last }
        return spans.map { $0.lowerBound - 1 }.min() ?? last
    }
}

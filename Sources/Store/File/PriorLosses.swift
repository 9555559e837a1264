import GRDB
import MarketData

/// What a buffer's file records about the files before it, and about rows that upstream lost. A successor that continues
/// its numbering records the same, because `edgetick repair` and the comparison with the ledger need it.
struct PriorLosses: Sendable, Equatable {
    private(set) var drops = DropTally()
    private(set) var incidents: [Incident] = []

    /// How many of each are taken over at most; the newest are preferred.
    private static let most = 1000

    /// The value for a file from which nothing can be read.
    init() {}

    /// Reads a file without changing it, as far as it can be read.
    init(_ path: String) {
        guard let reader = StoreConnection.openDamaged(path) else { return }
        defer { try? reader.close() }
        self = reader.unsafeRead { PriorLosses($0) }
    }

    /// Reads the losses over any connection: an incident only if the losses that belong to it can be read too.
    init(_ database: Database) {
        let lost = try? Row.fetchAll(
            database,
            sql: """
                SELECT stream, reason, from_ms, to_ms, first_seq, last_seq, count FROM drops
                WHERE \(DropReason.concernsSuccessor) ORDER BY at_us DESC LIMIT \(Self.most)
                """)
        guard let lost else { return }
        for row in lost.map(Cells.init) {
            guard let stream = row["stream"].flatMap({ EventStream(rawValue: $0) }),
                let reason = row["reason"].flatMap({ DropReason(rawValue: $0) }),
                let span = row.sequences("first_seq", "last_seq")
            else { continue }
            drops.add(
                DropTally.Key(stream: stream, symbol: nil, reason: reason, run: span.lowerBound),
                DropTally.Entry(
                    count: Int64(row.count("count")), from: row["from_ms"], to: row["to_ms"],
                    firstSequence: span.lowerBound, lastSequence: span.upperBound))
        }
        let details = try? String.fetchAll(
            database, sql: "SELECT detail FROM incidents WHERE what = ? ORDER BY id DESC LIMIT \(Self.most)",
            arguments: [Incident.setAside])
        incidents = (details ?? []).reversed().map { Incident(Incident.setAside, detail: $0) }
    }
}

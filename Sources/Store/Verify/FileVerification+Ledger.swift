public import MarketData

extension FileVerification {
    /// The identifiers to look up in the ledger upstream: the file's own, and those that it had before or was repaired
    /// from.
    public var ledgerIDs: [String] {
        var ids = id.map { [$0] } ?? []
        for predecessor in predecessors where !ids.contains(predecessor.id) { ids.append(predecessor.id) }
        return ids
    }

    /// Compares the marks with the ledger upstream: the last uploaded sequences, by identifier and stream.
    ///
    /// - Parameters:
    ///   - compared: The streams that the ledger covers.
    ///   - later: The file as it was after the ledger was read, since a running collector gives numbers, and uploads
    ///     their rows, while its file is verified.
    public mutating func compare(
        with ledger: [String: [EventStream: Int64]], of compared: [EventStream] = EventStream.allCases,
        later: FileVerification? = nil
    ) {
        guard let id else { return }
        for stream in compared {
            guard let marks = streams[stream] else { continue }
            let own = ledger[id]?[stream] ?? 0
            var settled = own
            for predecessor in predecessors where predecessor.stream == stream {
                settled = max(settled, min(ledger[predecessor.id]?[stream] ?? 0, predecessor.through))
            }
            let name = stream.rawValue
            let lastGiven = max(marks.lastGiven, later?.streams[stream]?.lastGiven ?? 0)
            if own > lastGiven {
                find(
                    .fault, .ledger, at: name,
                    "the ledger has \(own), and the file gave numbers up to \(lastGiven): it is an older copy",
                    advice: "stop the collector, run edgetick repair --force (it gives the file a new identifier), "
                        + "then start the collector")
            } else if marks.acknowledged > settled {
                find(
                    .fault, .ledger, at: name,
                    "the file counts rows through \(marks.acknowledged) as uploaded, but the ledger has only those "
                        + "through \(settled)",
                    advice: "the database is another one, or one that was restored from an older backup")
            } else if settled > marks.acknowledged {
                find(
                    .note, .ledger, at: name,
                    "rows through \(settled) are upstream, but the file has recorded only those through "
                        + "\(marks.acknowledged); the next upload corrects this")
            }
        }
    }
}

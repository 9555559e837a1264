import GRDB
import MarketData

/// What is known about a buffer's file that was found to be unusable at startup.
struct LostFile: Sendable, Equatable {
    /// How far the file got; `nil` if no collector used it before.
    var life: PreviousLife?
    /// The rows of each stream that waited for upload, with the times of the first and the last if they can be read.
    var waiting: [EventStream: DropTally.Entry] = [:]
    /// How far its streams had got, and what it knew of its uploads; `nil` if it is not known how many rows waited.
    private var contents: TickConnection.Contents?
    /// What it recorded about the files before it, and about rows that upstream lost.
    private var prior = PriorLosses()
    /// The gaps that its successor has to fill.
    var gaps = UnfilledGaps.unknown

    /// Makes the value for a file from which nothing can be read.
    ///
    /// - Parameters:
    ///   - lastUsed: When a collector last used the file, judged from outside it, in milliseconds since the Unix epoch.
    ///   - now: The present time, in the same unit.
    init(lastUsed: Int64?, now: Int64) { life = lastUsed.map { PreviousLife(end: min($0, now), isUncertain: true) } }

    /// Reads what can be read of a damaged file, without changing it.
    init(_ path: String, lastUsed: Int64?, now: Int64) {
        self.init(lastUsed: lastUsed, now: now)
        guard let reader = StoreConnection.openDamaged(path) else { return }
        defer { try? reader.close() }
        // Without a transaction: its COMMIT fails if a page read before it was bad.
        if let times = reader.unsafeRead({ try? FileTimes($0) }), var known = times.life(now: now) {
            known.isUncertain = true
            life = known
        }
        gaps = reader.unsafeRead { UnfilledGaps($0) }
        gaps.end(at: life?.lossesEnd ?? now)
        guard var contents = try? reader.read(TickConnection.contents) else { return }
        contents.line = try? reader.read(TickConnection.line)
        self.contents = contents
        if contents.line != nil { prior = reader.unsafeRead { PriorLosses($0) } }
        for stream in EventStream.allCases {
            let first = contents[stream].settled + 1
            guard contents[stream].pending > 0 else { continue }
            var waiting = DropTally.Entry(count: contents[stream].pending)
            let time = stream.timeColumn
            let table = stream.rawValue
            let ends = try? reader.unsafeRead { database in
                (
                    try Int64.fetchOne(
                        database, sql: "SELECT \(time) FROM \(table) WHERE seq >= ? ORDER BY seq LIMIT 1",
                        arguments: [first]),
                    try Int64.fetchOne(database, sql: "SELECT \(time) FROM \(table) ORDER BY seq DESC LIMIT 1")
                )
            }
            if let from = ends?.0, let to = ends?.1, from <= to { (waiting.from, waiting.to) = (from, to) }
            self.waiting[stream] = waiting
        }
    }

    /// What its successor takes over. If the file's uploads are known, the successor gives out later numbers and knows
    /// the file as an earlier identifier of its own: if the database loses what the file had uploaded, or has lost it
    /// already, the successor counts it.
    func seed(for id: String) -> TickConnection.Contents {
        let missedSince = life?.missedSince
        guard var seed = contents, var line = seed.line, seed.id == line.id else {
            return TickConnection.Contents(missedSince: missedSince)
        }
        for stream in EventStream.allCases where seed[stream].last > 0 {
            line.predecessors.append(.init(id: line.id, stream: stream, through: seed[stream].last))
        }
        line.id = id
        (seed.line, seed.missedSince) = (line, missedSince)
        return seed
    }

    /// The rows that waited, as drops without sequences: only the ledger knows which of them are upstream after all. If
    /// the successor continues the numbering, also the rows that upstream had lost before.
    var drops: DropTally {
        var tally = DropTally()
        for (stream, waiting) in waiting {
            tally.add(DropTally.Key(stream: stream, symbol: nil, reason: .fileSetAside), waiting)
        }
        tally.add(prior.drops)
        return tally
    }

    /// The incidents of earlier files that its successor takes over.
    var incidents: [Incident] { prior.incidents }

    /// The text for the log and the incident.
    var text: String {
        let count = waiting.values.reduce(0) { $0 + $1.count }
        let rows =
            switch (contents != nil, count) {
            case (false, _): "it is not known how many rows in it waited for upload"
            case (true, 0): "no row waited for upload in it"
            case (true, _): "\(count.counted("row")) waited for upload in it"
            }
        return "\(rows); \(gaps.text)" + extent
    }

    /// A note that the start of the gap is a guess, if it is one.
    private var extent: String {
        guard let life, life.newest.isEmpty else { return "" }
        let since = WallClock.text(milliseconds: life.end)
        return
            "; the file's newest event is not known, so the gap begins at \(since), the last time the file is known "
            + "to have been used"
    }
}

import MarketData

/// Checks the tables of a `ticks.sqlite`.
struct TicksChecks {
    /// The number of rows that are checked in one snapshot.
    static let step: Int64 = 20_000
    /// The number of findings of one kind that are reported individually.
    static let mostTold = 20

    let handle: ReadHandle
    var result: FileVerification
    /// The ranges of missing sequences.
    var holes: [EventStream: [ClosedRange<Int64>]] = [:]

    var version: Int { result.schemaVersion ?? 0 }
    /// The streams for which the file has tables.
    var streams: [EventStream] { EventStream.inFile(ofVersion: version) }

    /// Checks everything; with `isQuick`, everything except the individual rows.
    mutating func run(isQuick: Bool, progress: (Int64, Int64) -> Void) throws(StoreError) {
        try readIdentity()
        try readMarks()
        let total = isQuick ? 0 : streams.reduce(0) { $0 + span(of: $1) }
        var done: Int64 = 0
        for stream in streams {
            if !isQuick {
                let span = span(of: stream)
                try walk(stream) { progress(done + min($0, span), total) }
                done += span
            }
            try checkMarks(of: stream)
        }
        try checkDrops()
        try checkLetters()
        try checkGaps()
    }

    private func span(of stream: EventStream) -> Int64 {
        guard let first = result.streams[stream]?.first, let last = result.streams[stream]?.last else { return 0 }
        // A number that was never given must not crash the verification.
        let possible = TickConnection.possibleSequences
        return max(0, min(last, possible.upperBound >> 4) - max(first, 1) + 1)
    }

    private mutating func readIdentity() throws(StoreError) {
        let rows = try handle.rows("SELECT id, collector FROM buffer") { (id: $0.text(0), collector: $0.text(1)) }
        if rows.count == 1 { (result.id, result.collector) = (rows[0].id, rows[0].collector) }
        let fault: String
        switch rows.count {
        case 0: fault = "its one row is missing"
        case 1 where BufferID.isValid(rows[0].id): return
        case 1: fault = "the file's identifier is not a UUID"
        default: fault = "it has \(rows.count) rows, not one"
        }
        result.find(
            .fault, .accounts, at: "buffer", fault,
            advice: "run edgetick repair, with --id if it asks for the file's identifier")
    }

    private mutating func readMarks() throws(StoreError) {
        var found: [EventStream: FileVerification.Stream] = [:]
        var unknown: [String] = []
        try handle.rows("SELECT stream, acknowledged, deleted_through FROM streams") { row in
            guard let stream = EventStream(rawValue: row.text(0)) else { return unknown.append(row.text(0)) }
            found[stream] = FileVerification.Stream(
                acknowledged: row.integer(1) ?? 0, deletedThrough: row.integer(2) ?? 0)
        }
        for name in unknown { result.find(.warning, .accounts, at: "streams", "it names an unknown stream, \(name)") }
        for stream in streams {
            var marks = found[stream] ?? FileVerification.Stream()
            if found[stream] == nil {
                result.find(
                    .fault, .accounts, at: "streams", "the row of \(stream.rawValue) is missing",
                    advice: FileVerifier.repairAdvice)
            }
            do throws(StoreError) {
                marks.first = try handle.number("SELECT seq FROM \(stream.rawValue) ORDER BY seq LIMIT 1")
                marks.last = try handle.number("SELECT seq FROM \(stream.rawValue) ORDER BY seq DESC LIMIT 1")
            } catch {
                try result.noteDamage(error, at: stream.rawValue)
            }
            result.streams[stream] = marks
        }
        guard version >= 3 else { return }
        let order = version >= 5 ? "place, through" : "through"
        result.predecessors = try handle.rows("SELECT id, stream, through FROM predecessors ORDER BY \(order)") { row in
            EventStream(rawValue: row.text(1)).map { stream in
                UploadLine.Predecessor(id: row.text(0), stream: stream, through: row.integer(2) ?? 0)
            }
        }.compactMap(\.self)
    }

    /// Reads a stream's marks and its first and last rows in one snapshot, since a running collector moves all of them.
    mutating func refreshMarks(of stream: EventStream) throws(StoreError) {
        let table = stream.rawValue
        do throws(StoreError) {
            var marks = result.streams[stream] ?? FileVerification.Stream()
            try handle.rows(
                """
                SELECT acknowledged, deleted_through, (SELECT min(seq) FROM \(table)), (SELECT max(seq) FROM \(table))
                FROM streams WHERE stream = '\(table)'
                """
            ) { row in
                marks.acknowledged = row.integer(0) ?? 0
                marks.deletedThrough = row.integer(1) ?? 0
                marks.first = row.integer(2)
                marks.last = row.integer(3)
            }
            result.streams[stream] = marks
        } catch {
            guard error.reason == .damaged else { throw error }
        }
        let deleted = result.streams[stream]?.deletedThrough ?? 0
        holes[stream] = (holes[stream] ?? []).compactMap { hole in
            hole.upperBound > deleted ? max(hole.lowerBound, deleted + 1)...hole.upperBound : nil
        }
    }

    private mutating func checkMarks(of stream: EventStream) throws(StoreError) {
        try refreshMarks(of: stream)
        guard let marks = result.streams[stream] else { return }
        let name = stream.rawValue
        if marks.acknowledged < 0 || marks.deletedThrough < 0 || (marks.first ?? 1) < 1 {
            result.find(.fault, .sequences, at: name, "a sequence is negative or 0", advice: FileVerifier.repairAdvice)
        }
        let greatest = max(marks.last ?? 0, marks.deletedThrough)
        if marks.acknowledged > greatest { holes[stream, default: []].append(greatest + 1...marks.acknowledged) }
        guard let first = marks.first else { return }
        let deleted = max(0, marks.deletedThrough)
        if first <= marks.deletedThrough {
            result.find(
                .fault, .sequences, at: "\(name) from \(first)",
                "rows through \(marks.deletedThrough) count as deleted, and some are there",
                advice: FileVerifier.repairAdvice)
        } else if first > deleted + 1 {
            holes[stream, default: []].insert(deleted + 1...first - 1, at: 0)
        }
    }
}

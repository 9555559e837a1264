import MarketData

/// Checks the tables of a `ticks.sqlite`.
struct TicksChecks {
    /// The number of rows that are checked in one snapshot.
    private static let step: Int64 = 20_000
    /// The number of findings of one kind that are reported individually.
    private static let mostTold = 20

    private let handle: ReadHandle
    /// What was found so far.
    private(set) var result: FileVerification
    /// The ranges of missing sequences.
    private var holes: [EventStream: [ClosedRange<Int64>]] = [:]

    private var version: Int { result.schemaVersion ?? 0 }
    /// The streams for which the file has tables.
    private var streams: [EventStream] { EventStream.inFile(ofVersion: version) }

    init(handle: ReadHandle, result: FileVerification) {
        self.handle = handle
        self.result = result
    }

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
    private mutating func refreshMarks(of stream: EventStream) throws(StoreError) {
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
        let greatest = max(0, marks.last ?? 0, marks.deletedThrough)
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

// MARK: - The rows

/// Checks every row: its number and its values.
extension TicksChecks {
    /// Reads a stream's rows in steps, each in its own snapshot, and continues after rows that can't be read.
    private mutating func walk(_ stream: EventStream, progress: (Int64) -> Void) throws(StoreError) {
        guard let marks = result.streams[stream], let first = marks.first, let last = marks.last else { return }
        let rules = RowRules(stream, inFileOfVersion: version)
        let name = stream.rawValue
        let count = try handle.statement(
            """
            SELECT count(*), min(seq), max(seq), sum((\(rules.all)) IS NOT TRUE)
            FROM (SELECT * FROM \(name) WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq LIMIT \(Self.step))
            """)
        var reported = 0
        // Numbers below 1 are reported with the marks.
        var after = max(first, 1) - 1
        while after < last {
            do throws(StoreError) {
                var step = (rows: Int64(0), first: Int64?.none, last: Int64?.none, broken: Int64(0))
                // From the first number wanted: a query for what comes after the previous one would touch its page.
                try count.forEach([after + 1, last]) { row in
                    step = (row.integer(0) ?? 0, row.integer(1), row.integer(2), row.integer(3) ?? 0)
                }
                guard step.rows > 0, let end = step.last, let start = step.first else { break }
                if start > after + 1 { holes[stream, default: []].append(after + 1...start - 1) }
                if end - start + 1 != step.rows { try findHoles(stream, from: start, through: end) }
                if step.broken > 0 { try reportBroken(stream, rules, from: start, through: end, &reported) }
                result.streams[stream]?.rows += step.rows
                result.rows += step.rows
                after = end
            } catch {
                guard error.reason == .damaged else { throw error }
                // Finds the last row before the damage, then the first readable row after it.
                let good = try lastReadable(stream, after: after, through: last)
                guard good < last else { throw error }
                let end = try firstReadable(stream, after: good, through: last).map { $0 - 1 } ?? last
                let lost = good + 1...max(good + 1, end)
                result.find(
                    .fault, .structure, at: "\(name) \(lost.lowerBound)…\(lost.upperBound)",
                    "\(lost.count.counted("row")) can't be read", advice: FileVerifier.repairAdvice)
                after = lost.upperBound
            }
            progress(after - max(first, 1) + 1)
        }
    }

    /// Counts the rows before the first one that can't be read, and returns the last of them.
    private mutating func lastReadable(_ stream: EventStream, after: Int64, through: Int64) throws(StoreError) -> Int64
    {
        let statement = try handle.statement(
            "SELECT seq, * FROM \(stream.rawValue) WHERE seq >= \(after + 1) AND seq <= \(through) ORDER BY seq")
        var good = after
        var rows: Int64 = 0
        do throws(StoreError) {
            while try statement.step() {
                guard let sequence = statement.row.integer(0), sequence > good else { break }
                good = sequence
                rows += 1
            }
        } catch {
            guard error.reason == .damaged else { throw error }
        }
        result.streams[stream]?.rows += rows
        result.rows += rows
        return good
    }

    /// Returns the first readable row after the damage: the step doubles until a row can be read, then halves.
    private func firstReadable(_ stream: EventStream, after: Int64, through: Int64) throws(StoreError) -> Int64? {
        func row(from sequence: Int64) throws(StoreError) -> Int64? {
            do throws(StoreError) {
                return try handle.number(
                    "SELECT seq FROM \(stream.rawValue) WHERE seq >= \(sequence) ORDER BY seq LIMIT 1")
            } catch {
                guard error.reason == .damaged else { throw error }
                return nil
            }
        }
        var low = after + 1
        var width: Int64 = 1
        while width <= through - low, try row(from: low + width) == nil { width = min(width, Int64.max / 2) * 2 }
        var high = width < through - low ? low + width : through
        guard try row(from: high) != nil else { return nil }
        while low + 1 < high {
            let middle = low + (high - low) / 2
            if try row(from: middle) == nil { low = middle } else { high = middle }
        }
        return try row(from: high)
    }

    private mutating func findHoles(_ stream: EventStream, from: Int64, through: Int64) throws(StoreError) {
        var previous = from
        var found: [ClosedRange<Int64>] = []
        try handle.rows(
            "SELECT seq FROM \(stream.rawValue) WHERE seq BETWEEN \(from) AND \(through) ORDER BY seq"
        ) { row in
            let sequence = row.integer(0) ?? previous
            if let hole = SequenceSpans.hole(after: previous, before: sequence) { found.append(hole) }
            previous = sequence
        }
        holes[stream, default: []] += found
    }

    private mutating func reportBroken(
        _ stream: EventStream, _ rules: RowRules, from: Int64, through: Int64, _ reported: inout Int
    ) throws(StoreError) {
        let rows = try handle.rows(
            """
            SELECT seq, \(rules.firstBroken) FROM \(stream.rawValue)
            WHERE seq BETWEEN \(from) AND \(through) AND (\(rules.all)) IS NOT TRUE ORDER BY seq
            """
        ) { (sequence: $0.integer(0) ?? 0, rule: $0.text(1)) }
        for (sequence, rule) in rows {
            reported += 1
            guard reported <= Self.mostTold else { break }
            result.find(
                .fault, .values, at: "\(stream.rawValue) \(sequence)", rule,
                advice: "the upload leaves out a row that is not an event; it counts as unreadable in drops")
        }
        if reported - rows.count < Self.mostTold, reported > Self.mostTold {
            result.find(.note, .values, at: stream.rawValue, "there are more such rows than are listed here")
        }
    }
}

// MARK: - The accounts

/// Compares the file's own accounts with its rows.
extension TicksChecks {
    /// Checks that drops are sane and that missing numbers are accounted for.
    private mutating func checkDrops() throws(StoreError) {
        var spans: [EventStream: [ClosedRange<Int64>]] = [:]
        // Rows that a retry moved are not missing.
        var moved: [EventStream: [ClosedRange<Int64>]] = [:]
        func account(_ stream: EventStream, _ rows: ClosedRange<Int64>, isHole: Bool, isMoved: Bool) {
            if isHole { spans[stream, default: []].append(rows) }
            if isMoved { moved[stream, default: []].append(rows) }
        }
        var faults: [(String, String)] = []
        var newer: [EventStream: [(place: String, rows: ClosedRange<Int64>, isHole: Bool, isMoved: Bool)]] = [:]
        do throws(StoreError) {
            try handle.rows(
                """
                SELECT stream, symbol, reason, count, first_seq, last_seq, from_ms, to_ms, \(DropReason.explainsHole)
                FROM drops
                """
            ) { row in
                let place = "drops, \(row.text(2)) of \(row.text(1))"
                guard let stream = EventStream(rawValue: row.text(0)) else {
                    return faults.append((place, "the stream \(row.text(0)) is unknown"))
                }
                let isMoved = row.text(2) == DropReason.requeued.rawValue
                if !isMoved, (row.integer(3) ?? 0) < 1 { faults.append((place, "it counts no event")) }
                if let from = row.integer(6), let to = row.integer(7), from > to {
                    faults.append((place, "its span of time ends before it begins"))
                }
                guard let first = row.integer(4), let last = row.integer(5) else { return }
                guard first >= 1, first <= last else { return faults.append((place, Self.neverGiven(first, last))) }
                let isHole = row.integer(8) == 1
                guard last <= result.streams[stream]?.lastGiven ?? 0 else {
                    return newer[stream, default: []].append((place, first...last, isHole, isMoved))
                }
                account(stream, first...last, isHole: isHole, isMoved: isMoved)
            }
        } catch {
            try result.noteDamage(error, at: "drops")
        }
        for (stream, drops) in newer {
            let given = try lastGivenNow(in: stream)
            for (place, rows, isHole, isMoved) in drops {
                if rows.upperBound > given {
                    faults.append((place, Self.neverGiven(rows.lowerBound, rows.upperBound)))
                } else {
                    account(stream, rows, isHole: isHole, isMoved: isMoved)
                }
            }
        }
        for (place, text) in faults.prefix(Self.mostTold) { result.find(.fault, .accounts, at: place, text) }
        for stream in EventStream.allCases {
            let ofMoved = SequenceSpans(moved[stream] ?? [])
            holes[stream]?.removeAll(where: ofMoved.cover)
            judgeHoles(stream, SequenceSpans(spans[stream] ?? []))
        }
    }

    private static func neverGiven(_ first: Int64, _ last: Int64) -> String {
        "its sequences \(first)…\(last) were never assigned"
    }

    /// Returns the last sequence assigned so far: a running collector continues after the marks were read.
    private mutating func lastGivenNow(in stream: EventStream) throws(StoreError) -> Int64 {
        if streams.contains(stream) { try refreshMarks(of: stream) }
        return result.streams[stream]?.lastGiven ?? 0
    }

    private mutating func judgeHoles(_ stream: EventStream, _ accounted: SequenceSpans) {
        for hole in (holes[stream] ?? []).prefix(Self.mostTold) {
            let isExplained = accounted.cover(hole)
            result.find(
                isExplained ? .note : .fault, .sequences,
                at: "\(stream.rawValue) \(hole.lowerBound)…\(hole.upperBound)",
                "\(hole.count.counted("row is", "rows are")) missing, "
                    + (isExplained ? "as the table drops records" : "and no recorded drop explains it"),
                advice: isExplained
                    ? ""
                    : "another program may have deleted them; use edgetick backfill --from to fetch missing bars again")
        }
        if let count = holes[stream]?.count, count > Self.mostTold {
            result.find(
                .note, .sequences, at: stream.rawValue, "\(count - Self.mostTold) more holes are not listed here")
        }
    }

    /// Checks that each dead letter is of a row that was given, and holds that row.
    private mutating func checkLetters() throws(StoreError) {
        var found: [(String, String)] = []
        var newer: [EventStream: [(place: String, sequence: Int64)]] = [:]
        let neverGiven = "this number was never assigned to a row"
        do throws(StoreError) {
            try handle.rows(
                """
                SELECT stream, seq, length(sql_state), json_valid(row_json),
                    CASE WHEN json_valid(row_json) THEN json_extract(row_json, '$.seq') END FROM dead_letters
                """
            ) { row in
                let place = "dead_letters, \(row.text(0)) \(row.integer(1) ?? 0)"
                guard let stream = EventStream(rawValue: row.text(0)) else {
                    return found.append((place, "the stream is unknown"))
                }
                let sequence = row.integer(1) ?? 0
                if sequence < 1 {
                    found.append((place, neverGiven))
                } else if sequence > result.streams[stream]?.lastGiven ?? 0 {
                    newer[stream, default: []].append((place, sequence))
                }
                if row.integer(2) != 5 { found.append((place, "its SQLSTATE doesn't have five characters")) }
                if row.integer(3) != 1 {
                    found.append((place, "its row is not JSON"))
                } else if row.integer(4) != sequence {
                    found.append((place, "its row has another number"))
                }
            }
        } catch {
            try result.noteDamage(error, at: "dead_letters")
        }
        for (stream, letters) in newer {
            let given = try lastGivenNow(in: stream)
            for (place, sequence) in letters where sequence > given { found.append((place, neverGiven)) }
        }
        for (place, text) in found.prefix(Self.mostTold) {
            result.find(
                .fault, .accounts, at: place, text,
                advice: "run edgetick dead-letters discard to remove it from the file")
        }
    }

    /// Checks that gaps are spans of time in a known state, and that what was filled belongs to a gap.
    private mutating func checkGaps() throws(StoreError) {
        var found: [(String, String)] = []
        let state = version >= 2 ? "state" : "'open'"
        do throws(StoreError) {
            try handle.rows("SELECT id, from_ms, to_ms, \(state), symbols, events FROM gaps") { row in
                let place = "gaps, \(row.integer(0) ?? 0)"
                if let from = row.integer(1), let to = row.integer(2), from > to {
                    found.append((place, "it ends before it begins"))
                }
                if GapState(rawValue: row.text(3)) == nil { found.append((place, "its state is unknown")) }
                let symbols = row.text(4)
                if symbols != "*", symbols.split(separator: ",").contains(where: { Symbol($0) == nil }) {
                    found.append((place, "it names something that is not a symbol"))
                }
                if row.text(5).split(separator: ",").contains(where: { EventKind(rawValue: String($0)) == nil }) {
                    found.append((place, "it names an unknown kind of event"))
                }
            }
            if version >= 2 {
                try handle.rows(
                    "SELECT DISTINCT gap FROM gap_fills WHERE gap NOT IN (SELECT id FROM gaps) LIMIT \(Self.mostTold)"
                ) { found.append(("gap_fills, \($0.integer(0) ?? 0)", "there is no such gap")) }
            }
        } catch {
            try result.noteDamage(error, at: "gaps")
        }
        for (place, text) in found.prefix(Self.mostTold) { result.find(.warning, .accounts, at: place, text) }
    }
}

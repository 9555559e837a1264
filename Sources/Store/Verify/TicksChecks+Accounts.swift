import GRDB
import MarketData

/// Compares the file's own accounts with its rows.
extension TicksChecks {
    /// Checks that drops are sane and that missing numbers are accounted for.
    mutating func checkDrops() throws(StoreError) {
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
    mutating func checkLetters() throws(StoreError) {
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
    mutating func checkGaps() throws(StoreError) {
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

/// Spans of sequences, joined where they touch.
struct SequenceSpans {
    private let spans: [ClosedRange<Int64>]

    init(_ spans: [ClosedRange<Int64>]) {
        var joined: [ClosedRange<Int64>] = []
        for span in spans.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, last.upperBound == .max || span.lowerBound <= last.upperBound + 1 {
                joined[joined.count - 1] = last.lowerBound...max(last.upperBound, span.upperBound)
            } else {
                joined.append(span)
            }
        }
        self.spans = joined
    }

    /// Reads which of a stream's numbers `drops` says the file lacks.
    static func dropped(of stream: EventStream, _ database: Database) throws -> [ClosedRange<Int64>] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT first_seq, last_seq FROM drops
                WHERE stream = ? AND first_seq IS NOT NULL AND \(DropReason.explainsHole)
                """, arguments: [stream.rawValue]
        ).compactMap { Cells($0).sequences("first_seq", "last_seq") }
    }

    /// Reads which of a stream's rows are counted as lost upstream.
    static func lostUpstream(of stream: EventStream, _ database: Database) throws -> [ClosedRange<Int64>] {
        try Row.fetchAll(
            database, sql: "SELECT first_seq, last_seq FROM drops WHERE stream = ? AND reason = ?",
            arguments: [stream.rawValue, DropReason.upstreamLost.rawValue]
        ).compactMap { Cells($0).sequences("first_seq", "last_seq") }
    }

    /// The parts of a range that are not in the spans.
    func missing(in range: ClosedRange<Int64>) -> [ClosedRange<Int64>] {
        var parts: [ClosedRange<Int64>] = []
        var next = range.lowerBound
        for span in spans where span.overlaps(range) {
            if span.lowerBound > next { parts.append(next...span.lowerBound - 1) }
            next = span.upperBound + 1
        }
        if next <= range.upperBound { parts.append(next...range.upperBound) }
        return parts
    }

    /// Whether every sequence of a range is in the spans.
    func cover(_ range: ClosedRange<Int64>) -> Bool {
        let place = spans.partitioningIndex { $0.upperBound >= range.upperBound }
        return place < spans.endIndex && spans[place].lowerBound <= range.lowerBound
    }
}

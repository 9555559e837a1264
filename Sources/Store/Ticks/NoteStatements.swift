import GRDB
import MarketData

/// The writer's statements other than the appends: acknowledgements, deletions, gaps, drops, dead letters, incidents.
final class NoteStatements {
    private var notes: [Note: PreparedStatement] = [:]
    private var streamNotes: [StreamNote: [EventStream: PreparedStatement]] = [:]

    /// Prepares all of them, so that a missing table is noticed when the file is opened.
    init(on database: OpaquePointer) throws(StoreError) {
        for note in Note.allCases { notes[note] = try PreparedStatement(note.sql, on: database) }
        for note in StreamNote.allCases {
            for stream in EventStream.allCases {
                streamNotes[note, default: [:]][stream] = try PreparedStatement(note.sql(stream), on: database)
            }
        }
    }

    private subscript(_ note: Note) -> PreparedStatement {
        guard let statement = notes[note] else { preconditionFailure("\(note) is not prepared") }
        return statement
    }

    private subscript(_ note: StreamNote, _ stream: EventStream) -> PreparedStatement {
        guard let statement = streamNotes[note]?[stream] else { preconditionFailure("\(note) is not prepared") }
        return statement
    }

    /// Raises a stream's marks; lower values change nothing.
    func mark(_ stream: EventStream, acknowledged: Int64, deletedThrough: Int64) throws(StoreError) {
        try self[.marks, stream].run([acknowledged, deletedThrough])
    }

    /// Sets a stream's acknowledged sequence, even to a lower one, and removes the dead letters of later rows: those
    /// rows are sent, and judged, again.
    ///
    /// - Parameter sentAgain: See `UploadMarks.sentAgain`.
    func takeBack(_ stream: EventStream, to acknowledged: Int64, sentAgain: Int64) throws(StoreError) {
        try self[.lowering, stream].run([acknowledged, sentAgain])
        try self[.unsettledLetters, stream].run([acknowledged])
    }

    /// Records that a stream's waiting rows through a sequence may be upstream.
    func sendAgain(_ stream: EventStream, through sequence: Int64) throws(StoreError) {
        try self[.sentAgain, stream].run([sequence])
    }

    /// Records that a stream's uploaded rows through a sequence are gone upstream; 0 for none.
    func note(gone sequence: Int64, of stream: EventStream) throws(StoreError) {
        try self[.gone, stream].run([sequence])
    }

    /// Deletes a stream's rows up to a sequence; the caller raises the mark in the same transaction.
    func delete(_ stream: EventStream, through sequence: Int64) throws(StoreError) {
        try self[.delete, stream].run([sequence])
    }

    /// Deletes one row; returns whether it was there.
    func remove(_ stream: EventStream, _ sequence: Int64) throws(StoreError) -> Bool {
        try self[.removedRow, stream].run([sequence]) == 1
    }

    /// Returns when a stream's first row from a sequence on was received, in microseconds since the Unix epoch.
    func received(_ stream: EventStream, from sequence: Int64) throws(StoreError) -> Int64? {
        try self[.received, stream].number([sequence])
    }

    /// Returns when a stream's rows through a sequence were received: see ``ReceiptOrder``.
    func receipt(_ stream: EventStream, through sequence: Int64) throws(StoreError) -> Int64? {
        try self[.receipt, stream].number([sequence])
    }

    /// Counts a stream's rows after one sequence and through another.
    func count(
        _ stream: EventStream, after: Int64, through: Int64, as reason: DropReason, into tally: inout DropTally
    ) throws(StoreError) {
        try self[.summary, stream].forEach([after, through]) { row in
            tally.add(
                stream, Symbol(utf8: row.bytes(1)), reason, time: row.integer(2), sequence: row.integer(0) ?? 0)
        }
    }

    /// Stores which gaps began and which ended; returns by how many rows the table grew.
    func add(_ change: GapChange, now microseconds: Int64) throws(StoreError) -> Int64 {
        var ended = change.ended
        var added: Int64 = 0
        for gap in change.gaps {
            if gap.to != nil, let place = ended.firstIndex(where: { $0.isBeginning(of: gap) }) {
                ended.remove(at: place)
                if try self[.gapEnd].run(values(of: gap)) > 0 { continue }
            }
            if try add(gap, now: microseconds) { added += 1 }
        }
        for gap in ended where try self[.gapCut].run(values(of: gap)) == 0 {
            added -= try self[.gapRemoval].run(values(of: gap))
        }
        return added
    }

    /// Stores a gap; returns whether it got a row of its own. A symbol that the plan refuses on one connection after
    /// another has one gap, which is extended.
    @discardableResult
    func add(_ value: Gap, now microseconds: Int64) throws(StoreError) -> Bool {
        if value.cause == .unsubscribed, try self[.gapGoesOn].run(values(of: value)) > 0 { return false }
        // The REST API has nothing else.
        let isFillable = value.events.contains { [.bars, .trades, .quotes].contains($0.stream) }
        let state = isFillable ? GapState.open : .unfillable
        let detail = isFillable ? nil : "only bars, trades and quotes can be fetched"
        try self[.gap].run(values(of: value) + [microseconds, state.rawValue, detail])
        return true
    }

    /// The parameters 1 to 7 of the gaps' statements.
    private func values(of gap: Gap) -> [any StatementBinding] {
        [
            gap.connection, gap.symbols.isEmpty ? "*" : gap.symbols.map(\.description).joined(separator: ","),
            gap.events.map(\.rawValue).joined(separator: ","), gap.from, gap.to, gap.cause.rawValue, gap.isUncertain,
        ]
    }

    /// Stores a step of filling a gap, unless the gap has been extended meanwhile, or is in a file that is gone and its
    /// number is another gap's.
    func add(_ value: GapFill, now microseconds: Int64) throws(StoreError) {
        for (symbol, rows) in value.symbols {
            try self[.fill].run([
                value.gap, symbol.description, value.event.rawValue, rows, microseconds, value.to, value.recorded,
            ])
        }
        guard let state = value.state else { return }
        try self[.settle].run([value.gap, state.rawValue, value.detail, microseconds, value.to, value.recorded])
    }

    /// Stores what comparing a day with the tape found; replaces an earlier finding.
    func add(_ value: ReconciledDay) throws(StoreError) {
        try self[.reconciled].run([value.symbol.description, value.day.description] + value.counts + [value.at])
    }

    /// Stores that a collector was alive.
    func noteAlive(now microseconds: Int64) throws(StoreError) { try self[.alive].run([microseconds]) }

    /// Stores a transaction of the upload, and removes older ones to which the server can no longer fall back.
    func add(_ value: UploadMove, under id: String) throws(StoreError) {
        try self[.move].run([id, value.stream.rawValue, value.token, value.through])
        if let settled = value.settled { try self[.oldMoves].run([id, value.stream.rawValue, settled]) }
    }

    /// Forgets an earlier identifier.
    func forget(_ id: String, _ stream: EventStream) throws(StoreError) {
        try self[.predecessors].run([id, stream.rawValue])
        try self[.moves].run([id, stream.rawValue])
    }

    /// Stores counts of dropped events.
    func add(_ tally: DropTally, episode: Int64, now microseconds: Int64) throws(StoreError) {
        var runs: Int64 = 0
        for (key, entry) in tally.entries {
            // Rows of one symbol and reason are kept apart by their episode alone.
            let number = key.run == nil ? episode : microseconds + runs
            if key.run != nil { runs += 1 }
            try self[.drop].run([
                number, key.stream.rawValue, key.symbol?.description ?? "*", key.reason.rawValue, entry.from, entry.to,
                entry.firstSequence, entry.lastSequence, entry.count, microseconds,
            ])
        }
    }

    /// Stores a dead letter, or updates the one of the same row.
    func add(_ value: DeadLetter) throws(StoreError) {
        try self[.letter].run([
            value.stream.rawValue, value.sequence, value.sqlState, value.reason, value.row, value.time,
        ])
    }

    /// Removes a dead letter; returns whether it was there.
    func removeLetter(_ stream: EventStream, _ sequence: Int64) throws(StoreError) -> Bool {
        try self[.removal].run([stream.rawValue, sequence]) == 1
    }

    /// The number of each stream's dead letters.
    func letterCounts() throws(StoreError) -> [EventStream: Int64] {
        var counts: [EventStream: Int64] = [:]
        try self[.letters].forEach { row in
            if let stream = EventStream(rawValue: row.text(0)) { counts[stream] = row.integer(1) }
        }
        return counts
    }

    /// The number of gaps that are over and not filled yet.
    func openGapCount() throws(StoreError) -> Int64 { try self[.openGaps].number() ?? 0 }

    /// When the backfill last gave up a gap or a part of one, in milliseconds since the Unix epoch.
    func lastGivenUpGap() throws(StoreError) -> Int64? { try self[.lastGivenUpGap].number().map { $0 / 1000 } }

    /// Deletes the oldest dead letters of rows that no longer wait, and counts them in `tally`.
    ///
    /// The letter of a row that still waits is kept: a COMMIT may be about to move past that row.
    func deleteOldestLetters(
        _ count: Int64, settled statistics: BufferStatistics, into tally: inout DropTally
    ) throws(StoreError) {
        let acknowledged = EventStream.allCases.map { statistics[$0].marks.acknowledged }
        try self[.oldestLetters].forEach([count] + acknowledged) { row in
            guard let stream = EventStream(rawValue: row.text(0)) else { return }
            tally.add(stream, Symbol(row.text(2)), .letterDropped, time: row.integer(3), sequence: row.integer(1) ?? 0)
        }
    }

    /// Stores what was dropped and what happened to the file; returns how many gaps were added.
    func add(
        _ carried: CarriedLosses, episode: @autoclosure () -> Int64, now microseconds: Int64
    ) throws(StoreError) -> Int64 {
        var gaps: Int64 = 0
        for gap in carried.gaps {
            // The next file may be a copy of the previous one and have the gap already.
            if try self[.sameGap].number(values(of: gap)) == nil, try add(gap, now: microseconds) { gaps += 1 }
        }
        for incident in carried.incidents {
            try self[.incident].run([microseconds, incident.what, incident.detail])
        }
        if !carried.drops.isEmpty { try add(carried.drops, episode: episode(), now: microseconds) }
        return gaps
    }

    /// Deletes some of what was noted before a moment, in microseconds since the Unix epoch: gaps that lack nothing, with
    /// what filled them, or else incidents. Incidents that say what the file has lost stay.
    ///
    /// - Parameter most: About how many rows.
    /// - Returns: How many gaps were deleted, and how many incidents.
    func forget(before microseconds: Int64, most: Int64) throws(StoreError) -> (gaps: Int64, incidents: Int64) {
        var gaps: Int64 = 0
        var rows: Int64 = 0
        var last = Int64.min
        while rows < most, let gap = try self[.oldGap].number([microseconds, last]) {
            rows += try self[.gapFills].run([gap])
            rows += try self[.wholeGap].run([gap])
            gaps += 1
            last = gap
        }
        guard gaps == 0 else { return (gaps, 0) }
        return (0, try self[.oldIncidents].run([microseconds, most]))
    }

    /// Stores the number of transactions with notes, by which a transaction of unknown outcome is recognised.
    func count(notes: Int64) throws(StoreError) { try self[.counted].run([notes]) }
}

/// The statements for the file as a whole.
private enum Note: CaseIterable {
    case gap, sameGap, gapEnd, gapCut, gapRemoval, gapGoesOn, openGaps, lastGivenUpGap, fill, settle
    case drop, letter, letters, removal, oldestLetters, incident, counted, reconciled, alive
    case move, oldMoves, predecessors, moves
    case oldGap, gapFills, wholeGap, oldIncidents

    var sql: String {
        switch self {
        case .gap:
            """
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, uncertain, recorded_us, state, detail)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """
        case .sameGap:
            """
            SELECT 1 FROM gaps WHERE connection = ?1 AND symbols = ?2 AND events = ?3 AND from_ms = ?4 AND to_ms IS ?5
            AND cause = ?6 LIMIT 1
            """
        case .gapEnd: "UPDATE gaps SET to_ms = ?5, uncertain = ?7 WHERE id = \(Self.underWay)"
        // If the gap continued an earlier row, that row's own part is kept.
        case .gapCut: "UPDATE gaps SET to_ms = ?4 WHERE id = \(Self.underWay) AND from_ms < ?4"
        case .gapRemoval: "DELETE FROM gaps WHERE id = \(Self.underWay)"
        // Losses for want of a subscription that are at most a minute apart are one gap.
        case .gapGoesOn:
            """
            UPDATE gaps SET to_ms = CASE WHEN ?5 IS NOT NULL THEN max(to_ms, ?5) END, connection = ?1,
                uncertain = max(uncertain, ?7)
            WHERE id = (
                SELECT max(id) FROM gaps WHERE symbols = ?2 AND events = ?3 AND cause = ?6 AND from_ms <= ?4
                AND to_ms >= ?4 - 60000 AND settled_us IS NULL
                AND NOT EXISTS (SELECT 1 FROM gap_fills WHERE gap = gaps.id))
            """
        case .openGaps: TickConnection.openGaps
        case .lastGivenUpGap: TickConnection.lastGivenUpGap
        case .fill:
            """
            INSERT INTO gap_fills (gap, symbol, event, rows, at_us)
            SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (
                SELECT 1 FROM gaps WHERE id = ?1 AND \(Self.end) IS ?6 AND recorded_us / 1000 = ?7)
            ON CONFLICT (gap, symbol, event) DO UPDATE SET rows = rows + excluded.rows, at_us = excluded.at_us
            """
        case .settle:
            """
            UPDATE gaps SET state = ?2, detail = ?3, settled_us = ?4
            WHERE id = ?1 AND \(Self.end) IS ?5 AND recorded_us / 1000 = ?6
            """
        case .drop:
            """
            INSERT INTO drops (episode, stream, symbol, reason, from_ms, to_ms, first_seq, last_seq, count, at_us)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (episode, stream, symbol, reason) DO UPDATE SET
                from_ms = min(coalesce(from_ms, excluded.from_ms), coalesce(excluded.from_ms, from_ms)),
                to_ms = max(coalesce(to_ms, excluded.to_ms), coalesce(excluded.to_ms, to_ms)),
                first_seq = min(coalesce(first_seq, excluded.first_seq), coalesce(excluded.first_seq, first_seq)),
                last_seq = max(coalesce(last_seq, excluded.last_seq), coalesce(excluded.last_seq, last_seq)),
                count = count + excluded.count, at_us = excluded.at_us
            """
        case .letter:
            """
            INSERT INTO dead_letters (stream, seq, sql_state, reason, row_json, at_ms) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (stream, seq) DO UPDATE SET
                sql_state = excluded.sql_state, reason = excluded.reason, row_json = excluded.row_json
            """
        case .letters: TickConnection.letters
        case .removal: "DELETE FROM dead_letters WHERE stream = ? AND seq = ?"
        case .oldestLetters:
            """
            DELETE FROM dead_letters WHERE rowid IN (
                SELECT rowid FROM dead_letters WHERE \(Self.settled) ORDER BY rowid LIMIT ?1)
            RETURNING stream, seq, CASE WHEN json_valid(row_json) THEN json_extract(row_json, '$.symbol') END,
                CASE WHEN json_valid(row_json) THEN
                    coalesce(json_extract(row_json, '$.start_ms'), json_extract(row_json, '$.time_ms')) END
            """
        case .incident: "INSERT INTO incidents (at_us, what, detail) VALUES (?, ?, ?)"
        case .counted: "UPDATE buffer SET notes_seq = ?"
        case .reconciled:
            """
            INSERT OR REPLACE INTO reconciled (\(ReconciledDay.columnList)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        case .alive: "UPDATE buffer SET alive_us = ?"
        case .move: "INSERT OR IGNORE INTO moves (id, stream, token, through) VALUES (?, ?, ?, ?)"
        case .oldMoves:
            """
            DELETE FROM moves WHERE id = ?1 AND stream = ?2 AND number < (SELECT number FROM moves WHERE token = ?3)
            """
        case .predecessors: "DELETE FROM predecessors WHERE id = ? AND stream = ?"
        case .moves: "DELETE FROM moves WHERE id = ? AND stream = ?"
        case .oldGap:
            """
            SELECT id FROM gaps WHERE id > ?2 AND state IN (\(GapState.whole.map(\.rawValue).sqlList))
            AND to_ms IS NOT NULL AND max(recorded_us, coalesce(settled_us, recorded_us)) < ?1 ORDER BY id LIMIT 1
            """
        case .gapFills: "DELETE FROM gap_fills WHERE gap = ?"
        case .wholeGap: "DELETE FROM gaps WHERE id = ?"
        case .oldIncidents:
            """
            DELETE FROM incidents WHERE id IN (
                SELECT id FROM incidents WHERE at_us < ?1 AND what NOT IN (\(Incident.losses.sqlList)) LIMIT ?2)
            """
        }
    }

    /// The row of a gap under way; a gap that continued an earlier row has that row's start.
    private static let underWay = """
        (SELECT max(id) FROM gaps WHERE to_ms IS NULL AND connection = ?1 AND symbols = ?2 AND events = ?3
        AND from_ms <= ?4 AND cause = ?6)
        """

    /// A gap's end as ``Gap`` reads it from a row: bounded to possible times.
    private static let end: String = {
        let bounds = UnixTime.possible
        let times = ["from_ms", "to_ms"].map { "min(max(\($0), \(bounds.lowerBound)), \(bounds.upperBound))" }
        return "max(\(times.joined(separator: ", ")))"
    }()

    private static let settled = zip(2..., EventStream.allCases).map { "stream = '\($1.rawValue)' AND seq <= ?\($0)" }
        .joined(separator: " OR ")
}

/// The statements for a stream.
private enum StreamNote: CaseIterable {
    case marks, lowering, sentAgain, gone, unsettledLetters, delete, removedRow, received, receipt, summary

    func sql(_ stream: EventStream) -> String {
        let table = stream.rawValue
        return switch self {
        case .marks:
            """
            UPDATE streams SET acknowledged = max(acknowledged, ?1), deleted_through = max(deleted_through, ?2)
            WHERE stream = '\(table)'
            """
        case .lowering: "UPDATE streams SET acknowledged = ?1, sent_again_through = ?2 WHERE stream = '\(table)'"
        case .sentAgain: "UPDATE streams SET sent_again_through = ?1 WHERE stream = '\(table)'"
        case .gone: "UPDATE streams SET gone_through = ?1 WHERE stream = '\(table)'"
        case .unsettledLetters:
            """
            DELETE FROM dead_letters WHERE stream = '\(table)' AND seq > ?1
            AND EXISTS (SELECT 1 FROM \(table) WHERE \(table).seq = dead_letters.seq)
            """
        case .delete: "DELETE FROM \(table) WHERE seq <= ?1"
        case .removedRow: "DELETE FROM \(table) WHERE seq = ?1"
        case .received: "SELECT received_us FROM \(table) WHERE seq >= ?1 ORDER BY seq LIMIT 1"
        case .receipt: ReceiptOrder.query(stream)
        case .summary: "SELECT seq, symbol, \(stream.timeColumn) FROM \(table) WHERE seq > ?1 AND seq <= ?2"
        }
    }
}

import GRDBSQLite
import MarketData

/// The writer's statements beside the appends: acknowledgements, deletions, gaps, drops, dead letters, incidents.
final class NoteStatements {
    private let streams: [EventStream: StreamStatements]
    private let gap: PreparedStatement
    private let gapEnd: PreparedStatement
    private let gapCut: PreparedStatement
    private let gapRemoval: PreparedStatement
    private let gapGoesOn: PreparedStatement
    private let drop: PreparedStatement
    private let letter: PreparedStatement
    private let oldestLetters: PreparedStatement
    private let letters: PreparedStatement
    private let removal: PreparedStatement
    private let incident: PreparedStatement
    private let counted: PreparedStatement
    private let fill: PreparedStatement
    private let settle: PreparedStatement
    private let reconciled: PreparedStatement
    private let alive: PreparedStatement
    private let move: PreparedStatement
    private let oldMoves: PreparedStatement
    private let forgotten: [PreparedStatement]
    private let database: OpaquePointer

    private struct StreamStatements {
        let marks: PreparedStatement
        let lowering: PreparedStatement
        let unsettledLetters: PreparedStatement
        let delete: PreparedStatement
        let received: PreparedStatement
        let receipt: PreparedStatement
        let summary: PreparedStatement
    }

    init(on database: OpaquePointer) throws(StoreError) {
        var streams: [EventStream: StreamStatements] = [:]
        for stream in EventStream.allCases {
            let table = stream.rawValue
            streams[stream] = StreamStatements(
                marks: try PreparedStatement(
                    """
                    UPDATE streams SET acknowledged = max(acknowledged, ?1), deleted_through = max(deleted_through, ?2)
                    WHERE stream = '\(table)'
                    """, on: database),
                lowering: try PreparedStatement(
                    "UPDATE streams SET acknowledged = ?1 WHERE stream = '\(table)'", on: database),
                unsettledLetters: try PreparedStatement(
                    """
                    DELETE FROM dead_letters WHERE stream = '\(table)' AND seq > ?1
                    AND EXISTS (SELECT 1 FROM \(table) WHERE \(table).seq = dead_letters.seq)
                    """, on: database),
                delete: try PreparedStatement("DELETE FROM \(table) WHERE seq <= ?1", on: database),
                received: try PreparedStatement(
                    "SELECT received_us FROM \(table) WHERE seq >= ?1 ORDER BY seq LIMIT 1", on: database),
                receipt: try PreparedStatement(ReceiptOrder.query(stream), on: database),
                summary: try PreparedStatement(
                    "SELECT seq, symbol, \(stream.timeColumn) FROM \(table) WHERE seq > ?1 AND seq <= ?2",
                    on: database))
        }
        self.streams = streams
        self.database = database
        gap = try PreparedStatement(
            """
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, uncertain, recorded_us, state, detail)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """, on: database)
        // A gap that went on from an earlier row has that row's start.
        let underWay = """
            (SELECT max(id) FROM gaps WHERE to_ms IS NULL AND connection = ?1 AND symbols = ?2 AND events = ?3
            AND from_ms <= ?4 AND cause = ?6)
            """
        gapEnd = try PreparedStatement(
            "UPDATE gaps SET to_ms = ?5, uncertain = ?7 WHERE id = \(underWay)", on: database)
        // What it went on from stays as it was.
        gapCut = try PreparedStatement(
            "UPDATE gaps SET to_ms = ?4 WHERE id = \(underWay) AND from_ms < ?4", on: database)
        gapRemoval = try PreparedStatement("DELETE FROM gaps WHERE id = \(underWay)", on: database)
        gapGoesOn = try PreparedStatement(
            """
            UPDATE gaps SET to_ms = CASE WHEN ?5 IS NOT NULL THEN max(to_ms, ?5) END, connection = ?1,
                uncertain = max(uncertain, ?7)
            WHERE id = (
                SELECT max(id) FROM gaps WHERE symbols = ?2 AND events = ?3 AND cause = ?6 AND from_ms <= ?4
                AND to_ms >= ?4 - \(Self.sameGapMilliseconds) AND settled_us IS NULL
                AND NOT EXISTS (SELECT 1 FROM gap_fills WHERE gap = gaps.id))
            """, on: database)
        drop = try PreparedStatement(
            """
            INSERT INTO drops (episode, stream, symbol, reason, from_ms, to_ms, first_seq, last_seq, count, at_us)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (episode, stream, symbol, reason) DO UPDATE SET
                from_ms = min(coalesce(from_ms, excluded.from_ms), coalesce(excluded.from_ms, from_ms)),
                to_ms = max(coalesce(to_ms, excluded.to_ms), coalesce(excluded.to_ms, to_ms)),
                first_seq = min(coalesce(first_seq, excluded.first_seq), coalesce(excluded.first_seq, first_seq)),
                last_seq = max(coalesce(last_seq, excluded.last_seq), coalesce(excluded.last_seq, last_seq)),
                count = count + excluded.count, at_us = excluded.at_us
            """, on: database)
        letter = try PreparedStatement(
            """
            INSERT INTO dead_letters (stream, seq, sql_state, reason, row_json, at_ms) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (stream, seq) DO UPDATE SET
                sql_state = excluded.sql_state, reason = excluded.reason, row_json = excluded.row_json
            """, on: database)
        letters = try PreparedStatement("SELECT count(*) FROM dead_letters", on: database)
        removal = try PreparedStatement("DELETE FROM dead_letters WHERE stream = ? AND seq = ?", on: database)
        let settled = zip(2..., EventStream.allCases).map { "stream = '\($1.rawValue)' AND seq <= ?\($0)" }
            .joined(separator: " OR ")
        oldestLetters = try PreparedStatement(
            """
            DELETE FROM dead_letters WHERE rowid IN (
                SELECT rowid FROM dead_letters WHERE \(settled) ORDER BY rowid LIMIT ?1)
            RETURNING stream, seq, CASE WHEN json_valid(row_json) THEN json_extract(row_json, '$.symbol') END,
                CASE WHEN json_valid(row_json) THEN
                    coalesce(json_extract(row_json, '$.start_ms'), json_extract(row_json, '$.time_ms')) END
            """, on: database)
        incident = try PreparedStatement(
            "INSERT INTO incidents (at_us, what, detail) VALUES (?, ?, ?)", on: database)
        counted = try PreparedStatement("UPDATE buffer SET notes_seq = ?", on: database)
        fill = try PreparedStatement(
            """
            INSERT INTO gap_fills (gap, symbol, event, rows, at_us)
            SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM gaps WHERE id = ?1 AND to_ms IS ?6)
            ON CONFLICT (gap, symbol, event) DO UPDATE SET rows = rows + excluded.rows, at_us = excluded.at_us
            """, on: database)
        settle = try PreparedStatement(
            "UPDATE gaps SET state = ?2, detail = ?3, settled_us = ?4 WHERE id = ?1 AND to_ms IS ?5", on: database)
        reconciled = try PreparedStatement(
            """
            INSERT OR REPLACE INTO reconciled (\(ReconciledDay.columnList)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, on: database)
        alive = try PreparedStatement("UPDATE buffer SET alive_us = ?", on: database)
        move = try PreparedStatement(
            "INSERT OR IGNORE INTO moves (id, stream, token, through) VALUES (?, ?, ?, ?)", on: database)
        oldMoves = try PreparedStatement(
            """
            DELETE FROM moves WHERE id = ?1 AND stream = ?2 AND number < (SELECT number FROM moves WHERE token = ?3)
            """, on: database)
        forgotten = [
            try PreparedStatement("DELETE FROM predecessors WHERE id = ? AND stream = ?", on: database),
            try PreparedStatement("DELETE FROM moves WHERE id = ? AND stream = ?", on: database),
        ]
    }

    /// Raises a stream's marks; lower values change nothing.
    func mark(_ stream: EventStream, acknowledged: Int64, deletedThrough: Int64) throws(StoreError) {
        guard let statement = streams[stream]?.marks else { return }
        statement.bind(acknowledged, at: 1)
        statement.bind(deletedThrough, at: 2)
        try statement.run()
    }

    /// Sets a stream's acknowledged sequence, also to a lower one, and takes out dead letters of the rows behind it: those
    /// are sent, and judged, again.
    func takeBack(_ stream: EventStream, to acknowledged: Int64) throws(StoreError) {
        for statement in [streams[stream]?.lowering, streams[stream]?.unsettledLetters].compactMap(\.self) {
            statement.bind(acknowledged, at: 1)
            try statement.run()
        }
    }

    /// Deletes a stream's rows up to a sequence; the caller raises the mark in the same transaction.
    func delete(_ stream: EventStream, through sequence: Int64) throws(StoreError) {
        guard let statement = streams[stream]?.delete else { return }
        statement.bind(sequence, at: 1)
        try statement.run()
    }

    /// When a stream's first row from a sequence on was received, in microseconds since the Unix epoch.
    func received(_ stream: EventStream, from sequence: Int64) throws(StoreError) -> Int64? {
        guard let statement = streams[stream]?.received else { return nil }
        statement.bind(sequence, at: 1)
        return try statement.number()
    }

    /// When a stream's rows through a sequence were received: see ``ReceiptOrder``.
    func receipt(_ stream: EventStream, through sequence: Int64) throws(StoreError) -> Int64? {
        guard let statement = streams[stream]?.receipt else { return nil }
        statement.bind(sequence, at: 1)
        return try statement.number()
    }

    /// Counts a stream's rows after a sequence and through another.
    func count(
        _ stream: EventStream, after: Int64, through: Int64, as reason: DropReason, into tally: inout DropTally
    ) throws(StoreError) {
        guard let statement = streams[stream]?.summary else { return }
        statement.bind(after, at: 1)
        statement.bind(through, at: 2)
        defer { statement.reset() }
        while try statement.step() {
            let text = UnsafeRawBufferPointer(
                start: sqlite3_column_text(statement.handle, 1), count: Int(sqlite3_column_bytes(statement.handle, 1)))
            tally.add(
                stream, Symbol(utf8: text), reason, time: sqlite3_column_int64(statement.handle, 2),
                sequence: sqlite3_column_int64(statement.handle, 0))
        }
    }

    /// Stores which gaps began and which are over.
    ///
    /// - Returns: how many rows more there are.
    func add(_ change: GapChange, now microseconds: Int64) throws(StoreError) -> Int64 {
        var ended = change.ended
        var added: Int64 = 0
        for gap in change.gaps {
            if gap.to != nil, let place = ended.firstIndex(where: { $0.isBeginning(of: gap) }) {
                ended.remove(at: place)
                bindAll(gap, to: gapEnd)
                if try changes(gapEnd) { continue }
            }
            if try add(gap, now: microseconds) { added += 1 }
        }
        for gap in ended {
            bind(gap, to: gapCut)
            if try changes(gapCut) { continue }
            bind(gap, to: gapRemoval)
            if try changes(gapRemoval) { added -= 1 }
        }
        return added
    }

    /// Stores a gap.
    ///
    /// - Returns: whether it has a row of its own: a symbol that the plan refuses on one connection after the other has one
    ///   gap, which goes on.
    @discardableResult
    func add(_ value: Gap, now microseconds: Int64) throws(StoreError) -> Bool {
        if value.cause == .unsubscribed {
            bindAll(value, to: gapGoesOn)
            if try changes(gapGoesOn) { return false }
        }
        bindAll(value, to: gap)
        gap.bind(microseconds, at: 8)
        // The REST API has nothing else.
        let isFillable = value.events.contains { [.bars, .trades, .quotes].contains($0.stream) }
        gap.bind(isFillable ? GapState.open.rawValue : GapState.unfillable.rawValue, at: 9)
        if isFillable {
            gap.bind(nil, at: 10)
        } else {
            gap.bind("only bars, trades and quotes can be had again", at: 10)
        }
        try gap.run()
        return true
    }

    /// Losses for want of a subscription that are no further apart are one.
    private static let sameGapMilliseconds = 60_000

    private func bind(_ value: Gap, to statement: PreparedStatement) {
        statement.bind(value.connection, at: 1)
        statement.bind(value.symbols.isEmpty ? "*" : value.symbols.map(\.description).joined(separator: ","), at: 2)
        statement.bind(value.events.map(\.rawValue).joined(separator: ","), at: 3)
        statement.bind(value.from, at: 4)
        statement.bind(value.cause.rawValue, at: 6)
    }

    private func bindAll(_ value: Gap, to statement: PreparedStatement) {
        bind(value, to: statement)
        statement.bind(value.to, at: 5)
        statement.bind(value.isUncertain ? 1 : 0, at: 7)
    }

    /// Runs a statement, and returns whether it changed a row.
    private func changes(_ statement: PreparedStatement) throws(StoreError) -> Bool {
        try statement.run()
        return sqlite3_changes(database) > 0
    }

    /// Stores a step of filling a gap; a gap that went on meanwhile stays as it is.
    func add(_ value: GapFill, now microseconds: Int64) throws(StoreError) {
        for (symbol, rows) in value.symbols {
            fill.bind(value.gap, at: 1)
            fill.bind(symbol.description, at: 2)
            fill.bind(value.event.rawValue, at: 3)
            fill.bind(Int64(rows), at: 4)
            fill.bind(microseconds, at: 5)
            fill.bind(value.to, at: 6)
            try fill.run()
        }
        guard let state = value.state else { return }
        settle.bind(value.gap, at: 1)
        settle.bind(state.rawValue, at: 2)
        if let detail = value.detail { settle.bind(detail, at: 3) } else { settle.bind(nil, at: 3) }
        settle.bind(microseconds, at: 4)
        settle.bind(value.to, at: 5)
        try settle.run()
    }

    /// Stores what comparing a day with the tape found, in place of what was found before.
    func add(_ value: ReconciledDay) throws(StoreError) {
        reconciled.bind(value.symbol.description, at: 1)
        reconciled.bind(value.day.description, at: 2)
        for (place, count) in zip(3..., value.counts) { reconciled.bind(Int64(count), at: Int32(place)) }
        reconciled.bind(value.at, at: 12)
        try reconciled.run()
    }

    /// Stores that a collector was alive.
    func noteAlive(now microseconds: Int64) throws(StoreError) {
        alive.bind(microseconds, at: 1)
        try alive.run()
    }

    /// Stores a transaction of the upload, and takes out those that can't come back.
    func add(_ value: UploadMove, under id: String) throws(StoreError) {
        move.bind(id, at: 1)
        move.bind(value.stream.rawValue, at: 2)
        move.bind(value.token, at: 3)
        move.bind(value.through, at: 4)
        try move.run()
        guard let settled = value.settled else { return }
        oldMoves.bind(id, at: 1)
        oldMoves.bind(value.stream.rawValue, at: 2)
        oldMoves.bind(settled, at: 3)
        try oldMoves.run()
    }

    /// Forgets an earlier identifier.
    func forget(_ id: String, _ stream: EventStream) throws(StoreError) {
        for statement in forgotten {
            statement.bind(id, at: 1)
            statement.bind(stream.rawValue, at: 2)
            try statement.run()
        }
    }

    /// Stores counts of events given up.
    func add(_ tally: DropTally, episode: Int64, now microseconds: Int64) throws(StoreError) {
        for (key, entry) in tally.entries {
            drop.bind(episode, at: 1)
            drop.bind(key.stream.rawValue, at: 2)
            drop.bind(key.symbol?.description ?? "*", at: 3)
            drop.bind(key.reason.rawValue, at: 4)
            drop.bind(entry.from, at: 5)
            drop.bind(entry.to, at: 6)
            drop.bind(entry.firstSequence, at: 7)
            drop.bind(entry.lastSequence, at: 8)
            drop.bind(entry.count, at: 9)
            drop.bind(microseconds, at: 10)
            try drop.run()
        }
    }

    /// Stores a dead letter, or brings the one of the same row up to date.
    func add(_ value: DeadLetter) throws(StoreError) {
        letter.bind(value.stream.rawValue, at: 1)
        letter.bind(value.sequence, at: 2)
        letter.bind(value.sqlState, at: 3)
        letter.bind(value.reason, at: 4)
        letter.bind(value.row, at: 5)
        letter.bind(value.time, at: 6)
        try letter.run()
    }

    /// Takes a dead letter out.
    func removeLetter(_ stream: EventStream, _ sequence: Int64) throws(StoreError) {
        removal.bind(stream.rawValue, at: 1)
        removal.bind(sequence, at: 2)
        try removal.run()
    }

    /// The number of dead letters.
    func letterCount() throws(StoreError) -> Int64 {
        try letters.number() ?? 0
    }

    /// Deletes the oldest dead letters of rows that wait no more, counted in `tally`.
    ///
    /// The letter of a row that waits stays: a COMMIT may be about to move past that row.
    func deleteOldestLetters(
        _ count: Int64, settled statistics: BufferStatistics, into tally: inout DropTally
    ) throws(StoreError) {
        oldestLetters.bind(count, at: 1)
        for (place, stream) in zip(2..., EventStream.allCases) {
            oldestLetters.bind(statistics[stream].acknowledgedSequence, at: Int32(place))
        }
        defer { oldestLetters.reset() }
        let handle = oldestLetters.handle
        while try oldestLetters.step() {
            guard let text = sqlite3_column_text(handle, 0), let stream = EventStream(rawValue: String(cString: text))
            else { continue }
            let sequence = sqlite3_column_int64(handle, 1)
            let symbol = sqlite3_column_text(handle, 2).flatMap { Symbol(String(cString: $0)) }
            let time = sqlite3_column_type(handle, 3) == SQLITE_INTEGER ? sqlite3_column_int64(handle, 3) : nil
            tally.add(stream, symbol, .letterDropped, time: time, sequence: sequence)
        }
    }

    /// Stores what happened to the file.
    func add(incident what: String, detail: String, now microseconds: Int64) throws(StoreError) {
        incident.bind(microseconds, at: 1)
        incident.bind(what, at: 2)
        incident.bind(detail, at: 3)
        try incident.run()
    }

    /// Stores the number of transactions with notes, by which one of unknown outcome is recognised.
    func count(notes: Int64) throws(StoreError) {
        counted.bind(notes, at: 1)
        try counted.run()
    }
}

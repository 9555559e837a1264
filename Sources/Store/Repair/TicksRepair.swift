import FoundationEssentials
import GRDB
import GRDBSQLite
import MarketData

/// Fills a fresh `ticks.sqlite` from a damaged one, and records what is lost.
struct TicksRepair {
    /// The number of losses that are recorded separately; further ones are merged into the last one.
    static let mostLosses = 500
    /// The number of rows on each side of a loss whose symbols are reported.
    static let rowsAround = 200
    /// The number of symbols that are reported per loss.
    static let mostSymbols = 50

    let database: Database
    let path: String
    let options: FileRepair.Options
    /// The directory made for the fresh file; `nil` if the file replaces the damaged one, or in a dry run.
    let copy: String?
    let now: Int64

    /// Fills the fresh file, in the caller's transaction.
    func fill(_ salvage: inout Salvage, _ report: inout RepairReport) throws {
        try salvage.readMarks(database)
        for table in ["buffer", "drops"] { try salvage.copy(table, into: database) }
        try salvage.copyEvents(into: database)
        for table in ["gaps", "gap_fills", "reconciled", "dead_letters", "incidents", "predecessors", "moves"] {
            try salvage.copy(table, into: database)
        }
        guard try identify(&report) else {
            report.tables = salvage.tables
            report.outcome = .identityLost
            return
        }
        let marks = try setMarks(salvage, &report)
        report.losesEnd = salvage.losesEnd
        report.losses = try EventStream.allCases.flatMap { stream in
            try losses(of: stream, marks[stream] ?? UploadMarks())
        }
        try noteLosses(report, salvage, marks)
        report.tables = salvage.tables
        try database.execute(
            sql: "INSERT INTO incidents (at_us, what, detail) VALUES (?, ?, ?)",
            arguments: [
                now, Incident.repaired,
                "\(report.id ?? "a file of unknown id"): \(report.kept.counted("row")) kept, \(report.lost.grouped) lost",
            ])
    }

    /// Gives the file its new identifier, and notes the old one.
    private func identify(_ report: inout RepairReport) throws -> Bool {
        let row = try Row.fetchOne(database, sql: "SELECT id FROM buffer ORDER BY rowid LIMIT 1")
        let found = row.flatMap { Cells($0)["id"] }.flatMap { BufferID.isValid($0) ? $0 : nil }
        report.id = found ?? options.id?.lowercased()
        if let id = report.id, !BufferID.isValid(id) {
            throw StoreError(.invalid, operation: "repair", path: path, underlying: "\(id) is not a UUID")
        }
        guard report.id != nil || options.sendsAgain else { return false }
        if report.id == nil {
            report.remarks.append(
                "the file's identifier is lost: rows that are upstream but not yet marked as uploaded in the file "
                    + "will be sent again")
        }
        let id = UUID().uuidString.lowercased()
        if row == nil {
            try database.execute(
                sql: "INSERT INTO buffer (id, collector, created_us) VALUES (?, '', ?)", arguments: [id, now])
        } else {
            try database.execute(sql: "UPDATE buffer SET id = ?", arguments: [id])
            try database.execute(sql: "DELETE FROM buffer WHERE rowid <> (SELECT min(rowid) FROM buffer)")
        }
        report.newID = id
        return true
    }

    private func setMarks(_ salvage: Salvage, _ report: inout RepairReport) throws -> [EventStream: UploadMarks] {
        var result: [EventStream: UploadMarks] = [:]
        let successor = try report.id.flatMap { try LiveSuccessor(of: $0, besides: path) }
        if successor != nil {
            report.remarks.append(
                successor?.isTold == true
                    ? "a collector continued under the same identifier; only the rows that it recorded as lost with this "
                        + "file will be uploaded"
                    : "a collector continued under the same identifier, and it is no longer known which rows waited in "
                        + "this file")
        }
        for stream in EventStream.allCases {
            let table = stream.rawValue
            let first = try number("SELECT min(seq) FROM \(table)")
            let last = try number("SELECT max(seq) FROM \(table)")
            // Without a row, at least the numbers of the file's earlier identifiers were given.
            let given = try number("SELECT max(through) FROM predecessors WHERE stream = ?", [table])
                .map { min($0, TickConnection.possibleSequences.upperBound - 1) }
            var marks = salvage.marks[stream] ?? UploadMarks(deleted: first.map { max(0, $0 - 1) } ?? given ?? 0)
            if salvage.marks[stream] == nil, salvage.streams.contains(stream) {
                report.remarks.append("\(table): the marks are lost; the ledger upstream shows what was uploaded")
            }
            let greatest = max(last ?? 0, marks.settled)
            if let first, let lost = successor?.lost[stream], lost <= greatest {
                let start = max(first, lost)
                report.remarks.append(
                    "\(table): the database lost uploaded rows, from \(start) on; to send those that the copy has again, "
                        + "run: \(sendAgain(stream, from: start))")
            }
            if let successor, !successor.isTold, marks.acknowledged < greatest {
                report.remarks.append(
                    "\(table): no row is uploaded automatically; to send those that are not upstream, run: "
                        + sendAgain(stream, from: marks.settled + 1))
            }
            if let successor {
                marks.acknowledged = max(
                    marks.acknowledged, min(greatest, successor.uploaded(stream, through: greatest)))
                // The successor continues what earlier identifiers left.
                for table in ["predecessors", "moves"] {
                    try database.execute(sql: "DELETE FROM \(table) WHERE stream = ?", arguments: [stream.rawValue])
                }
            } else if let id = report.id, greatest > 0 {
                try database.execute(
                    sql: """
                        INSERT OR REPLACE INTO predecessors (id, stream, through, place)
                        VALUES (?, ?, ?, (SELECT coalesce(max(place), 0) + 1 FROM predecessors))
                        """, arguments: [id, table, greatest])
            }
            try database.execute(
                sql: """
                    UPDATE streams SET acknowledged = ?, deleted_through = ?, sent_again_through = ?, gone_through = ?
                    WHERE stream = ?
                    """,
                arguments: [marks.acknowledged, marks.deleted, marks.sentAgain, marks.gone, table])
            result[stream] = marks
        }
        return result
    }

    /// The command that sends rows again from the directory of the fresh file.
    private func sendAgain(_ stream: EventStream, from sequence: Int64) -> String {
        "EDGETICK_DATA_DIR=\(copy ?? "…") edgetick sync --again --stream \(stream.rawValue) --from \(sequence)"
    }

    /// The holes in a stream's numbers that were not there before the damage.
    private func losses(of stream: EventStream, _ marks: UploadMarks) throws -> [RepairReport.Loss] {
        let holes = try SequenceSpans.unexplained(in: stream, marks, database)
        return try holes.prefix(Self.mostLosses).map { hole in
            let isLast = holes.count > Self.mostLosses && hole == holes[Self.mostLosses - 1]
            return try loss(stream, hole.lowerBound...(isLast ? holes[holes.count - 1].upperBound : hole.upperBound))
        }
    }

    private func loss(_ stream: EventStream, _ hole: ClosedRange<Int64>) throws -> RepairReport.Loss {
        let table = stream.rawValue
        let time = stream.timeColumn
        let symbols = try String.fetchAll(
            database,
            sql: """
                SELECT DISTINCT symbol FROM (
                    SELECT symbol FROM (SELECT symbol FROM \(table) WHERE seq < ?1 ORDER BY seq DESC LIMIT ?3)
                    UNION ALL SELECT symbol FROM (SELECT symbol FROM \(table) WHERE seq > ?2 ORDER BY seq LIMIT ?3)
                ) ORDER BY symbol LIMIT ?4
                """, arguments: [hole.lowerBound, hole.upperBound, Self.rowsAround, Self.mostSymbols])
        return RepairReport.Loss(
            stream: stream, first: hole.lowerBound, last: hole.upperBound,
            from: try number("SELECT \(time) FROM \(table) WHERE seq < ? ORDER BY seq DESC LIMIT 1", [hole.lowerBound]),
            to: try number("SELECT \(time) FROM \(table) WHERE seq > ? ORDER BY seq LIMIT 1", [hole.upperBound]),
            symbolsAround: symbols)
    }

    private func number(_ sql: String, _ arguments: StatementArguments = []) throws -> Int64? {
        try Int64.fetchOne(database, sql: sql, arguments: arguments)
    }

    /// Writes the losses into `drops` and `gaps`, where users, verification and backfill look for them.
    private func noteLosses(_ report: RepairReport, _ salvage: Salvage, _ marks: [EventStream: UploadMarks]) throws {
        guard let handle = database.sqliteConnection else { throw StoreError(.closed, operation: "repair") }
        let notes = try NoteStatements(on: handle)
        let span = try FileSpan(database, collected: options.events, now: now)
        func note(_ stream: EventStream, _ hole: ClosedRange<Int64>) throws -> Gap? {
            let (connection, events) = try neighbour(stream, of: hole.lowerBound, span)
            let gap = span.gap(
                of: stream, hasDeleted: marks[stream]?.deleted ?? 0 > 0, connection: connection, events: events,
                from: try missedSince(stream, hole.lowerBound), to: try missedUntil(stream, hole.upperBound))
            if let gap { try notes.add(gap, now: now) }
            return gap
        }
        for (index, loss) in report.losses.enumerated() {
            let gap = try note(loss.stream, loss.first...loss.last)
            var tally = DropTally()
            tally.add(
                DropTally.Key(stream: loss.stream, symbol: nil, reason: .unreadable),
                DropTally.Entry(
                    count: loss.count, from: gap?.from, to: gap?.to, firstSequence: loss.first,
                    lastSequence: loss.last))
            try notes.add(tally, episode: now + Int64(index), now: now)
        }
        // How many rows are missing at a stream's beginning or end is not known, so these losses only become gaps.
        for stream in EventStream.allCases {
            let first = try number("SELECT min(seq) FROM \(stream.rawValue)")
            let last = try number("SELECT max(seq) FROM \(stream.rawValue)")
            if salvage.losesBeginning(of: stream), let first { _ = try note(stream, 0...max(0, first - 1)) }
            let isTold = report.losses.contains { $0.stream == stream && $0.to == nil }
            let isUsed = last != nil || salvage.isDamaged(stream) || !span.kinds.isDisjoint(with: stream.kinds)
            if salvage.losesEnd(of: stream), isUsed, !isTold { _ = try note(stream, (last ?? 0) + 1 ... .max) }
        }
    }

    /// Returns since when events of a hole may be missing, by the row before it, in milliseconds since the Unix epoch.
    private func missedSince(_ stream: EventStream, _ first: Int64) throws -> Int64? {
        try number(
            """
            SELECT min(\(stream.timeColumn), received_us / 1000) FROM \(stream.rawValue)
            WHERE seq < ? AND \(ReceiptOrder.isPossible) ORDER BY seq DESC LIMIT 1
            """, [first]
        ).map { UnixTime.bounded(UnixTime.bounded($0) - Gap.startMargin) }
    }

    /// Returns until when events of a hole may be missing, by a row after its last number, in milliseconds since the Unix
    /// epoch; `nil` if none shows that.
    ///
    /// The row's own time may be older than theirs, as that of a late correction or of an event that filled a gap. But
    /// they were received before it, unless it was put back with an earlier time of receipt.
    private func missedUntil(_ stream: EventStream, _ last: Int64) throws -> Int64? {
        let before = try ReceiptOrder.receipt(stream, through: last, database)
        return try number(
            """
            SELECT max(\(stream.endColumn), received_us / 1000) FROM \(stream.rawValue)
            WHERE seq > ? AND received_us >= ? AND \(ReceiptOrder.isPossible) ORDER BY seq LIMIT 1
            """, [last, before ?? 0]
        ).map { UnixTime.bounded(UnixTime.bounded($0) + Gap.endMargin) }
    }

    /// Returns the connection and the kinds of events of the rows beside a sequence, or else those of the file.
    private func neighbour(
        _ stream: EventStream, of sequence: Int64, _ span: FileSpan
    ) throws -> (String, [EventKind]) {
        let interval = stream == .bars ? "interval_s" : "0"
        let sides = [
            "SELECT connection, \(interval) FROM \(stream.rawValue) WHERE seq < ? ORDER BY seq DESC LIMIT 50",
            "SELECT connection, \(interval) FROM \(stream.rawValue) WHERE seq >= ? ORDER BY seq LIMIT 50",
        ]
        let rows = try sides.flatMap { try Row.fetchAll(database, sql: $0, arguments: [sequence]) }
        guard let row = rows.first else {
            let kinds = stream.kinds.filter(span.kinds.contains)
            return (span.connection, kinds.isEmpty ? stream.kinds : kinds)
        }
        guard stream == .bars else { return (row[0], stream.kinds) }
        let intervals = Set(rows.compactMap { Bar.Interval(rawValue: $0[1]).map(EventKind.init) })
        return (row[0], stream.kinds.filter(intervals.contains))
    }
}

import GRDB
import MarketData

extension TickConnection {
    /// Returns what a file knows of its uploads, over any connection.
    static func line(_ database: Database) throws -> UploadLine {
        func stream(_ row: Cells, in table: String) throws -> EventStream {
            guard let stream = EventStream(rawValue: try row.required("stream")) else {
                throw StoreError(.damaged, operation: "read", underlying: "\(table) holds an unknown stream")
            }
            return stream
        }
        var line = UploadLine(id: try String.fetchOne(database, sql: "SELECT id FROM buffer") ?? "")
        let order = "SELECT id, stream, through FROM predecessors ORDER BY place, through"
        for row in try Row.fetchAll(database, sql: order).map(Cells.init) {
            line.predecessors.append(
                .init(
                    id: try row.required("id"), stream: try stream(row, in: "predecessors"),
                    through: try row.required("through")))
        }
        let moves = try Row.fetchAll(database, sql: "SELECT id, stream, token FROM moves ORDER BY number")
        for row in moves.map(Cells.init) {
            line.add(try row.required("token"), of: try stream(row, in: "moves"), under: try row.required("id"))
        }
        return line
    }

    /// Writes a line into a fresh file that continues another one.
    static func store(_ line: UploadLine, _ database: Database) throws {
        for (place, predecessor) in line.predecessors.enumerated() {
            try database.execute(
                sql: "INSERT OR IGNORE INTO predecessors (id, stream, through, place) VALUES (?, ?, ?, ?)",
                arguments: [predecessor.id, predecessor.stream.rawValue, predecessor.through, place])
        }
        for (id, stream, token) in line.moves {
            try database.execute(
                sql: "INSERT OR IGNORE INTO moves (id, stream, token, through) VALUES (?, ?, ?, 0)",
                arguments: [id, stream.rawValue, token])
        }
    }

    /// Gives the file another identifier, with the old one as a predecessor.
    ///
    /// This happens at every open. What is in a file may also be in a copy of it, and after a kill the log may be
    /// shorter than it was. So numbers that are given from now on must not be taken for rows that were uploaded under
    /// the old identifier. For a stream of which nothing was uploaded under an identifier and nothing waits, it leaves
    /// no trace. A file that has the most predecessors allowed, and uploaded nothing under its identifier, keeps it.
    func renamed(_ contents: Contents, to id: String) throws(StoreError) -> Contents {
        let isRenamed = try changeIfPossible { try TickConnection.rename(contents, to: id, $0) }
        var renamed = contents
        if isRenamed == true { renamed.id = id }
        return renamed
    }

    private static func rename(_ contents: Contents, to id: String, _ database: Database) throws -> Bool {
        func number(_ sql: String, _ arguments: StatementArguments = []) throws -> Int {
            try Int.fetchOne(database, sql: sql, arguments: arguments) ?? 0
        }
        let isKnownUpstream = try number("SELECT count(*) FROM moves WHERE id = ?", [contents.id]) > 0
        let known = try number("SELECT count(DISTINCT id) FROM predecessors")
        if known >= UploadLine.mostPredecessors, !isKnownUpstream { return false }
        // A file of a version that did not record moves may have uploaded rows all the same.
        let recordsMoves = try number("SELECT count(*) FROM moves") > 0
        let place = try number("SELECT coalesce(max(place), 0) + 1 FROM predecessors")
        for stream in EventStream.allCases where contents[stream].last > 0 {
            let (marks, name) = (contents[stream], stream.rawValue)
            let uses = try number("SELECT count(*) FROM moves WHERE id = ? AND stream = ?", [contents.id, name])
            guard uses > 0 || !recordsMoves || marks.acknowledged < marks.last else { continue }
            let known = try number("SELECT count(*) FROM predecessors WHERE stream = ?", [name])
            if uses == 0, known >= UploadLine.mostPredecessors {
                // Only other streams go up: rows that wait count as given out under the newest identifier that is known.
                try database.execute(
                    sql: """
                        UPDATE predecessors SET through = max(through, ?1) WHERE stream = ?2
                        AND place = (SELECT max(place) FROM predecessors WHERE stream = ?2)
                        """, arguments: [marks.last, name])
            } else {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO predecessors (id, stream, through, place) VALUES (?, ?, ?, ?)",
                    arguments: [contents.id, name, marks.last, place])
            }
        }
        try database.execute(sql: "UPDATE buffer SET id = ?", arguments: [id])
        return true
    }
}

import GRDB

/// How a table's rows are laid out in its records.
struct TableLayout {
    let name: String
    /// The columns in the order of the record.
    let columns: [String]
    /// The column that is the row's key in the tree and therefore not in the record; `nil` if there is none.
    let rowidColumn: Int?
    /// Whether the rows are in an index tree, as those of a WITHOUT ROWID table are.
    let isWithoutRowid: Bool
    /// The root page of the table's tree in a file that was created with the newest schema.
    let usualRoot: UInt32

    /// Reads a table's layout from a sound file (sqlite.org/fileformat2.html, sections 2.3 and 2.4).
    init(_ name: String, in database: Database) throws {
        self.name = name
        let mark = try Int.fetchOne(
            database, sql: "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?", arguments: [name])
        isWithoutRowid = mark == 1
        let root = try UInt32.fetchOne(
            database, sql: "SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = ?", arguments: [name])
        usualRoot = root ?? 0
        let rows = try Row.fetchAll(database, sql: "SELECT name, type, pk FROM pragma_table_info(?)", arguments: [name])
        let keys = rows.filter { ($0["pk"] as Int) > 0 }.sorted { ($0["pk"] as Int) < ($1["pk"] as Int) }
        if isWithoutRowid {
            // The key's columns come first.
            columns = (keys + rows.filter { ($0["pk"] as Int) == 0 }).map { $0["name"] }
            rowidColumn = nil
        } else {
            columns = rows.map { $0["name"] }
            let isNumber = keys.count == 1 && (keys[0]["type"] as String).uppercased() == "INTEGER"
            rowidColumn = isNumber ? rows.firstIndex { ($0["pk"] as Int) == 1 } : nil
        }
    }
}

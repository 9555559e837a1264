import GRDB
import GRDBSQLite

/// Puts salvaged rows into a table of the fresh file; a row that is there already stays as it is.
final class SalvageTarget {
    let layout: TableLayout
    private let database: OpaquePointer
    private var statements: [Int: PreparedStatement] = [:]
    /// Rows that were taken.
    private(set) var kept: Int64 = 0
    /// Rows that the table refused.
    private(set) var refused: Int64 = 0

    init(_ layout: TableLayout, on database: OpaquePointer) {
        self.layout = layout
        self.database = database
    }

    /// Takes a row. Columns that were added to the table since are at the record's end and get their defaults.
    func add(_ row: TreeWalk.Row) throws(StoreError) {
        let count = row.values.count
        guard count > 0, count <= layout.columns.count else {
            refused += 1
            return
        }
        let statement = try statement(count)
        for (index, value) in row.values.enumerated() {
            let place = Int32(index + 1)
            if index == layout.rowidColumn {
                statement.bind(row.rowid, at: place)
                continue
            }
            switch value {
            case .null: statement.bind(nil, at: place)
            case .integer(let number): statement.bind(number, at: place)
            case .real(let number): sqlite3_bind_double(statement.handle, place, number)
            case .text(let bytes): statement.bind(String(decoding: bytes, as: UTF8.self), at: place)
            case .blob: statement.bind(nil, at: place)
            }
        }
        do throws(StoreError) {
            try statement.run()
            kept += Int64(sqlite3_changes(database))
        } catch {
            // A value that the table's rules forbid; what the disk refuses ends the repair.
            guard error.reason == .statement else { throw error }
            refused += 1
        }
    }

    private func statement(_ count: Int) throws(StoreError) -> PreparedStatement {
        if let statement = statements[count] { return statement }
        let columns = layout.columns[..<count].joined(separator: ", ")
        let marks = Array(repeating: "?", count: count).joined(separator: ", ")
        let statement = try PreparedStatement(
            "INSERT OR IGNORE INTO \(layout.name) (\(columns)) VALUES (\(marks))", on: database)
        statements[count] = statement
        return statement
    }
}

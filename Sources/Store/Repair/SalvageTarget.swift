import GRDB

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
        let values = row.values.enumerated().map { index, value -> any StatementBinding in
            if index == layout.rowidColumn { return row.rowid }
            switch value {
            case .integer(let number): return number
            case .real(let number): return number
            case .text(let bytes): return String(decoding: bytes, as: UTF8.self)
            case .null, .blob: return DatabaseValue.null
            }
        }
        do throws(StoreError) {
            kept += try statement.run(values)
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

import GRDB

/// Inserts salvaged rows into a table of the fresh file; a row that is already there is left unchanged.
final class SalvageTarget {
    let layout: TableLayout
    private let database: OpaquePointer
    private var statements: [Int: PreparedStatement] = [:]
    private(set) var kept: Int64 = 0
    private(set) var refused: Int64 = 0

    init(_ layout: TableLayout, on database: OpaquePointer) {
        self.layout = layout
        self.database = database
    }

    /// Inserts a row, and returns whether the table can hold it. Columns that were added to the table since it was
    /// written come last, and get their defaults.
    @discardableResult
    func add(_ row: TreeWalk.Row) throws(StoreError) -> Bool {
        let count = row.values.count
        guard count > 0, count <= layout.columns.count else {
            refused += 1
            return false
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
            return true
        } catch {
            // The table's constraints reject a value. Any other error, such as the disk's, ends the repair.
            guard error.reason == .statement else { throw error }
            refused += 1
            return false
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

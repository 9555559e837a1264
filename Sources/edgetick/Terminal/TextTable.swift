/// Rows of text in aligned columns, for a terminal or a pipe.
struct TextTable {
    /// A column; a literal is the title of one that is aligned left.
    struct Column {
        let title: String
        var isRight = false

        static func right(_ title: String) -> Column { Column(title: title, isRight: true) }
    }

    private let columns: [Column]
    private let rows: [[String]]

    /// - Parameter rows: A cell for each column.
    init(_ columns: [Column], _ rows: [[String]]) {
        self.columns = columns
        self.rows = rows.map { $0.map(\.escapingControls) }
    }

    var width: Int { text.split(separator: "\n").map(\.count).max() ?? 0 }

    /// The table, one line per row, titles first.
    var text: String {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { index in all.lazy.map { $0[index].count }.max() ?? 0 }
        return all.map { row in
            zip(row.indices, row).map { index, cell in
                if columns[index].isRight { return cell.aligned(to: widths[index]) }
                return index == columns.count - 1 ? cell : cell.padded(to: widths[index])
            }.joined(separator: "  ") + "\n"
        }.joined()
    }
}

extension TextTable.Column: ExpressibleByStringLiteral {
    init(stringLiteral title: String) { self.init(title: title) }
}

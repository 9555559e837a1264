/// Rows of text in aligned columns, for a terminal or a pipe.
struct TextTable {
    /// How a column's text is aligned.
    enum Alignment {
        case left
        case right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) {
        self.columns = columns
    }

    mutating func add(_ cells: [String]) {
        rows.append(cells.map(\.escapingControls))
    }

    /// The width of the longest line.
    var width: Int { text.split(separator: "\n").map(\.count).max() ?? 0 }

    /// The table, one line per row, titles first.
    var text: String {
        var widths = columns.map(\.title.count)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        let lines = ([columns.map(\.title)] + rows).map { row in
            zip(row.indices, row).map { index, cell in
                switch columns[index].alignment {
                case .left: index == columns.count - 1 ? cell : cell.padded(to: widths[index])
                case .right: cell.aligned(to: widths[index])
                }
            }.joined(separator: "  ")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// Rows of text in aligned columns, for a terminal or a pipe.
struct TextTable {
    /// A column; a literal is the title of one that is aligned left.
    struct Column {
        let title: String
        var isRight = false

        static func right(_ title: String) -> Column { Column(title: title, isRight: true) }
    }

    /// Before the further lines of a row.
    private static let margin = "    "

    private let columns: [Column]
    private let rows: [[String]]

    /// - Parameter rows: A cell for each column.
    init(_ columns: [Column], _ rows: [[String]]) {
        self.columns = columns
        self.rows = rows.map { $0.map(\.escapingControls) }
    }

    var width: Int { text.split(separator: "\n").map(\.count).max() ?? 0 }

    /// The table, one line per row, titles first.
    var text: String { text(within: nil) }

    /// The table as standard output shows it: within the window's columns if it is a terminal.
    var shown: String { text(within: TerminalScreen.columns()) }

    /// The table, titles first. A row that is wider than the window goes on in further lines, each of which begins with
    /// the same column in every row. `nil` is for a pipe, where each row is one line.
    func text(within limit: Int?) -> String {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { index in all.lazy.map { $0[index].count }.max() ?? 0 }
        let begins = Self.begins(widths, within: limit)
        return all.map { row in
            row.indices.map { index -> String in
                let isLast = index == columns.count - 1 || begins[index + 1]
                let cell =
                    columns[index].isRight
                    ? row[index].aligned(to: widths[index]) : isLast ? row[index] : row[index].padded(to: widths[index])
                guard begins[index] else { return "  " + cell }
                // A line that would be empty is left out.
                if index > 0, isLast, cell.isEmpty { return "" }
                let margin = index == 0 ? "" : "\n" + Self.margin
                guard let limit, cell.count > limit - (index == 0 ? 0 : Self.margin.count) else { return margin + cell }
                let lines = cell.lines(of: max(limit - Self.margin.count, 20), atMost: .max)
                return margin + lines.joined(separator: "\n" + Self.margin)
            }.joined() + "\n"
        }.joined()
    }

    /// Of each column, whether a line begins with it.
    private static func begins(_ widths: [Int], within limit: Int?) -> [Bool] {
        var used = 0
        return widths.indices.map { index -> Bool in
            used += 2 + widths[index]
            guard index > 0 else {
                used = widths[index]
                return true
            }
            guard let limit, used > limit else { return false }
            used = margin.count + widths[index]
            return true
        }
    }
}

extension TextTable.Column: ExpressibleByStringLiteral {
    init(stringLiteral title: String) { self.init(title: title) }
}

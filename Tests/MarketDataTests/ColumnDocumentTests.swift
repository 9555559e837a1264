import Foundation
import MarketData
import Testing

/// docs/columns.md says what the table of columns says.
@Suite(.timeLimit(.minutes(5))) struct ColumnDocumentTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func `docs say what each column is`() throws {
        let document = Self.root.appendingPathComponent("docs/columns.md")
        let expected = Self.markdown
        guard try String(contentsOf: document, encoding: .utf8) != expected else { return }
        let fresh = Self.root.appendingPathComponent(".build/columns.md")
        try expected.write(to: fresh, atomically: true, encoding: .utf8)
        Issue.record("docs/columns.md is out of date: cp .build/columns.md docs/columns.md")
    }

    private static var markdown: String {
        var text = """
            # The columns of each stream

            A stream is a table of `ticks.sqlite` and of the database upstream. Columns whose names end in `_ms`, `_us`
            and `_ns` are times in milliseconds, microseconds and nanoseconds since the Unix epoch, in UTC. So are upstream
            columns with these endings; all other times upstream are `timestamptz`. `feed` is the field of the feed's
            message; if there are two, the first has the exact value. Upstream, every table also has `collector`, the name of
            the box that uploaded the row. Bars go to `ohlcv_1min` and `ohlcv_1sec`, the other streams to tables of the same
            name.

            """
        for stream in EventStream.allCases {
            let kinds = stream.kinds.map { "`\($0.rawValue)`" }.joined(separator: ", ")
            text += "\n## \(stream.rawValue) (\(kinds))\n\n| column | feed | in the file | upstream | meaning |\n"
            text += "| --- | --- | --- | --- | --- |\n"
            for column in stream.columns {
                let cells = [
                    "`\(column.name)`", column.fields.map { "`\($0)`" }.joined(separator: ", "),
                    column.form + (column.isRequired ? "" : ", or NULL"),
                    column.targets.map { "`\($0.name)`" }.joined(separator: ", "), column.meaning,
                ]
                text += "| " + cells.joined(separator: " | ") + " |\n"
            }
        }
        return text
    }
}

extension Column {
    fileprivate var form: String {
        switch content {
        case .price, .quantity: "REAL"
        case .list: "TEXT, a JSON array"
        case .flag: "INTEGER, 0 or 1"
        default: content.isText ? "TEXT" : "INTEGER"
        }
    }
}

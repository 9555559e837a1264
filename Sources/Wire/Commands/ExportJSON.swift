package import Export
package import MarketData

/// What an export wrote: `edgetick export --json`; with `--watch`, a line for each day.
package struct ExportJSON: WireObject {
    package struct File: WireObject {
        package var path: String
        package var stream: EventStream
        package var day: String
        package var rows: Int
        package var bytes: Int64

        package static let meanings = ["day": "The New York date, such as 2026-11-24", "bytes": "Its size"]

        init(_ file: ExportReport.File) {
            (path, stream, day) = (file.path, file.stream, file.day.description)
            (rows, bytes) = (file.rows, file.bytes)
        }
    }

    package var first_day: String
    package var last_day: String
    package var rows: Int
    package var files: [File]
    package var partial_days: [String: [String]]
    package var kept_days: [String: [String]]
    package var missing_kinds: [String: String]
    package var rounded_numbers: Int
    package var left_out_numbers: Int
    package var unreadable_rows: Int

    package static let meanings = [
        "first_day": "The New York date, such as 2026-11-24",
        "rows": "In all files",
        "partial_days": "By stream, days of which rows were deleted from the local file after their upload",
        "kept_days": "By stream, days of which the same is true and whose earlier files were kept",
        "missing_kinds": "By kind, why the database's table could not be read; such a kind has no files",
        "rounded_numbers": "Numbers with more decimals than the columns have",
        "left_out_numbers": "Numbers that the columns can't hold",
        "unreadable_rows": "Rows that were left out because they can't be read",
    ]

    package init(_ report: ExportReport, _ days: ClosedRange<TradingDay>) {
        func byName(_ days: [EventStream: [TradingDay]]) -> [String: [String]] {
            EventStream.byName { stream in days[stream].flatMap { $0.isEmpty ? nil : $0.map(\.description) } }
        }
        first_day = days.lowerBound.description
        last_day = days.upperBound.description
        rows = report.rows
        files = report.files.map(File.init)
        partial_days = byName(report.partial)
        kept_days = byName(report.kept)
        missing_kinds = EventKind.byName { report.missing[$0] }
        rounded_numbers = report.rounded
        left_out_numbers = report.leftOut
        unreadable_rows = report.unreadable
    }
}

import Collector
import MarketData
import Store

/// The state of the collector's files, as text.
struct FileStatus {
    let report: BufferReport
    let gaps: GapCounts
    /// Whether rows wait for a database.
    let isUploading: Bool
    /// The window's columns; `nil` for a pipe.
    let width: Int?

    /// The page, a line feed after each line.
    var page: String {
        let time = WallClock.text(milliseconds:)
        var lines = [report.collectorProcess.map { "collector  running, process \($0)" } ?? "collector  not running"]
        if report.collectorProcess == nil, let holder = report.holder {
            lines.append("held by    another edgetick command, process \(holder.processID)")
        }
        let size = "\(report.fileBytes.bytesText) + WAL \(report.walBytes.bytesText)"
        lines.append("buffer     \(report.path.escapingControls), \(size)")
        lines.append("losses     \(gaps.text), dead letters \(report.deadLetters.grouped)\n")
        let table = TextTable(
            ["STREAM", .right("ROWS"), .right("TO UPLOAD"), "OLDEST WAITING", "NEWEST"],
            EventStream.allCases.map { stream in
                let counts = report[stream]
                return [
                    stream.rawValue, counts.rows.grouped, isUploading ? counts.pending.grouped : "-",
                    (isUploading ? counts.oldestPendingMilliseconds : nil).map(time) ?? "-",
                    counts.newestMilliseconds.map(time) ?? "-",
                ]
            })
        var text = lines.joined(separator: "\n") + "\n" + table.text(within: width)
        for drop in report.drops {
            text +=
                "DROPPED \(drop.stream.counted(drop.count)) of \(drop.symbols.counted("symbol")): "
                + "\(drop.reason), \(drop.from.map(time) ?? "?") to \(drop.to.map(time) ?? "?")\n"
        }
        for path in report.setAside {
            let advice =
                report.repairedFiles[path].map { "damaged and \($0.advice)" }
                ?? "damaged; recover its rows with edgetick repair --file, then move it away"
            text += "SET ASIDE " + "\(path): \(advice)".escapingControls + "\n"
        }
        for incident in report.incidents { text += "INCIDENT \(incident.escapingControls)\n" }
        return text
    }
}

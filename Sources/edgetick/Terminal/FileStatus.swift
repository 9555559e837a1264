import Collector
import FoundationEssentials
import MarketData
import Store

/// The state of the collector's files, as text.
struct FileStatus {
    let report: BufferReport
    let gaps: GapCounts
    /// Whether rows wait for a database.
    let isUploading: Bool

    /// The page, a line feed after each line.
    var page: String {
        var lines = [report.collectorProcess.map { "collector  running, process \($0)" } ?? "collector  not running"]
        if report.collectorProcess == nil, let holder = report.holder {
            lines.append("held by    another edgetick command, process \(holder.processID)")
        }
        lines.append(
            "buffer     \(report.path.escapingControls), \(report.fileBytes.bytesText) + WAL \(report.walBytes.bytesText)"
        )
        lines.append("losses     \(gaps.text), dead letters \(report.deadLetters.grouped)\n")
        var table = TextTable([
            ("STREAM", .left), ("ROWS", .right), ("TO UPLOAD", .right), ("OLDEST WAITING", .left), ("NEWEST", .left),
        ])
        for stream in EventStream.allCases {
            let counts = report[stream]
            table.add([
                stream.rawValue, counts.rows.grouped, isUploading ? counts.pending.grouped : "-",
                (isUploading ? counts.oldestPendingMilliseconds : nil).map(Self.time) ?? "-",
                counts.newestMilliseconds.map(Self.time) ?? "-",
            ])
        }
        var text = lines.joined(separator: "\n") + "\n" + table.text
        for drop in report.drops {
            text +=
                "DROPPED \(drop.count.grouped) \(drop.stream.rawValue) of \(drop.symbols.counted("symbol")): "
                + "\(drop.reason), \(drop.from.map(Self.time) ?? "?") to \(drop.to.map(Self.time) ?? "?")\n"
        }
        for path in report.setAside {
            text +=
                "SET ASIDE \(path.escapingControls): damaged; save what can be read with edgetick repair --file, then move it away\n"
        }
        for incident in report.incidents { text += "INCIDENT \(incident.escapingControls)\n" }
        return text
    }

    private static func time(_ milliseconds: Int64) -> String { WallClock.text(milliseconds: milliseconds) }
}

import ArgumentParser
import FoundationEssentials
import MarketData
import Store
import Universe
import Wire

/// Copies what can be read from a damaged file into a fresh one.
struct RepairCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Copy the readable rows of a damaged file into a fresh one; the old one is kept.",
        discussion: """
            Examples: edgetick repair --dry-run
                      edgetick repair --file ticks-bad-20260801T093000Z.sqlite

            Stop the collector first. A file in the data directory is replaced, and kept as ticks-bad-….sqlite; for a file
            that was set aside, a repaired copy is written to its own directory, for `EDGETICK_DATA_DIR=… edgetick sync`.
            Rows keep their numbers, and the next upload asks the ledger which of them are upstream: nothing is sent
            twice. Never put the old file back in place afterwards. Lost rows are listed, counted in the table drops, and
            recorded as a gap that backfill can fill. Needs free space of the size of the file.

            Exits with 65 if nothing can be read, or if the file's identifier can't be: then give it with --id (the table
            edgetick_uploads in the database has it), or send everything again with --send-again.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "The file to repair in place of those in the data directory.", completion: .file()) var file: String?
    @Flag(help: "Show what would be kept and lost, and change nothing.") var dryRun = false
    @Flag(help: "Also rewrite a file without faults, such as an older copy that was put back.") var force = false
    @Option(help: "The file's identifier (a UUID), if it can't be read.") var id: String?
    @Flag(help: "Send all rows that are not marked as uploaded, although the identifier is lost.") var sendAgain = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if let id, UUID(uuidString: id) == nil { throw ValidationError("--id: allowed: a UUID") }
        if id != nil { try refuse(["--send-again": sendAgain], with: "--id") }
    }

    func run(_ settings: Settings) async throws {
        var choices = FileRepair.Options()
        choices.isDryRun = dryRun
        choices.isForced = force
        choices.id = id
        choices.sendsAgain = sendAgain
        choices.events = settings.feed.events
        var reports: [RepairReport] = []
        for (path, kind) in try settings.localFiles([file].compactMap(\.self), to: "repair") {
            let progress = ProgressLine(title: "reading \(kind.name)", unit: "pages", quietFor: .seconds(1))
            reports.append(
                try FileRepair.repair(path, as: kind, options: choices) { done, total in
                    progress.update(done: done, total: total)
                })
        }
        if json {
            print(WireJSON.text(of: reports.map(RepairJSON.init)))
        } else {
            for report in reports { printNow(Self.page(report)) }
        }
        if reports.contains(where: { $0.outcome == .identityLost || $0.outcome == .hopeless }) {
            throw ExitCode(ExitStatus.badData.rawValue)
        }
    }

    /// What to do with a damaged file that is reported as set aside until it is moved away.
    private static func movingAway(_ path: String, _ report: RepairReport) -> [String] {
        let directory = path.lastIndex(of: "/").map { path[..<$0] } ?? "."
        let (from, to) = (DisplayText.argument(path), DisplayText.argument("\(directory)/set-aside"))
        let isToSend = report.kind == .ticks && report.setAside == nil
        let start = isToSend ? "once sync has sent what waits in the copy" : "now"
        return [
            "  \(start), move the damaged file away, so that health no longer reports it:",
            "    mkdir -p \(to) && mv \(from)* \(to)/".escapingControls,
        ]
    }

    private static func page(_ report: RepairReport) -> String {
        var lines: [String] = []
        let path = report.path.escapingControls
        switch report.outcome {
        case .sound: return "\(path): no fault, nothing to repair\n"
        case .repaired:
            lines.append("\(path): repaired, \(report.kept.counted("row")) kept, \(report.lost.grouped) lost")
            if let old = report.setAside { lines.append("  the damaged file is kept as \(old.escapingControls)") }
            if let output = report.output, output != report.path {
                lines.append("  the repaired copy is \(output.escapingControls)")
                let directory = URL(fileURLWithPath: output).deletingLastPathComponent().path
                if report.kind == .ticks {
                    lines.append("  send it with: EDGETICK_DATA_DIR=\(directory.escapingControls) edgetick sync")
                }
            }
        case .dryRun:
            let kept = report.kept.counted("row")
            lines.append("\(path): \(kept) would be kept, \(report.lost.grouped) lost; nothing was changed")
        case .identityLost:
            lines.append("\(path): \(report.kept.counted("row")) can be read, but the file's identifier can't")
            lines.append("  name it with --id: SELECT DISTINCT buffer_id, collector FROM edgetick_uploads")
            lines.append(
                "  or use --send-again: rows that only the ledger shows to be upstream may then be stored twice")
        case .hopeless:
            lines.append("\(path): not one row can be read; a collector sets it aside and starts a fresh file")
        }
        for table in report.tables where table.kept > 0 || table.unreadable > 0 {
            let lost = table.unreadable > 0 ? ", \(table.unreadable.counted("place")) can't be read" : ""
            lines.append("  \(table.name): \(table.kept.counted("row"))\(lost)")
        }
        for loss in report.losses {
            var line = "  lost: \(loss.stream.rawValue) \(loss.first)…\(loss.last), \(loss.count.counted("row"))"
            if let from = loss.from { line += ", after \(WallClock.text(milliseconds: from))" }
            if let to = loss.to { line += ", before \(WallClock.text(milliseconds: to))" }
            if !loss.symbolsAround.isEmpty { line += ", among \(loss.symbolsAround.joined(separator: ","))" }
            lines.append(line.escapingControls)
        }
        if report.losesEnd { lines.append("  rows after the last readable one may be lost; their number is unknown") }
        for remark in report.remarks { lines.append("  \(remark.escapingControls)") }
        if let path = report.toMoveAway { lines.append(contentsOf: movingAway(path, report)) }
        return lines.joined(separator: "\n") + "\n"
    }
}

import ArgumentParser
import Collector
import MarketData
import Store
import Upstream
import Wire

/// Uploads what is buffered, once or repeatedly.
struct SyncCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Upload what is buffered, then exit.",
        discussion: """
            Examples: edgetick sync --dry-run
                      edgetick sync --again --from 2026-08-01T13:30:00Z
                      edgetick sync --again --stream trades --from 4711

            --again sends rows again although they count as uploaded: for rows that were lost upstream, or to take the
            upload over from another copy of the file. Rows that are still upstream are skipped. If the table has
            neither received_at nor an identity (edgetick migrate --tick-identity), ticks that are still upstream are
            stored twice; bars never are. Rows before --from that were never uploaded are sent as well if they can't be
            stored twice; others stop the command, unless they are upstream. It asks first on a terminal; elsewhere
            --yes is needed.

            A running collector uploads by itself and holds the buffer; this command is for a box that no longer collects.

            If the database refuses many rows of several symbols for the same reason, they wait in the queue: the cause is
            more likely a missing partition, a constraint or a trigger than the rows. --set-aside makes them dead letters
            anyway; the same goes for a row that ends the server's session when no other row shows that it is at fault.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Say what would be uploaded and change nothing.") var dryRun = false
    @Flag(help: "Keep uploading every SYNC_INTERVAL until stopped.") var watch = false
    @Flag(help: "Make refused rows dead letters, however many there are.") var setAside = false
    @Flag(
        help: ArgumentHelp(
            "Send uploaded rows again, whatever the ledger upstream says; needs --from.",
            discussion: "For rows that were lost upstream, or to take the upload over from another copy of the file."))
    var again = false
    @Option(help: "The first row to send: when it was received, or with --stream its sequence.") var from: String?
    @Option(help: "The stream to send again, such as trades (default: all).") var stream: EventStream?
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if dryRun {
            try refuse(["--again": again, "--watch": watch, "--set-aside": setAside, "--yes": yes], with: "--dry-run")
        }
        if json, watch { throw ValidationError("--watch prints nothing: leave out --json") }
        if again != (from != nil) { throw ValidationError("--again and --from go together") }
        if again, watch { throw ValidationError("--again uploads once: leave out --watch") }
        if !again, stream != nil { throw ValidationError("--stream goes with --again") }
        if !again, yes { throw ValidationError("--yes goes with --again") }
    }

    var needs: Settings.Needs { .database }

    func run(_ settings: Settings) async throws {
        if dryRun { return try describe(settings) }
        let advice = "it uploads by itself: see edgetick status; Push now on its page uploads at once"
        try await settings.withUploaders(settingAside: setAside, heldAdvice: advice) { buffer, uploaders in
            guard watch else { return try await once(settings, buffer, uploaders) }
            let services = uploaders.map { settings.syncService(buffer, $0) }
            try await Interrupts.serving([StopNotice { await buffer.close() }] + services)
        }
    }

    private func once(_ settings: Settings, _ buffer: TickBuffer, _ uploaders: [Uploader]) async throws {
        let passes = uploaders.map { settings.uploadPass(buffer, $0) }
        if again { try await sendAgain(buffer, passes) }
        let progress = ProgressLine(title: "uploading", unit: "rows", total: Int(buffer.statistics.pending))
        let work = Task { () async throws in
            var report = UploadReport()
            for pass in passes {
                let before = report.totals
                report.add(
                    await pass.reportAfterTries {
                        progress.update(done: (before + $0).settled)
                    } isAway: { error in
                        progress.remark(
                            "the connection was lost while rows were sent; waiting up to "
                                + "\(UploadPass.patience.spoken) for the server: \(error.lastDescription)")
                    })
            }
            return report
        }
        let report = try await Interrupts.cancelling(work)
        let totals = report.totals
        progress.finish(done: totals.settled)
        await buffer.close()
        print(json ? WireJSON.text(of: UploadJSON(report)) : totals.text)
        if totals.refused > 0 {
            printRemark("\(totals.refused.counted("row was", "rows were")) refused; see edgetick dead-letters list")
        }
        if totals.keptOut > 0 {
            let rows = totals.keptOut.counted("row")
            printRemark("\(rows) are not in the table after the upload: a trigger on it discards or redirects rows")
        }
        for text in report.missing.values.sorted() { printRemark(text) }
        if let failure = CommandFailure(report) { throw failure }
        if totals.refused > 0 { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    /// Marks rows as waiting for upload again, after a person has confirmed it.
    private func sendAgain(_ buffer: TickBuffer, _ passes: [UploadPass]) async throws {
        var starts: [(stream: EventStream, sequence: Int64)] = []
        for stream in stream.map({ [$0] }) ?? EventStream.allCases {
            guard var start = try await first(of: stream, in: buffer) else { continue }
            start = max(start, buffer.statistics[stream].marks.deleted + 1)
            // No row that waits may be passed over.
            for pass in passes where pass.streams.contains(stream) {
                start = try await pass.firstToSend(of: stream, from: start)
            }
            starts.append((stream, start))
        }
        let counts = starts.map { ($0.stream, max(0, buffer.statistics[$0.stream].marks.last - $0.sequence + 1)) }
        let text = counts.map { "\($0.1.counted("row")) of \($0.0.rawValue)" }.joined(separator: ", ")
        guard counts.contains(where: { $0.1 > 0 }) else {
            throw CommandFailure(.badData, "the file has no rows from \(from ?? "") on")
        }
        let question =
            "Send \(text) again? Rows that are still upstream are skipped if the table has received_at or a tick "
            + "identity; otherwise ticks are stored twice."
        guard try yes || Confirmation.isGiven(question) else { throw CommandFailure(.usage, "nothing was sent again") }
        printError("sending \(text) again")
        for (stream, sequence) in starts {
            for pass in passes where pass.streams.contains(stream) { try await pass.sendAgain(stream, from: sequence) }
        }
    }

    private func first(of stream: EventStream, in buffer: TickBuffer) async throws -> Int64? {
        let text = from ?? ""
        if let sequence = Int64(text), sequence > 0 {
            guard self.stream != nil else {
                throw CommandFailure(.usage, "--from \(text): a sequence needs --stream; each stream counts its own")
            }
            return sequence <= buffer.statistics[stream].marks.last ? sequence : nil
        }
        guard let moment = MomentText.milliseconds(text, now: WallClock.milliseconds()) else {
            throw CommandFailure(.usage, "--from \(text): a sequence, or \(MomentText.syntax)")
        }
        return try await buffer.firstRow(of: stream, receivedFrom: moment * 1000)
    }

    private func describe(_ settings: Settings) throws {
        let report = try BufferReport.read(directory: settings.dataDirectory)
        if json { return print(WireJSON.text(of: PendingJSON(report))) }
        for stream in EventStream.allCases {
            print("\(stream.rawValue): \(report[stream].pending.counted("row")) to upload")
        }
    }
}

extension UploadTotals {
    /// What went up, in words. Where rows were upstream already, as many of those that are sent again are, it says how many.
    var text: String {
        let text = "uploaded \(rows.counted("row"))"
        guard present > 0 else { return text }
        let older = rows - new - present
        return text + ": \(new.grouped) new, \(present.grouped) upstream already"
            + (older > 0 ? ", \(older.counted("older version")) of bars" : "")
    }
}

import ArgumentParser
import Collector
import FoundationEssentials
import Glibc
import Logging
import MarketData
import Store
import Upstream
import Wire

/// Pushes what is buffered, once.
struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Upload what is buffered, then exit.",
        discussion: """
            Examples: edgetick sync --dry-run
                      edgetick sync --again --from 2026-08-01T13:30:00Z
                      edgetick sync --again --stream trades --from 4711

            --again sends rows once more that count as uploaded, because they are gone upstream, and takes the upload over
            from another copy of the file. Rows that are still upstream are doubled by it, except bars. It asks first on a
            terminal; elsewhere --yes is needed.

            A running collector uploads by itself and holds the buffer; this command is for a box that collects no more.

            Where the database refuses many rows of several symbols alike, they wait in the queue: the cause is a missing
            partition, a constraint or a trigger rather than the rows. --set-aside makes them dead letters all the same.
            """)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Say what would be uploaded and change nothing.") var dryRun = false
    @Flag(help: "Go on uploading every SYNC_INTERVAL until stopped.") var watch = false
    @Flag(help: "Make refused rows dead letters, however many they are.") var setAside = false
    @Flag(
        help: ArgumentHelp(
            "Send uploaded rows again, whatever the ledger upstream says; needs --from.",
            discussion: "For rows that are gone upstream, or to take the upload over from another copy of the file."))
    var again = false
    @Option(help: "From which row on: when it was received, or with --stream its sequence.") var from: String?
    @Option(help: "The stream to send again, such as trades (default: all).") var stream: String?
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if json, watch { throw ValidationError("--watch prints nothing: leave out --json") }
        if again != (from != nil) { throw ValidationError("--again and --from go together") }
        if again, watch { throw ValidationError("--again uploads once: leave out --watch") }
        if !again, stream != nil { throw ValidationError("--stream goes with --again") }
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings(needing: .database)
            guard let upstream = try settings.upstream() else { return }
            if dryRun { return try describe(settings) }
            let buffer = try TickBuffer.open(
                directory: settings.dataDirectory, options: settings.toolBufferOptions, logger: Logger(label: "buffer"))
            let uploader = Uploader(
                configuration: upstream, bufferID: buffer.id, settingAside: setAside, logger: Logger(label: "upload"))
            do {
                if watch {
                    try await Self.watch(settings, buffer, uploader)
                } else {
                    try await once(settings, buffer, uploader)
                }
            } catch {
                await uploader.disconnect()
                await buffer.close()
                throw error
            }
        }
    }

    private func once(_ settings: Settings, _ buffer: TickBuffer, _ uploader: Uploader) async throws {
        let progress = ProgressLine(title: "uploading", unit: "rows", total: Int(buffer.statistics.pending))
        let pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: settings.upload.batchRows)
        if again { try await sendAgain(settings, buffer, pass) }
        let work = Task { () async throws in await pass.reportAfterTries { progress.update(done: $0.settled) } }
        let report = try await Interrupts.cancelling(work)
        let totals = report.totals
        progress.finish(done: totals.settled)
        await uploader.disconnect()
        await buffer.close()
        print(json ? WireJSON.text(of: Answer(report)) : "uploaded \(totals.rows) rows")
        if totals.refused > 0 {
            printError("edgetick: \(totals.refused.grouped) rows were refused; see edgetick dead-letters list")
        }
        for text in report.missing.values.sorted() { printError("edgetick: \(text)") }
        if let failure = CommandFailure(report) { throw failure }
        if totals.refused > 0 { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    /// Has rows wait again, once a person has said so.
    private func sendAgain(_ settings: Settings, _ buffer: TickBuffer, _ pass: UploadPass) async throws {
        var starts: [(stream: EventStream, sequence: Int64)] = []
        for stream in try streams() {
            guard let first = try await first(of: stream, in: buffer) else { continue }
            starts.append((stream, max(first, buffer.statistics[stream].deletedThrough + 1)))
        }
        let counts = starts.map { ($0.stream, max(0, buffer.statistics[$0.stream].lastSequence - $0.sequence + 1)) }
        let text = counts.map { "\($0.1.grouped) rows of \($0.0.rawValue)" }.joined(separator: ", ")
        guard counts.contains(where: { $0.1 > 0 }) else {
            throw CommandFailure(.badData, "the file has no rows from \(from ?? "") on")
        }
        guard try yes || Self.isConfirmed(text) else { throw CommandFailure(.usage, "nothing was sent again") }
        printError("sending \(text) again")
        for (stream, sequence) in starts { try await pass.sendAgain(stream, from: sequence) }
    }

    private func streams() throws -> [EventStream] {
        guard let stream else { return EventStream.allCases }
        guard let found = EventStream(rawValue: stream) else {
            throw CommandFailure(.usage, "--stream \(stream): allowed: \(EventStream.names)")
        }
        return [found]
    }

    private func first(of stream: EventStream, in buffer: TickBuffer) async throws -> Int64? {
        let text = from ?? ""
        if let sequence = Int64(text), sequence > 0 {
            guard self.stream != nil else {
                throw CommandFailure(.usage, "--from \(text): a sequence needs --stream; each stream counts its own")
            }
            return sequence <= buffer.statistics[stream].lastSequence ? sequence : nil
        }
        let now = WallClock.milliseconds()
        guard let moment = MomentText.milliseconds(text, now: now) else {
            throw CommandFailure(.usage, "--from \(text): a sequence, or \(MomentText.syntax)")
        }
        return try await buffer.firstRow(of: stream, receivedFrom: moment * 1000)
    }

    private static func isConfirmed(_ what: String) throws -> Bool {
        guard isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure(.usage, "--yes is needed where nobody can be asked")
        }
        _ = StandardStream.write(
            Array("Send \(what) again? What is still upstream will be there twice. [y/N] ".utf8), to: STDERR_FILENO)
        let answer = readLine()?.lowercased() ?? ""
        return answer == "y" || answer == "yes"
    }

    private struct Answer: Encodable {
        struct Stream: Encodable {
            let uploaded: Int
            let refused: Int
            let failure: String?
        }

        let rows: Int
        let refused: Int
        let streams: [String: Stream]

        init(_ report: UploadReport) {
            rows = report.totals.rows
            refused = report.totals.refused
            let streams = EventStream.allCases.map { stream in
                let counts = report.totals[stream]
                return (
                    stream.rawValue,
                    Stream(
                        uploaded: counts.uploaded, refused: counts.refused,
                        failure: report.failures[stream].map { String(describing: $0) })
                )
            }
            self.streams = Dictionary(uniqueKeysWithValues: streams)
        }
    }

    private static func watch(_ settings: Settings, _ buffer: TickBuffer, _ uploader: Uploader) async throws {
        let service = SyncService(
            buffer: buffer, uploader: uploader, interval: settings.upload.interval,
            batchRows: settings.upload.batchRows, logger: Logger(label: "upload"))
        try await Interrupts.serving([BufferService(buffer: buffer), service])
    }

    private func describe(_ settings: Settings) throws {
        let report = try BufferReport.read(directory: settings.dataDirectory)
        if json {
            let pending = EventStream.allCases.map { ($0.rawValue, report[$0].pending) }
            return print(WireJSON.text(of: ["pending": Dictionary(uniqueKeysWithValues: pending)]))
        }
        for stream in EventStream.allCases {
            print("\(stream.rawValue): \(report[stream].pending.grouped) rows to upload")
        }
    }
}

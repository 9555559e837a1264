import ArgumentParser
import Collector
import Logging
import MarketData
import Store
import Upstream

/// Pushes what is buffered, once.
struct SyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Upload what is buffered, then exit.",
        discussion: """
            Example: edgetick sync --dry-run

            A running collector uploads by itself and holds the buffer; this command is for a box that collects no more.

            Where the database refuses many rows of several symbols alike, they wait in the queue: the cause is a missing
            partition, a constraint or a trigger rather than the rows. --set-aside makes them dead letters all the same.
            """)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Say what would be uploaded and change nothing.") var dryRun = false
    @Flag(help: "Go on uploading every SYNC_INTERVAL until stopped.") var watch = false
    @Flag(help: "Make refused rows dead letters, however many they are.") var setAside = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if json, watch { throw ValidationError("--watch prints nothing: leave out --json") }
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings(needing: .database)
            guard let upstream = try settings.upstream() else { return }
            if dryRun { return try describe(settings) }
            let buffer = try TickBuffer.open(
                directory: settings.dataDirectory, options: settings.bufferOptions, logger: Logger(label: "buffer"))
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
        let work = Task { () async throws in await pass.reportAfterTries { progress.update(done: $0.settled) } }
        let report = try await Interrupts.cancelling(work)
        let totals = report.totals
        progress.finish(done: totals.settled)
        await uploader.disconnect()
        await buffer.close()
        print(json ? try JSONText.of(Answer(report)) : "uploaded \(totals.rows) rows")
        if totals.refused > 0 {
            printError("edgetick: \(totals.refused.grouped) rows were refused; see edgetick dead-letters list")
        }
        if let failure = CommandFailure(report) { throw failure }
        if totals.refused > 0 { throw ExitCode(ExitStatus.badData.rawValue) }
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
            return print(try JSONText.of(["pending": Dictionary(uniqueKeysWithValues: pending)]))
        }
        for stream in EventStream.allCases {
            print("\(stream.rawValue): \(report[stream].pending.grouped) rows to upload")
        }
    }
}

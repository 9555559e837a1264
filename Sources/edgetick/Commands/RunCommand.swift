import ArgumentParser
import Feed
import FeedSimulator
import Logging
import ServiceLifecycle

/// Collects until stopped.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Collect, buffer and upload until stopped.",
        discussion: """
            Example: SYMBOLS=AAPL,MSFT MASSIVE_API_KEY=… edgetick run

            SIGTERM and Ctrl-C stop the connections, commit what is held, upload what they can and exit within 10 s. So does
            closing the terminal, unless it was started with nohup. kill -HUP has the symbols' settings read again.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        try await reportingFailures {
            let endsWithTerminal = Interrupts.ignoreHarmless()
            let settings = try options.settings(needing: .feed)
            let logger = Logger(label: "edgetick")
            try await settings.refuseDoubledTicks(logger)
            let simulator = try await settings.builtInSimulator()
            let collector = try await CollectorAssembly.open(
                settings, simulator: simulator, reread: { [options] in try options.settingsAgain(needing: .feed) },
                endsWithTerminal: endsWithTerminal, logger: logger)
            logger.notice(
                "collecting",
                metadata: [
                    "directory": "\(settings.dataDirectory)",
                    "connections": "\(collector.connections.snapshot.members.count)",
                    "upload": "\(settings.upload.displayedURI ?? "off")",
                ].merging(settings.upload.displayedTicksURI.map { ["upload_ticks": "\($0)"] } ?? [:]) { $1 })
            try await collector.group.run()
            logger.notice("stopped; everything received is in the buffer")
        }
    }
}

import ArgumentParser
import Feed
import FeedSimulator
import Logging
import ServiceLifecycle
import Store

/// Collects until stopped.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Collect, buffer and upload until stopped.",
        discussion: """
            Example: SYMBOLS=AAPL,MSFT MASSIVE_API_KEY=… edgetick run

            On SIGTERM or Ctrl-C it stops the connections, commits what is in memory, uploads what it can and exits within
            10 s. Closing the terminal does the same, unless it was started with nohup. On SIGHUP it reads the settings of
            symbols and universes, and the relay's keys, again.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        try await reportingFailures {
            Interrupts.ignoreBrokenPipes()
            let hangUps = await Interrupts.HangUps()
            let settings = try options.settings(needing: .feed)
            let logger = Logger(label: "edgetick")
            try await settings.refuseDoubledTicks(logger)
            let simulator = try await settings.builtInSimulator()
            let collector = try await CollectorAssembly.open(
                settings, simulator: simulator,
                reread: { [options] in try options.settingsAgain(needing: .feed, after: settings) }, hangUps: hangUps,
                logger: logger)
            logger.notice(
                "collecting",
                metadata: [
                    "directory": "\(settings.dataDirectory)",
                    "connections": "\(collector.connections.snapshot.members.count)",
                    "upload": "\(settings.upload.displayedURI ?? "off")",
                ].merging(settings.upload.displayedTicksURI.map { ["upload_ticks": "\($0)"] } ?? [:]) { $1 })
            let before = collector.buffer.statistics.drops
            try await collector.group.run()
            let drops = collector.buffer.statistics.drops
            // A new file, in place of one that was set aside, counts from zero.
            let dropped = drops < before ? drops : drops - before
            if dropped == 0 {
                logger.notice("stopped; everything received is in the buffer")
            } else {
                logger.warning("stopped; events were given up since the start", metadata: ["dropped": "\(dropped)"])
            }
        }
    }
}

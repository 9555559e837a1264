import ArgumentParser
import Collector
import MarketData
import Store
import Upstream
import Wire

/// Sends refused rows to the database again.
struct DeadLettersRetry: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Send refused rows to the database once more.",
        discussion: """
            Example: edgetick dead-letters retry --stream bars

            The rows return to the end of the queue, which is then uploaded exactly once, as usual. A row that is
            refused again becomes a dead letter again, under its new number and with the new reason. A bar that has a
            newer version stays a dead letter. Stop a running collector first. Exits with 65 if a row was refused again
            or stayed a dead letter.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var selection: DeadLetterSelection
    @Flag(help: "Print JSON.") var json = false

    var needs: Settings.Needs { .database }

    func run(_ settings: Settings) async throws {
        let letters = try selection.found(in: settings.dataDirectory)
        guard !letters.isEmpty else {
            if json { return try report(DeadLetterRetry()) }
            return printRemark("there is no dead letter")
        }
        try await settings.withUploaders(settingAside: true) { buffer, uploaders in
            try report(
                await DeadLetterRetry.run(
                    letters, buffer: buffer, uploaders: uploaders, batchRows: settings.upload.batchRows))
        }
    }

    private func report(_ result: DeadLetterRetry) throws {
        if json {
            print(WireJSON.text(of: DeadLetterRetryJSON(result)))
        } else {
            let already = result.stored > 0 ? "; \(result.stored.counted("row")) upstream already" : ""
            print("sent \(result.sent.counted("row"))" + already)
            for letter in result.refusedAgain {
                print("refused again: \(letter.name): \(letter.reason) (SQLSTATE \(letter.sqlState))".escapingControls)
            }
            for letter in result.superseded {
                print("not sent: \(letter.name): a newer version of the bar exists; discard it")
            }
            for letter in result.unreadable {
                print("not sent: \(letter.name): its row can't be read as an event; discard it")
            }
        }
        guard result.refusedAgain.isEmpty, result.superseded.isEmpty, result.unreadable.isEmpty else {
            throw ExitCode(ExitStatus.badData.rawValue)
        }
    }
}

import ArgumentParser
import Collector
import MarketData
import Store

/// Removes refused rows from the file.
struct DeadLettersDiscard: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Discard refused rows permanently.",
        discussion: """
            Example: edgetick dead-letters discard bars:4711 trades:12 --yes

            Prints each discarded row as a line of JSON and counts it in the table drops. Asks first on a terminal;
            elsewhere --yes is needed. Stop a running collector first. If an upload was interrupted, the database is
            asked whether the rows still wait; those that do are left in the queue.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var selection: DeadLetterSelection
    @Flag(help: "Do not ask.") var yes = false

    var needs: Settings.Needs { .upload }

    func run(_ settings: Settings) async throws {
        let letters = try selection.found(in: settings.dataDirectory)
        guard !letters.isEmpty else { return printRemark("there is no dead letter") }
        guard try yes || Confirmation.isGiven("Discard \(letters.count.counted("row")) for good?") else {
            return printRemark("nothing was discarded")
        }
        let discarded = try await settings.withUploaders(settingAside: false) { buffer, uploaders in
            let discarded = try await DeadLetterRetry.discard(
                letters, buffer: buffer, passes: uploaders.map { settings.uploadPass(buffer, $0) })
            // From now on they are nowhere else.
            for letter in discarded.letters { print(letter.row) }
            return discarded
        }
        printError("discarded \(discarded.letters.count.counted("row"))")
        if discarded.waiting > 0 {
            let waiting = discarded.waiting.counted("row still waits", "rows still wait")
            printRemark("\(waiting) for upload and stayed in the queue")
        }
    }
}

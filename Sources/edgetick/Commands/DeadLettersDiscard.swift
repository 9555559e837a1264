import ArgumentParser
import Collector
import MarketData
import Store
import Wire

/// Removes refused rows from the file.
struct DeadLettersDiscard: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Discard refused rows permanently.",
        discussion: """
            Example: edgetick dead-letters discard bars:4711 trades:12 --yes

            Prints each discarded row as a line of JSON, or the result as one object with --json, and counts the rows in
            the table drops. Asks first on a terminal; elsewhere --yes is needed. Stop a running collector first. If an
            upload was interrupted, the database is asked whether it has the rows; those that still wait for upload are
            left in the queue.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var selection: DeadLetterSelection
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "Print JSON.") var json = false

    var needs: Settings.Needs { .upload }

    func run(_ settings: Settings) async throws {
        let letters = try selection.found(in: settings.dataDirectory)
        guard !letters.isEmpty else { return printNothing("there is no dead letter") }
        guard try yes || Confirmation.isGiven("Discard \(letters.count.counted("row")) for good?") else {
            return printNothing("nothing was discarded")
        }
        let discarded = try await settings.withUploaders(settingAside: false) { buffer, uploaders in
            let discarded = try await DeadLetterRetry.discard(
                letters, buffer: buffer, passes: uploaders.map { settings.uploadPass(buffer, $0) })
            // What is printed is now their only copy.
            if json {
                print(WireJSON.text(of: DeadLetterDiscardJSON(discarded)))
            } else {
                for letter in discarded.letters { print(letter.row) }
            }
            return discarded
        }
        printError("discarded \(discarded.letters.count.counted("row"))")
        if discarded.waiting > 0 {
            let waiting = discarded.waiting.counted("row still waits", "rows still wait")
            printRemark("\(waiting) for upload and stay in the queue")
        }
    }

    private func printNothing(_ remark: String) {
        if json { print(WireJSON.text(of: DeadLetterDiscardJSON(DeadLetterDiscard()))) } else { printRemark(remark) }
    }
}

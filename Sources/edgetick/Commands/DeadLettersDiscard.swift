import ArgumentParser
import FoundationEssentials
import MarketData
import Store

/// Removes refused rows from the file.
struct DeadLettersDiscard: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Discard refused rows permanently.",
        discussion: """
            Example: edgetick dead-letters discard bars:4711 trades:12 --yes

            Prints each discarded row as a line of JSON and counts it in the table drops. Asks first on a terminal;
            elsewhere --yes is needed. Stop a running collector first.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @OptionGroup var selection: DeadLetterSelection
    @Flag(help: "Do not ask.") var yes = false

    func run(_ settings: Settings) async throws {
        let letters = try selection.found(in: settings.dataDirectory)
        guard !letters.isEmpty else { return printError("edgetick: there is no dead letter") }
        guard try yes || Confirmation.isGiven("Discard \(letters.count.counted("row")) for good?") else {
            return printError("edgetick: nothing was discarded")
        }
        try await settings.withBuffer { try await $0.discard(letters) }
        for letter in letters { print(letter.row) }
        printError("discarded \(letters.count.counted("row"))")
    }
}

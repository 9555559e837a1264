import ArgumentParser
import MarketData
import Universe
import Wire

/// Shows the symbols of a universe key.
struct UniverseResolve: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve", abstract: "Print the symbols of a universe key.",
        discussion: "Example: edgetick universe resolve sp500:nasdaq100")

    @OptionGroup var options: SettingsOptions
    @Argument(help: "A universe key: one group, or several joined by colons.") var key: String
    @Flag(help: "Print JSON.") var json = false

    func run(_ settings: Settings) async throws {
        let resolution = try await settings.resolution(of: key)
        if json {
            print(WireJSON.text(of: ResolutionJSON(key: key, resolution)))
        } else {
            for symbol in resolution.symbols { print(symbol) }
            let parts = resolution.parts.map { "\($0.group) \($0.count)" }.joined(separator: ", ")
            printError("\(resolution.symbols.count.counted("symbol")) (\(parts.escapingControls))")
        }
    }
}

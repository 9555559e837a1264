import ArgumentParser

/// Everything about which symbols to collect.
struct UniverseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "universe",
        abstract: "Which symbols to collect: groups, keys, imports.",
        discussion: "Example: edgetick universe import nasdaq100.csv --name nasdaq100",
        subcommands: [UniverseList.self, UniverseResolve.self, UniverseImport.self],
        defaultSubcommand: UniverseList.self)
}

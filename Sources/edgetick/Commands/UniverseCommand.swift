import ArgumentParser

/// Manages which symbols to collect.
struct UniverseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "universe",
        abstract: "Manage the groups of symbols: import, pull, resolve, check, export.",
        discussion: "Example: edgetick universe import nasdaq100.csv --name nasdaq100",
        subcommands: [
            UniverseList.self, UniverseShow.self, UniverseResolve.self, UniversePull.self, UniverseImport.self,
            UniverseExport.self, UniverseValidate.self, UniverseReportCommand.self, UniversePushCommand.self,
            UniverseMigrateLegacy.self, UniverseRemove.self, UniverseGiveBack.self,
        ],
        defaultSubcommand: UniverseList.self)
}

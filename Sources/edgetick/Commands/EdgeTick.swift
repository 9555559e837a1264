import ArgumentParser
import Glibc

/// The root command.
@main
struct EdgeTick: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edgetick",
        abstract: "Collects market data at the edge: feed → SQLite → TimescaleDB, every stored row once.",
        discussion: """
            Settings come from the environment and from .env in the working directory (--env-file names another file).

            Try it:   edgetick demo
            Collect:  MASSIVE_API_KEY=… SYMBOLS=AAPL,MSFT edgetick run
            Look:     edgetick status
            Check:    edgetick doctor

            Exit codes: 0 done, 64 usage, 65 bad data, 69 unavailable, 74 I/O, 75 try again, 78 configuration.
            """.unwrapped,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(name: "Collection", subcommands: [RunCommand.self, DemoCommand.self, SyncCommand.self]),
            CommandGroup(
                name: "Reading",
                subcommands: [StatusCommand.self, TailCommand.self, QueryCommand.self, ExportCommand.self]),
            CommandGroup(
                name: "Completeness",
                subcommands: [
                    GapsCommand.self, BackfillCommand.self, CoverageCommand.self, ReconcileCommand.self,
                    DeadLettersCommand.self,
                ]),
            CommandGroup(
                name: "Setup",
                subcommands: [
                    ConfigCommand.self, DoctorCommand.self, MigrateCommand.self, JoinCommand.self, UniverseCommand.self,
                    SettingsCommand.self,
                ]),
            CommandGroup(name: "Upkeep", subcommands: [FleetCommand.self, VerifyCommand.self, RepairCommand.self]),
            CommandGroup(name: "Simulation", subcommands: [SimulateCommand.self, CaptureCommand.self]),
        ])

    static func main() async {
        Interrupts.endFirstProcess()
        LargeBlocks.returnWhenFreed()
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let remark = MistypedCommand.remark(arguments, root: self) {
            printFailure(remark)
            Glibc.exit(ExitStatus.usage.rawValue)
        }
        await main(MistypedCommand.joined(arguments))
    }
}

import ArgumentParser
import MarketData
import Store
import Universe
import Wire

/// Checks the mirror for faults.
struct UniverseValidate: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Look for empty groups, wrong symbols, odd weights, old pulls and the like.",
        discussion: """
            Examples: edgetick universe validate
                      edgetick universe validate --known symbols.csv --fix

            Exits with 65 if there are faults, with --strict also if there are warnings. --fix respells members of
            local groups that can mean only one other symbol, such as BRK/B for BRK.B.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Option(help: "A CSV file of the symbols that exist; members that are not in it are reported.") var known: String?
    @Flag(help: "Fix what is safe to fix.") var fix = false
    @Flag(help: "Count warnings as faults.") var strict = false
    @Flag(help: "Print JSON.") var json = false

    func run(_ settings: Settings) async throws {
        let mirror = try settings.openMirror(.readOnly)
        var context = UniverseValidation.Context(
            environment: settings.universe.environment.rawValue, now: WallClock.milliseconds(),
            pullInterval: settings.upload.databaseURI == nil ? nil : settings.universe.pullInterval)
        if let known { context.known = try Self.symbols(in: known) }
        var validation = UniverseValidation(try mirror.contents(), context)
        var fixed = 0
        if fix, !validation.fixes.isEmpty {
            fixed = validation.fixes.count
            try settings.openMirror(.readWrite).apply(validation.fixes)
            validation = UniverseValidation(try mirror.contents(), context)
        }
        if json {
            print(WireJSON.text(of: ValidationJSON(validation, fixed: fixed)))
        } else {
            for finding in validation.findings { print(finding.description.escapingControls) }
            if fix { print("\(fixed.counted("group")) fixed") }
            let faults = validation.count(.fault).counted("fault")
            let warnings = validation.count(.warning).counted("warning")
            print("\(faults), \(warnings), \(validation.count(.note).counted("note"))")
        }
        let isBad = validation.count(.fault) > 0 || strict && validation.count(.warning) > 0
        if isBad { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    private static func symbols(in path: String) throws -> Set<String> {
        guard case .lists(let files) = try UniverseFiles([path]) else {
            throw CommandFailure(.usage, "--known \(path): a CSV file of symbols is needed")
        }
        return Set(try files.flatMap { try HoldingsImport.read($0.bytes) }.flatMap(\.entries).map(\.symbol))
    }
}

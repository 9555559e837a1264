import ArgumentParser
import Collector
import MarketData
import Store
import Universe
import Upstream
import Wire

/// Returns a group that an import had taken over to the database.
struct UniverseGiveBack: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "give-back", abstract: "Replace a local group by the database's group of the same name again.",
        discussion: """
            Example: edgetick universe give-back SPY

            Undoes an import over a group of the database, and pulls. If the database can't be reached, the members
            stay as they are until the next pull.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "The group's name.") var name: String
    @Option(help: "The group's type, where several groups have the name.") var type: GroupType?
    @Flag(help: "Print JSON.") var json = false

    var needs: Settings.Needs { .database }

    func run(_ settings: Settings) async throws {
        guard let upstream = try settings.upstream() else { return }
        let group = try settings.openMirror(.readOnly).group(named: name, type: type, settings)
        let identity = group.record.identity
        guard group.origin == .local else {
            throw CommandFailure(.badData, "\(identity.text) is the database's already: there is nothing to give back")
        }
        let mirror = try settings.openMirror(.readWrite)
        @Sendable func found(in snapshot: UniverseSnapshot) throws -> GroupRecord {
            guard let found = snapshot.records.groups.first(where: { $0.identity == identity }) else {
                throw CommandFailure(
                    .badData,
                    "the database has no \(identity.text): edgetick universe remove takes the local one away, "
                        + "edgetick universe push --hand-over gives it to the database")
            }
            return found
        }
        let pulled: (snapshot: UniverseSnapshot, outcome: PullOutcome)
        do {
            pulled = try await mirror.pull(givingBack: [identity]) {
                let snapshot = try await UniversePull.read(UniverseSource(configuration: upstream))
                _ = try found(in: snapshot)
                return snapshot
            }
        } catch let error as UpstreamError where error.isRetryable {
            try mirror.markPulled([identity])
            printRemark("\(identity.text) is given back; its members stay until the next pull works")
            throw error
        }
        let theirs = try found(in: pulled.snapshot)
        if case .refused(let text) = pulled.outcome {
            throw CommandFailure(
                .badData,
                "\(identity.text) is given back, and the pull was refused: \(text); edgetick universe pull --force "
                    + "if that is right")
        }
        if case .replaced(let changes) = pulled.outcome, let warning = changes.warning { printWarning(warning) }
        let difference = MembershipDifference(from: group.record.members, to: theirs.members)
        if json { return print(WireJSON.text(of: GivenBackJSON(theirs, difference))) }
        let change = difference.summary
        print(
            "given back: \(identity.text) has the database's \(theirs.members.count.counted("member"))"
                + (change.isEmpty ? "" : " (\(change))"))
    }
}

import ArgumentParser
import Collector
import MarketData
import Store
import Universe
import Upstream
import Wire

/// Copies the database's groups into the mirror.
struct UniversePull: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Make the mirror equal to the groups in DATABASE_URI.",
        discussion: """
            Example: edgetick universe pull

            Reads definition_groups, group_memberships and cache_entries in one consistent snapshot and writes them in
            one transaction. Local groups stay, and hide groups of the database that have the same name, type and
            environment. A pull that would empty the mirror or remove more than half of it is refused without --force,
            which also compares every row when nothing seems to have changed. A damaged mirror is kept under another
            name, and a fresh one takes its place. A running collector picks up the changes by itself.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Allow the pull to empty or more than halve the mirror, and compare every row.") var force = false
    @Flag(help: "Print JSON.") var json = false

    var needs: Settings.Needs { .database }

    func run(_ settings: Settings) async throws {
        guard let upstream = try settings.upstream() else { return }
        let source = UniverseSource(configuration: upstream)
        // Without a mirror, none is made before the database could be read.
        let first = try await settings.hasMirror ? nil : Self.read(source)
        try await settings.withMirror { try await pull(into: $0, from: source, first) }
    }

    private func pull(
        into mirror: UniverseMirror, from source: UniverseSource, _ first: UniverseSnapshot?
    ) async throws {
        let pulled: (snapshot: UniverseSnapshot, outcome: PullOutcome)
        do {
            pulled = try await mirror.pull(force: force) {
                if let first { return first }
                return try await Self.read(source)
            }
        } catch let error as UpstreamError {
            printRemark(Self.age(of: mirror))
            throw error
        }
        let (snapshot, outcome) = pulled
        for remark in snapshot.remarks { printRemark(remark) }
        if case .refused(let text) = outcome {
            throw CommandFailure(
                .badData, "nothing was pulled: \(text); look at the database, or add --force if that is right",
                Self.age(of: mirror))
        }
        printResult(outcome, snapshot)
    }

    static func read(_ source: UniverseSource, withLegacy: Bool = false) async throws -> UniverseSnapshot {
        let progress = ProgressLine(title: "reading", unit: "memberships", quietFor: .seconds(2))
        let snapshot = try await Interrupts.cancelling(
            Task { try await source.pull(withLegacy: withLegacy) { progress.update(done: $0, total: $1) } })
        progress.finish(done: snapshot.records.membershipCount)
        return snapshot
    }

    /// What remains in use when the database can't be read: the mirror, with its age.
    private static func age(of mirror: UniverseMirror) -> String {
        guard let note = try? mirror.withSnapshot({ try $0.pullNote() }) else {
            return "the mirror stays as it is; it was never pulled"
        }
        let age = Duration.milliseconds(WallClock.milliseconds() - note.checkedAt).spoken
        return "the mirror stays in use as it is: pulled from \(note.source) \(age) ago"
    }

    private func printResult(_ outcome: PullOutcome, _ snapshot: UniverseSnapshot) {
        var changes: PullChanges?
        if case .replaced(let made) = outcome { changes = made }
        if let warning = changes?.warning { printWarning(warning) }
        if json { return print(WireJSON.text(of: PullJSON(changes, of: snapshot))) }
        let records = snapshot.records
        let groups = records.groups.count.counted("group")
        let size = "\(groups), \(records.membershipCount.counted("membership")), \(records.entries.count) settings"
        guard let changes else { return print("unchanged: \(size)") }
        for group in changes.added { print("new      \(group.text)".escapingControls) }
        for group in changes.removed { print("gone     \(group.text)".escapingControls) }
        for group in changes.changed {
            let change = "+\(group.added) -\(group.removed), \(group.altered) altered"
            print("changed  \(group.identity.text): \(change)".escapingControls)
        }
        for group in changes.shadowed {
            let advice = "to undo this, run edgetick universe give-back \(DisplayText.argument(group.name))"
            printRemark("the local \(group.text) hides the database's; \(advice)")
        }
        print("pulled \(size) from \(snapshot.source)".escapingControls)
        if snapshot.legacyCount > 0 {
            printRemark(
                "the database has \(snapshot.legacyCount) lists of stocks in cache_entries, which are not "
                    + "mirrored: edgetick universe migrate-legacy creates groups from them")
        }
    }
}

extension GroupRecord.Identity {
    /// The group as `UNIVERSE nasdaq100 (DEFAULT)`.
    var text: String { "\(type) \(name) (\(environment))" }
}

import ArgumentParser
import MarketData
import Store
import Universe
import Upstream
import Wire

/// Writes local groups into the database.
struct UniversePushCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Write local groups into DATABASE_URI.",
        discussion: """
            Examples: edgetick universe push --dry-run
                      edgetick universe push nasdaq100 SPY --hand-over

            Without names, every local group of every environment is pushed, each in its own transaction: one that the
            database refuses is reported and doesn't stop the others. The database's other groups are left alone.
            Weights are written as precisely as the column allows, and as fractions of 1 if the database has them so.
            With --hand-over the groups count as pulled afterwards, so that the database owns them from then on. One that
            an import changed meanwhile stays local, and the exit code is 75.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "Groups to push; default: every local one.") var names: [String] = []
    @Flag(help: "Say what would change and change nothing.") var dryRun = false
    @Flag(help: "Allow a group to change by more than half.") var force = false
    @Flag(help: "Make the groups the database's, so that pulls keep them up to date.") var handOver = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if dryRun { try refuse(["--hand-over": handOver], with: "--dry-run") }
    }

    var needs: Settings.Needs { .database }

    func run(_ settings: Settings) async throws {
        guard let upstream = try settings.upstream() else { return }
        let groups = try chosen(try settings.openMirror(.readOnly).contents().groups, settings)
        guard !groups.isEmpty else {
            if json { return print(WireJSON.text(of: [PushJSON]())) }
            return printRemark("there is no local group to push")
        }
        let push = UniversePush(configuration: upstream)
        let plan: PushPlan
        var changed: [GroupRecord.Identity] = []
        if dryRun {
            plan = try await Interrupts.cancelling(Task { try await push.plan(groups) })
        } else {
            let progress = ProgressLine(title: "pushing", unit: "groups", total: groups.count, quietFor: .seconds(2))
            let force = force
            plan = try await Interrupts.cancelling(
                Task { try await push.push(groups, force: force) { done, _ in progress.update(done: done) } })
            progress.finish(done: groups.count)
            if handOver {
                changed = try settings.openMirror(.readWrite)
                    .handOver(zip(groups, plan.groups).compactMap { $1.failure == nil ? $0 : nil })
            }
        }
        printResult(plan)
        for identity in changed {
            printWarning("\(identity.text) was changed here during the push and stays local: push it again")
        }
        if !plan.failed.isEmpty { throw ExitCode(ExitStatus.badData.rawValue) }
        if !changed.isEmpty { throw ExitCode(ExitStatus.tryAgain.rawValue) }
    }

    private func chosen(_ groups: [MirrorContents.Group], _ settings: Settings) throws -> [GroupRecord] {
        let local = groups.filter { $0.origin == .local }.map(\.record)
        guard !names.isEmpty else { return local }
        let environment = settings.universe.environment.rawValue
        var chosen: [GroupRecord] = []
        for name in names {
            let found = local.filter { $0.identity.name == name && $0.identity.environment == environment }
            guard !found.isEmpty else {
                let guess = NearestNames.guess(name, among: local.map(\.identity.name)).map { ": \($0)" } ?? ""
                throw CommandFailure(
                    .badData, "there is no local group \"\(name)\" in environment \(environment)\(guess)")
            }
            chosen += found.filter { !chosen.map(\.identity).contains($0.identity) }
        }
        return chosen
    }

    private func printResult(_ plan: PushPlan) {
        if json { return print(WireJSON.text(of: plan.groups.map(PushJSON.init))) }
        for group in plan.groups {
            if let failure = group.failure {
                print("\("FAILED".padded(to: 9)) \(group.identity.text): \(failure)".escapingControls)
                continue
            }
            var counts = "+\(group.added.count) -\(group.removed.count), \(group.reweighted.count) re-weighted"
            if !group.redescribed.isEmpty { counts += ", \(group.redescribed.count) redescribed" }
            if let type = group.writtenAs { counts += ", written as \(type)" }
            let change = group.action == .unchanged ? "" : ": \(counts)"
            print("\(group.action.rawValue.padded(to: 9)) \(group.identity.text)\(change)".escapingControls)
            guard dryRun, group.action != .unchanged else { continue }
            for symbol in group.added { print("  + \(symbol)".escapingControls) }
            for symbol in group.removed { print("  - \(symbol)".escapingControls) }
            for symbol in group.reweighted + group.redescribed { print("  ~ \(symbol)".escapingControls) }
        }
        let changed = plan.groups.count { $0.action != .unchanged && $0.failure == nil }
        print(
            "\(changed) of \(plan.groups.count.counted("group")) \(dryRun ? "would be " : "")written to \(plan.target)")
        let disguised = plan.groups.count { $0.writtenAs != nil }
        if disguised > 0 {
            let groups = disguised.counted("group is", "groups are")
            printRemark(
                "the check of definition_groups.type takes no UNIVERSE, so \(groups) written as CUSTOM: EdgeTick reads "
                    + "them back as universes, other programs that look for UNIVERSE don't find them; let the check "
                    + "take UNIVERSE and push again")
        }
        if dryRun, !force, !plan.drastic.isEmpty {
            printRemark("\(plan.drastic.count.counted("group")) would change by more than half: that needs --force")
        }
    }
}

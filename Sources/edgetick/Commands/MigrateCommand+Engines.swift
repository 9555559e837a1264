import Upstream

/// The setup beyond tables; its statements run only after a person has confirmed them.
extension MigrateCommand {
    /// The statement timeout. Distributing or compressing a large table may take hours.
    private static let patience = Duration.seconds(86_400)

    /// The change that the flags ask for; `nil` if they ask for tables only.
    func engineChange() throws(CommandFailure) -> EngineChange? {
        if distributed { return .distribution(tables: Set(table)) }
        guard policies else { return nil }
        var wishes = PolicyWishes()
        wishes.tables = Set(table)
        for text in retain {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let days = Int(parts[1]), days > 0 else {
                throw CommandFailure(.usage, "--retain \(text): write a table and a number of days, such as trades=90")
            }
            wishes.retention[String(parts[0])] = days
        }
        return .policies(wishes)
    }

    /// Prints the statements of a change for each database, and runs them if confirmed.
    func carryOut(_ change: EngineChange, _ settings: Settings) async throws {
        let upstreams = try settings.upstreams(statementTimeout: Self.patience)
        for upstream in upstreams {
            let plan = try await UpstreamEngines.plan(change, upstream)
            if upstreams.count > 1 { Swift.print("-- \(upstream.role.setting)") }
            if !plan.script.isEmpty { Swift.print(plan.script) }
            guard !plan.steps.isEmpty else {
                printRemark("there is nothing left to do")
                continue
            }
            guard !self.print else { continue }
            guard try yes || Confirmation.isGiven("Run these statements in \(upstream.target)?") else {
                throw CommandFailure(.usage, "nothing was changed in \(upstream.target)")
            }
            try await UpstreamEngines.run(plan, upstream)
            printRemark("\(plan.steps.count) steps done")
        }
    }
}

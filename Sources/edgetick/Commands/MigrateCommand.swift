import ArgumentParser
import MarketData
import Upstream
import Wire

/// Creates or checks the tables upstream.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create the upstream tables, or check those that exist.",
        discussion: """
            Examples: edgetick migrate --print | less
                      edgetick migrate --tick-identity
                      edgetick migrate --policies --retain trades=90 --retain quotes=30
                      edgetick migrate --distributed

            Tables that exist are checked and never altered. If a table that FEED_EVENTS needs can't be used, the exit code
            is 78, and the statements that fix it are printed for the tables' owner.

            --tick-identity adds a unique index to each table of ticks, whatever FEED_EVENTS is, so that each event is
            stored once, no matter how often and by which boxes it is sent; the boxes of a COLLECTOR_GROUP need it.
            Duplicates are counted and shown, and all but the first received are removed after you confirm. The tables
            are read in full. A plain table can be written meanwhile; a hypertable, a partitioned or distributed table,
            one from which rows are removed and every table behind a connection pooler are locked for writes while the
            index is built.

            --policies sets up TimescaleDB's features for the tables that migrate made: the columnstore after 7 days, and
            continuous aggregates of 5 minutes, an hour and a day. Rows are deleted only from tables that --retain names.
            --distributed spreads the tables over Citus's workers by symbol. Both print their statements and ask first;
            --print changes nothing.

            If standard input is not a terminal, nobody can confirm: add --yes.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print the SQL and change nothing.") var print = false
    @Flag(help: "Add the unique indexes that keep an event from being stored twice.") var tickIdentity = false
    @Flag(help: "Set up TimescaleDB's columnstore, retention and continuous aggregates.") var policies = false
    @Option(help: "With --policies: delete a table's rows after this many days, such as trades=90; may be repeated.")
    var retain: [String] = []
    @Flag(help: "Spread the tables over Citus's workers.") var distributed = false
    @Option(help: "With --policies or --distributed: only this table, whoever made it; may be repeated.")
    var table: [String] = []
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard [tickIdentity, policies, distributed].count(where: \.self) <= 1 else {
            throw ValidationError("give only one of --tick-identity, --policies and --distributed")
        }
        if yes, !tickIdentity, !policies, !distributed {
            throw ValidationError("--yes goes with --tick-identity, --policies or --distributed")
        }
        if self.print, yes { throw ValidationError("--print changes nothing: leave out --yes") }
        if self.print { try refuse(["--json": json], with: "--print") }
        if !retain.isEmpty, !policies { throw ValidationError("--retain goes with --policies") }
        if !table.isEmpty, !policies, !distributed {
            throw ValidationError("--table goes with --policies or --distributed")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let change = try engineChange()
            if self.print, !tickIdentity, change == nil { return Swift.print(UpstreamSchema.sql) }
            let settings = try options.settings(needing: .database)
            var result = MigrationJSON()
            // After a failure too, for what was done before it.
            defer { if json { Swift.print(WireJSON.text(of: result)) } }
            if let change { return try await carryOut(change, settings, &result) }
            let upstreams = try settings.upstreams()
            if self.print { return try await makeIdentities(upstreams, &result) }
            for var upstream in upstreams {
                // The unique index is made below, so don't report that it is missing.
                if tickIdentity { upstream.needsIdentity = false }
                if upstreams.count > 1 { printLine("\(upstream.role.setting):") }
                let changes = try await UpstreamSchema.migrate(upstream, for: settings.feed.events)
                result.tables += changes.map { MigrationJSON.Table($0, in: upstream.role) }
                if !json { report(changes) }
            }
            let unusable = result.tables.filter(\.stops_upload).map(\.table)
            guard unusable.isEmpty else {
                throw CommandFailure(
                    .configuration, "these tables can't be used as they are: \(unusable.joined(separator: ", "))")
            }
            if tickIdentity { try await makeIdentities(upstreams, &result) }
        }
    }

    /// Builds the indexes that can be built, and then fails if some tables can't have one.
    private func makeIdentities(_ upstreams: [UpstreamConfiguration], _ result: inout MigrationJSON) async throws {
        var faults: [String] = []
        for upstream in upstreams {
            let kinds = Set(EventKind.allCases.filter { upstream.streams.contains($0.stream) })
            let findings = try await IdentityMaker.look(upstream, for: kinds)
            if findings.isEmpty { printLine("this database holds no ticks: nothing needs an identity") }
            for finding in findings {
                var removed: Int64 = 0
                switch finding.state {
                case .present: printLine("\(finding.table): a unique key identifies events")
                case .unusable(let why) where self.print:
                    printLine("-- \(finding.table) can't have an identity: \(why)")
                case .unusable(let why): faults.append("\(finding.table) can't have an identity: \(why)")
                case .missing where self.print:
                    if finding.doubledRows > 0 {
                        printLine("-- \(finding.table): \(finding.doubledRows.counted("duplicate row")), removed first")
                    }
                    printLine(finding.sql + ";")
                case .missing: removed = try await makeIdentity(finding, upstream)
                }
                result.identities.append(.init(finding, removed: removed, in: upstream.role))
            }
        }
        guard faults.isEmpty else { throw CommandFailure(.configuration, faults.joined(separator: "; ")) }
    }

    /// Builds the index of one table, and returns the number of rows removed.
    private func makeIdentity(_ finding: IdentityFinding, _ upstream: UpstreamConfiguration) async throws -> Int64 {
        let table = finding.table
        if finding.doubledRows > 0 {
            announce("\(table): \(finding.doubledRows.counted("duplicate row")), for example:")
            for event in finding.sample { announce("  \(event.count.counted("time")) \(event.identity)") }
        }
        let locks = finding.locks ? "is locked for writes meanwhile" : "can be written meanwhile"
        announce(
            "\(table): reading the table took \(finding.looked.spoken); building the index takes about as long, and "
                + "the table \(locks)")
        announce("\(table): \(finding.sql)")
        if finding.doubledRows > 0 {
            let question = "Remove \(finding.doubledRows.counted("row")) of \(table) for good?"
            guard try yes || Confirmation.isGiven(question) else {
                throw CommandFailure(.usage, "nothing of \(table) was removed, so it has no identity")
            }
        }
        let began = ContinuousClock.now
        let removed = try await IdentityMaker.make(finding, upstream, removingDoubles: finding.doubledRows > 0)
        let rows = removed > 0 ? "; \(removed.counted("row")) removed" : ""
        printLine("\(table): index built in \((ContinuousClock.now - began).spoken)\(rows)")
        return removed
    }

    /// Prints a line at once, so that it appears before any question that follows; with --json, nothing.
    private func printLine(_ line: String) { if !json { printNow(line.escapingControls + "\n") } }

    /// Prints a line for a person to read before a question or a long wait; with --json, to standard error.
    private func announce(_ line: String) { if json { printError(line.escapingControls) } else { printLine(line) } }

    private func report(_ changes: [SchemaChange]) {
        for change in changes {
            printLine("\(change)")
            for warning in change.warnings { printWarning("\(change.table): \(warning)") }
        }
        let recipe = SchemaChange.recipe(changes)
        if !recipe.isEmpty { printNow("\n-- for the tables' owner\n") }
        for line in recipe { printLine(line) }
    }
}

/// The setup beyond tables; its statements run only after a person has confirmed them.
extension MigrateCommand {
    /// The statement timeout. Distributing or compressing a large table may take hours.
    private static let patience = Duration.seconds(86_400)

    /// The change that the flags ask for; `nil` if they ask for tables only.
    private func engineChange() throws(CommandFailure) -> EngineChange? {
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
    private func carryOut(_ change: EngineChange, _ settings: Settings, _ result: inout MigrationJSON) async throws {
        let upstreams = try settings.upstreams(statementTimeout: Self.patience)
        for upstream in upstreams {
            let plan = try await UpstreamEngines.plan(change, upstream)
            let heading = upstreams.count > 1 ? "-- \(upstream.role.setting)" : ""
            for text in [heading, plan.script] where !text.isEmpty {
                if !json { Swift.print(text) } else if !yes { printError(text) }
            }
            guard !plan.steps.isEmpty else {
                result.scripts.append(.init(plan, in: upstream.role))
                printRemark("there is nothing left to do")
                continue
            }
            guard !self.print else { continue }
            guard try yes || Confirmation.isGiven("Run these statements in \(upstream.target)?") else {
                throw CommandFailure(.usage, "nothing was changed in \(upstream.target)")
            }
            try await UpstreamEngines.run(plan, upstream)
            result.scripts.append(.init(plan, in: upstream.role))
            printRemark("\(plan.steps.count) steps done")
        }
    }
}

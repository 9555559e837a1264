public import MarketData

/// What writing local groups upstream changes, or would change.
public struct PushPlan: Sendable, Equatable {
    /// What happens to one group.
    public struct Group: Sendable, Equatable {
        /// What is done.
        public enum Action: String, Sendable {
            /// It is new upstream.
            case create
            /// It is there and differs.
            case update
            /// It is there and is the same.
            case unchanged
        }

        /// Which group.
        public var identity: GroupRecord.Identity
        /// What is done.
        public var action: Action
        /// Symbols that join.
        public var added: [String] = []
        /// Symbols that leave.
        public var removed: [String] = []
        /// Symbols that get another weight.
        public var reweighted: [String] = []
        /// Symbols that get another document.
        public var redescribed: [String] = []
        /// Whether the group's own description or document changes.
        public var changesDetails = false
        /// The type it is written as, where the table's check does not take its own.
        public var writtenAs: String?
        /// How many symbols were upstream before.
        public var before = 0
        /// Documents that stay, of members that are written anew.
        var keptDocuments: [String: String] = [:]

        /// Whether so many members would change that a person should look first.
        public var isDrastic: Bool { action == .update && (added.count + removed.count) * 2 > before && before > 0 }
    }

    /// The groups, in the order given.
    public var groups: [Group] = []
    /// The database, without secrets.
    public var target = ""

    /// The groups that would be rewritten by more than half.
    public var drastic: [Group] { groups.filter(\.isDrastic) }
    /// Whether nothing has to be written.
    public var isEmpty: Bool { groups.allSatisfy { $0.action == .unchanged } }
}

/// Writes groups into the database, all in one transaction; groups that are not named are left alone.
public actor UniversePush {
    private let configuration: UpstreamConfiguration
    private let executor = QueueExecutor(label: "edgetick.universe.push")
    private let interrupt = Wakeup()

    /// Runs on a dispatch queue of its own, because the work blocks.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// A push that connects when asked to.
    public init(configuration: UpstreamConfiguration) {
        self.configuration = configuration
    }

    /// Says what writing `groups` would change; changes nothing.
    ///
    /// - Throws: any ``UpstreamError/Reason``; reason `data` when the database could not take a group as it is.
    public func plan(_ groups: [GroupRecord]) async throws(UpstreamError) -> PushPlan {
        try await session(groups, "READ ONLY") { (_, plan) throws(UpstreamError) in plan }
    }

    /// Makes the database's groups equal to `groups` and says what changed.
    ///
    /// - Parameters:
    ///   - force: Whether a group may change by more than half.
    ///   - progress: is told how many of how many groups are written.
    /// - Throws: any ``UpstreamError/Reason``; nothing is changed then, unless the answer to the COMMIT was lost, in
    ///   which case doing it again is right.
    public func push(
        _ groups: [GroupRecord], force: Bool = false,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws(UpstreamError) -> PushPlan {
        try await session(groups, "READ WRITE") { (writing, plan) throws(UpstreamError) in
            if let drastic = plan.drastic.first, !force {
                throw UpstreamError(
                    .data, "push universes",
                    "\(plan.drastic.count) groups would change by more than half, such as \(drastic.identity.name) "
                        + "(+\(drastic.added.count), -\(drastic.removed.count) of \(drastic.before)); look at "
                        + "--dry-run and add --force", object: "group \(drastic.identity.name)")
            }
            for (index, group) in plan.groups.enumerated() where group.action != .unchanged {
                try writing.write(groups[index], group)
                progress(index + 1, groups.count)
            }
            try writing.commit()
            return plan
        }
    }

    private func session(
        _ groups: [GroupRecord], _ access: String,
        _ body: (UniverseWriting, PushPlan) throws(UpstreamError) -> PushPlan
    ) async throws(UpstreamError) -> PushPlan {
        try await interruptible(by: interrupt) { () throws(UpstreamError) in
            let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
            // Without a COMMIT the server keeps nothing.
            defer { connection.finish() }
            try connection.run("BEGIN ISOLATION LEVEL READ COMMITTED \(access)", "begin pushing universes")
            let writing = try UniverseWriting(connection, isReadOnly: access == "READ ONLY")
            var plan = try writing.plan(groups)
            plan.target = configuration.target
            return try body(writing, plan)
        }
    }
}

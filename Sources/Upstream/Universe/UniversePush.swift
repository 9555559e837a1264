public import MarketData

/// The changes that writing local groups upstream makes, or would make.
public struct PushPlan: Sendable, Equatable {
    /// The changes to one group.
    public struct Group: Sendable, Equatable {
        /// What is done with the group.
        public enum Action: String, Sendable {
            /// It is new upstream.
            case create
            /// It exists and differs.
            case update
            /// It exists and is the same.
            case unchanged
        }

        /// The group's identity.
        public var identity: GroupRecord.Identity
        /// What is done with the group.
        public var action: Action
        /// The symbols that join.
        public var added: [String] = []
        /// The symbols that leave.
        public var removed: [String] = []
        /// The symbols whose weight changes.
        public var reweighted: [String] = []
        /// The symbols whose document changes.
        public var redescribed: [String] = []
        /// The type it is stored as, if the table's check rejects its own.
        public var writtenAs: String?
        /// The number of symbols upstream before.
        public var before = 0
        /// Why the group was not, or could not be, written, in one line; other groups are written regardless.
        public var failure: String?

        /// Whether so many members would change that a person should look first.
        var isDrastic: Bool {
            failure == nil && action == .update && (added.count + removed.count) * 2 > before && before > 0
        }
    }

    /// The groups, in the order given.
    public var groups: [Group] = []
    /// The database, without secrets.
    public var target = ""

    /// The groups in which more than half of the members would change.
    public var drastic: [Group] { groups.filter(\.isDrastic) }
    /// The groups that could not be written.
    public var failed: [Group] { groups.filter { $0.failure != nil } }
}

/// Writes groups into the database, each in a transaction of its own, so that one group that the database rejects
/// doesn't hold up the others. Groups that are not named are left alone.
public struct UniversePush: Sendable {
    private let configuration: UpstreamConfiguration

    /// Creates a push, which connects when used.
    public init(configuration: UpstreamConfiguration) { self.configuration = configuration }

    /// Returns what writing `groups` would change, and which of them can't be written. Changes nothing.
    ///
    /// - Throws: any ``UpstreamError/Reason`` that isn't about one group.
    public func plan(_ groups: [GroupRecord]) async throws(UpstreamError) -> PushPlan {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            try plan(groups, connection)
        }
    }

    /// Makes the database's groups equal to `groups`, and returns what changed and which could not be written.
    ///
    /// - Parameters:
    ///   - force: whether a group may change by more than half. Without it, a single such group keeps all from being
    ///     written.
    ///   - progress: receives the number of groups written and the number of groups.
    /// - Throws: any ``UpstreamError/Reason`` that isn't about one group. Retrying is safe: groups already written are
    ///   found unchanged.
    public func push(
        _ groups: [GroupRecord], force: Bool = false,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws(UpstreamError) -> PushPlan {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            var plan = try plan(groups, connection)
            if let drastic = plan.drastic.first, !force {
                throw UpstreamError(
                    .data, "push universes",
                    "\(plan.drastic.count.counted("group")) would change by more than half, such as \(drastic.identity.name) "
                        + "(+\(drastic.added.count), -\(drastic.removed.count) of \(drastic.before)); check with "
                        + "--dry-run, then add --force", object: "group \(drastic.identity.name)")
            }
            for (index, group) in groups.enumerated() {
                if plan.groups[index].failure == nil, plan.groups[index].action != .unchanged {
                    plan.groups[index] = try alone(group, in: "READ WRITE", connection) {
                        (writing) throws(UpstreamError) in
                        // Compared once more under the lock, so that what was compared is what is changed.
                        let change = try writing.compare(group)
                        if change.action != .unchanged { try writing.write(group, change) }
                        try writing.commit()
                        return change
                    }
                }
                progress(index + 1, groups.count)
            }
            return plan
        }
    }

    private func plan(_ groups: [GroupRecord], _ connection: PostgresConnection) throws(UpstreamError) -> PushPlan {
        let changes = try groups.map { group throws(UpstreamError) in
            try alone(group, in: "READ ONLY", connection) { (writing) throws(UpstreamError) in
                let change = try writing.compare(group)
                try writing.rollback()
                return change
            }
        }
        return PushPlan(groups: changes, target: configuration.target)
    }

    /// Runs one group's work in a transaction of its own; an error that concerns the group becomes its failure.
    private func alone(
        _ group: GroupRecord, in access: String, _ connection: PostgresConnection,
        _ body: (UniverseWriting) throws(UpstreamError) -> PushPlan.Group
    ) throws(UpstreamError) -> PushPlan.Group {
        try connection.begin("ISOLATION LEVEL READ COMMITTED \(access)", "begin pushing universes")
        // Errors about the tables themselves are thrown: they would be the same for every group.
        let writing = try UniverseWriting(connection, isReadOnly: access == "READ ONLY")
        do throws(UpstreamError) {
            return try body(writing)
        } catch {
            guard [.data, .schema, .refused, .limit, .tooSlow].contains(error.reason) else { throw error }
            try writing.rollback()
            var failed = PushPlan.Group(identity: group.identity, action: .update)
            failed.failure = error.detailedText
            return failed
        }
    }
}

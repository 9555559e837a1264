public import MarketData

/// What ``UniverseMirror/replacePulled(with:source:force:givingBack:unlessChangedSince:)`` did.
public enum PullOutcome: Sendable, Equatable {
    /// The database has what it had at the last pull, and the mirror still has all of it; nothing was written.
    case unchanged
    /// The database offers so little that something must be wrong there; nothing was written. The text says what, in one line.
    case refused(String)
    /// The mirror was changed after the records were read, so that they may be older; nothing was written.
    case outdated
    /// The mirror now equals the database.
    case replaced(PullChanges)
}

/// What a pull changed.
public struct PullChanges: Sendable, Equatable {
    /// A group whose members changed.
    public struct Group: Sendable, Equatable, Codable {
        /// Which group.
        public var identity: GroupRecord.Identity
        /// How many symbols joined.
        public var added: Int
        /// How many symbols left.
        public var removed: Int
        /// How many members have another weight or document.
        public var altered: Int

        private enum CodingKeys: String, CodingKey {
            case identity = "group"
            case added, removed, altered
        }
    }

    /// Groups that are new.
    public var added: [GroupRecord.Identity] = []
    /// Groups that are gone.
    public var removed: [GroupRecord.Identity] = []
    /// Groups whose members changed.
    public var changed: [Group] = []
    /// Groups of the database that stay hidden, because a local one has the same name, type and environment.
    public var shadowed: [GroupRecord.Identity] = []
    /// How many cache entries were added, changed or removed.
    public var entries = 0
    /// The new path of the mirror's file, if it was damaged and a fresh one took its place; all groups are new then.
    public var setAside: String?

    /// The warning about a damaged file; `nil` if there was none.
    public var warning: String? {
        setAside.map {
            "universe.sqlite was damaged and is kept as \($0); a fresh one took its place, without the local groups "
                + "that could not be read: import them again"
        }
    }
}

/// Decides whether a pull would remove so much that a person should check first. Pure.
struct PullGuard {
    /// Groups and memberships, by environment.
    struct Amount: Equatable {
        var groups = 0
        var memberships = 0

        static func += (left: inout Self, right: Self) {
            left.groups += right.groups
            left.memberships += right.memberships
        }
    }

    /// What the mirror has of the last pull.
    private let held: [String: Amount]
    private let offered: [String: Amount]
    /// The database, in words.
    private let database: String

    /// - Parameter local: the mirror's local groups. What the database has of the same names replaces nothing of the last
    ///   pull.
    init(held: [String: Amount], local: Set<GroupRecord.Identity>, offered groups: [GroupRecord]) {
        self.held = held
        let visible = groups.filter { !local.contains($0.identity) }
        offered = visible.reduce(into: [:]) { offered, group in
            offered[group.identity.environment, default: .init()] +=
                .init(groups: 1, memberships: group.members.count)
        }
        database = visible.count == groups.count ? "the database" : "besides what local groups hide, the database"
    }

    /// Why the pull is refused; `nil` when it may go on.
    var refusal: String? {
        let before = held.values.reduce(into: Amount()) { $0 += $1 }
        let after = offered.values.reduce(into: Amount()) { $0 += $1 }
        guard before.groups > 0 else { return nil }
        if after.groups == 0 {
            return "\(database) has no groups and the mirror has \(before.groups): it would be emptied"
        }
        if after.groups * 2 < before.groups {
            return
                "\(database) has \(after.groups.counted("group")) and the mirror has \(before.groups): "
                + "more than half would be removed"
        }
        if after.memberships * 2 < before.memberships {
            return
                "\(database) has \(after.memberships.counted("membership")) and the mirror has \(before.memberships): "
                + "more than half would be removed"
        }
        for (environment, amount) in held.sorted(by: { $0.key < $1.key }) where amount.memberships > 0 {
            if offered[environment, default: Amount()].memberships == 0 {
                return
                    "\(database) has no members in environment \(environment) and the mirror has \(amount.memberships): "
                    + "it would be emptied"
            }
        }
        return nil
    }
}

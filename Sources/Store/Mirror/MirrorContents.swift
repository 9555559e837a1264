public import MarketData

/// Everything in the mirror file, for a backup or an overview.
public struct MirrorContents: Sendable, Equatable {
    /// A group and what else the mirror knows of it.
    public struct Group: Sendable, Equatable {
        /// The group with its members.
        public var record: GroupRecord
        /// Where it came from.
        public var origin: GroupOrigin
        /// The file that it was last made from.
        public var imported: ImportNote?

        /// Makes a group.
        public init(record: GroupRecord, origin: GroupOrigin, imported: ImportNote? = nil) {
            self.record = record
            self.origin = origin
            self.imported = imported
        }
    }

    /// The groups, by environment, type and name.
    public var groups: [Group]
    /// The cache entries, by environment, type, name and key.
    public var entries: [CacheEntryRecord]
    /// The last pull; `nil` when there was none.
    public var pull: PullNote?

    /// Makes contents.
    public init(groups: [Group] = [], entries: [CacheEntryRecord] = [], pull: PullNote? = nil) {
        self.groups = groups
        self.entries = entries
        self.pull = pull
    }
}

/// Which file, or legacy row, a local group was last made from.
public struct ImportNote: Sendable, Equatable, Codable {
    /// The file's name, or the row's key.
    public var source: String
    /// What kind of file it was recognised as.
    public var format: String
    /// The digest of its content.
    public var checksum: String
    /// When it was imported, in milliseconds since the Unix epoch; the mirror replaces 0 with the present time.
    public var importedAt: Int64

    /// Makes a note.
    public init(source: String, format: String, checksum: String, importedAt: Int64 = 0) {
        self.source = source
        self.format = format
        self.checksum = checksum
        self.importedAt = importedAt
    }
}

/// What the mirror knows of the last pull.
public struct PullNote: Sendable, Equatable, Codable {
    /// The database, without secrets.
    public var source: String
    /// When a pull last changed the mirror, in milliseconds since the Unix epoch.
    public var pulledAt: Int64
    /// When a pull last succeeded, even if it found nothing new, in milliseconds since the Unix epoch.
    public var checkedAt: Int64
    /// The digest of what was pulled; empty when a local change has replaced a part of it.
    public var checksum: String
    /// The number of groups that the mirror has of the pull.
    public var groups: Int
    /// The number of their memberships.
    public var memberships: Int
    /// The number of cache entries.
    public var entries: Int

    /// Makes a note.
    public init(
        source: String, pulledAt: Int64, checkedAt: Int64, checksum: String, groups: Int, memberships: Int, entries: Int
    ) {
        self.source = source
        self.pulledAt = pulledAt
        self.checkedAt = checkedAt
        self.checksum = checksum
        self.groups = groups
        self.memberships = memberships
        self.entries = entries
    }
}

/// The new state of a group, which ``UniverseMirror/apply(_:)`` writes.
public struct GroupChange: Sendable, Equatable {
    /// What the group is; without a description, the stored one stays.
    public var definition: UniverseGroup.Definition
    /// Its members from now on; a member without metadata keeps what is stored.
    public var members: [MemberRecord]
    /// The group's JSON document; `nil` keeps the stored one.
    var metadata: String?
    /// What the group was made from.
    var imported: ImportNote?

    /// Makes a change.
    public init(
        definition: UniverseGroup.Definition, members: [MemberRecord], metadata: String? = nil,
        imported: ImportNote? = nil
    ) {
        self.definition = definition
        self.members = members
        self.metadata = metadata
        self.imported = imported
    }
}

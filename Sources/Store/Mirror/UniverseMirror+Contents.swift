import GRDB
public import MarketData

extension UniverseMirror {
    /// Everything in the file, in one snapshot. Some 10 ms for 30,000 memberships.
    public func contents() throws(StoreError) -> MirrorContents {
        try withSnapshot { try $0.contents() }
    }

    /// The last pull; `nil` when there was none.
    public func pullNote() throws(StoreError) -> PullNote? {
        try withSnapshot { try $0.pullNote() }
    }

    /// Returns the cache entries of one environment and type, or of all, sorted by environment, type, name and key.
    public func entries(environment: String?, type: String? = nil) throws(StoreError) -> [CacheEntryRecord] {
        try withSnapshot { try $0.entries(environment: environment, type: type) }
    }
}

extension UniverseMirror.Snapshot {
    /// Everything in the file.
    public func contents() throws(StoreError) -> MirrorContents {
        MirrorContents(
            groups: try groupsWithMembers().map(\.group), entries: try entries(environment: nil), pull: try pullNote())
    }

    /// Returns the cache entries, sorted by environment, type, name and key.
    func entries(environment: String?, type: String? = nil) throws(StoreError) -> [CacheEntryRecord] {
        var entries: [CacheEntryRecord] = []
        let sql = """
            SELECT type, name, key, value, environment, updated_at FROM cache_entries
            WHERE (?1 IS NULL OR environment = ?1) AND (?2 IS NULL OR type = ?2)
            ORDER BY environment, type, name, key
            """
        try rows(sql, environment, type) { row in
            entries.append(
                CacheEntryRecord(
                    type: row.text(0), name: row.text(1), key: row.text(2), value: row.optionalText(3),
                    environment: row.text(4), updatedAt: row.integer(5)))
        }
        return entries
    }

    /// The last pull; `nil` when there was none.
    func pullNote() throws(StoreError) -> PullNote? {
        var note: PullNote?
        let sql = "SELECT source, pulled_at, checksum, group_rows, membership_rows, entry_rows FROM mirror_info"
        try rows(sql) { row in
            let pulledAt = UnixTime.bounded(row.integer(1) ?? 0)
            note = PullNote(
                source: row.text(0), pulledAt: pulledAt, checkedAt: pulledAt,
                checksum: row.text(2),
                groups: Int(row.integer(3) ?? 0), memberships: Int(row.integer(4) ?? 0),
                entries: Int(row.integer(5) ?? 0))
        }
        if let pulledAt = note?.pulledAt, let checkedAt = PullMark.read(besides: path), checkedAt > pulledAt {
            note?.checkedAt = checkedAt
        }
        return note
    }

    /// Returns from which file, or legacy row, a group was last made.
    func importNote(of groupID: Int64) throws(StoreError) -> ImportNote? {
        var note: ImportNote?
        try rows("SELECT source, format, checksum, imported_at FROM group_imports WHERE group_id = ?", groupID) {
            note = ImportNote(
                source: $0.text(0), format: $0.text(1), checksum: $0.text(2), importedAt: $0.integer(3) ?? 0)
        }
        return note
    }

    /// A group with everything that belongs to it; `nil` when there is none.
    public func group(_ identity: GroupRecord.Identity) throws(StoreError) -> MirrorContents.Group? {
        let found = try groupsWithMembers(
            where: "name = ?1 AND type = ?2 AND environment = ?3", identity.name, identity.type, identity.environment)
        return found.first?.group
    }

    /// Groups with their row numbers, by environment, type and name.
    func groupsWithMembers(
        where condition: String = "?1 IS ?2 AND ?3 IS NULL", _ first: String? = nil, _ second: String? = nil,
        _ third: String? = nil
    ) throws(StoreError) -> [(id: Int64, group: MirrorContents.Group)] {
        var found = try groupsWithoutMembers(where: condition, first, second, third)
        for index in found.indices {
            found[index].group.record.members = try memberRecords(of: found[index].id)
            found[index].group.imported = try importNote(of: found[index].id)
        }
        return found
    }

    /// Returns the number of members of each group that has any, by the groups' row numbers.
    func memberCounts() throws(StoreError) -> [Int64: Int] {
        var counts: [Int64: Int] = [:]
        try rows("SELECT group_id, count(*) FROM group_memberships GROUP BY group_id") { row in
            counts[row.integer(0) ?? 0] = Int(row.integer(1) ?? 0)
        }
        return counts
    }

    /// Returns how many rows there are of the last pull. Reads every page of their tables, so that a damaged one is
    /// noticed; 0.1 s for a million memberships.
    func pulledRows() throws(StoreError) -> (groups: Int, memberships: Int, entries: Int) {
        var found = (groups: 0, memberships: 0, entries: 0)
        // The last column only serves to read the index.
        let sql = """
            SELECT count(*), sum((SELECT count(*) FROM group_memberships WHERE group_id = id)),
                (SELECT count(*) FROM cache_entries),
                (SELECT count(*) FROM group_memberships INDEXED BY group_memberships_symbol)
            FROM definition_groups WHERE origin = 'pulled'
            """
        try rows(sql) { row in
            found.groups = Int(row.integer(0) ?? 0)
            found.memberships = Int(row.integer(1) ?? 0)
            found.entries = Int(row.integer(2) ?? 0)
        }
        return found
    }

    /// Like ``groupsWithMembers(where:_:_:_:)``, but only with what the groups' own rows hold.
    func groupsWithoutMembers(
        where condition: String = "?1 IS ?2 AND ?3 IS NULL", _ first: String? = nil, _ second: String? = nil,
        _ third: String? = nil
    ) throws(StoreError) -> [(id: Int64, group: MirrorContents.Group)] {
        var found: [(id: Int64, group: MirrorContents.Group)] = []
        let sql = """
            SELECT id, name, type, environment, description, metadata, liquidity_filter, created_at, updated_at,
                last_update, origin
            FROM definition_groups WHERE \(condition) ORDER BY environment, type, name
            """
        try rows(sql, first, second, third) { row in
            let record = GroupRecord(
                identity: .init(name: row.text(1), type: row.text(2), environment: row.text(3)),
                description: row.optionalText(4), metadata: row.optionalText(5), liquidityFilter: row.optionalText(6),
                createdAt: row.integer(7), updatedAt: row.integer(8), lastUpdate: row.integer(9)
            )
            found.append(
                (row.integer(0) ?? 0, .init(record: record, origin: GroupOrigin(rawValue: row.text(10)) ?? .local)))
        }
        return found
    }

    /// Returns a group's members with everything stored about them, in the order of their symbols' bytes: those after
    /// `symbol`, at most `limit` if one is given.
    func memberRecords(
        of groupID: Int64, after symbol: String = "", limit: Int? = nil
    ) throws(StoreError) -> [MemberRecord] {
        var members: [MemberRecord] = []
        let sql = """
            SELECT symbol, weight, metadata, created_at FROM group_memberships
            WHERE group_id = ?1 AND symbol > ?2 ORDER BY symbol LIMIT ?3
            """
        try rows(sql, groupID, symbol, limit ?? -1) { row in
            members.append(
                MemberRecord(
                    symbol: row.text(0), weight: row.number(1), metadata: row.optionalText(2),
                    createdAt: row.integer(3)))
        }
        return members
    }
}

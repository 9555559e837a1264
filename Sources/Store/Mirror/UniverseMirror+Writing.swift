import GRDB
public import MarketData

extension UniverseMirror {
    /// Writes groups' new states, all in one transaction.
    ///
    /// The groups become local, even those that a pull had brought; in that case the next pull reads everything again.
    /// Members that stay keep their document and date.
    ///
    /// - Returns: The groups' numbers, in the order given.
    /// - Throws: `.invalid` for an empty name, environment or symbol; `.inUse`, `.diskFull` and other disk errors,
    ///   after which the mirror is unchanged.
    @discardableResult
    public func apply(_ changes: [GroupChange]) throws(StoreError) -> [Int64] {
        for change in changes {
            let definition = change.definition
            guard !definition.name.isEmpty, !definition.environment.isEmpty,
                !change.members.contains(where: { $0.symbol.isEmpty })
            else {
                throw StoreError(
                    .invalid, operation: "write a group to", path: file.path,
                    underlying: "name, environment and symbols must not be empty")
            }
        }
        guard !changes.isEmpty else { return [] }
        let now = WallClock.milliseconds()
        return try write("write groups to") { database in
            var writer = GroupWriter(database: database, path: self.file.path, now: now)
            let ids = try changes.map { try writer.apply($0) }
            if writer.hasTakenPulled { try database.execute(sql: "UPDATE mirror_info SET checksum = ''") }
            return ids
        }
    }

    /// Removes groups, all in one transaction; groups that don't exist are ignored.
    public func removeGroups(_ identities: [GroupRecord.Identity]) throws(StoreError) {
        guard !identities.isEmpty else { return }
        try write("remove groups from") { database in
            try Self.change("DELETE FROM definition_groups", identities, in: database)
        }
    }

    /// Records that the database now has these local groups: from now on a pull keeps them up to date.
    public func markPulled(_ identities: [GroupRecord.Identity]) throws(StoreError) {
        guard !identities.isEmpty else { return }
        try write("mark groups as pulled in") { database in try Self.markPulled(identities, in: database) }
    }

    /// Like ``markPulled(_:)``, but only for groups that are still as they were pushed. Those that were changed since,
    /// as by an import, stay local: the database has them as they were before.
    ///
    /// - Returns: The groups that stay local.
    public func handOver(_ pushed: [GroupRecord]) throws(StoreError) -> [GroupRecord.Identity] {
        guard !pushed.isEmpty else { return [] }
        return try write("mark groups as pulled in") { database in
            let snapshot = Snapshot(database: database, path: file.path)
            var same: [GroupRecord.Identity] = []
            var changed: [GroupRecord.Identity] = []
            for group in pushed {
                guard let found = try snapshot.group(group.identity), found.origin == .local else { continue }
                if found.record.isSame(as: group) {
                    same.append(group.identity)
                } else {
                    changed.append(group.identity)
                }
            }
            try Self.markPulled(same, in: database)
            return changed
        }
    }

    private static func markPulled(_ identities: [GroupRecord.Identity], in database: Database) throws {
        try change("UPDATE definition_groups SET origin = 'pulled'", identities, in: database)
    }

    /// Runs a statement on each group's row, and has the next pull read everything again.
    private static func change(
        _ statement: String, _ identities: [GroupRecord.Identity], in database: Database
    ) throws {
        for identity in identities {
            try database.execute(
                sql: statement + " WHERE name = ? AND type = ? AND environment = ?",
                arguments: [identity.name, identity.type, identity.environment])
        }
        try database.execute(sql: "UPDATE mirror_info SET checksum = ''")
    }

    /// Replaces everything in the file, in one transaction, to restore a backup.
    public func restore(_ contents: MirrorContents) throws(StoreError) {
        let now = WallClock.milliseconds()
        try write("restore") { database in
            for table in ["group_imports", "group_memberships", "definition_groups", "cache_entries", "mirror_info"] {
                try database.execute(sql: "DELETE FROM \(table)")
            }
            let writer = GroupWriter(database: database, path: self.file.path, now: now)
            for group in contents.groups { try writer.insert(group.record, origin: group.origin, group.imported) }
            for entry in contents.entries { try writer.insert(entry) }
            if let pull = contents.pull { try writer.note(pull) }
        }
        if let pull = contents.pull { PullMark.write(pull.checkedAt, besides: file.path) }
    }

    /// Makes the pulled part of the mirror equal to what the database has, in one transaction.
    ///
    /// Local groups stay; a group of the database with the name, type and environment of a local one stays hidden. If
    /// the checksum shows that nothing changed since the last pull, and all rows of that pull can still be read,
    /// nothing is written. If the file turns out to be damaged, a fresh one takes its place, with the local groups that
    /// can be read whole: see ``PullChanges/setAside``. What can be read of the last pull decides whether that would
    /// remove too much.
    ///
    /// - Parameters:
    ///   - source: The database, without secrets.
    ///   - force: Whether the mirror may be emptied or more than halved, and is compared row by row whatever the
    ///     checksum.
    ///   - givenBack: Local groups that become the database's with this pull, even if it is refused; not if
    ///     the file is damaged and the pull is refused.
    ///   - mark: The ``changeCounter()`` from before the records were read. If the file was written since then, the
    ///     pull is `.outdated`; `nil` writes it in any case.
    /// - Throws: The errors of ``apply(_:)``; the mirror is then unchanged.
    public func replacePulled(
        with records: UniverseRecords, source: String, force: Bool = false,
        givingBack givenBack: [GroupRecord.Identity] = [], unlessChangedSince mark: Int64? = nil
    ) throws(StoreError) -> PullOutcome {
        let now = WallClock.milliseconds()
        let operation = "write a pull to"
        let checksum = records.checksum
        func replace(_ database: Database) throws -> PullOutcome {
            if !givenBack.isEmpty { try Self.markPulled(givenBack, in: database) }
            var pull = PulledReplacement(writer: GroupWriter(database: database, path: file.path, now: now))
            if let refusal = try pull.plan(records), !force { return .refused(refusal) }
            let changes = try pull.write(records)
            try pull.note(source, checksum)
            return .replaced(changes)
        }
        var outcome: PullOutcome
        do throws(StoreError) {
            if !force, givenBack.isEmpty, try holdsPull(checksum, from: source) {
                outcome = .unchanged
            } else {
                outcome = try write(operation) { database -> PullOutcome in
                    if let mark, try changeCounter() != mark { return .outdated }
                    return try replace(database)
                }
            }
        } catch {
            // A database without groups has nothing to put in the place of those that can't be read.
            guard error.reason == .damaged, access == .readWrite, !records.groups.isEmpty else { throw error }
            let written = try writeAfresh(
                operation, because: error,
                unless: { pulled, local -> PullOutcome? in
                    if let mark, (try? changeCounter()) != mark { return .outdated }
                    let check = PullGuard(held: pulled, local: local, offered: records.groups)
                    guard !force, let refusal = check.refusal else { return nil }
                    return .refused("universe.sqlite is damaged, and \(refusal)")
                }, replace)
            outcome = written.result
            if case .replaced(var changes) = outcome {
                changes.setAside = written.setAside
                outcome = .replaced(changes)
            }
        }
        switch outcome {
        case .refused, .outdated: break
        case .unchanged, .replaced: PullMark.write(now, besides: file.path)
        }
        return outcome
    }

    /// Whether the last pull was of this database and content, and the mirror still has all of its rows.
    private func holdsPull(_ checksum: String, from source: String) throws(StoreError) -> Bool {
        try withSnapshot { snapshot -> Bool in
            guard let note = try snapshot.pullNote(), note.checksum == checksum, note.source == source else {
                return false
            }
            return try snapshot.pulledRows() == (note.groups, note.memberships, note.entries)
        }
    }
}

extension GroupRecord {
    /// Whether another record differs at most in when it was written.
    fileprivate func isSame(as other: GroupRecord) -> Bool {
        var other = other
        (other.createdAt, other.updatedAt, other.lastUpdate) = (createdAt, updatedAt, lastUpdate)
        return self == other
    }
}

/// The statements of a writing transaction.
struct GroupWriter {
    let database: Database
    let path: String
    let now: Int64
    /// Whether a group that a pull had brought became local.
    private(set) var hasTakenPulled = false

    var snapshot: UniverseMirror.Snapshot { UniverseMirror.Snapshot(database: database, path: path) }

    mutating func apply(_ change: GroupChange) throws -> Int64 {
        let definition = change.definition
        let previous = try String.fetchOne(
            database, sql: "SELECT origin FROM definition_groups WHERE name = ? AND type = ? AND environment = ?",
            arguments: [definition.name, definition.type.rawValue, definition.environment])
        if previous == GroupOrigin.pulled.rawValue { hasTakenPulled = true }
        let id = try Int64.fetchOne(
            database,
            sql: """
                INSERT INTO definition_groups
                    (name, type, description, environment, metadata, created_at, updated_at, last_update, origin)
                VALUES (?1, ?2, ?3, ?4, ?6, ?5, ?5, ?5, 'local')
                ON CONFLICT (name, type, environment) DO UPDATE SET
                    description = coalesce(excluded.description, description), updated_at = excluded.updated_at,
                    metadata = coalesce(excluded.metadata, metadata), last_update = excluded.last_update,
                    origin = 'local'
                RETURNING id
                """,
            arguments: [
                definition.name, definition.type.rawValue, definition.description, definition.environment, now,
                change.metadata,
            ])
        guard let id else { throw StoreError(.statement, operation: "write a group to", path: path) }
        _ = try writeMembers(of: id, change.members, keepingMetadata: true)
        try write(change.imported, of: id)
        return id
    }

    func insert(_ group: GroupRecord, origin: GroupOrigin, _ imported: ImportNote?) throws {
        try database.execute(
            sql: """
                INSERT INTO definition_groups (name, type, environment, description, metadata, liquidity_filter,
                    created_at, updated_at, last_update, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                group.identity.name, group.identity.type, group.identity.environment, group.description,
                group.metadata, group.liquidityFilter, group.createdAt ?? now, group.updatedAt ?? now,
                group.lastUpdate, origin.rawValue,
            ])
        let id = database.lastInsertedRowID
        _ = try writeMembers(of: id, group.members, keepingMetadata: false)
        try write(imported, of: id)
    }

    func insert(_ entry: CacheEntryRecord) throws {
        try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO cache_entries (type, name, key, value, environment, updated_at)
                VALUES (?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [entry.type, entry.name, entry.key, entry.value, entry.environment, entry.updatedAt])
    }

    func note(_ pull: PullNote) throws {
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO mirror_info
                    (id, source, pulled_at, checksum, group_rows, membership_rows, entry_rows)
                VALUES (1, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [pull.source, pull.pulledAt, pull.checksum, pull.groups, pull.memberships, pull.entries])
    }

    /// How many of a group's stored members are in memory at a time.
    private static let chunk = 10_000

    /// Makes a group's members equal to those given, writing only what differs. If a symbol is given twice, the last
    /// one counts.
    ///
    /// Merges the stored members and the given ones in the order of their symbols' bytes, and reads the stored ones in
    /// pieces: a group of a million members takes no more memory for them than a small one.
    func writeMembers(
        of id: Int64, _ members: [MemberRecord], keepingMetadata: Bool
    ) throws -> (added: Int, removed: Int, altered: Int) {
        let members = members.inOrderOfBytes()
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO group_memberships (group_id, symbol, weight, metadata, created_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (group_id, symbol) DO UPDATE SET
                    weight = excluded.weight, metadata = excluded.metadata, created_at = excluded.created_at
                """)
        let delete = try database.cachedStatement(
            sql: "DELETE FROM group_memberships WHERE group_id = ? AND symbol = ?")
        var counts = (added: 0, removed: 0, altered: 0)
        var next = members.startIndex
        func add(before symbol: String?) throws {
            while next < members.endIndex, symbol.map({ members[next].symbol.isBefore($0) }) ?? true {
                let member = members[next]
                let created = keepingMetadata ? now : member.createdAt ?? now
                try insert.execute(arguments: [id, member.symbol, member.weight, member.metadata, created])
                counts.added += 1
                next += 1
            }
        }
        var last = ""
        while true {
            let stored = try snapshot.memberRecords(of: id, after: last, limit: Self.chunk)
            for old in stored {
                try add(before: old.symbol)
                guard next < members.endIndex, members[next].symbol.utf8.elementsEqual(old.symbol.utf8) else {
                    try delete.execute(arguments: [id, old.symbol])
                    counts.removed += 1
                    continue
                }
                let member = members[next]
                next += 1
                let metadata = member.metadata ?? (keepingMetadata ? old.metadata : nil)
                let created = keepingMetadata ? old.createdAt ?? now : member.createdAt ?? old.createdAt ?? now
                if old.weight == member.weight, old.metadata == metadata, old.createdAt == created { continue }
                try insert.execute(arguments: [id, member.symbol, member.weight, metadata, created])
                counts.altered += 1
            }
            guard stored.count == Self.chunk, let end = stored.last else { break }
            last = end.symbol
        }
        try add(before: nil)
        return counts
    }

    private func write(_ imported: ImportNote?, of id: Int64) throws {
        guard let imported else {
            return try database.execute(sql: "DELETE FROM group_imports WHERE group_id = ?", arguments: [id])
        }
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO group_imports (group_id, source, format, checksum, imported_at)
                VALUES (?, ?, ?, ?, ?)
                """,
            arguments: [
                id, imported.source, imported.format, imported.checksum,
                imported.importedAt == 0 ? now : imported.importedAt,
            ])
    }
}

extension [MemberRecord] {
    /// The members in the order of their symbols' bytes, as SQLite compares them; of each symbol only the last.
    fileprivate func inOrderOfBytes() -> [MemberRecord] {
        let isInOrder = zip(self, dropFirst()).allSatisfy { $0.symbol.isBefore($1.symbol) }
        guard !isInOrder else { return self }
        var last: [String: Int] = [:]
        for (place, member) in enumerated() { last[member.symbol] = place }
        return last.values.map { self[$0] }.sorted { $0.symbol.isBefore($1.symbol) }
    }
}

extension String {
    fileprivate func isBefore(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}

/// The transaction that replaces what was pulled before with what is pulled now.
struct PulledReplacement {
    let writer: GroupWriter
    /// The groups in the mirror, without their members.
    var held: [GroupRecord.Identity: (id: Int64, group: MirrorContents.Group)] = [:]

    /// Reads what the mirror has and returns why the pull is refused; `nil` if it may go on.
    mutating func plan(_ records: UniverseRecords) throws -> String? {
        var pulled: [String: PullGuard.Amount] = [:]
        let counts = try writer.snapshot.memberCounts()
        for found in try writer.snapshot.groupsWithoutMembers() {
            held[found.group.record.identity] = found
            guard found.group.origin == .pulled else { continue }
            let environment = found.group.record.identity.environment
            pulled[environment, default: .init()] += .init(groups: 1, memberships: counts[found.id] ?? 0)
        }
        let local = Set(held.filter { $0.value.group.origin == .local }.keys)
        return PullGuard(held: pulled, local: local, offered: records.groups).refusal
    }

    /// Notes the pull, with the number of rows that the mirror has of it.
    func note(_ source: String, _ checksum: String) throws {
        let rows = try writer.snapshot.pulledRows()
        try writer.note(
            PullNote(
                source: source, pulledAt: writer.now, checkedAt: writer.now, checksum: checksum, groups: rows.groups,
                memberships: rows.memberships, entries: rows.entries))
    }

    func write(_ records: UniverseRecords) throws -> PullChanges {
        var changes = PullChanges()
        var wanted: Set<GroupRecord.Identity> = []
        for group in records.groups.sorted(by: { $0.identity < $1.identity }) {
            guard wanted.insert(group.identity).inserted else { continue }
            guard let old = held[group.identity] else {
                try writer.insert(group, origin: .pulled, nil)
                changes.added.append(group.identity)
                continue
            }
            if old.group.origin == .local {
                changes.shadowed.append(group.identity)
            } else {
                try update(old.id, old.group.record, to: group, &changes)
            }
        }
        for (identity, old) in held where old.group.origin == .pulled && !wanted.contains(identity) {
            try writer.database.execute(sql: "DELETE FROM definition_groups WHERE id = ?", arguments: [old.id])
            changes.removed.append(identity)
        }
        changes.removed.sort()
        changes.entries = try writeEntries(records.entries)
        return changes
    }

    private func update(_ id: Int64, _ old: GroupRecord, to group: GroupRecord, _ changes: inout PullChanges) throws {
        var header = group
        header.members = []
        header.createdAt = group.createdAt ?? old.createdAt ?? writer.now
        header.updatedAt = group.updatedAt ?? old.updatedAt
        let counts = try writer.writeMembers(of: id, group.members, keepingMetadata: false)
        let isChanged = counts != (0, 0, 0)
        if header != old || isChanged {
            try writer.database.execute(
                sql: """
                    UPDATE definition_groups SET description = ?, metadata = ?, liquidity_filter = ?, created_at = ?,
                        updated_at = ?, last_update = ? WHERE id = ?
                    """,
                arguments: [
                    header.description, header.metadata, header.liquidityFilter, header.createdAt,
                    group.updatedAt ?? (isChanged ? writer.now : old.updatedAt), header.lastUpdate, id,
                ])
        }
        if isChanged {
            changes.changed.append(
                .init(identity: group.identity, added: counts.added, removed: counts.removed, altered: counts.altered))
        }
    }

    private func writeEntries(_ entries: [CacheEntryRecord]) throws -> Int {
        func key(_ entry: CacheEntryRecord) -> [String] { [entry.type, entry.name, entry.key, entry.environment] }
        var before = Dictionary(try writer.snapshot.entries(environment: nil).map { (key($0), $0) }) { $1 }
        var count = 0
        for entry in entries where !CacheEntryRecord.legacyTypes.contains(entry.type) {
            if before.removeValue(forKey: key(entry)) == entry { continue }
            try writer.insert(entry)
            count += 1
        }
        for entry in before.values {
            try writer.database.execute(
                sql: "DELETE FROM cache_entries WHERE type = ? AND name = ? AND key = ? AND environment = ?",
                arguments: [entry.type, entry.name, entry.key, entry.environment])
            count += 1
        }
        return count
    }
}

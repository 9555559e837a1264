import GRDB
import MarketData

extension UniverseMirror {
    /// Writes in one transaction, not into this file, which is damaged, but into a fresh one with the local groups that
    /// can be read whole. The fresh file then takes this one's place, so that a crash leaves one or the other.
    ///
    /// - Parameters:
    ///   - error: Why the file counts as damaged; thrown again if it turns out to be sound.
    ///   - stop: Called with what can be read of the last pull, and with the local groups that can be read. If it returns
    ///     a result, the file stays as it is.
    /// - Returns: What `body` or `stop` returned, and the damaged file's new path if it was replaced.
    func writeAfresh<Result>(
        _ operation: String, because error: StoreError,
        unless stop: (_ pulled: [String: PullGuard.Amount], _ local: Set<GroupRecord.Identity>) -> Result?,
        _ body: (Database) throws -> Result
    ) throws(StoreError) -> (result: Result, setAside: String?) {
        let now = WallClock.microseconds()
        let written = try UniverseMirror.locked(file) { () throws(StoreError) -> (result: Result, setAside: String?) in
            guard try !FileVerifier.verify(file.path, as: .universe).isSound else { throw error }
            let remains = try remains()
            if let result = stop(remains.pulled, Set(remains.local.map(\.record.identity))) { return (result, nil) }
            let draft = file.draft("renewing")
            defer { draft.remove() }
            let result = try UniverseMirror.commit(operation, to: draft) { database -> Result in
                let writer = GroupWriter(database: database, path: draft.path, now: now / 1000)
                for group in remains.local { try writer.insert(group.record, origin: .local, group.imported) }
                return try body(database)
            }
            return (result, try file.replace(with: draft.path, now: now / 1_000_000))
        }
        try follow()
        return written
    }

    /// What can be read of a damaged file.
    private struct Remains {
        /// The local groups of which all members can be read.
        var local: [MirrorContents.Group] = []
        /// The groups of the last pull by environment, with the members of those whose members can be counted.
        var pulled: [String: PullGuard.Amount] = [:]
    }

    /// Reads the file that is there now.
    ///
    /// - Throws: if the list of groups can't be read: then nobody knows which local ones there were.
    private func remains() throws(StoreError) -> Remains {
        let reader = try StoreConnection.openReader(file.path)
        defer { try? reader.close() }
        // Without a transaction: its COMMIT fails if a page read before it was bad.
        return try StoreError.translating("read", path: file.path) {
            try reader.unsafeRead { database -> Remains in
                let snapshot = Snapshot(database: database, path: file.path)
                var remains = Remains()
                for found in try snapshot.groupsWithoutMembers() {
                    var group = found.group
                    switch group.origin {
                    case .local:
                        guard let members = try? snapshot.memberRecords(of: found.id) else { continue }
                        group.record.members = members
                        group.imported = try? snapshot.importNote(of: found.id)
                        remains.local.append(group)
                    case .pulled:
                        let count = try? snapshot.memberCount(of: found.id)
                        remains.pulled[group.record.identity.environment, default: .init()] +=
                            .init(groups: 1, memberships: count ?? 0)
                    }
                }
                return remains
            }
        }
    }
}

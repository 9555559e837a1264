import GRDB
import MarketData

extension UniverseMirror {
    /// Writes in one transaction, not into this file, which is damaged, but into a fresh one with the local groups that
    /// can be read whole. The fresh file then takes this one's place, so that a crash leaves one or the other.
    ///
    /// - Parameter error: Why the file counts as damaged; thrown again if it turns out to be sound.
    /// - Returns: What `body` returned, and the damaged file's new path.
    func writeAfresh<Result>(
        _ operation: String, because error: StoreError, _ body: (Database) throws -> Result
    ) throws(StoreError) -> (result: Result, setAside: String) {
        let now = WallClock.microseconds()
        let written = try UniverseMirror.locked(file) { () throws(StoreError) -> (result: Result, setAside: String) in
            guard try !FileVerifier.verify(file.path, as: .universe).isSound else { throw error }
            let draft = file.draft("renewing")
            defer { draft.remove() }
            let local = try readableLocalGroups()
            let result = try UniverseMirror.commit(operation, to: draft) { database -> Result in
                let writer = GroupWriter(database: database, path: draft.path, now: now / 1000)
                for group in local { try writer.insert(group.record, origin: .local, group.imported) }
                return try body(database)
            }
            return (result, try file.replace(with: draft.path, now: now / 1_000_000))
        }
        try follow()
        return written
    }

    /// The local groups of the file that is there now. A group is left out if not all of its members can be read.
    ///
    /// - Throws: if the list of groups can't be read: then nobody knows which local ones there were.
    private func readableLocalGroups() throws(StoreError) -> [MirrorContents.Group] {
        let reader = try StoreConnection.openReader(file.path)
        defer { try? reader.close() }
        // Without a transaction: its COMMIT fails if a page read before it was bad.
        return try StoreError.translating("read", path: file.path) {
            try reader.unsafeRead { database -> [MirrorContents.Group] in
                let snapshot = Snapshot(database: database, path: file.path)
                let groups = try snapshot.groupsWithoutMembers()
                return groups.filter { $0.group.origin == .local }.compactMap { found -> MirrorContents.Group? in
                    guard let members = try? snapshot.memberRecords(of: found.id) else { return nil }
                    var group = found.group
                    group.record.members = members
                    group.imported = try? snapshot.importNote(of: found.id)
                    return group
                }
            }
        }
    }
}

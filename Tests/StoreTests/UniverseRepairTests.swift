import Foundation
import GRDB
import MarketData
import Store
import TestSupport
import Testing

/// A damaged mirror: groups and members that can be read are kept, and the next pull reads everything again.
@Suite(.timeLimit(.minutes(5))) struct UniverseRepairTests {
    private static let groups = (0..<40).map { "group-\($0)" }

    private func make(_ scratch: Scratch) throws -> (bytes: Data, members: [String: [String]]) {
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        for name in Self.groups {
            try mirror.apply([
                GroupChange(
                    definition: .init(name: name, type: .universe, description: String(repeating: "long ", count: 200)),
                    members: (0..<100).map { .init(symbol: "\(name.dropFirst(6))S\($0)", weight: Double($0)) })
            ])
        }
        let path = scratch.path + "/universe.sqlite"
        return (try Data(contentsOf: URL(fileURLWithPath: path)), try members(path))
    }

    private func members(_ path: String) throws -> [String: [String]] {
        try SoundFile.reading(path) { database in
            var found: [String: [String]] = [:]
            for row in try Row.fetchAll(
                database,
                sql: """
                    SELECT g.name, m.symbol || ' ' || m.weight FROM definition_groups g
                    JOIN group_memberships m ON m.group_id = g.id ORDER BY 1, 2
                    """)
            { found[row[0], default: []].append(row[1]) }
            return found
        }
    }

    @Test func `a mirror without groups has no fault, even when a repair is forced`() throws {
        let scratch = try Scratch()
        _ = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        var options = FileRepair.Options()
        options.isForced = true
        let report = try FileRepair.repair(scratch.path + "/universe.sqlite", as: .universe, options: options)
        #expect(report.outcome == .sound && report.setAside == nil)
    }

    @Test(arguments: [Damage.garbagePage, .zeroPage, .garbageRun, .cut])
    func `what can be read is kept, and nothing is invented`(damage: Damage) throws {
        let original = try Scratch()
        let sound = try make(original)
        for seed in 0..<8 {
            let scratch = try Scratch()
            let path = scratch.path + "/universe.sqlite"
            var bytes = sound.bytes
            _ = damage.harm(&bytes, seed: UInt64(seed) * 101 + 3)
            try bytes.write(to: URL(fileURLWithPath: path))
            var options = FileRepair.Options()
            options.isForced = true
            let report = try FileRepair.repair(path, as: .universe, options: options)
            if report.outcome == .hopeless {
                // The damage hit the first page of a table that all others depend on.
                #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == bytes)
                continue
            }
            #expect(report.outcome == .repaired, "seed \(seed)")
            let kept = try members(path)
            for (name, found) in kept {
                #expect(Set(found).isSubset(of: sound.members[name] ?? []), "seed \(seed): \(name)")
            }
            #expect(report.remarks.contains { $0.contains("universe pull") })
            #expect(try FileVerifier.verify(path, as: .universe).isSound, "seed \(seed)")
            let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
            #expect(mirror.setAside == nil)
            try mirror.apply([
                GroupChange(
                    definition: .init(name: "fresh", type: .universe), members: [.init(symbol: "IBM", weight: 1)])
            ])
        }
    }

    @Test func `of a damaged page of members only those on it are lost`() throws {
        let scratch = try Scratch()
        var bytes = try make(scratch).bytes
        let path = scratch.path + "/universe.sqlite"
        let page = try SoundFile.reading(path) { database in
            try Int.fetchOne(
                database,
                sql: "SELECT pageno FROM dbstat WHERE name = 'group_memberships' AND pagetype = 'leaf' LIMIT 1 OFFSET 3"
            )
        }
        let place = try #require(page)
        bytes.replaceSubrange((place - 1) * 4096..<place * 4096, with: Data(repeating: 0x5A, count: 4096))
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        try bytes.write(to: URL(fileURLWithPath: path))
        let report = try FileRepair.repair(path, as: .universe)
        #expect(report.outcome == .repaired)
        let left = try members(path).values.joined().count
        #expect(left < 4000 && left > 3500)
        #expect(
            try SoundFile.reading(path) { try Int.fetchOne($0, sql: "SELECT count(*) FROM definition_groups") } == 40)
    }

    private static let pulled = UniverseRecords(
        groups: groups.map { name in
            GroupRecord(
                identity: .init(name: name, type: "UNIVERSE", environment: "DEFAULT"), createdAt: 1000,
                updatedAt: 2000,
                members: (0..<100).map { "\(name.dropFirst(6))S\($0)" }.sorted().map {
                    MemberRecord(symbol: $0, weight: 1, createdAt: 1500)
                })
        })

    /// Makes a mirror with groups of the database between two local ones of 1,000 members, and returns its groups.
    private func pull(_ scratch: Scratch) throws -> [MirrorContents.Group] {
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        let members = (0..<1000).map { MemberRecord(symbol: "L\($0)") }
        try mirror.apply([GroupChange(definition: .init(name: "first", type: .universe), members: members)])
        _ = try mirror.replacePulled(with: Self.pulled, source: "db")
        try mirror.apply([GroupChange(definition: .init(name: "last", type: .universe), members: members)])
        return try mirror.contents().groups
    }

    /// A leaf that has members of the database's groups only; those before the sixth have the first local group's.
    private static let pulledLeaf = 12

    /// Overwrites leaves of a table or an index, counted in their order, in a mirror that nobody has open.
    private func damage(_ table: String, _ leaves: [Int], in scratch: Scratch) throws {
        let path = scratch.path + "/universe.sqlite"
        let pages = try SoundFile.reading(path) { database in
            try Int.fetchAll(
                database, sql: "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path",
                arguments: [table])
        }
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        for leaf in leaves {
            let page = try #require(pages.indices.contains(leaf) ? pages[leaf] : nil)
            bytes.replaceSubrange((page - 1) * 4096..<page * 4096, with: Data(repeating: 0xA5, count: 4096))
        }
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    @Test(arguments: ["group_memberships", "group_memberships_symbol"])
    func `a pull replaces a mirror that can't be read whole, though the database has nothing new`(
        table: String
    ) throws {
        let scratch = try Scratch()
        let before = try pull(scratch)
        try damage(table, [Self.pulledLeaf], in: scratch)
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        #expect(mirror.setAside == nil)
        let counter = try mirror.changeCounter()
        guard case .replaced(let changes) = try mirror.replacePulled(with: Self.pulled, source: "db") else {
            return #expect(Bool(false), "nothing was written")
        }
        let kept = try #require(changes.setAside)
        #expect(try FileVerifier.verify(kept, as: .universe).isSound == false)
        #expect(try mirror.contents().groups == before)
        #expect(try mirror.changeCounter() != counter)
        #expect(try FileVerifier.verify(scratch.path + "/universe.sqlite", as: .universe).isSound)
        #expect(try mirror.replacePulled(with: Self.pulled, source: "db") == .unchanged)
        #expect(try scratch.files(beginning: "universe-renewing").isEmpty)
    }

    @Test func `a pull keeps the local groups of a damaged mirror that can be read whole, and no part of one`() throws {
        let scratch = try Scratch()
        let before = try pull(scratch)
        try damage("group_memberships", [2, Self.pulledLeaf], in: scratch)
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        _ = try mirror.replacePulled(with: Self.pulled, source: "db")
        #expect(try mirror.contents().groups == before.filter { $0.record.identity.name != "first" })
    }

    @Test func `a database without groups replaces nothing of a mirror that can't be read`() throws {
        let scratch = try Scratch()
        _ = try pull(scratch)
        try damage("group_memberships", [Self.pulledLeaf], in: scratch)
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        for force in [false, true] {
            let error = #expect(throws: StoreError.self) {
                _ = try mirror.replacePulled(with: UniverseRecords(), source: "db", force: force)
            }
            #expect(error?.reason == .damaged)
        }
        #expect(try scratch.files(beginning: "universe-bad").isEmpty)
    }

    @Test func `a database with less than half of the groups replaces nothing of a damaged mirror, unless forced`()
        throws
    {
        let scratch = try Scratch()
        _ = try pull(scratch)
        try damage("group_memberships", [Self.pulledLeaf], in: scratch)
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        let few = UniverseRecords(groups: Array(Self.pulled.groups.prefix(10)))
        var thin = Self.pulled
        for place in thin.groups.indices { thin.groups[place].members = Array(thin.groups[place].members.prefix(30)) }
        for records in [few, thin] {
            let outcome = try mirror.replacePulled(with: records, source: "db")
            guard case .refused(let text) = outcome else { return #expect(Bool(false), "\(outcome)") }
            #expect(text.contains("damaged") && text.contains("more than half would be removed"))
        }
        #expect(try scratch.files(beginning: "universe-bad").isEmpty)
        #expect(try scratch.files(beginning: "universe-renewing").isEmpty)
        guard case .replaced(let changes) = try mirror.replacePulled(with: few, source: "db", force: true) else {
            return #expect(Bool(false), "forced")
        }
        #expect(changes.setAside != nil && changes.added.count == 10)
    }

    @Test func `what was read before a damaged mirror changed is not written into a fresh one`() throws {
        let scratch = try Scratch()
        _ = try pull(scratch)
        try damage("group_memberships", [Self.pulledLeaf], in: scratch)
        let mirror = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        let mark = try mirror.changeCounter()
        let other = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        try other.apply([GroupChange(definition: .init(name: "mine", type: .universe), members: [.init(symbol: "M")])])
        #expect(try mirror.replacePulled(with: Self.pulled, source: "db", unlessChangedSince: mark) == .outdated)
        #expect(try scratch.files(beginning: "universe-bad").isEmpty)
        let now = try mirror.changeCounter()
        let outcome = try mirror.replacePulled(with: Self.pulled, source: "db", unlessChangedSince: now)
        guard case .replaced = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(try mirror.groups(environment: nil).contains { $0.name == "mine" && $0.origin == .local })
    }

    @Test func `a mirror is not replaced under a running collector`() async throws {
        let scratch = try Scratch()
        _ = try make(scratch)
        let buffer = try scratch.open()
        var options = FileRepair.Options()
        options.isForced = true
        let chosen = options
        let error = #expect(throws: StoreError.self) {
            _ = try FileRepair.repair(scratch.path + "/universe.sqlite", as: .universe, options: chosen)
        }
        #expect(error?.reason == .inUse(holder: getpid()))
        await buffer.close()
    }
}

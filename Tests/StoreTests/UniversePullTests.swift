import Foundation
import MarketData
import Migrations
import Synchronization
import TestSupport
import Testing

@testable import Store

/// What a pull writes into the mirror, and what it leaves alone.
@Suite(.timeLimit(.minutes(5))) struct UniversePullTests {
    private func group(
        _ name: String, _ symbols: [String], type: String = "UNIVERSE", environment: String = "DEFAULT",
        weight: Double? = nil
    ) -> GroupRecord {
        GroupRecord(
            identity: .init(name: name, type: type, environment: environment), createdAt: 1000, updatedAt: 2000,
            members: symbols.sorted().map { MemberRecord(symbol: $0, weight: weight, createdAt: 1500) })
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    private func mirror(_ scratch: Scratch) throws -> UniverseMirror {
        try UniverseMirror.open(directory: scratch.path, access: .readWrite)
    }

    private func names(_ mirror: UniverseMirror) throws -> [String] {
        try mirror.groups(environment: nil).map { "\($0.name) \($0.memberCount) \($0.origin.rawValue)" }
    }

    @Test func `groups that local ones hide don't make up for those that the database has lost`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let names = ["a", "b", "c", "d"]
        _ = try mirror.replacePulled(with: .init(groups: names.map { group($0, ["A", "B"]) }), source: "db")
        for name in ["c", "d"] {
            try mirror.apply([
                GroupChange(definition: .init(name: name, type: .universe), members: [MemberRecord(symbol: "Z")])
            ])
        }
        let hidden = UniverseRecords(groups: [group("c", ["A", "B"]), group("d", ["A", "B"])])
        guard case .refused(let text) = try mirror.replacePulled(with: hidden, source: "db") else {
            return #expect(Bool(false), "nothing was refused")
        }
        #expect(text.hasPrefix("besides what local groups hide, the database has no groups and the mirror has 2:"))
        #expect(try self.names(mirror) == ["a 2 pulled", "b 2 pulled", "c 1 local", "d 1 local"])
    }

    @Test func `a pull makes the pulled part equal to the database and says what changed`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let first = try mirror.replacePulled(
            with: UniverseRecords(groups: [group("a", ["A", "B"]), group("b", ["B"]), group("c", ["C"])]), source: "db")
        guard case .replaced(let made) = first else { return #expect(Bool(false), "\(first)") }
        #expect(made.added.map(\.name) == ["a", "b", "c"])
        let second = try mirror.replacePulled(
            with: UniverseRecords(groups: [group("a", ["B", "C", "D"]), group("b", ["B"]), group("d", ["D"])]),
            source: "db")
        guard case .replaced(let changes) = second else { return #expect(Bool(false), "\(second)") }
        #expect(changes.added.map(\.name) == ["d"])
        #expect(changes.removed.map(\.name) == ["c"])
        #expect(changes.changed.map { [$0.added, $0.removed, $0.altered] } == [[2, 1, 0]])
        #expect(try names(mirror) == ["a 3 pulled", "b 1 pulled", "d 1 pulled"])
        let contents = try mirror.contents()
        #expect(contents.groups.map(\.record) == [group("a", ["B", "C", "D"]), group("b", ["B"]), group("d", ["D"])])
        #expect(contents.pull?.groups == 3 && contents.pull?.memberships == 5)
    }

    @Test func `a group of more members than are in memory at a time changes as a small one does`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let names = (0..<25_000).map { "S\($0)" }
        _ = try mirror.replacePulled(with: UniverseRecords(groups: [group("big", names)]), source: "db")
        #expect(try mirror.contents().groups.map(\.record) == [group("big", names)])
        // The ends of chunks, in byte order: S0, S1, S10, S100…
        let order = names.sorted()
        let gone = Set([order[0], order[9_999], order[10_000], order[19_999], order[24_999]] + order[500..<1500])
        var wanted = group("big", names.filter { !gone.contains($0) } + ["A", "S5x", "ZZ"])
        for place in [0, 5_000, 12_345, wanted.members.count - 1] { wanted.members[place].weight = 2.5 }
        let outcome = try mirror.replacePulled(with: UniverseRecords(groups: [wanted]), source: "db")
        guard case .replaced(let changes) = outcome else { return #expect(Bool(false), "\(outcome)") }
        // Of the four with a new weight, the first and the last are new members.
        #expect(changes.changed.map { [$0.added, $0.removed, $0.altered] } == [[3, gone.count, 2]])
        #expect(try mirror.contents().groups.map(\.record) == [wanted])
    }

    @Test func `members in whatever order, and twice, are written once each`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        var record = group("a", ["C", "A", "B"])
        record.members = ["C", "É", "A", "B", "e\u{301}X", "A"].enumerated().map {
            MemberRecord(symbol: $1, weight: Double($0), createdAt: 1500)
        }
        for _ in 0..<2 { _ = try mirror.replacePulled(with: UniverseRecords(groups: [record]), source: "db") }
        let members = try mirror.contents().groups[0].record.members
        #expect(members.map(\.symbol) == ["A", "B", "C", "e\u{301}X", "É"])
        #expect(members.map(\.weight) == [5, 3, 0, 4, 1])
        record.members = [MemberRecord(symbol: "B", createdAt: 1500)]
        _ = try mirror.replacePulled(with: UniverseRecords(groups: [record]), source: "db", force: true)
        #expect(try mirror.contents().groups[0].record.members == record.members)
    }

    @Test func `a pull that finds nothing new writes nothing, and its time is known all the same`() throws {
        let (scratch, mirror) = try Scratch.mirrored()
        let records = UniverseRecords(
            groups: [group("a", ["A", "B"])],
            entries: [CacheEntryRecord(type: "app_settings", name: "x", key: "k", value: "1", environment: "DEFAULT")])
        _ = try mirror.replacePulled(with: records, source: "db")
        let before = try mirror.changeCounter()
        let note = try #require(try mirror.withSnapshot { try $0.pullNote() })
        var shuffled = records
        shuffled.groups[0].members.reverse()
        #expect(try mirror.replacePulled(with: shuffled, source: "db") == .unchanged)
        #expect(try mirror.changeCounter() == before)
        let after = try #require(try mirror.withSnapshot { try $0.pullNote() })
        #expect(after.pulledAt == note.pulledAt && after.checkedAt >= note.checkedAt)
        #expect(try mirror.replacePulled(with: shuffled, source: "other db") != .unchanged)
        // An age is told of whatever another program wrote.
        try scratch.execute(
            "UPDATE mirror_info SET pulled_at = -9223372036854775807 - 1", file: scratch.file(LocalFile.universe.name))
        #expect(try mirror.withSnapshot { try $0.pullNote() }?.pulledAt == 0)
    }

    @Test func `a pull brings back what the mirror lacks though the database has nothing new, or differs when forced`()
        throws
    {
        let (scratch, mirror) = try Scratch.mirrored()
        let file = scratch.path + "/universe.sqlite"
        let records = UniverseRecords(
            groups: [group("a", ["A", "B"]), group("b", ["B"])],
            entries: [CacheEntryRecord(type: "app_settings", name: "x", key: "k", value: "1", environment: "DEFAULT")])
        _ = try mirror.replacePulled(with: records, source: "db")
        let before = try mirror.contents().groups
        for loss in [
            "DELETE FROM group_memberships WHERE symbol = 'A'", "DELETE FROM definition_groups WHERE name = 'b'",
            "DELETE FROM cache_entries",
        ] {
            try scratch.execute(loss, file: file)
            guard case .replaced(let changes) = try mirror.replacePulled(with: records, source: "db") else {
                return #expect(Bool(false), "\(loss)")
            }
            #expect(changes.setAside == nil)
            #expect(try mirror.contents().groups == before)
            #expect(try mirror.withSnapshot { try $0.entries(environment: nil) } == records.entries)
        }
        try scratch.execute("UPDATE group_memberships SET weight = 9", file: file)
        guard case .replaced = try mirror.replacePulled(with: records, source: "db", force: true) else {
            return #expect(Bool(false), "forced")
        }
        #expect(try mirror.contents().groups == before)
        #expect(try FileVerifier.verify(file, as: .universe).isSound)
    }

    @Test func `a pull that would empty or halve the mirror is refused unless forced`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let symbols = (0..<20).map { "S\($0)" }
        let full = UniverseRecords(groups: (0..<4).map { group("g\($0)", symbols) })
        _ = try mirror.replacePulled(with: full, source: "db")
        let before = try mirror.contents()
        let bad: [UniverseRecords] = [
            .init(), .init(groups: [group("g0", symbols)]),
            .init(groups: (0..<4).map { group("g\($0)", Array(symbols.prefix(9))) }),
            .init(groups: (0..<4).map { group("g\($0)", symbols, environment: "TEST") }),
        ]
        for records in bad {
            guard case .refused(let text) = try mirror.replacePulled(with: records, source: "db") else {
                #expect(Bool(false), "taken: \(records.groups.count) groups")
                continue
            }
            #expect(text.contains("the mirror"))
            #expect(try mirror.contents() == before)
        }
        let half = UniverseRecords(groups: (0..<2).map { group("g\($0)", symbols) })
        guard case .replaced = try mirror.replacePulled(with: half, source: "db") else {
            return #expect(Bool(false), "exactly half must be taken")
        }
        guard case .replaced = try mirror.replacePulled(with: .init(), source: "db", force: true) else {
            return #expect(Bool(false), "forced")
        }
        #expect(try mirror.groups(environment: nil).isEmpty)
    }

    @Test func `local groups survive pulls and hide the database's groups of the same name`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        try mirror.apply([GroupChange(definition: .init(name: "mine", type: .universe), members: [.init(symbol: "M")])])
        let both = UniverseRecords(groups: [group("mine", ["X"]), group("theirs", ["T"])])
        guard case .replaced(let changes) = try mirror.replacePulled(with: both, source: "db") else {
            return #expect(Bool(false), "nothing was written")
        }
        #expect(changes.shadowed.map(\.name) == ["mine"])
        #expect(try names(mirror) == ["mine 1 local", "theirs 1 pulled"])
        #expect(try mirror.replacePulled(with: both, source: "db") == .unchanged)
        _ = try mirror.replacePulled(with: .init(), source: "db", force: true)
        #expect(try names(mirror) == ["mine 1 local"])
        // A pulled group that is edited here becomes local, and the next pull reads everything again.
        _ = try mirror.replacePulled(with: both, source: "db")
        try mirror.apply([
            GroupChange(definition: .init(name: "theirs", type: .universe), members: [.init(symbol: "Z")])
        ])
        #expect(try mirror.replacePulled(with: both, source: "db") != .unchanged)
        #expect(try names(mirror) == ["mine 1 local", "theirs 1 local"])
        try mirror.markPulled([group("theirs", []).identity])
        _ = try mirror.replacePulled(with: both, source: "db")
        #expect(try mirror.contents().groups.last?.record.members.map(\.symbol) == ["T"])
    }

    @Test func `what was read before a group became the database's is not written`() throws {
        let (scratch, mirror) = try Scratch.mirrored()
        _ = try mirror.replacePulled(with: .init(groups: [group("theirs", ["T"])]), source: "db")
        let mark = try mirror.changeCounter()
        // As another process does with `universe push --hand-over`.
        let other = try self.mirror(scratch)
        try other.apply([GroupChange(definition: .init(name: "mine", type: .universe), members: [.init(symbol: "M")])])
        #expect(try other.handOver(other.contents().groups.map(\.record)).isEmpty)
        let older = UniverseRecords(groups: [group("theirs", ["T", "U"])])
        #expect(try mirror.replacePulled(with: older, source: "db", unlessChangedSince: mark) == .outdated)
        #expect(try names(mirror) == ["mine 1 pulled", "theirs 1 pulled"])
        let newer = UniverseRecords(groups: [group("mine", ["M"]), group("theirs", ["T", "U"])])
        let now = try mirror.changeCounter()
        guard case .replaced = try mirror.replacePulled(with: newer, source: "db", unlessChangedSince: now) else {
            return #expect(Bool(false), "not replaced")
        }
        #expect(try names(mirror) == ["mine 1 pulled", "theirs 2 pulled"])
    }

    @Test func `a group that is given back has the database's members with the same pull`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let theirs = UniverseRecords(groups: [group("g", ["X", "Y"])])
        try mirror.apply([GroupChange(definition: .init(name: "g", type: .universe), members: [.init(symbol: "M")])])
        _ = try mirror.replacePulled(with: theirs, source: "db")
        #expect(try names(mirror) == ["g 1 local"])
        _ = try mirror.replacePulled(with: theirs, source: "db", givingBack: [group("g", []).identity])
        #expect(try names(mirror) == ["g 2 pulled"])
    }

    @Test func `settings come with a pull, and lists of stocks among them do not`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        func entry(_ type: String, _ key: String, _ value: String) -> CacheEntryRecord {
            CacheEntryRecord(type: type, name: "n", key: key, value: value, environment: "DEFAULT", updatedAt: 5)
        }
        _ = try mirror.replacePulled(
            with: .init(entries: [
                entry("app_settings", "a", "{\"x\": 1}"), entry("themes", "b", "2"),
                entry("stock_universe", "index_sp500", "[]"),
            ]), source: "db")
        #expect(try mirror.withSnapshot { try $0.entries(environment: "DEFAULT") }.map(\.key) == ["a", "b"])
        _ = try mirror.replacePulled(with: .init(entries: [entry("app_settings", "a", "3")]), source: "db")
        #expect(try mirror.withSnapshot { try $0.entries(environment: nil) } == [entry("app_settings", "a", "3")])
        #expect(try mirror.withSnapshot { try $0.entries(environment: "PROD") }.isEmpty)
    }

    @Test func `readers during pulls see the mirror before or after one, never a mix`() async throws {
        let (scratch, writer) = try Scratch.mirrored()
        // Each state has three groups that hold the same members.
        func state(_ number: Int) -> UniverseRecords {
            let symbols = (0..<(number % 2 == 0 ? 40 : 60)).map { "S\(number)X\($0)" }
            return UniverseRecords(groups: ["a", "b", "c"].map { group($0, symbols) })
        }
        _ = try writer.replacePulled(with: state(0), source: "db")
        let isDone = Flag()
        try await withThrowingTaskGroup(of: Int.self) { tasks in
            for _ in 0..<3 {
                tasks.addTask {
                    let reader = try UniverseMirror.open(directory: scratch.path, access: .readOnly)
                    var seen: Set<[String]> = []
                    while !isDone.isSet || seen.isEmpty {
                        let lists = try reader.withSnapshot { snapshot in
                            try snapshot.headings().sorted { $0.name < $1.name }.map {
                                try snapshot.symbols(of: $0.id).symbols.map(\.description)
                            }
                        }
                        #expect(lists.count == 3)
                        #expect(Set(lists).count == 1, "a mix of two states")
                        seen.insert(lists.first ?? [])
                        await Task.yield()
                    }
                    return seen.count
                }
            }
            for number in 1...40 {
                let outcome = try writer.replacePulled(with: state(number), source: "db")
                guard case .replaced = outcome else {
                    #expect(Bool(false), "\(outcome)")
                    break
                }
            }
            isDone.set()
            try await tasks.waitForAll()
        }
    }

    @Test func `a group that can't be written leaves the others of the same change unwritten`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let error = #expect(throws: StoreError.self) {
            try mirror.apply([
                GroupChange(definition: .init(name: "good", type: .etf), members: [.init(symbol: "A")]),
                GroupChange(definition: .init(name: "", type: .etf), members: []),
            ])
        }
        #expect(error?.reason == .invalid)
        #expect(try mirror.groups(environment: nil).isEmpty)
    }

    @Test func `a backup brings back everything, and restoring it twice is the same`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        try mirror.apply([
            GroupChange(
                definition: .init(name: "SPY", type: .etf, description: "d"),
                members: [.init(symbol: "A", weight: 0.1, metadata: "{\"x\": 1}")], metadata: "{}",
                imported: ImportNote(source: "spy.csv", format: "spdr", checksum: "c"))
        ])
        _ = try mirror.replacePulled(with: .init(groups: [group("p", ["P"], weight: 1.5)]), source: "db")
        let contents = try mirror.contents()
        let second = try Scratch()
        let other = try UniverseMirror.open(directory: second.path, access: .readWrite)
        try other.apply([GroupChange(definition: .init(name: "gone", type: .custom), members: [.init(symbol: "G")])])
        try other.restore(contents)
        #expect(try other.contents() == contents)
        try other.restore(contents)
        #expect(try other.contents() == contents)
    }

    @Test func `another process's write changes the counter, reading does not`() throws {
        let (scratch, mirror) = try Scratch.mirrored()
        let other = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
        let before = try mirror.changeCounter()
        _ = try mirror.groups(environment: nil)
        #expect(try mirror.changeCounter() == before)
        try other.apply([GroupChange(definition: .init(name: "g", type: .custom), members: [.init(symbol: "G")])])
        let after = try mirror.changeCounter()
        #expect(after != before)
        try mirror.apply([GroupChange(definition: .init(name: "g", type: .custom), members: [.init(symbol: "H")])])
        #expect(try mirror.changeCounter() != after)
    }

    @Test func `a file that takes the mirror's place is read from then on, and one that is gone is told`() throws {
        let (scratch, elsewhere) = (try Scratch(), try Scratch())
        let mirror = try mirror(scratch)
        try mirror.apply([GroupChange(definition: .init(name: "g", type: .custom), members: [.init(symbol: "G")])])
        let before = try mirror.changeCounter()
        for end in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: scratch.path + "/universe.sqlite" + end)
        }
        #expect(throws: StoreError.self) { try mirror.changeCounter() }
        #expect(try mirror.groups(environment: nil).map(\.name) == ["g"])
        let other = try UniverseMirror.open(directory: elsewhere.path, access: .readWrite)
        try other.apply([GroupChange(definition: .init(name: "h", type: .custom), members: [.init(symbol: "H")])])
        try FileManager.default.moveItem(
            atPath: elsewhere.path + "/universe.sqlite", toPath: scratch.path + "/universe.sqlite")
        let after = try mirror.changeCounter()
        #expect(after != before)
        #expect(try mirror.groups(environment: nil).map(\.name) == ["h"])
        #expect(try mirror.changeCounter() == after)
        try mirror.apply([GroupChange(definition: .init(name: "i", type: .custom), members: [.init(symbol: "I")])])
        #expect(try mirror.changeCounter() != after)
        #expect(try mirror.groups(environment: nil).map(\.name) == ["h", "i"])
    }

    @Test func `a mirror of the first version is brought up to date, also when opened to read`() throws {
        for access in [UniverseMirror.Access.readWrite, .readOnly] {
            let scratch = try Scratch()
            let file = scratch.path + "/universe.sqlite"
            let first = try #require(LocalFile.universe.migrations.first)
            try scratch.execute(first.sql, file: file)
            try scratch.execute(
                """
                PRAGMA application_id = \(LocalFile.universe.applicationID);
                PRAGMA user_version = 1;
                INSERT INTO definition_groups (name, type, created_at, updated_at, origin)
                    VALUES ('old', 'UNIVERSE', 1, 2, 'local');
                INSERT INTO group_memberships (group_id, symbol, created_at) VALUES (1, 'A', 1);
                """, file: file)
            let mirror = try UniverseMirror.open(directory: scratch.path, access: access)
            #expect(try names(mirror) == ["old 1 local"])
            #expect(try mirror.withSnapshot { try $0.pullNote() } == nil)
            #expect(try mirror.contents().groups.count == 1)
        }
    }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `the digest is the published SHA-256`(text: String, digest: String) {
        #expect(ContentDigest.hex(of: text.utf8) == digest)
    }

    @Test func `the digest of a million letters is the published one, however it is fed`() {
        var digest = ContentDigest()
        for _ in 0..<1000 { digest.add(repeatElement(UInt8(ascii: "a"), count: 1000)) }
        let text = digest.hex()
        #expect(text == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}

import Foundation
import MarketData
import Store
import TestSupport
import Testing

/// The mirror's groups and members.
@Suite(.timeLimit(.minutes(5))) struct UniverseMirrorTests {
    private func mirror(_ scratch: Scratch, _ access: UniverseMirror.Access = .readWrite) throws -> UniverseMirror {
        try UniverseMirror.open(directory: scratch.path, access: access)
    }

    @Test func `groups and members come back as they were written`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let id = try mirror.apply([
            GroupChange(
                definition: .init(name: "nasdaq100", type: .universe, description: "a hundred", environment: "PROD"),
                members: [.init(symbol: "MSFT", weight: 8.25), .init(symbol: "AAPL"), .init(symbol: "MSFT", weight: 9)])
        ])[0]
        try mirror.apply([
            GroupChange(definition: .init(name: "SPY", type: .etf), members: [.init(symbol: "BRK.B", weight: 1.7)])
        ])
        let groups = try mirror.groups(environment: "PROD")
        #expect(groups.count == 1)
        #expect(groups[0].id == id)
        #expect(groups[0].name == "nasdaq100")
        #expect(groups[0].type == .universe)
        #expect(groups[0].description == "a hundred")
        #expect(groups[0].memberCount == 2)
        #expect(groups[0].origin == .local)
        #expect(abs(groups[0].updatedAt - now() / 1000) < 60_000)
        let members = try mirror.withSnapshot { try $0.members(of: id) }
        #expect(members == [.init(symbol: "AAPL"), .init(symbol: "MSFT", weight: 9)])
        #expect(try mirror.groups(environment: nil).map(\.name) == ["SPY", "nasdaq100"])
        #expect(try mirror.withSnapshot { try $0.members(of: 999) } == [])
    }

    @Test func `replacing a group keeps its number and leaves none of the old members`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let definition = UniverseGroup.Definition(name: "g", type: .theme)
        let first = try mirror.apply([
            GroupChange(definition: definition, members: [.init(symbol: "A"), .init(symbol: "B")])
        ])[0]
        let other = try mirror.apply([
            GroupChange(definition: .init(name: "g", type: .sector), members: [.init(symbol: "Z")])
        ])[0]
        let second = try mirror.apply([GroupChange(definition: definition, members: [.init(symbol: "C")])])[0]
        #expect(first == second)
        #expect(other != first)
        #expect(try mirror.withSnapshot { try $0.members(of: first) }.map(\.symbol) == ["C"])
        #expect(try mirror.withSnapshot { try $0.members(of: other) }.map(\.symbol) == ["Z"])
    }

    @Test func `a refused group changes nothing`() throws {
        let scratch = try Scratch()
        let mirror = try mirror(scratch)
        let id = try mirror.apply([
            GroupChange(definition: .init(name: "g", type: .custom), members: [.init(symbol: "A")])
        ])[0]
        for members in [[MemberRecord(symbol: "B"), MemberRecord(symbol: "")]] {
            let error = #expect(throws: StoreError.self) {
                try mirror.apply([GroupChange(definition: .init(name: "g", type: .custom), members: members)])
            }
            #expect(error?.reason == .invalid)
        }
        #expect(try mirror.withSnapshot { try $0.members(of: id) }.map(\.symbol) == ["A"])
    }

    @Test func `readers see a write at once and several writers take turns`() async throws {
        let (scratch, writer) = try Scratch.mirrored()
        let reader = try mirror(scratch, .readOnly)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    var isWritten = false
                    while !isWritten {
                        let began = ContinuousClock.now
                        do throws(StoreError) {
                            let own = try UniverseMirror.open(directory: scratch.path, access: .readWrite)
                            try own.apply([
                                GroupChange(
                                    definition: .init(name: "g\(number)", type: .custom),
                                    members: [.init(symbol: "S\(number)")])
                            ])
                            isWritten = true
                        } catch {
                            // On a loaded machine the others may take longer than one waits; but wait it must.
                            guard case .inUse = error.reason else { throw error }
                            #expect(ContinuousClock.now - began > .seconds(4))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try reader.groups(environment: nil).count == 8)
        #expect(try writer.groups(environment: "DEFAULT").count == 8)
        #expect(try reader.groups(environment: "TEST").isEmpty)
    }

    @Test func `opening to read needs a file, and can't write`() throws {
        let scratch = try Scratch()
        let missing = #expect(throws: StoreError.self) { _ = try mirror(scratch, .readOnly) }
        #expect(missing?.reason == .missing)
        #expect(try scratch.files(beginning: "universe") == [])
        _ = try mirror(scratch)
        let reader = try mirror(scratch, .readOnly)
        let error = #expect(throws: StoreError.self) {
            try reader.apply([GroupChange(definition: .init(name: "g", type: .custom), members: [])])
        }
        #expect(error?.reason == .notWritable)
    }

    @Test func `a damaged mirror is set aside when it may be written, and named when not`() throws {
        let scratch = try Scratch()
        let garbage = Data(repeating: 0x5A, count: 8000)
        try garbage.write(to: URL(fileURLWithPath: scratch.path + "/universe.sqlite"))
        let error = #expect(throws: StoreError.self) { _ = try mirror(scratch, .readOnly) }
        #expect(error?.reason == .damaged)
        let opened = try mirror(scratch)
        let name = try #require(opened.setAside)
        #expect(try Data(contentsOf: URL(fileURLWithPath: name)) == garbage)
        #expect(try opened.groups(environment: nil).isEmpty)
    }

    @Test func `the mirror does not open the buffer's file, nor the buffer the mirror's`() async throws {
        let scratch = try Scratch()
        _ = try mirror(scratch)
        try FileManager.default.copyItem(atPath: scratch.path + "/universe.sqlite", toPath: scratch.ticks)
        let buffer = try scratch.open()
        #expect(buffer.statistics.setAside.count == 1)
        await buffer.close()
    }

    @Test func `a newer schema is refused and left alone`() throws {
        let scratch = try Scratch()
        _ = try mirror(scratch)
        try scratch.execute("PRAGMA user_version = 7", file: scratch.path + "/universe.sqlite")
        let error = #expect(throws: StoreError.self) { _ = try mirror(scratch) }
        #expect(error?.reason == .schemaTooNew(found: 7, known: 2))
        #expect(try scratch.files(beginning: "universe-bad").isEmpty)
    }
}

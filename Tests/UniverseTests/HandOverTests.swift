import MarketData
import Store
import Testing

/// What a push hands over to the database is what it pushed.
@Suite(.timeLimit(.minutes(1))) struct HandOverTests {
    @Test func `a group that was imported again while it was pushed stays local, and no pull overwrites it`() throws {
        try MirrorFixture.run { fixture in
            for name in ["newer", "same"] { try fixture.add(name, ["AAPL"]) }
            let pushed = try fixture.mirror.contents().groups.map(\.record)
            try fixture.add("newer", ["AAPL", "IBM"])
            // An import that changes nothing is in nobody's way.
            try fixture.add("same", ["AAPL"])
            let kept = try fixture.mirror.handOver(pushed)
            #expect(kept.map(\.name) == ["newer"])
            _ = try fixture.mirror.replacePulled(with: UniverseRecords(groups: pushed), source: "db")
            let groups = try fixture.mirror.contents().groups
            #expect(groups.map(\.record.identity.name) == ["newer", "same"])
            #expect(groups.map(\.origin) == [.local, .pulled])
            #expect(groups.first?.record.members.map(\.symbol) == ["AAPL", "IBM"])
        }
    }

    @Test func `a group that was removed while it was pushed is neither handed over nor made again`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("gone", ["AAPL"])
            let pushed = try fixture.mirror.contents().groups.map(\.record)
            try fixture.mirror.removeGroups(pushed.map(\.identity))
            #expect(try fixture.mirror.handOver(pushed).isEmpty)
            #expect(try fixture.mirror.contents().groups.isEmpty)
        }
    }
}

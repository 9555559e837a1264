import MarketData
import Store
import TestSupport
import Testing

@testable import Universe

@Suite(.blocking, .timeLimit(.minutes(1))) struct UniverseResolverTests {
    private func texts(_ resolution: Resolution) -> [String] { resolution.symbols.map(\.description) }

    private func failure(_ fixture: MirrorFixture, _ key: String) -> UniverseError? {
        do throws(UniverseError) {
            _ = try fixture.resolve(key)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a key stands for its group's symbols, sorted`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("tech", ["MSFT", "AAPL", "BRK.B", "BACpL"])
            let resolution = try fixture.resolve(" tech ")
            #expect(texts(resolution) == ["AAPL", "BACpL", "BRK.B", "MSFT"])
            #expect(resolution.parts == [.init(part: "tech", group: "tech", type: .universe, count: 4)])
            #expect(resolution.warnings.isEmpty)
        }
    }

    @Test func `several parts are united, each symbol once`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("a", ["X", "Y"])
            try fixture.add("B", ["Y", "Z"], type: .etf)
            let resolution = try fixture.resolve("b: a::a")
            #expect(texts(resolution) == ["X", "Y", "Z"])
            #expect(
                resolution.parts == [
                    .init(part: "b", group: "B", type: .etf, count: 2),
                    .init(part: "a", group: "a", type: .universe, count: 2),
                ])
            #expect(resolution.warnings.isEmpty)
        }
    }

    @Test func `a group named as the whole key wins over its parts`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("market_leaders", ["A"])
            try fixture.add("top_100", ["B"])
            try fixture.add("market_leaders:top_100", ["C"])
            #expect(texts(try fixture.resolve("market_leaders:top_100")) == ["C"])
            #expect(texts(try fixture.resolve("market_leaders : top_100")) == ["C"])
            #expect(texts(try fixture.resolve("top_100:market_leaders")) == ["A", "B"])
        }
    }

    @Test func `a whole name in other case is preferred to an incomplete union, not to a complete one`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("Market_Leaders:Top_100", ["C"])
            #expect(texts(try fixture.resolve("market_leaders:top_100")) == ["C"])
            try fixture.add("top_100", ["B"])
            #expect(texts(try fixture.resolve("market_leaders:top_100")) == ["C"])
            try fixture.add("market_leaders", ["A"])
            #expect(texts(try fixture.resolve("market_leaders:top_100")) == ["A", "B"])
        }
    }

    @Test func `the exact case comes first, any case after it`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("SPY", ["A"], type: .etf)
            try fixture.add("spy", ["B"])
            #expect(texts(try fixture.resolve("SPY")) == ["A"])
            #expect(texts(try fixture.resolve("spy")) == ["B"])
            let either = try fixture.resolve("Spy")
            #expect(texts(either) == ["A"])
            #expect(either.warnings.count == 1)
            #expect(either.warnings[0].contains("\"SPY\", \"spy\""))
        }
    }

    @Test func `the same group under two spellings counts once`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("sp500", ["A"])
            let resolution = try fixture.resolve("sp500:SP500")
            #expect(resolution.parts.count == 1)
            #expect(resolution.unknown.isEmpty)
        }
    }

    @Test func `a universe and an ETF of one name are united, with a warning`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("SPY", ["A"], type: .etf)
            try fixture.add("SPY", ["B"])
            let resolution = try fixture.resolve("SPY")
            #expect(texts(resolution) == ["A", "B"])
            #expect(resolution.parts.map(\.type) == [.universe, .etf])
            #expect(resolution.warnings.count == 1)
        }
    }

    @Test func `other types and other environments do not count, and the warning says so`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("good", ["A"])
            try fixture.add("robots", ["B"], type: .theme)
            try fixture.add("live", ["C"], environment: "PROD")
            try fixture.add("good", ["D"], environment: "PROD")
            let resolution = try fixture.resolve("good:robots:live")
            #expect(texts(resolution) == ["A"])
            #expect(resolution.unknown.map(\.part) == ["robots", "live"])
            #expect(resolution.warnings[0].contains("THEME"))
            #expect(resolution.warnings[1].contains("PROD has one"))
            #expect(texts(try fixture.resolve("good:live", environment: "PROD")) == ["C", "D"])
        }
    }

    @Test func `an unknown part is named with the nearest names and the rest goes on`() throws {
        try MirrorFixture.run { fixture in
            for name in ["sp500", "nasdaq100", "dow30"] { try fixture.add(name, ["A"]) }
            let resolution = try fixture.resolve("sp500:nasdaq10")
            #expect(resolution.unknown == [.init(part: "nasdaq10", nearest: ["nasdaq100"])])
            #expect(resolution.warnings.count == 1)
            #expect(resolution.warnings[0].contains("\"nasdaq10\""))
            #expect(resolution.warnings[0].contains("nearest: \"nasdaq100\""))
        }
    }

    @Test func `more than three parts work, with a warning`() throws {
        try MirrorFixture.run { fixture in
            for name in ["a", "b", "c", "d"] { try fixture.add(name, [name.uppercased()]) }
            #expect(try fixture.resolve("a:b:c").warnings.isEmpty)
            let four = try fixture.resolve("a:b:c:d")
            #expect(texts(four) == ["A", "B", "C", "D"])
            #expect(four.warnings.count == 1)
            #expect(four.warnings[0].contains("4 parts"))
        }
    }

    @Test func `members that are no symbols are reported and not subscribed`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("odd", ["A", "BRK B", "*", "A,B", "ABCDEFGHIJKLMNOPQ", "ÄÖ"])
            let resolution = try fixture.resolve("odd")
            #expect(texts(resolution) == ["A"])
            #expect(resolution.parts[0].count == 1)
            #expect(resolution.warnings.count == 1)
            #expect(resolution.warnings[0].contains("5 members"))
            for member in ["BRK B", "*", "A,B", "ABCDEFGHIJKLMNOPQ", "ÄÖ"] {
                #expect(resolution.warnings[0].contains("\"\(member)\" of \"odd\""))
            }
        }
    }

    @Test func `a key that resolves to nothing is an error, never an empty success`() throws {
        try MirrorFixture.run { fixture in
            let none = try #require(failure(fixture, "sp500"))
            guard case .unknownKey = none.reason else { throw Wrong(none) }
            #expect(none.description.contains("no groups at all"))

            try fixture.add("sp500", ["A"])
            try fixture.add("empty", [])
            try fixture.add("odd", ["* *"])
            let unknown = try #require(failure(fixture, "sp50:zzzzzzzz"))
            guard case .unknownKey = unknown.reason else { throw Wrong(unknown) }
            #expect(unknown.description.contains("\"sp50:zzzzzzzz\""))
            #expect(unknown.description.contains("nearest: \"sp500\""))
            #expect(unknown.warnings.count == 2)

            let empty = try #require(failure(fixture, "empty:odd"))
            guard case .noSymbols = empty.reason else { throw Wrong(empty) }
            #expect(empty.warnings.count == 2)

            let blank = try #require(failure(fixture, " : "))
            guard case .emptyKey = blank.reason else { throw Wrong(blank) }
            #expect(try fixture.resolve("empty:sp500").warnings == ["group \"empty\" (UNIVERSE) has no members"])
        }
    }

    @Test func `a mirror that cannot be read is an error that says so`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("sp500", ["A"])
            let file = "\(fixture.directory)/\(LocalFile.universe.name)"
            try Command.sqlite(file, "DROP TABLE group_memberships")
            let error = try #require(failure(fixture, "sp500"))
            guard case .mirror = error.reason else { throw Wrong(error) }
            #expect(error.description.contains(file))
        }
    }

    @Test func `names from outside cannot break a log line`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("good", ["A"])
            let warning = try #require(
                try fixture.resolve("good:ev\nil\u{1B}[2J" + String(repeating: "x", count: 300)).warnings.first)
            #expect(!warning.unicodeScalars.contains { $0.value < 0x20 })
            #expect(warning.count < 250)
        }
    }

    private struct Wrong: Error {
        var text: String
        init(_ error: UniverseError) { text = "\(error)" }
    }
}

/// Laws of the union, on random groups in a real mirror file.
@Suite(.timeLimit(.minutes(1))) struct UniverseUnionTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `the union is commutative, associative, idempotent, sorted and distinct`(seed: UInt64) throws {
        try MirrorFixture.run { fixture in
            var random = SeededRandom(seed: seed)
            let pool = (0..<60).map { "S\(String($0, radix: 26, uppercase: true))" }
            var members: [String: Set<String>] = [:]
            for name in ["a", "b", "c", "d", "e", "f"] {
                let own = pool.shuffled(using: &random).prefix(Int.random(in: 1...40, using: &random))
                members[name] = Set(own)
                try fixture.add(name, Array(own), type: Bool.random(using: &random) ? .universe : .etf)
            }
            for _ in 0..<40 {
                let parts = (0..<Int.random(in: 1...4, using: &random)).compactMap { _ in
                    members.keys.sorted().randomElement(using: &random)
                }
                let key = parts.joined(separator: ":")
                let symbols = try fixture.resolve(key).symbols
                let expected = parts.reduce(into: Set<String>()) { $0.formUnion(members[$1] ?? []) }
                #expect(symbols.map(\.description) == expected.sorted())
                #expect(symbols == symbols.sorted())
                #expect(Set(symbols).count == symbols.count)
                #expect(try fixture.resolve(parts.shuffled(using: &random).joined(separator: ":")).symbols == symbols)
                #expect(try fixture.resolve("\(key):\(key)").symbols == symbols)
            }
        }
    }

    @Test(.enabled(if: SharedUniverses.areThere, "the sample universes are not beside the package"))
    func `the sample universes have the sizes they are known to have`() throws {
        try MirrorFixture.run { fixture in
            for name in ["sp500", "nasdaq100", "dow30", "spy_holdings", "qqq_holdings"] {
                let list = try SymbolListImport(csv: try SharedUniverses.bytes(name), strict: true)
                #expect(list.problems.isEmpty)
                _ = try fixture.mirror.apply([
                    GroupChange(definition: .init(name: name, type: .universe), members: list.members)
                ])
            }
            #expect(try fixture.resolve("sp500").symbols.count == 503)
            #expect(try fixture.resolve("nasdaq100").symbols.count == 101)
            #expect(try fixture.resolve("dow30").symbols.count == 30)
            #expect(try fixture.resolve("sp500:nasdaq100").symbols.count == 516)
            #expect(try fixture.resolve("nasdaq100:SP500:sp500").symbols.count == 516)
            #expect(try fixture.resolve("spy_holdings").symbols.count == 503)
            let group = try #require(try fixture.mirror.groups(environment: nil).first { $0.name == "spy_holdings" })
            let members = try fixture.mirror.withSnapshot { try $0.members(of: group.id) }
            let weight = members.first { $0.symbol == "A" }?.weight
            #expect(weight == 0.120434)
        }
    }
}

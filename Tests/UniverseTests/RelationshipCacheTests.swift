import Foundation
import MarketData
import Store
import Synchronization
import TestSupport
import Testing

@testable import Universe

/// The cache in front of the mirror: what it returns, when it reads the file, and what it forgets.
@Suite(.timeLimit(.minutes(1))) struct RelationshipCacheTests {
    /// A mirror, a cache in front of it, and a clock that the test moves.
    private final class Rig: Sendable {
        let workspace: Workspace
        let mirror: UniverseMirror
        let cache: RelationshipCache
        private let clock: Clock

        private final class Clock: Sendable {
            let now = Atomic<Int64>(1_000_000_000_000)
        }

        init(timeToLive: Duration = .seconds(60), maximumEntries: Int = 1000, maximumBytes: Int = 1 << 20) throws {
            workspace = try Workspace()
            mirror = try UniverseMirror.open(directory: workspace.path, access: .readWrite)
            let clock = Clock()
            self.clock = clock
            cache = RelationshipCache(
                mirror: mirror, environment: "DEFAULT", timeToLive: timeToLive, maximumEntries: maximumEntries,
                maximumBytes: maximumBytes,
                clock: { clock.now.load(ordering: .relaxed) })
        }

        func add(
            _ name: String, _ symbols: [String], type: GroupType = .universe, environment: String = "DEFAULT"
        ) throws {
            try mirror.apply([
                GroupChange(
                    definition: .init(name: name, type: type, environment: environment),
                    members: symbols.map { MemberRecord(symbol: $0) })
            ])
        }

        func advance(_ seconds: Int64) { clock.now.add(seconds * 1_000_000_000, ordering: .relaxed) }

        func names(_ key: String) async throws -> [String] {
            try await cache.resolution(of: key).symbols.map(\.description)
        }

        /// Changes the file behind the mirror's back.
        func sqlite(_ sql: String) async throws {
            let process = try ChildProcess(
                "/usr/bin/sqlite3", [workspace.file(LocalFile.universe.name), "PRAGMA legacy_alter_table = ON; \(sql)"])
            try #require(try await process.exit() == 0, "\(process.output)")
        }

        /// Waits for a reload in the background.
        func loads(_ count: Int) async throws {
            try await Waiting.until { [cache] in cache.statistics.loads >= count }
            // The load is counted when it begins; the queue is serial, so another one ends after it.
            _ = try await cache.members(.themeMembers, of: "none \(count)")
        }
    }

    @Test func `all that is known of a stock, and a group by its name in whatever case`() async throws {
        let rig = try Rig()
        try rig.add("sp500", ["AAPL", "XOM"])
        try rig.add("SPY", ["AAPL", "XOM"], type: .etf)
        try rig.add("Energy", ["XOM"], type: .sector)
        try rig.add("AI", ["AAPL"], type: .theme)
        try rig.add("AI", ["XOM"], type: .theme, environment: "PROD")
        let apple = try await rig.cache.relations(of: "AAPL")
        #expect(apple.isKnown && apple.classification == .unknown && apple.etfs.map(\.name) == ["SPY"])
        #expect(apple.groups.map(\.name) == ["sp500", "AI"] && apple.groups.map(\.type) == [.universe, .theme])
        #expect(try await rig.cache.relations(of: "XOM").classification.sector == "Energy")
        let nobody = try await rig.cache.relations(of: "ZZZZ")
        #expect(!nobody.isKnown && nobody.classification.sector == "unknown")
        for (name, type) in [("spy", GroupType.etf), ("ENERGY", .sector), ("ai", .theme)] {
            let found = try #require(try await rig.cache.group(named: name, of: type))
            #expect(found.members.count == found.group.memberCount && !found.members.isEmpty)
        }
        #expect(try await rig.cache.group(named: "sp500", of: .etf) == nil)
        let misses = rig.cache.statistics.misses
        _ = try await rig.cache.relations(of: "AAPL")
        #expect(rig.cache.statistics.misses == misses, "from memory")
        #expect(rig.cache.invalidate(.key(.stockGroups, "AAPL")) == 1)
        #expect(rig.cache.invalidate(.kind(.stockGroups)) == 2)
    }

    @Test func `the first question reads the file, the next ones do not`() async throws {
        let rig = try Rig()
        try rig.add("a", ["B", "A"])
        try rig.add("b", ["B", "C"])
        for _ in 0..<4 { #expect(try await rig.names("a:b") == ["A", "B", "C"]) }
        let statistics = rig.cache.statistics
        #expect(statistics.loads == 1 && statistics.misses == 1 && statistics.hits == 3 && statistics.entries == 1)
        #expect(statistics.bytes > 0 && statistics.hitRate == 0.75)
    }

    @Test func `every kind of question is answered`() async throws {
        let rig = try Rig()
        try rig.mirror.apply([
            GroupChange(
                definition: .init(name: "SPY", type: .etf),
                members: [.init(symbol: "AAPL", weight: 6.5), .init(symbol: "XOM", weight: 0.5)]),
            GroupChange(definition: .init(name: "QQQ", type: .etf), members: [.init(symbol: "AAPL", weight: 9)]),
            GroupChange(
                definition: .init(name: "Energy", type: .sector),
                members: [.init(symbol: "XOM", metadata: "{\"industry\": \"Oil & Gas\"}"), .init(symbol: "CVX")]),
            GroupChange(definition: .init(name: "ai", type: .theme), members: [.init(symbol: "NVDA")]),
        ])
        for isWarm in [false, true] {
            if isWarm { #expect(try await rig.cache.warmUp() > 8) }
            let cache = rig.cache
            #expect(try await cache.members(.etfHoldings, of: "SPY").map(\.symbol) == ["AAPL", "XOM"])
            #expect(try await cache.members(.etfHoldings, of: "VOO").isEmpty)
            #expect(try await cache.etfs(holding: "AAPL").map(\.name) == ["QQQ", "SPY"])
            #expect(try await cache.etfs(holding: "AAPL").map(\.weight) == [9, 6.5])
            #expect(
                try await cache.classification(of: "XOM")
                    == StockClassification(sector: "Energy", industry: "Oil & Gas"))
            #expect(try await cache.classification(of: "CVX").industry == "Unknown")
            #expect(try await cache.classification(of: "ZZZZ") == .unknown)
            #expect(StockClassification.unknown == StockClassification(sector: "unknown", industry: "Unknown"))
            #expect(try await cache.members(.sectorStocks, of: "Energy").map(\.symbol) == ["CVX", "XOM"])
            #expect(try await cache.members(.themeMembers, of: "ai").map(\.symbol) == ["NVDA"])
            #expect(try await cache.groups(of: .etf).map(\.memberCount) == [1, 2])
            #expect(try await cache.groups().count == 4)
            #expect(try await cache.resolution(of: "SPY").symbols.map(\.description) == ["AAPL", "XOM"])
        }
    }

    @Test func `a stock in several sectors has the same one whether it is asked for alone or among all`() async throws {
        let rig = try Rig()
        try rig.mirror.apply([
            GroupChange(
                definition: .init(name: "Energy", type: .sector),
                members: [.init(symbol: "XOM"), .init(symbol: "CVX")]),
            GroupChange(
                definition: .init(name: "Materials", type: .sector),
                members: [.init(symbol: "XOM", metadata: "{\"industry\": \"Chemicals\"}"), .init(symbol: "CVX")]),
            GroupChange(
                definition: .init(name: "Utilities", type: .sector),
                members: [.init(symbol: "XOM"), .init(symbol: "CVX")]),
        ])
        let sectors = try await rig.cache.sectors()
        #expect(sectors == ["CVX": "Energy", "XOM": "Materials"])
        for (symbol, sector) in sectors {
            #expect(try await rig.cache.classification(of: symbol).sector == sector)
        }
        // Nor do they differ when one is asked for again.
        try rig.mirror.removeGroups([.init(name: "Materials", type: "SECTOR", environment: "DEFAULT")])
        rig.cache.invalidate(.key(.classification, "XOM"))
        #expect(try await rig.cache.classification(of: "XOM").sector == "Energy")
        #expect(try await rig.cache.sectors()["XOM"] == "Energy")
    }

    @Test func `an unknown key throws each time and is not remembered`() async throws {
        let rig = try Rig()
        try rig.add("a", ["A"])
        for _ in 0..<2 {
            await #expect(throws: UniverseError.self) { try await rig.cache.resolution(of: "nothing") }
        }
        #expect(rig.cache.statistics.failures == 2)
        try rig.add("nothing", ["N"])
        #expect(try await rig.names("nothing") == ["N"])
    }

    @Test func `past its time an answer is served once more while it loads again`() async throws {
        let rig = try Rig(timeToLive: .seconds(60))
        try rig.add("a", ["A"])
        #expect(try await rig.names("a") == ["A"])
        try rig.add("a", ["B"])
        rig.advance(59)
        #expect(try await rig.names("a") == ["A"])
        #expect(rig.cache.statistics.loads == 1)
        rig.advance(2)
        #expect(try await rig.names("a") == ["A"])
        try await rig.loads(2)
        #expect(try await rig.names("a") == ["B"])
    }

    @Test func `while the file can't be read, stale answers are served`() async throws {
        let rig = try Rig(timeToLive: .seconds(60))
        try rig.add("a", ["A"])
        #expect(try await rig.names("a") == ["A"])
        try await rig.sqlite("ALTER TABLE definition_groups RENAME TO away")
        rig.advance(100)
        #expect(try await rig.names("a") == ["A"])
        try await Waiting.until { rig.cache.statistics.failures > 0 }
        #expect(try await rig.names("a") == ["A"])
        // It isn't tried again for every question.
        let loads = rig.cache.statistics.loads
        for _ in 0..<50 { _ = try await rig.names("a") }
        #expect(rig.cache.statistics.loads == loads)
        await #expect(throws: StoreError.self) { try await rig.cache.groups() }
        try await rig.sqlite("ALTER TABLE away RENAME TO definition_groups")
        rig.advance(100)
        _ = try await rig.names("a")
        try await Waiting.until { rig.cache.statistics.loads > loads + 1 }
        #expect(try await rig.cache.groups().count == 1)
    }

    @Test func `a key that has gone from the file is no longer answered from memory`() async throws {
        let rig = try Rig(timeToLive: .seconds(60))
        try rig.add("a", ["A"])
        #expect(try await rig.names("a") == ["A"])
        try rig.mirror.removeGroups([.init(name: "a", type: "UNIVERSE", environment: "DEFAULT")])
        rig.advance(61)
        #expect(try await rig.names("a") == ["A"])
        try await rig.loads(2)
        await #expect(throws: UniverseError.self) { try await rig.cache.resolution(of: "a") }
    }

    @Test func `concurrent misses read the file once`() async throws {
        let rig = try Rig()
        try rig.add("big", (0..<2000).map { "S\($0)" })
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<200 { group.addTask { try await rig.cache.resolution(of: "big").symbols.count } }
            for try await count in group { #expect(count == 2000) }
        }
        let statistics = rig.cache.statistics
        #expect(statistics.loads == 1)
        #expect(statistics.hits + statistics.misses == 200)
    }

    @Test func `an invalidation drops what it names and nothing else`() async throws {
        let rig = try Rig()
        try rig.add("a", ["A"])
        try rig.add("b", ["B"])
        try rig.add("t", ["T"], type: .theme)
        func ask() async throws {
            _ = try await rig.names("a")
            _ = try await rig.names("b")
            _ = try await rig.cache.members(.themeMembers, of: "t")
        }
        try await ask()
        var loads = rig.cache.statistics.loads
        for (scope, expected) in [
            (RelationshipCache.Scope.key(.universe, "a"), 1), (.kind(.universe), 2), (.kind(.themeMembers), 1),
            (.key(.themeMembers, "other"), 0), (.all, 3),
        ] {
            rig.cache.invalidate(scope)
            try await ask()
            #expect(rig.cache.statistics.loads == loads + expected, "\(scope)")
            loads += expected
        }
    }

    @Test func `who asks after an invalidation never gets what was read before it`() async throws {
        let rig = try Rig()
        try rig.add("a", ["V0"])
        for version in 1...60 {
            async let racing = rig.names("a")
            try rig.add("a", ["V\(version)"])
            rig.cache.invalidate(.all)
            #expect(try await rig.names("a") == ["V\(version)"])
            _ = try await racing
            #expect(try await rig.names("a") == ["V\(version)"])
        }
    }

    @Test func `the cache is bounded by entries and keeps what is used`() async throws {
        let rig = try Rig(maximumEntries: 50)
        for number in 0..<4 { try rig.add("g\(number)", ["S\(number)"]) }
        for number in 0..<400 {
            _ = try await rig.cache.classification(of: "S\(number)")
            _ = try await rig.names("g0")
        }
        let statistics = rig.cache.statistics
        #expect(statistics.entries <= 50)
        #expect(statistics.evictions >= 350)
        _ = try await rig.names("g0")
        #expect(rig.cache.statistics.misses == statistics.misses)
    }

    @Test func `the cache is bounded by bytes`() async throws {
        let rig = try Rig(maximumBytes: 100_000)
        for number in 0..<40 { try rig.add("g\(number)", (0..<400).map { "S\($0)" }) }
        for number in 0..<40 { #expect(try await rig.names("g\(number)").count == 400) }
        let statistics = rig.cache.statistics
        #expect(statistics.bytes <= 100_000 && statistics.entries >= 1 && statistics.evictions > 0)
    }

    @Test func `another environment is another set of answers`() async throws {
        let rig = try Rig()
        try rig.add("a", ["A"])
        try rig.add("a", ["P"], environment: "PROD")
        #expect(try await rig.names("a") == ["A"])
        rig.cache.reconfigure(environment: "PROD", timeToLive: .seconds(5))
        #expect(try await rig.names("a") == ["P"])
    }

    @Test func `a warm-up that an invalidation overtakes leaves nothing old behind`() async throws {
        let rig = try Rig()
        try rig.add("a", ["A"], type: .etf)
        for version in 0..<30 {
            async let warming = rig.cache.warmUp()
            try rig.add("a", ["V\(version)"], type: .etf)
            rig.cache.invalidate(.all)
            _ = try await warming
            #expect(try await rig.names("a") == ["V\(version)"])
            #expect(try await rig.cache.members(.etfHoldings, of: "a").map(\.symbol) == ["V\(version)"])
        }
    }

    @Test func `many readers and a writer see whole answers`() async throws {
        let rig = try Rig()
        try rig.add("a", (0..<50).map { "A\($0)" })
        let answers = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var answers = 0
                    for _ in 0..<5000 {
                        guard let symbols = try? await rig.cache.resolution(of: "a").symbols else { continue }
                        let prefixes = Set(symbols.map { $0.description.first })
                        if symbols.count != 50 || prefixes.count != 1 { #expect(Bool(false), "a mixed answer") }
                        answers += 1
                    }
                    return answers
                }
            }
            group.addTask {
                for version in 0..<40 {
                    let letter = version % 2 == 0 ? "B" : "C"
                    try? rig.add("a", (0..<50).map { "\(letter)\($0)" })
                    rig.cache.invalidate(.all)
                }
                return 0
            }
            return await group.reduce(0, +)
        }
        #expect(answers > 1000)
        #expect(try await rig.names("a").first?.hasPrefix("C") == true)
    }
}

import MarketData
import Store
import Testing

@testable import Universe

/// Old rows of `cache_entries` into groups.
@Suite(.timeLimit(.minutes(1))) struct LegacyMigrationTests {
    private func entry(
        _ key: String, _ value: String?, type: String = "stock_universe", name: String = "",
        environment: String = "DEFAULT"
    ) -> CacheEntryRecord {
        CacheEntryRecord(type: type, name: name, key: key, value: value, environment: environment)
    }

    @Test func `rows become groups of the type that their key says`() {
        let migration = LegacyMigration(
            entries: [
                entry("index_sp500", "[\"AAPL\", \"MSFT\"]"), entry("sector_energy", "[\"XOM\"]"),
                entry("theme_ai", "[{\"ticker\": \"NVDA\", \"weight\": 5}, {\"symbol\": \"AMD\"}]"),
                entry("master_all", "[\"A\"]"),
                entry("spy", "{\"stocks\": [{\"ticker\": \"brk/b\"}]}", type: "etf_universe", name: "etfs"),
                entry("top_100", "\"[\\\"IBM\\\"]\"", type: "stock_etf_combo", name: "market_leaders"),
                entry("x", "1", type: "app_settings"),
            ], existing: [])
        #expect(
            migration.changes.map(\.definition.name) == [
                "sp500", "energy", "ai", "master_all", "etfs:spy", "market_leaders:top_100",
            ])
        #expect(migration.changes.map(\.definition.type).prefix(4) == [.universe, .sector, .theme, .universe])
        #expect(migration.changes[2].members.map(\.symbol) == ["NVDA", "AMD"])
        #expect(migration.changes[2].members.first?.weight == 5)
        #expect(migration.changes[4].members.map(\.symbol) == ["BRK.B"])
        #expect(migration.changes[5].members.map(\.symbol) == ["IBM"])
        #expect(migration.rows.count == 6)
    }

    @Test(arguments: [nil, "", "no json", "{\"a\": 1}", "3", "[]", "[1, null, \"no symbol here\"]"])
    func `what can't be read is named and stops nothing`(value: String?) {
        let migration = LegacyMigration(
            entries: [entry("index_bad", value), entry("index_good", "[\"A\", 7, \"a b c\", \"A\"]")], existing: [])
        guard case .unreadable(let why)? = migration.rows.first?.outcome else {
            return #expect(Bool(false), "\(migration.rows)")
        }
        #expect(!why.isEmpty)
        #expect(migration.changes.map(\.definition.name) == ["good"])
        #expect(migration.rows.last?.refused.count == 2)
    }

    @Test func `running it twice changes nothing, and groups of other origin are left alone`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("mine", ["M"])
            let entries = [entry("index_sp500", "[\"A\", \"B\"]"), entry("index_mine", "[\"X\"]")]
            func migrate(_ entries: [CacheEntryRecord], force: Bool = false) throws -> [LegacyMigration.Row.Outcome] {
                let migration = LegacyMigration(
                    entries: entries, existing: try fixture.mirror.contents().groups, force: force)
                try fixture.mirror.apply(migration.changes)
                return migration.rows.map(\.outcome)
            }
            #expect(try migrate(entries) == [.made, .kept])
            let counter = try fixture.mirror.changeCounter()
            #expect(try migrate(entries) == [.unchanged, .kept])
            #expect(try fixture.mirror.changeCounter() == counter)
            #expect(try migrate([entry("index_sp500", "[\"A\", \"C\"]")]) == [.updated])
            #expect(try migrate(entries, force: true) == [.updated, .updated])
        }
    }

    @Test func `two rows for one group are not mixed up`() {
        let migration = LegacyMigration(
            entries: [entry("index_x", "[\"A\"]"), entry("index_x", "[\"B\"]", type: "etf_universe")], existing: [])
        #expect(migration.changes.count == 1)
        guard case .unreadable(let why)? = migration.rows.last?.outcome else { return #expect(Bool(false)) }
        #expect(why.contains("already"))
    }
}

import MarketData
import Store
import Testing

@testable import Universe

/// Old rows of `cache_entries` become groups.
@Suite(.timeLimit(.minutes(1))) struct LegacyMigrationTests {
    private func entry(
        _ key: String, _ value: String?, type: String = "stock_universe", name: String = "",
        environment: String = "DEFAULT"
    ) -> CacheEntryRecord {
        CacheEntryRecord(type: type, name: name, key: key, value: value, environment: environment)
    }

    private func names(_ migration: LegacyMigration) -> [String] {
        migration.changes.map { "\($0.definition.type.rawValue) \($0.definition.name)" }
    }

    @Test func `every list is a universe under its old keys, and what its key says besides`() {
        let migration = LegacyMigration(
            entries: [
                entry("index_sp500", "[\"AAPL\", \"MSFT\"]"), entry("sector_energy", "[\"XOM\"]"),
                entry("theme_ai", "[{\"ticker\": \"NVDA\", \"weight\": 5}, {\"symbol\": \"AMD\"}]"),
                entry("spy", "{\"stocks\": [{\"ticker\": \"brk/b\"}]}", type: "etf_universe", name: "etfs"),
                entry("top_100", "\"[\\\"IBM\\\"]\"", type: "stock_etf_combo", name: "market_leaders"),
                entry("etf_core", "[\"SPY\"]", type: "etf_universe"), entry("equal_weight", "[\"RSP\"]"),
                entry("industry_banks", "[\"JPM\"]"), entry("x", "1", type: "app_settings"),
            ], existing: [])
        #expect(
            names(migration) == [
                "UNIVERSE index_sp500", "UNIVERSE sp500", "UNIVERSE sector_energy", "SECTOR energy",
                "UNIVERSE theme_ai",
                "THEME ai", "UNIVERSE etfs:spy", "UNIVERSE spy", "UNIVERSE market_leaders:top_100", "UNIVERSE top_100",
                "UNIVERSE etf_core", "UNIVERSE equal_weight", "UNIVERSE industry_banks",
            ])
        #expect(migration.changes[5].members.map(\.symbol) == ["NVDA", "AMD"])
        #expect(migration.changes[5].members.first?.weight == 5)
        #expect(migration.changes[6].members.map(\.symbol) == ["BRK.B"])
        #expect(migration.changes[8].members.map(\.symbol) == ["IBM"])
        #expect(migration.rows.count == 8)
    }

    @Test func `lists of funds stay lists, and rows with one key keep the members of all`() throws {
        let migration = LegacyMigration(
            entries: [
                entry("theme_crypto", "[\"BITO\", \"COIN\"]", type: "etf_universe", name: "ETFs"),
                entry("theme_crypto", "[\"COIN\", \"MARA\"]", name: "Stocks"),
                entry("sector_technology", "[\"XLK\", \"VGT\"]", type: "etf_universe"),
            ], existing: [])
        let members = Dictionary(
            uniqueKeysWithValues: zip(names(migration), migration.changes.map { $0.members.map(\.symbol) }))
        #expect(
            members == [
                "UNIVERSE ETFs:theme_crypto": ["BITO", "COIN"], "UNIVERSE Stocks:theme_crypto": ["COIN", "MARA"],
                "UNIVERSE theme_crypto": ["BITO", "COIN", "MARA"], "THEME crypto": ["COIN", "MARA"],
                "UNIVERSE sector_technology": ["XLK", "VGT"],
            ])
        try MirrorFixture.run { fixture in
            try fixture.mirror.apply(migration.changes)
            for (key, symbols) in [
                ("theme_crypto", ["BITO", "COIN", "MARA"]), ("Stocks:theme_crypto", ["COIN", "MARA"]),
                ("sector_technology", ["VGT", "XLK"]),
            ] {
                #expect(try fixture.resolve(key).symbols.map(\.description) == symbols)
            }
        }
    }

    @Test(arguments: [nil, "", "no json", "{\"a\": 1}", "3", "[]", "[1, null, \"no symbol here\"]"])
    func `what can't be read is named and stops nothing`(value: String?) {
        let migration = LegacyMigration(
            entries: [entry("bad", value), entry("good", "[\"A\", 7, \"a b c\", \"A\"]")], existing: [])
        #expect(migration.rows.first?.fault?.isEmpty == false)
        #expect(migration.changes.map(\.definition.name) == ["good"])
        #expect(migration.rows.last?.refused.count == 2)
    }

    @Test func `running it twice changes nothing, and groups of other origin are left alone`() throws {
        try MirrorFixture.run { fixture in
            try fixture.add("mine", ["M"])
            let entries = [entry("top", "[\"A\", \"B\"]"), entry("mine", "[\"X\"]")]
            func migrate(
                _ entries: [CacheEntryRecord], force: Bool = false
            ) throws -> [LegacyMigration.Group.Outcome] {
                let migration = LegacyMigration(
                    entries: entries, existing: try fixture.mirror.contents().groups, force: force)
                try fixture.mirror.apply(migration.changes)
                return migration.rows.flatMap(\.groups).map(\.outcome)
            }
            #expect(try migrate(entries) == [.made, .kept])
            let counter = try fixture.mirror.changeCounter()
            #expect(try migrate(entries) == [.unchanged, .kept])
            #expect(try fixture.mirror.changeCounter() == counter)
            #expect(try migrate([entry("top", "[\"A\", \"C\"]")]) == [.updated])
            #expect(try migrate(entries, force: true) == [.updated, .updated])
        }
    }
}

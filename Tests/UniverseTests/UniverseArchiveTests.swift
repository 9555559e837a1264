import MarketData
import Store
import TestSupport
import Testing

@testable import Universe

/// Backups: what comes back is what was there.
@Suite(.timeLimit(.minutes(1))) struct UniverseArchiveTests {
    /// Returns a mirror's contents with hostile texts: quotes, separators, line breaks, NULL and empty, odd numbers.
    private func contents(seed: UInt64) -> MirrorContents {
        var random = SeededRandom(seed: seed)
        let pieces = [
            "", "a", "\"", ",", "\n", "\r\n", "\\", "é", "😀", "{\"x\": [1, \"y\"]}", " ", "NULL", "\t", "#", ";",
        ]
        func text(_ minimum: Int = 0) -> String {
            let text = (0..<Int.random(in: minimum...4, using: &random)).map { _ in
                pieces.randomElement(using: &random) ?? ""
            }.joined()
            return text.isEmpty && minimum > 0 ? "x" : text
        }
        func maybe(_ text: String) -> String? { Bool.random(using: &random) ? text : nil }
        func time() -> Int64? { Bool.random(using: &random) ? Int64.random(in: 0...(1 << 41), using: &random) : nil }
        func weight() -> Double? {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: nil
            case 1: 0.1 + 0.2
            case 2: Double.random(in: -1e-7...1e9, using: &random)
            default: Double(Int.random(in: 0...100, using: &random))
            }
        }
        var contents = MirrorContents()
        for number in 0..<Int.random(in: 0...6, using: &random) {
            let identity = GroupRecord.Identity(
                name: text(1) + "\(number)",
                type: ["UNIVERSE", "ETF", "odd type"].randomElement(using: &random) ?? "ETF",
                environment: ["DEFAULT", "PROD"].randomElement(using: &random) ?? "PROD")
            var record = GroupRecord(
                identity: identity, description: maybe(text()), metadata: maybe(text()), liquidityFilter: maybe(text()),
                createdAt: time() ?? 1, updatedAt: time() ?? 2, lastUpdate: time())
            record.members = (0..<Int.random(in: 0...5, using: &random)).map {
                MemberRecord(
                    symbol: text(1) + "\($0)", weight: weight(), metadata: maybe(text()), createdAt: time() ?? 3)
            }
            record.members.sort { Array($0.symbol.utf8).lexicographicallyPrecedes(Array($1.symbol.utf8)) }
            let imported = Bool.random(using: &random)
            contents.groups.append(
                .init(
                    record: record, origin: Bool.random(using: &random) ? .pulled : .local,
                    imported: imported
                        ? ImportNote(source: text(), format: text(), checksum: text(), importedAt: time() ?? 9) : nil))
        }
        for number in 0..<Int.random(in: 0...3, using: &random) {
            contents.entries.append(
                CacheEntryRecord(
                    type: text(1), name: text(), key: text() + "\(number)", value: maybe(text()),
                    environment: "DEFAULT",
                    updatedAt: time()))
        }
        if Bool.random(using: &random) {
            contents.pull = PullNote(
                source: text(), pulledAt: 5, checkedAt: 6, checksum: text(), groups: 1, memberships: 2, entries: 3)
        }
        return contents
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `JSON and CSV come back exactly, whatever the texts`(seed: UInt64) throws {
        let original = contents(seed: seed)
        let json = try UniverseArchive.json(original)
        #expect(UniverseArchive.isJSON(json))
        #expect(try UniverseArchive.contents(json: json) == original)
        let files = UniverseArchive.csv(original)
        let again = try UniverseArchive.contents { name in files.first { $0.name == name }?.bytes }
        #expect(again == original)
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func `a mirror restored from a backup exports the same bytes`(seed: UInt64) throws {
        try MirrorFixture.run { fixture in
            try fixture.mirror.restore(contents(seed: seed))
            let first = try fixture.mirror.contents()
            let json = try UniverseArchive.json(first)
            try MirrorFixture.run { other in
                try other.mirror.restore(try UniverseArchive.contents(json: json))
                #expect(try UniverseArchive.json(try other.mirror.contents()) == json)
                let files = UniverseArchive.csv(first)
                try other.mirror.restore(
                    try UniverseArchive.contents { name in files.first { $0.name == name }?.bytes })
                #expect(try UniverseArchive.json(try other.mirror.contents()) == json)
            }
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `a group exported as a list is the same group after an import`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let hasWeights = seed % 2 == 0
        let symbols = Set(
            (0..<60).map { _ in
                String(
                    (0..<Int.random(in: 1...5, using: &random)).map { _ in
                        "ABCDEFGH".randomElement(using: &random) ?? "A"
                    })
            })
        let members = symbols.sorted().map {
            MemberRecord(symbol: $0, weight: hasWeights ? Double.random(in: 0...3, using: &random) : nil)
        }
        let group = GroupRecord(identity: .init(name: "g", type: "CUSTOM", environment: "TEST"), members: members)
        let list = try HoldingsImport(csv: UniverseArchive.list(of: group), strict: true)
        #expect(list.entries.map { MemberRecord(symbol: $0.symbol, weight: $0.weight) } == members)
    }

    @Test(arguments: [
        ("\n", "line 2: 1 column"), ("DEFAULT,ETF, ,A,,,\n# no comment\n", "line 3: 1 column instead"),
        ("DEFAULT,ETF,\"a\nb\" ,A,,,\n", "line 2: text follows"), ("DEFAULT,ETF,\"a\n", "line 2: a quote"),
    ])
    func `every line of a backup is a row, in which blanks count`(line: String, fault: String) throws {
        let header = "environment,type,name,symbol,weight,metadata,created_at\n"
        let files = UniverseArchive.csv(contents(seed: 4))
        let error = #expect(throws: UniverseArchiveError.self) {
            try UniverseArchive.contents { name in
                name == "group_memberships.csv"
                    ? Array((header + line).utf8) : files.first { $0.name == name }?.bytes
            }
        }
        #expect(error?.description.contains(fault) == true, "\(String(describing: error))")
    }

    @Test func `a backup that is damaged, foreign or newer is refused with a reason`() throws {
        let json = String(decoding: try UniverseArchive.json(contents(seed: 4)), as: UTF8.self)
        func expect(_ text: String, isRefusedWith reason: String) {
            let error = #expect(throws: UniverseArchiveError.self) {
                try UniverseArchive.contents(json: Array(text.utf8))
            }
            #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        }
        expect("{}", isRefusedWith: "not a backup")
        expect(String(json.dropLast(30)), isRefusedWith: "not a backup")
        expect(json.replacing("\"version\" : 1", with: "\"version\" : 2"), isRefusedWith: "use a newer EdgeTick")
        expect(json.replacing("\"groups\"", with: "\"grups\""), isRefusedWith: "damaged: groups is missing")
        let files = UniverseArchive.csv(contents(seed: 4))
        for missing in UniverseArchive.csvFiles {
            #expect(throws: UniverseArchiveError.self) {
                try UniverseArchive.contents { name in
                    name == missing ? nil : files.first { $0.name == name }?.bytes
                }
            }
        }
        let stray = Array("environment,type,name,symbol,weight,metadata,created_at\nDEFAULT,ETF,nowhere,A,,,\n".utf8)
        let error = #expect(throws: UniverseArchiveError.self) {
            try UniverseArchive.contents { name in
                name == "group_memberships.csv" ? stray : files.first { $0.name == name }?.bytes
            }
        }
        #expect(error?.description.contains("line 2") == true)
    }
}

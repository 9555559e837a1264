import MarketData
import Store
import Testing

@testable import Universe

/// What validation finds and fixes, and what the report counts.
@Suite(.timeLimit(.minutes(1))) struct UniverseValidationTests {
    private func group(
        _ name: String, _ symbols: [String], type: String = "UNIVERSE", environment: String = "DEFAULT",
        weights: [Double?] = [], origin: GroupOrigin = .local
    ) -> MirrorContents.Group {
        let members = symbols.enumerated().map {
            MemberRecord(symbol: $1, weight: $0 < weights.count ? weights[$0] : nil)
        }
        return .init(
            record: GroupRecord(
                identity: .init(name: name, type: type, environment: environment), members: members), origin: origin)
    }

    private func validate(
        _ groups: [MirrorContents.Group], pull: PullNote? = nil, now: Int64 = 0, interval: Duration? = nil,
        known: Set<String>? = nil
    ) -> UniverseValidation {
        UniverseValidation(
            MirrorContents(groups: groups, pull: pull),
            .init(environment: "DEFAULT", now: now, pullInterval: interval, known: known))
    }

    private func checks(_ validation: UniverseValidation) -> Set<UniverseFinding.Check> {
        Set(validation.findings.filter { $0.severity > .note }.map(\.check))
    }

    @Test func `a sound mirror has no fault and no warning`() {
        let validation = validate([
            group("u", ["AAPL", "BRK.B"]), group("Tech", ["AAPL", "BRK.B"], type: "SECTOR"),
            group("SPY", ["AAPL", "BRK.B"], type: "ETF", weights: [60, 40]),
        ])
        #expect(validation.findings.isEmpty, "\(validation.findings)")
    }

    @Test func `empty groups are faults where keys may name them`() {
        let validation = validate([group("u", []), group("t", [], type: "THEME")])
        #expect(validation.findings.filter { $0.check == .empty }.map(\.severity) == [.fault, .warning])
    }

    @Test func `malformed, respelt and doubled symbols are found, and local ones are fixed`() throws {
        let validation = validate([
            group("u", ["AAPL", "BRK.B", "BRK/B", "aapl", "no symbol, at all"]), group("p", ["BF/B"], origin: .pulled),
        ])
        #expect(checks(validation).isSuperset(of: [.malformed, .duplicate]))
        #expect(validation.fixes.count == 1)
        let fix = try #require(validation.fixes.first)
        #expect(fix.members.map(\.symbol) == ["AAPL", "BRK.B", "no symbol, at all"])
        #expect(validation.findings.contains { $0.text.contains("correct it in the database") })
        let again = validate([group("u", fix.members.map(\.symbol))])
        #expect(again.fixes.isEmpty)
        // The fix of a group of an unknown type would be a second group.
        let strange = validate([group("w", ["BRK/B"], type: "what")])
        #expect(strange.fixes.isEmpty && checks(strange) == [.malformed, .type])
        #expect(
            strange.findings.contains {
                $0.check == .malformed && $0.text.hasSuffix("import it again with a known type")
            }
        )
    }

    @Test func `weights below 0, above 100 and with a wrong sum are found`() {
        let validation = validate([
            group("E", ["A", "B"], type: "ETF", weights: [-1, 120]), group("F", ["A"], type: "ETF", weights: [50]),
            group("ok", ["A", "B"], type: "ETF", weights: [60, 39.5]),
        ])
        let texts = validation.findings.filter { $0.check == .weights }.map(\.text)
        #expect(texts.contains { $0.contains("below 0: A") })
        #expect(texts.contains { $0.contains("above 100: B") })
        #expect(texts.contains { $0.contains("sum to 50") })
        #expect(!validation.findings.contains { $0.check == .weights && $0.group?.contains("ok") == true })
    }

    @Test func `a name that a key would read as a join is found`() {
        let validation = validate([
            group("market_leaders:top_100", ["A"]), group("market_leaders", ["B"]), group("TOP_100", ["C"]),
            group("a:zzz", ["A"]), group("Sp500", ["A"]), group("sp500", ["A"]), group("SPY", ["A"]),
            group("SPY", ["A"], type: "ETF"), group("x,y", ["A"]), group(" pad", ["A"]),
        ])
        let names = validation.findings.filter { $0.check == .name }
        #expect(names.contains { $0.severity == .warning && $0.text.contains("also reads as a union") })
        #expect(names.contains { $0.severity == .note && $0.group?.contains("a:zzz") == true })
        #expect(names.contains { $0.text.contains("differ in case only") })
        #expect(names.contains { $0.severity == .note && $0.text.contains("is a UNIVERSE and an ETF") })
        #expect(names.count { $0.text.contains("no universe key can name this group") } == 2)
    }

    @Test func `unknown symbols, lonely groups, sectors and old pulls are found`() {
        let groups = [
            group("u", ["A", "B"]), group("u", ["A"], environment: "PROD"), group("v", ["A"]),
            group("Energy", ["A"], type: "SECTOR"), group("Tech", ["A"], type: "SECTOR"),
            group("t", ["Z"], type: "THEME"),
            group("w", ["A"], type: "what"),
        ]
        let note = PullNote(
            source: "db", pulledAt: 0, checkedAt: 0, checksum: "", groups: 1, memberships: 1, entries: 0)
        let validation = validate(groups, pull: note, now: 4 * 3_600_000, interval: .seconds(3600), known: ["A", "Z"])
        #expect(checks(validation).isSuperset(of: [.unknown, .sector, .stale, .type]))
        #expect(validation.findings.contains { $0.check == .environment && $0.text.contains("UNIVERSE v") })
        #expect(
            validation.findings.contains { $0.check == .sector && $0.text.contains("1 of 2 stocks without a sector") })
        #expect(validation.findings.contains { $0.check == .unknown && $0.text.hasSuffix("B") })
        let fresh = validate(groups, pull: note, now: 2 * 3_600_000, interval: .seconds(3600))
        #expect(!checks(fresh).contains(.stale))
        #expect(fresh.findings.contains { $0.check == .unknown && $0.severity == .note && $0.text.contains("Z") })
        #expect(validation.findings.map(\.severity) == validation.findings.map(\.severity).sorted(by: >))
    }

    @Test func `the report counts groups, overlaps and sectors of one environment`() {
        let contents = MirrorContents(groups: [
            group("big", ["A", "B", "C"]), group("small|<b>", ["B", "C"]),
            group("SPY", ["A", "D"], type: "ETF", weights: [70, 30]), group("Energy", ["A", "B"], type: "SECTOR"),
            group("other", ["X"], environment: "PROD"),
        ])
        let report = UniverseReport(contents, environment: "DEFAULT", now: 0)
        #expect(report.symbols == 4)
        #expect(report.types.map(\.type) == ["ETF", "SECTOR", "UNIVERSE"])
        #expect(report.types.map(\.groups) == [1, 1, 2])
        #expect(report.groups.map(\.name) == ["big", "SPY", "small|<b>"])
        #expect(report.groups[1].heaviest == ["A", "D"] && report.groups[1].weightSum == 100)
        #expect(report.overlaps.first?.shared == 2 && report.overlaps.first?.share == 1)
        #expect(report.sectorCoverage == 0.5)
        #expect(report.markdown.contains("small\\|\\<b\\>"))
        #expect(report.markdown.contains("50.0 % of the stocks have a sector"))
    }
}

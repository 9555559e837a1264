import Foundation
import MarketData
import TestSupport
import Testing

@testable import Collector
@testable import Store

/// What counts as known about a minute, and what does not.
@Suite(.timeLimit(.minutes(1))) struct DayCoverageTests {
    private static let apple = Symbol("AAPL")!
    private static let rare = Symbol("RARE")!
    /// A full day in summer time, one in winter time, a half day, and the Mondays after the clocks change.
    private static let days = ["2026-07-07", "2026-01-06", "2026-11-27", "2026-03-09", "2026-11-02"]

    private func day(_ text: String) throws -> TradingDay { try #require(TradingDay(text)) }

    private func evening(of day: TradingDay) -> Int64 { day.span.upperBound }

    /// The moment when New York's clocks show a time, from a library that shares no code with ours.
    private func moment(_ day: String, _ hour: Int, _ minute: Int) throws -> Int64 {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "America/New_York"))
        let parts = day.split(separator: "-").compactMap { Int($0) }
        let date = calendar.date(
            from: DateComponents(year: parts[0], month: parts[1], day: parts[2], hour: hour, minute: minute))
        return Int64(try #require(date).timeIntervalSince1970 * 1000)
    }

    private func gap(
        _ symbols: [Symbol], from: Int64, to: Int64?, events: [EventKind] = [.minuteBar], state: GapState = .open,
        settled: Set<Symbol> = []
    ) -> GapRecord {
        GapRecord(
            id: 1,
            gap: Gap(connection: "primary", symbols: symbols, events: events, from: from, to: to, cause: .stalled),
            state: state, detail: nil, rows: 0, recorded: from, settled: settled.isEmpty ? [:] : [.minuteBar: settled])
    }

    private func row(_ coverage: DayCoverage, _ symbol: Symbol) throws -> [DayCoverage.Minute] {
        try #require(coverage.rows.first { $0.symbol == symbol }).minutes
    }

    @Test(arguments: days) func `a session has its minutes, whatever the clocks and the calendar do`(text: String)
        throws
    {
        let day = try day(text)
        let coverage = DayCoverage(day, symbols: [Self.apple], evidence: .init(), now: evening(of: day))
        let isHalf = text == "2026-11-27"
        #expect(coverage.session.lowerBound == (try moment(text, 9, 30)))
        #expect(coverage.session.upperBound == (try moment(text, isHalf ? 13 : 16, 0)))
        #expect(try row(coverage, Self.apple) == Array(repeating: .unknown, count: isHalf ? 210 : 390))
    }

    @Test(arguments: ["2026-11-26", "2026-11-28", "2026-07-03", "2025-01-09"])
    func `on a closed day nothing is due`(text: String) throws {
        let day = try day(text)
        let coverage = DayCoverage(day, symbols: [Self.apple], evidence: .init(), now: evening(of: day))
        #expect(coverage.rows.isEmpty && coverage.session.isEmpty)
        #expect(CoveragePeriod.periods(of: [coverage], by: .day).map(\.state) == [.closed])
    }

    @Test func `a minute without a bar is unknown until somebody asked`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        evidence.bars[Self.apple] = BitSet((0..<390).filter { $0 != 7 })
        evidence.isWhole = true
        let unchecked = DayCoverage(day, symbols: nil, evidence: evidence, now: evening(of: day))
        #expect(try row(unchecked, Self.apple)[6...8] == [.bar, .unknown, .bar])
        evidence.reconciled = [Self.apple: 389]
        let reconciled = DayCoverage(day, symbols: nil, evidence: evidence, now: evening(of: day))
        #expect(try row(reconciled, Self.apple)[6...8] == [.bar, .noTrade, .bar])
        #expect(CoveragePeriod.periods(of: [unchecked], by: .day).map(\.state) == [.unchecked])
        #expect(CoveragePeriod.periods(of: [reconciled], by: .day).map(\.state) == [.complete])
    }

    @Test func `bars that are kept elsewhere don't become minutes without trades`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        // The file no longer has the first half.
        evidence.bars[Self.apple] = BitSet(200..<390)
        evidence.reconciled = [Self.apple: 390]
        let partial = DayCoverage(day, symbols: nil, evidence: evidence, now: evening(of: day))
        #expect(try row(partial, Self.apple)[199...200] == [.unknown, .bar])
        // There are fewer bars than were compared, so it can't be true that all are here.
        evidence.isWhole = true
        let contradicted = DayCoverage(day, symbols: nil, evidence: evidence, now: evening(of: day))
        #expect(try row(contradicted, Self.apple)[199...200] == [.unknown, .bar])
        // What was compared once but can't be found now does not count as complete.
        #expect(CoveragePeriod.periods(of: [partial, contradicted], by: .day).map(\.state) == [.unchecked])
    }

    @Test func `a gap's minutes are those whose bars were sent while it lasted`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        evidence.isWhole = true
        evidence.bars[Self.apple] = BitSet([0, 1, 2, 6])
        // The newest bar before it ended at 9:33; the subscription was confirmed again at 9:36:30.
        evidence.gaps = [
            gap([Self.apple], from: try moment("2026-07-07", 9, 33), to: try moment("2026-07-07", 9, 36) + 30_000)
        ]
        let open = DayCoverage(day, symbols: [Self.apple, Self.rare], evidence: evidence, now: evening(of: day))
        #expect(try row(open, Self.apple)[..<8] == [.bar, .bar, .bar, .gap, .gap, .gap, .bar, .unknown])
        #expect(try row(open, Self.rare)[..<8].allSatisfy { $0 == .unknown })
        #expect(CoveragePeriod.periods(of: [open], by: .day).map(\.state) == [.gaps])
        // Filled: the REST aggregates had one bar of the three.
        evidence.gaps[0].state = .filled
        evidence.gaps[0].settled = [.minuteBar: [Self.apple]]
        evidence.bars[Self.apple]?.insert(4)
        let filled = DayCoverage(day, symbols: [Self.apple], evidence: evidence, now: evening(of: day))
        #expect(try row(filled, Self.apple)[..<8] == [.bar, .bar, .bar, .noTrade, .bar, .noTrade, .bar, .unknown])
    }

    @Test func `a gap of a connection that takes everything is every symbol's until each was asked for`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        evidence.isWhole = true
        let start = try moment("2026-07-07", 9, 30)
        evidence.gaps = [gap([], from: start, to: start + 60_000, settled: [Self.apple])]
        let coverage = DayCoverage(day, symbols: [Self.apple, Self.rare], evidence: evidence, now: evening(of: day))
        #expect(try row(coverage, Self.apple)[..<2] == [.noTrade, .unknown])
        #expect(try row(coverage, Self.rare)[..<2] == [.gap, .unknown])
        // Only some of it came: a symbol that wasn't asked for may still lack it.
        evidence.gaps[0].state = .partial
        let partial = DayCoverage(day, symbols: [Self.apple, Self.rare], evidence: evidence, now: evening(of: day))
        #expect(partial.rows == coverage.rows)
    }

    @Test func `what another box covers is not missing, and known only where there is a bar`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        evidence.isWhole = true
        evidence.bars[Self.apple] = BitSet([1])
        let start = try moment("2026-07-07", 9, 30)
        for symbols in [[Self.apple], []] {
            evidence.gaps = [gap(symbols, from: start, to: start + 180_000, state: .covered)]
            let coverage = DayCoverage(day, symbols: [Self.apple], evidence: evidence, now: evening(of: day))
            #expect(try row(coverage, Self.apple)[..<3] == [.unknown, .bar, .unknown])
        }
    }

    @Test func `a gap of other events, or of other hours, hides no minute`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        let (open, close) = (try moment("2026-07-07", 9, 30), try moment("2026-07-07", 16, 0))
        evidence.gaps = [
            gap([Self.apple], from: open, to: close, events: [.trade, .quote]),
            gap([Self.apple], from: open - 3_600_000, to: open), gap([Self.apple], from: close, to: nil),
        ]
        let coverage = DayCoverage(day, symbols: [Self.apple], evidence: evidence, now: evening(of: day))
        #expect(try row(coverage, Self.apple).allSatisfy { $0 == .unknown })
    }

    @Test func `a row's numbers are those of its minutes, whether much is known of it or nothing`() throws {
        let day = try day("2026-07-07")
        let start = try moment("2026-07-07", 9, 30)
        var evidence = DayCoverage.Evidence()
        evidence.bars[Self.apple] = BitSet(0..<7)
        evidence.reconciled[Self.apple] = 7
        evidence.isWhole = true
        evidence.drops = [(Self.rare, start + 600_000...start + 900_000)]
        let nobody = try #require(Symbol("NOBODY"))
        for now in [start - 1, start, start + 90_000, start + 3_600_000, evening(of: day)] {
            for drops in [evidence.drops, evidence.drops + [(nil, start...start)]] {
                evidence.drops = drops
                let coverage = DayCoverage(day, symbols: [Self.apple, Self.rare, nobody], evidence: evidence, now: now)
                for row in coverage.rows {
                    #expect(row.minutes.count == 390)
                    #expect(row.counts == Dictionary(grouping: row.minutes) { $0 }.mapValues(\.count))
                }
            }
        }
    }

    @Test func `what is not over yet is neither missing nor complete, and a gap lasts until now`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        evidence.gaps = [gap([Self.apple], from: try moment("2026-07-07", 9, 31), to: nil)]
        evidence.bars[Self.apple] = BitSet([0])
        let now = try moment("2026-07-07", 9, 33) + 1
        let coverage = DayCoverage(day, symbols: nil, evidence: evidence, now: now)
        let found = try row(coverage, Self.apple)
        #expect(found[..<3] == [.bar, .gap, .gap] && found[3...].allSatisfy { $0 == .ahead })
    }

    @Test func `bars that were given up are missing, of every symbol where none is known`() throws {
        let day = try day("2026-07-07")
        var evidence = DayCoverage.Evidence()
        let start = try moment("2026-07-07", 9, 30)
        evidence.drops = [(Self.apple, start...start + 60_000), (nil, start + 180_000...start + 180_000)]
        evidence.bars[Self.rare] = BitSet([3])
        let coverage = DayCoverage(day, symbols: [Self.apple, Self.rare], evidence: evidence, now: evening(of: day))
        #expect(try row(coverage, Self.apple)[..<5] == [.gap, .gap, .unknown, .gap, .unknown])
        #expect(try row(coverage, Self.rare)[..<5] == [.unknown, .unknown, .unknown, .bar, .unknown])
    }

    @Test func `weeks begin on Monday, months on their first, and one unchecked symbol keeps a period from green`()
        throws
    {
        let all = try day("2026-10-30")...day("2026-11-08")
        let days = all.map { day -> DayCoverage in
            var evidence = DayCoverage.Evidence()
            evidence.isWhole = true
            evidence.bars = [Self.apple: BitSet(0..<390), Self.rare: BitSet([0])]
            evidence.reconciled = [Self.apple: 390]
            if day.description != "2026-11-04" { evidence.reconciled[Self.rare] = 1 }
            return DayCoverage(day, symbols: nil, evidence: evidence, now: evening(of: day))
        }
        let weeks = CoveragePeriod.periods(of: days, by: .week)
        #expect(weeks.map { "\($0.first) \($0.last)" } == ["2026-10-30 2026-11-01", "2026-11-02 2026-11-08"])
        #expect(weeks.map(\.state) == [.complete, .unchecked])
        #expect(weeks.map(\.tradingDays) == [1, 5] && weeks.map(\.symbolDays) == [2, 10])
        #expect(weeks.map(\.reconciled) == [2, 9] && weeks[1].minutes[.bar] == 5 * 391)
        let months = CoveragePeriod.periods(of: days, by: .month)
        #expect(months.map { "\($0.first)" } == ["2026-10-30", "2026-11-01"])
        let single = CoveragePeriod.periods(of: days, by: .day)
        #expect(single.count == 10 && single.count { $0.state == .closed } == 4)
    }

    @Test func `a day of trading of which nothing is known keeps a period from green`() throws {
        let days = try (day("2026-11-02")...day("2026-11-08")).map { day -> DayCoverage in
            var evidence = DayCoverage.Evidence()
            if day.description != "2026-11-04" {
                evidence.isWhole = true
                evidence.bars = [Self.apple: BitSet(0..<390)]
                evidence.reconciled = [Self.apple: 390]
            }
            return DayCoverage(day, symbols: nil, evidence: evidence, now: evening(of: day))
        }
        #expect(CoveragePeriod.periods(of: days, by: .week).map(\.state) == [.unchecked])
        #expect(CoveragePeriod.periods(of: days.filter { !$0.rows.isEmpty }, by: .week).map(\.state) == [.complete])
        #expect(
            CoveragePeriod.periods(of: days, by: .day).prefix(3).map(\.state) == [.complete, .complete, .unchecked])
    }
}

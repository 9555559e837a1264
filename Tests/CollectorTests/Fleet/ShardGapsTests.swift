import MarketData
import Testing

@testable import Collector

/// The gaps of symbols that a box takes over, as time passes and the feed answers.
@Suite(.timeLimit(.minutes(1))) struct ShardGapsTests {
    private func gap(_ names: String..., from: Int64, to: Int64? = nil) -> Gap {
        Gap(
            connection: "one", symbols: names.compactMap { Symbol($0) }, events: [.minuteBar], from: from, to: to,
            cause: .shardMoved)
    }

    private func untaken(_ names: String...) -> Set<Symbol> { Set(names.compactMap { Symbol($0) }) }

    @Test func `a symbol that the feed never answers for keeps no other symbol's gap open`() {
        var gaps = ShardGaps()
        let lost = gap("A", "B", "C", from: 100)
        #expect(gaps.add([lost], now: 200) == [lost])
        #expect(gaps.look(untaken: untaken("A", "B", "C"), now: 300) == nil)
        let rest = gap("B", from: 100)
        #expect(
            gaps.look(untaken: untaken("B"), now: 1000)
                == GapChange(ended: [lost], gaps: [gap("A", "C", from: 100, to: 1000 + Gap.endMargin), rest]))
        #expect(gaps.look(untaken: untaken("B"), now: 2000) == nil)
        #expect(
            gaps.look(untaken: [], now: 3000)
                == GapChange(ended: [rest], gaps: [gap("B", from: 100, to: 3000 + Gap.endMargin)]))
        #expect(gaps.isEmpty)
    }

    @Test func `what a live box may give up is a gap only for the symbols that are missing by then`() {
        var gaps = ShardGaps()
        #expect(gaps.add([gap("A", "B", from: 500), gap("C", from: 500), gap("D", from: 900)], now: 200) == [])
        #expect(gaps.look(untaken: untaken("A", "B", "D"), now: 499) == nil)
        let late = gap("B", from: 500)
        #expect(gaps.look(untaken: untaken("B", "D"), now: 500) == GapChange(gaps: [late]))
        #expect(gaps.look(untaken: untaken("B"), now: 900) == nil)
        #expect(
            gaps.look(untaken: [], now: 950)
                == GapChange(ended: [late], gaps: [gap("B", from: 500, to: 950 + Gap.endMargin)]))
        #expect(gaps.isEmpty)
    }

    @Test func `what is taken before its owner may give it up has no gap`() {
        var gaps = ShardGaps()
        #expect(gaps.add([gap("A", from: 500)], now: 200) == [])
        #expect(gaps.look(untaken: [], now: 300) == nil)
        #expect(gaps.isEmpty)
    }
}

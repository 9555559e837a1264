import Foundation
import MarketData
import TestSupport
import Testing

@testable import Collector
@testable import Wire

@Suite(.timeLimit(.minutes(5))) struct CoverageJSONTests {
    @Test func `a symbol's minutes are runs that a reader can take apart`() throws {
        let minutes: [DayCoverage.Minute] =
            Array(repeating: .bar, count: 120) + [.noTrade] + Array(repeating: .gap, count: 3) + [.unknown, .ahead]
        let text = CoverageJSON.Row.runs(of: minutes)
        #expect(text == "b120ng3ua")
        let read = text.matches(of: /([a-z])([0-9]*)/).flatMap { run in
            Array(repeating: String(run.output.1), count: Int(run.output.2) ?? 1)
        }
        #expect(read == minutes.map(\.rawValue))
        #expect(CoverageJSON.Row.runs(of: []) == "")
    }

    @Test func `3,000 symbols' day stays small to send, and several days name no symbols`() throws {
        let day = try #require(TradingDay("2026-07-07"))
        var evidence = DayCoverage.Evidence()
        for number in 0..<3000 {
            // Each symbol misses every tenth minute.
            evidence.bars[try #require(Symbol("S\(number)"))] = BitSet((0..<390).filter { $0 % 10 != number % 10 })
        }
        let coverage = DayCoverage(day, symbols: nil, evidence: evidence, now: day.span.upperBound)
        let one = CoverageJSON(CoverageReport(days: [coverage]), by: .day)
        #expect(one.symbols.count == 3000 && one.periods.first?.minutes["b"] == 3000 * 351)
        #expect(one.session_end_ms == one.session_start_ms.map { $0 + 390 * 60_000 })
        #expect(WireJSON.bytes(of: one).count < 600_000)
        let next = DayCoverage(day.advanced(by: 1), symbols: nil, evidence: evidence, now: day.span.upperBound)
        let two = CoverageJSON(CoverageReport(days: [coverage, next]), by: .week)
        #expect(two.symbols.isEmpty && two.session_start_ms == nil && two.periods.count == 1)
    }
}

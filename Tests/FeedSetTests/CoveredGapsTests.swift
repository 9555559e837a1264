import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct CoveredGapsTests {
    private let a = Symbol("A")!
    private let b = Symbol("B")!

    private func gap(_ symbols: [Symbol], to: Int64?) -> Gap {
        Gap(connection: "primary", symbols: symbols, events: [.trade], from: 10, to: to, cause: .disconnected)
    }

    /// Leaves out of gaps the symbols that another connection delivers.
    private func without(_ covered: Set<Symbol>) -> (Gap) -> Gap? {
        { gap in
            var rest = gap
            rest.symbols.removeAll(where: covered.contains)
            return rest.symbols.isEmpty ? nil : rest
        }
    }

    @Test func `a gap that began without what another connection brings gives way as it was recorded`() {
        var covered = CoveredGaps()
        let began = covered.rest(of: GapChange(gaps: [gap([a, b], to: nil)]), without([b]))
        #expect(began == GapChange(gaps: [gap([a], to: nil)]))
        // Meanwhile the other one failed too.
        let over = GapChange(ended: [gap([a, b], to: nil)], gaps: [gap([a, b], to: 20)])
        #expect(
            covered.rest(of: over, without([])) == GapChange(ended: [gap([a], to: nil)], gaps: [gap([a, b], to: 20)]))
    }

    @Test func `one that another connection covers from start to end is never recorded`() {
        var covered = CoveredGaps()
        #expect(covered.rest(of: GapChange(gaps: [gap([a], to: nil)]), without([a])) == GapChange(gaps: []))
        let over = GapChange(ended: [gap([a], to: nil)], gaps: [gap([a], to: 20)])
        #expect(covered.rest(of: over, without([a])) == GapChange(gaps: []))
    }
}

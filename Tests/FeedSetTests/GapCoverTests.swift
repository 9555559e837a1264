import MarketData
import Testing

@testable import Feed

/// A connection's gap leaves out the symbols that another connection delivered all the while.
@Suite(.timeLimit(.minutes(3))) struct GapCoverTests {
    private let a = Symbol("A")!
    private let b = Symbol("B")!

    /// The gap that begins after an event of that time.
    private func gap(from: Int64, _ cause: Gap.Cause = .disconnected, symbols: [Symbol]? = nil) -> Gap {
        Gap(
            connection: "primary", symbols: symbols ?? [a, b], events: [.trade], from: from - Gap.startMargin, to: nil,
            cause: cause)
    }

    /// Slot 1 has brought A since 1000 and B since 2000.
    private func brought(delay: Int64 = 0) -> BroughtSymbols {
        var brought = BroughtSymbols()
        brought.delays[1] = delay
        brought.confirmed(1, [a], wall: 1000)
        brought.confirmed(1, [a, b], wall: 2000)
        return brought
    }

    private func symbols(
        _ brought: BroughtSymbols, _ gap: Gap, on slot: Int = 0, connectedSince: Int64? = 500
    ) -> [Symbol]? {
        brought.rest(of: gap, on: slot) { $0 == 1 ? connectedSince : nil }?.symbols
    }

    @Test func `a symbol counts as brought from when it was confirmed, and since then without a break`() {
        #expect(symbols(brought(), gap(from: 999)) == [a, b])
        #expect(symbols(brought(), gap(from: 1000)) == [b])
        #expect(symbols(brought(), gap(from: 2000)) == nil)
        var again = brought()
        again.confirmed(1, [b], wall: 3000)
        again.confirmed(1, [a, b], wall: 4000)
        #expect(symbols(again, gap(from: 3500)) == [a])
        #expect(symbols(again, gap(from: 4000)) == nil)
    }

    @Test func `a connection that was opened after the gap began, or is not up, covers nothing`() {
        #expect(symbols(brought(), gap(from: 5000), connectedSince: 5001) == [a, b])
        #expect(symbols(brought(), gap(from: 5000), connectedSince: 5000) == nil)
        #expect(symbols(brought(), gap(from: 5000), connectedSince: nil) == [a, b])
    }

    @Test func `a delayed feed's gaps are compared with when its events come`() {
        // Its events of 1500 arrive at 901,500.
        #expect(symbols(brought(delay: 900_000), gap(from: 1500), connectedSince: 901_000) == nil)
        #expect(symbols(brought(delay: 900_000), gap(from: 1500), connectedSince: 902_000) == [a, b])
    }

    @Test func `no connection covers its own gap, nor one that brings nothing any more`() {
        #expect(symbols(brought(), gap(from: 5000), on: 1) == [a, b])
        var none = brought()
        none.confirmed(1, [], wall: 3000)
        #expect(symbols(none, gap(from: 5000)) == [a, b])
        var removed = brought()
        removed.remove(1)
        #expect(symbols(removed, gap(from: 5000)) == [a, b])
    }

    @Test func `what can't be decoded or fell into a pause is covered by nobody`() {
        for cause in [Gap.Cause.damaged, .paused] { #expect(symbols(brought(), gap(from: 5000, cause)) == [a, b]) }
    }

    @Test func `a wildcard's gap names no symbol to leave out`() {
        #expect(symbols(brought(), gap(from: 5000, symbols: [])) == [])
    }
}

import MarketData
import Testing

@testable import Feed

/// The gaps of symbols that no connection has room for.
@Suite(.timeLimit(.minutes(1))) struct UnplacedLedgerTests {
    private let all = ["A", "B", "C", "D"].compactMap { Symbol($0) }

    @Test func `a symbol without room is a gap from then on until it has some or nobody wants it`() {
        var ledger = UnplacedLedger()
        func note(_ symbols: [Symbol], _ time: Int64) -> [Gap] {
            ledger.note(symbols, at: time, connection: "primary", events: [.trade])
        }
        #expect(note([all[0], all[1]], 1000) == [])
        #expect(note([all[0], all[1], all[2]], 2000) == [])
        #expect(
            note([all[1]], 5000) == [
                Gap(
                    connection: "primary", symbols: [all[0]], events: [.trade], from: 1000, to: 5000,
                    cause: .unsubscribed),
                Gap(
                    connection: "primary", symbols: [all[2]], events: [.trade], from: 2000, to: 5000,
                    cause: .unsubscribed),
            ])
        #expect(note([all[1]], 6000) == [])
        #expect(note([], 7000).map(\.from) == [1000])
        #expect(note([], 8000) == [])
    }

    @Test func `symbols that lost their room together make one gap, which never ends before it began`() {
        var ledger = UnplacedLedger()
        _ = ledger.note([all[3], all[1]], at: 2000, connection: "primary", events: [.trade, .quote])
        let gaps = ledger.note([], at: 1500, connection: "primary", events: [.trade, .quote])
        #expect(gaps.map(\.symbols) == [[all[1], all[3]]])
        #expect(gaps.map(\.to) == [2000])
    }
}

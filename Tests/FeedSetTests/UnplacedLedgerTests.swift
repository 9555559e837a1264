import LedgerSupport
import MarketData
import Testing

@testable import Feed

/// The gaps of symbols that no connection has room for.
@Suite(.timeLimit(.minutes(1))) struct UnplacedLedgerTests {
    private let all = ["A", "B", "C", "D"].compactMap { Symbol($0) }

    private func configuration(_ events: Set<EventKind> = [.trade], life: PreviousLife? = nil) throws
        -> FeedConfiguration
    {
        var configuration = FeedConfiguration(
            name: "primary", endpoint: try FeedEndpoint(url: "wss://feed.example/stocks", allowsPlaintext: false),
            apiKey: Secret("key"), events: events)
        configuration.previousLife = life
        return configuration
    }

    private func moment(_ time: Int64) -> FeedMoment { FeedMoment(monotonic: .milliseconds(time), wall: time) }

    /// Adds the margins: events on their way at the start are missed too, and at the end the clock may be behind.
    private func gap(_ symbols: [Symbol], _ from: Int64, _ to: Int64?) -> Gap {
        Gap(
            connection: "primary", symbols: symbols, events: [.trade], from: from - Gap.eventLateness,
            to: to.map { $0 + Gap.endMargin }, cause: .unsubscribed)
    }

    @Test func `a symbol without room is a gap that is recorded when it begins, and ends when it has some`() throws {
        var ledger = UnplacedLedger()
        let configuration = try configuration()
        func note(_ symbols: [Symbol], _ time: Int64) -> GapChange? {
            ledger.note(symbols, moment(time), configuration)
        }
        #expect(note([all[0], all[1]], 1000) == GapChange(gaps: [gap([all[0], all[1]], 1000, nil)]))
        #expect(note([all[0], all[1]], 1500) == nil)
        #expect(note([all[0], all[1], all[2]], 2000) == GapChange(gaps: [gap([all[2]], 2000, nil)]))
        #expect(
            note([all[1]], 5000)
                == GapChange(
                    ended: [gap([all[0], all[1]], 1000, nil), gap([all[2]], 2000, nil)],
                    gaps: [gap([all[0]], 1000, 5000), gap([all[2]], 2000, 5000), gap([all[1]], 1000, nil)]))
        #expect(note([all[1]], 6000) == nil)
        #expect(note([], 7000)?.gaps == [gap([all[1]], 1000, 7000)])
        #expect(note([], 8000) == nil)
    }

    @Test func `symbols that lost their room together make one gap, which never ends before it began`() throws {
        var ledger = UnplacedLedger()
        let configuration = try configuration([.trade, .quote])
        _ = ledger.note([all[3], all[1]], moment(2000), configuration)
        let gaps = ledger.note([], moment(-9000), configuration)?.gaps
        #expect(gaps?.map(\.symbols) == [[all[1], all[3]]])
        #expect(gaps?.map(\.to) == [2000 - Gap.eventLateness])
    }

    @Test func `what has no room from the start was missed while no collector ran, too`() throws {
        var ledger = UnplacedLedger()
        let configuration = try configuration(life: PreviousLife(end: 500, newest: [.trade: 400]))
        #expect(ledger.note([all[0]], moment(9000), configuration)?.gaps.map(\.from) == [400 - Gap.startMargin])
        // But not a symbol that loses its room later.
        #expect(ledger.note([all[0], all[1]], moment(10_000), configuration)?.gaps == [gap([all[1]], 10_000, nil)])
    }

    @Test func `so was what has no room when it can be named at last`() throws {
        var ledger = UnplacedLedger()
        let configuration = try configuration(life: PreviousLife(end: 500, newest: [.trade: 400]))
        #expect(ledger.note([], moment(9000), configuration) == nil)
        let gaps = ledger.note([all[0], all[1]], overdue: [all[0]], moment(10_000), configuration)?.gaps
        #expect(gaps?.map(\.symbols) == [[all[0]], [all[1]]])
        #expect(gaps?.map(\.from) == [400 - Gap.startMargin, 10_000 - Gap.eventLateness])
    }
}

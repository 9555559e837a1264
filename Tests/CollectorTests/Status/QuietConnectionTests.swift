import MarketData
import Testing

@testable import Collector
@testable import Feed

/// How long a connection has been quiet, in New York's regular session of Friday, 2026-11-20: 14:30 to 21:00 UTC.
@Suite(.timeLimit(.minutes(1))) struct QuietConnectionTests {
    private let open: Int64 = 1_795_185_000_000

    private func quiet(_ minutes: Int64, since: Int64?, event: Int64?, feedDelay: Double = 0) -> Double? {
        ConnectionState.quiet(
            at: open + minutes * 60_000, connectedSince: since.map { open + $0 * 60_000 },
            lastEvent: event.map { open + $0 * 60_000 }, feedDelay: feedDelay)
    }

    @Test func `time counts from the newest event, the subscription or the opening, whichever came last`() {
        #expect(quiet(20, since: -600, event: nil) == 1200)
        #expect(quiet(20, since: 5, event: nil) == 900)
        #expect(quiet(20, since: -600, event: 18) == 120)
        #expect(quiet(20, since: -600, event: -1) == 1200)
    }

    @Test func `no connection is quiet outside of the session, or unsubscribed`() {
        #expect(quiet(-1, since: -600, event: nil) == nil)
        #expect(quiet(390, since: -600, event: nil) == nil)
        #expect(quiet(24 * 60 + 20, since: -600, event: nil) == nil)
        #expect(quiet(20, since: nil, event: 10) == nil)
    }

    @Test func `of a delayed feed, the session's events are due that much after the opening`() {
        #expect(quiet(16, since: -600, event: -1, feedDelay: 900) == 60)
        #expect(quiet(10, since: -600, event: -1, feedDelay: 900) == 0)
        #expect(quiet(40, since: -600, event: 20, feedDelay: 900) == 1200)
    }

    @Test func `only a connection with symbols can be quiet`() {
        var feed = FeedSnapshot(name: "primary")
        feed.status = .connected
        feed.connectedSince = open
        func state() -> ConnectionState {
            ConnectionState(SetSnapshot.Member(id: "connection_1", feed: feed), at: open + 1_200_000)
        }
        #expect(state().quietFor == nil)
        feed.assigned = [Symbol("AAPL")!]
        #expect(state().quietFor == 1200)
        (feed.assigned, feed.takesAll) = ([], true)
        #expect(state().quietFor == 1200)
    }

    @Test func `a connection that has only kinds that may not come for hours is not quiet`() {
        var feed = FeedSnapshot(name: "primary")
        feed.status = .connected
        feed.connectedSince = open
        feed.assigned = [Symbol("AAPL")!]
        func state() -> ConnectionState {
            ConnectionState(SetSnapshot.Member(id: "connection_1", feed: feed), at: open + 1_200_000)
        }
        feed.confirmedKinds = [.limitBand: 1, .imbalance: 1, .fairValue: 1]
        #expect(state().quietFor == nil)
        feed.confirmedKinds[.trade] = 1
        #expect(state().quietFor == 1200)
    }

    @Test func `an event from the future makes no negative time`() {
        #expect(quiet(20, since: -600, event: 25) == 0)
    }
}

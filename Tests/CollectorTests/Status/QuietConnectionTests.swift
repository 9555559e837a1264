import MarketData
import Testing

@testable import Collector
@testable import Feed

/// How long a connection has been quiet, in New York's regular session of Friday, 2026-11-20: 14:30 to 21:00 UTC.
@Suite(.timeLimit(.minutes(1))) struct QuietConnectionTests {
    private let open: Int64 = 1_795_185_000_000
    private let began = ContinuousClock.now

    /// - Parameters:
    ///   - minutes: since the opening.
    ///   - since: when the silence began, likewise.
    private func quiet(_ minutes: Int64, since: Int64?, feedDelay: Double = 0) -> Double? {
        ConnectionState.quiet(
            at: open + minutes * 60_000, silence: since.map { .seconds((minutes - $0) * 60) }, feedDelay: feedDelay)
    }

    @Test func `time counts from the silence's begin or the opening, whichever came last`() {
        #expect(quiet(20, since: -600) == 1200)
        #expect(quiet(20, since: 5) == 900)
        #expect(quiet(20, since: 18) == 120)
        #expect(quiet(20, since: -1) == 1200)
    }

    @Test(arguments: [-3, 3]) func `a clock that is set hides no silence and makes none`(hours: Int64) {
        var feed = FeedSnapshot(name: "primary")
        feed.status = .connected
        feed.assigned = [Symbol("AAPL")!]
        // Events came until the clock was set.
        let noon = open + 3 * 3_600_000
        (feed.connectedSince, feed.lastEvent, feed.silentSince) = (open, noon, began)
        func state(after seconds: Int64) -> ConnectionState {
            ConnectionState(
                SetSnapshot.Member(id: "connection_1", feed: feed), at: noon + hours * 3_600_000 + seconds * 1000,
                now: began.advanced(by: .seconds(seconds)))
        }
        #expect(state(after: 1200).quietFor == 1200)
        #expect(state(after: 10).quietFor == 10)
    }

    @Test func `no connection is quiet outside of the session, or unsubscribed`() {
        #expect(quiet(-1, since: -600) == nil)
        #expect(quiet(390, since: -600) == nil)
        #expect(quiet(24 * 60 + 20, since: -600) == nil)
        #expect(quiet(20, since: nil) == nil)
    }

    @Test func `of a delayed feed, the session's events are due that much after the opening`() {
        #expect(quiet(16, since: -1, feedDelay: 900) == 60)
        #expect(quiet(10, since: -1, feedDelay: 900) == 0)
        #expect(quiet(40, since: 20, feedDelay: 900) == 1200)
    }

    @Test func `only a connection with symbols can be quiet`() {
        var feed = FeedSnapshot(name: "primary")
        feed.status = .connected
        feed.silentSince = began
        func state() -> ConnectionState {
            ConnectionState(
                SetSnapshot.Member(id: "connection_1", feed: feed), at: open + 1_200_000,
                now: began.advanced(by: .seconds(1200)))
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
        feed.silentSince = began
        feed.assigned = [Symbol("AAPL")!]
        func state() -> ConnectionState {
            ConnectionState(
                SetSnapshot.Member(id: "connection_1", feed: feed), at: open + 1_200_000,
                now: began.advanced(by: .seconds(1200)))
        }
        feed.confirmedKinds = [.limitBand: 1, .imbalance: 1, .fairValue: 1]
        #expect(state().quietFor == nil)
        feed.confirmedKinds[.trade] = 1
        #expect(state().quietFor == 1200)
    }
}

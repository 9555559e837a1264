import Testing

@testable import Collector

/// How long a connection has been quiet, in New York's regular session of Friday, 2026-11-20: 14:30 to 21:00 UTC.
@Suite(.timeLimit(.minutes(1))) struct QuietConnectionTests {
    private let open: Int64 = 1_795_185_000_000

    private func quiet(_ minutes: Int64, since: Int64?, event: Int64?) -> Double? {
        ConnectionState.quiet(
            at: open + minutes * 60_000, connectedSince: since.map { open + $0 * 60_000 },
            lastEvent: event.map { open + $0 * 60_000 })
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

    @Test func `an event from the future makes no negative time`() {
        #expect(quiet(20, since: -600, event: 25) == 0)
    }
}

import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct RepeatedFailureTests {
    private let start = ContinuousClock.now

    @Test func `a failure is logged at once and then every half minute with its count`() {
        var failure = RepeatedFailure<ContinuousClock.Instant>()
        #expect(failure.occurred("disk", now: start) == 1)
        for second in 1..<30 { #expect(failure.occurred("disk", now: start + .seconds(second)) == nil) }
        #expect(failure.occurred("disk", now: start + .seconds(30)) == 30)
    }

    @Test func `its end is told once, and a failure that comes and goes does not fill the log`() {
        var failure = RepeatedFailure<ContinuousClock.Instant>()
        _ = failure.occurred("disk", now: start)
        let ended = [failure.ended(), failure.ended()]
        #expect(ended == [true, false])
        #expect(failure.occurred("disk", now: start + .seconds(1)) == nil)
        let again = failure.ended()
        #expect(!again)
    }

    @Test func `another failure is logged at once`() {
        var failure = RepeatedFailure<ContinuousClock.Instant>()
        _ = failure.occurred("disk", now: start)
        #expect(failure.occurred("other", now: start + .seconds(1)) == 1)
    }
}

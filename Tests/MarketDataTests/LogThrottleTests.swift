import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct LogThrottleTests {
    private typealias Throttle = LogThrottle<String, ContinuousClock.Instant>

    private let start = ContinuousClock.now

    @Test func `a failure is logged at once and then every half minute with its count`() {
        var log = Throttle()
        #expect(log.occurred("disk", "full", now: start) == 1)
        for second in 1..<30 { #expect(log.occurred("disk", "full", now: start + .seconds(second)) == nil) }
        #expect(log.occurred("disk", "full", now: start + .seconds(30)) == 30)
        #expect(log.occurred("disk", "full", now: start + .seconds(31)) == nil)
    }

    @Test func `another failure and another key are logged at once`() {
        var log = Throttle()
        _ = log.occurred("disk", "full", now: start)
        #expect(log.occurred("disk", "gone", now: start + .seconds(1)) == 1)
        #expect(log.occurred("net", "full", now: start + .seconds(1)) == 1)
    }

    @Test func `two failures that alternate are logged as rarely as one`() {
        var log = Throttle()
        let counts = (0..<60).compactMap { second in
            log.occurred("upload", second.isMultiple(of: 2) ? "no route" : "refused", now: start + .seconds(second))
        }
        #expect(counts == [1, 1, 15, 15])
    }

    @Test func `texts that always differ cannot fill the log, and the next line counts them`() {
        var log = Throttle()
        let logged = (0..<1000).compactMap { log.occurred("a", "\($0)", now: start + .milliseconds($0)) }
        #expect(logged == [1, 1, 1, 1])
        #expect(log.occurred("a", "later", now: start + .seconds(31)) == 997)
        #expect(log.occurred("a", "next", now: start + .seconds(32)) == 1)
    }

    @Test func `nothing that happened is missing from the counts`() {
        var log = Throttle(interval: .seconds(10), variety: 2)
        var counted = 0
        for second in 0..<1000 {
            counted += log.occurred("a", "\(second * 7919 % 5)", now: start + .seconds(second)) ?? 0
        }
        #expect(counted < 1000)
        counted += log.occurred("a", "last", now: start + .seconds(1100)) ?? 0
        #expect(counted == 1001)
    }

    @Test func `the end is logged once, and a failure that comes and goes does not fill the log`() {
        var log = Throttle()
        _ = log.occurred("disk", "full", now: start)
        let ended = [log.ended("disk"), log.ended("disk"), log.ended("net")]
        #expect(ended == [true, false, false])
        #expect(log.occurred("disk", "full", now: start + .seconds(1)) == nil)
        let again = log.ended("disk")
        #expect(!again)
    }
}

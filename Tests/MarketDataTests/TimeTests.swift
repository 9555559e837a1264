import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct DurationTests {
    private static let ages = Duration.seconds(1_000_000_000_000_000_000)

    @Test func `lengths beyond what fits are the longest that does`() {
        #expect(Self.ages.nanoseconds == .max)
        #expect(Self.ages.milliseconds == .max)
        #expect(Self.ages.millisecondsUp == .max)
        #expect((.zero - Self.ages).nanoseconds == .min)
        #expect((.zero - Self.ages).milliseconds == .min)
        #expect(Duration.seconds(1_000_000_000_000).nanoseconds == .max)
        #expect(Duration.seconds(1_000_000_000_000).milliseconds == 1_000_000_000_000_000)
        #expect(!Self.ages.spoken.isEmpty)
        #expect(Self.ages.inSeconds == 1e18)
    }

    @Test func `units are cut toward zero, and rounded up where a wait must not end early`() {
        let length = Duration.milliseconds(1500) + .nanoseconds(1)
        #expect(length.nanoseconds == 1_500_000_001)
        #expect(length.milliseconds == 1500)
        #expect(length.millisecondsUp == 1501)
        #expect((.zero - length).milliseconds == -1500)
        #expect((.zero - length).millisecondsUp == -1500)
        #expect(Duration.zero.millisecondsUp == 0)
        #expect(Duration.nanoseconds(1).millisecondsUp == 1)
        #expect(Duration.milliseconds(7).millisecondsUp == 7)
        #expect(Duration.milliseconds(250).inSeconds == 0.25)
    }

    @Test(arguments: [(0, 50), (1, 50), (2, 100), (5, 800), (6, 1000), (7, 1000), (Int.max, 1000)])
    func `pauses double with each failure up to the longest`(failures: Int, milliseconds: Int) {
        let pause = Duration.milliseconds(50).backoff(after: failures, upTo: .seconds(1))
        #expect(pause == .milliseconds(milliseconds))
        #expect(Duration.seconds(5).backoff(after: failures, upTo: .seconds(1)) == .seconds(1))
    }

    @Test(arguments: [
        (Duration.zero, "0 ms"), (.milliseconds(250), "250 ms"), (.milliseconds(999), "999 ms"), (.seconds(1), "1 s"),
        (.milliseconds(1500), "1.5 s"), (.milliseconds(1449), "1.4 s"), (.milliseconds(12_340), "12 s"),
        (.seconds(60), "60 s"), (.seconds(299), "299 s"), (.seconds(300), "5 min"), (.seconds(7199), "119 min"),
        (.seconds(10_829), "3 h"), (.seconds(400_000), "4 days"), (.seconds(-3), "0 ms"),
    ])
    func `a length is written for people`(length: Duration, text: String) {
        #expect(length.spoken == text)
    }
}

@Suite(.timeLimit(.minutes(1))) struct MonotonicTimeTests {
    private let start = MonotonicTime(nanoseconds: 5_000_000_000)

    @Test func `moments move both ways and stay within the clock`() {
        #expect(start.advanced(by: .seconds(2)).nanoseconds == 7_000_000_000)
        #expect((start - .seconds(2)).nanoseconds == 3_000_000_000)
        #expect((start - .seconds(60)).nanoseconds == 0)
        #expect(start.advanced(by: .seconds(1_000_000_000_000)) > start)
        #expect(start.duration(to: start - .seconds(2)) == .seconds(-2))
        #expect(start.since(start - .seconds(2)) == .seconds(2))
        #expect((start - .seconds(2)).since(start) == .zero)
        #expect(MonotonicTime(sinceBoot: start.sinceBoot) == start)
        #expect(MonotonicTime(sinceBoot: .seconds(-1)).nanoseconds == 0)
    }

    @Test func `the coarse clock is the same clock`() {
        let before = MonotonicTime.coarse()
        let now = MonotonicTime.now()
        let after = MonotonicTime.coarse()
        #expect(before <= now)
        #expect(now.since(after) < .seconds(5))
    }
}

@Suite(.timeLimit(.minutes(1))) struct WallClockTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00Z"), (999, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
        (1_785_576_600_000, "2026-08-01T09:30:00Z"),
    ])
    func `milliseconds are written to the second that holds them`(milliseconds: Int64, text: String) {
        #expect(WallClock.text(milliseconds: milliseconds) == text)
    }

    @Test func `a moment in a file name has no colons`() {
        #expect(WallClock.compactText(seconds: 1_785_576_600) == "20260801T093000Z")
    }

    @Test func `a moment that no calendar holds is still written`() {
        #expect(WallClock.text(seconds: .max).contains("9223372036854775807"))
    }
}

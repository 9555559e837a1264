import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct StallWatchTests {
    private func watch() -> StallWatch {
        StallWatch(pingInterval: .seconds(15), stallTimeout: .seconds(60), now: .zero)
    }

    @Test func `silence is pinged every interval and given up at the timeout`() {
        var watch = watch()
        var verdicts: [StallWatch.Verdict] = []
        while let deadline = watch.deadline, verdicts.last != .stalled { verdicts.append(watch.tick(now: deadline)) }
        #expect(verdicts == [.ping, .ping, .ping, .stalled])
    }

    @Test func `any frame starts the silence again`() {
        var watch = watch()
        #expect(watch.tick(now: .seconds(15)) == .ping)
        watch.seen(now: .seconds(59))
        #expect(watch.tick(now: .seconds(60)) == .fine)
        #expect(watch.deadline == .seconds(74))
    }

    @Test func `pings that stay unanswered while data flows are no fault`() {
        var watch = watch()
        for second in 1...600 {
            watch.seen(now: .seconds(second))
            #expect(watch.tick(now: .seconds(second)) == .fine)
        }
    }

    @Test func `a ping that waits five seconds longer than usual shows a silence in which events may be lost`() {
        var watch = watch()
        // Without an unanswered ping, the feed may simply have nothing to send.
        #expect(watch.overdue(now: .seconds(30)) == nil)
        _ = watch.tick(now: .seconds(15))
        #expect(watch.overdue(now: .seconds(20)) == nil && watch.overdue(now: .seconds(21)) == .seconds(21))
        watch.paused()
        #expect(watch.overdue(now: .seconds(40)) == nil)
        watch.resumed(now: .seconds(41))
        #expect(watch.overdue(now: .seconds(60)) == nil)
    }

    @Test func `while reading is paused nothing is due, and afterwards silence starts again`() {
        var watch = watch()
        watch.paused()
        #expect(watch.deadline == nil)
        #expect(watch.tick(now: .seconds(600)) == .fine)
        watch.resumed(now: .seconds(600))
        #expect(watch.deadline == .seconds(615))
    }

    @Test func `a process that was suspended asks for a sign of life before it gives up`() {
        var watch = watch()
        #expect(watch.tick(now: .seconds(15)) == .ping)
        #expect(watch.tick(now: .seconds(330)) == .ping)
        #expect(watch.tick(now: .seconds(345)) == .ping)
        #expect(watch.tick(now: .seconds(360)) == .ping)
        #expect(watch.tick(now: .seconds(375)) == .ping)
        #expect(watch.tick(now: .seconds(390)) == .stalled)
    }

    @Test func `a ping comes before the timeout even when its interval is longer`() {
        var watch = StallWatch(pingInterval: .seconds(100), stallTimeout: .seconds(10), now: .zero)
        #expect(watch.tick(now: .seconds(5)) == .ping)
        #expect(watch.tick(now: .seconds(10)) == .stalled)
    }
}

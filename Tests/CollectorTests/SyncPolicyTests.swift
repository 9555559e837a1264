import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(5))) struct SyncPolicyTests {
    @Test func `while all goes well, passes keep the interval`() {
        var policy = SyncPolicy(interval: .seconds(5))
        for _ in 0..<3 { #expect(policy.wait(after: .drained, jitter: 0.3) == .seconds(5)) }
    }

    @Test func `passing faults back off from a second to a minute, with jitter that never exceeds the step`() {
        var policy = SyncPolicy(interval: .seconds(5))
        var longest = Duration.zero
        for step in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let wait = policy.wait(after: .failedForNow, jitter: 1)
            #expect(wait == .seconds(step))
            longest = max(longest, wait)
        }
        #expect(longest == SyncPolicy.slowest)
        var jittered = SyncPolicy(interval: .seconds(5))
        #expect(jittered.wait(after: .failedForNow, jitter: 0) == .milliseconds(500))
    }

    @Test func `a fault that a person must fix is tried slowly, and forgotten after a success`() {
        var policy = SyncPolicy(interval: .seconds(5))
        #expect(policy.wait(after: .paused, jitter: 1) == .seconds(5))
        #expect(policy.wait(after: .paused, jitter: 1) == .seconds(10))
        for _ in 0..<10 { #expect(policy.wait(after: .paused, jitter: 1) <= SyncPolicy.slowest) }
        #expect(policy.wait(after: .drained, jitter: 1) == .seconds(5))
        #expect(policy.wait(after: .paused, jitter: 1) == .seconds(5))
    }
}

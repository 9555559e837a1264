import NIOCore
import Testing

@testable import FeedServer

@Suite(.timeLimit(.minutes(1))) struct `What a client may ask for` {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test func `is a burst, and then as much as it earns`() {
        var allowance = RequestAllowance(.init(burstBytes: 1000, bytesPerSecond: 100))
        // The shortest message costs something too.
        let verdicts = [(900, 0), (1, 0), (100, 0), (100, 2), (10, 4)].map { length, second in
            allowance.take(length, now: start + .seconds(second))
        }
        #expect(
            verdicts == [
                .within, .within, .wait(.milliseconds(640)), .within, .within,
            ])
    }

    @Test func `is owed until it is earned, however often it is asked for`() {
        var allowance = RequestAllowance(.init(burstBytes: 1000, bytesPerSecond: 100))
        #expect(allowance.take(1200, now: start) == .wait(.seconds(2)))
        for step in 1...1999 {
            #expect(allowance.wait(now: start + .milliseconds(Int64(step))) != nil, "\(step)")
        }
        #expect(allowance.wait(now: start + .milliseconds(2010)) == nil)
    }

    @Test func `is exceeded by a burst that nobody had to read`() {
        var allowance = RequestAllowance(.init(burstBytes: 1000, bytesPerSecond: 100))
        #expect(allowance.take(2000, now: start) == .wait(.seconds(10)))
        #expect(allowance.take(1, now: start) == .tooMuch)
    }
}

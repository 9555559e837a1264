import NIOCore
import Testing

@testable import FeedServer

@Suite(.timeLimit(.minutes(1))) struct `What a client may ask for` {
    @Test func `is a burst, and then so much a second`() {
        var allowance = RequestAllowance(.init(burstBytes: 1000, bytesPerSecond: 100))
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        // The shortest message costs something too.
        let taken = [(900, 0), (1, 0), (100, 0), (100, 2), (200, 2)].map { length, second in
            allowance.takes(length, now: start + .seconds(second))
        }
        #expect(taken == [true, true, false, true, false])
    }
}

import TestSupport
import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(1))) struct StallLogTests {
    /// The log after a look every two seconds, in each of which the writer has made no progress for so many seconds.
    private static func lines(_ ages: [Double]) -> [String] {
        let log = CapturedLog()
        var stalls = StallLog(logger: log.logger)
        let start = ContinuousClock.now
        for (index, age) in ages.enumerated() {
            var snapshot = CollectorSnapshot(collector: "box", version: "1")
            snapshot.loops = [LoopProgress(name: "writer", age: age, limit: 60)]
            stalls.look(at: snapshot, now: start + .seconds(2 * index))
        }
        return log.lines
    }

    @Test func `a disk that does not respond is in the log, and so is its end`() {
        let lines = Self.lines([0, 4, 6, 8, 10, 0, 0])
        #expect(lines.count == 2, "\(lines)")
        #expect(lines.first?.contains("nothing is committed") == true && lines.first?.contains("seconds=8") == true)
        #expect(lines.last?.contains("committed again") == true)
    }

    @Test func `while it lasts, it is logged every half minute`() {
        let lines = Self.lines((0...20).map { Double($0) * 2 + 6 })
        #expect(lines.count == 2, "\(lines)")
    }

    @Test func `a pause of the whole process is no stall`() {
        #expect(Self.lines([0, 300, 0, 0]) == [])
    }
}

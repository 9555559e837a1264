import MarketData
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(1))) struct CommitPaceTests {
    private func moment(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(sinceBoot: .seconds(100) + .milliseconds(milliseconds))
    }

    @Test func `a fixed interval is kept whatever comes`() {
        var pace = CommitPace(.fixed(.milliseconds(20)))
        for start in [0, 20, 5000] { #expect(pace.start(at: moment(start)) == moment(start + 20)) }
    }

    @Test func `a steady stream is committed ever less often, down to once a second`() {
        var pace = CommitPace(.automatic)
        var now = 0
        var intervals: [Int] = []
        for _ in 0..<8 {
            let due = pace.start(at: moment(now))
            intervals.append(Int(moment(now).duration(to: due).milliseconds))
            now += intervals[intervals.count - 1] + 10
        }
        #expect(intervals == [50, 100, 200, 400, 800, 1000, 1000, 1000])
    }

    @Test func `what comes after a quiet second is committed soon`() {
        var pace = CommitPace(.automatic)
        for start in stride(from: 0, through: 3000, by: 300) { _ = pace.start(at: moment(start)) }
        #expect(pace.interval == .seconds(1))
        #expect(pace.start(at: moment(5000)) == moment(5050))
    }

    @Test func `bars once a minute are never held back`() {
        var pace = CommitPace(.automatic)
        for minute in 0..<5 {
            #expect(pace.start(at: moment(minute * 60_000)) == moment(minute * 60_000 + 50))
        }
    }
}

import MarketData
import Testing
import Upstream

@testable import Collector

@Suite(.timeLimit(.minutes(1))) struct SyncScheduleTests {
    private let now = ContinuousClock.now

    @Test func `while all goes well, all streams go up every interval`() {
        var schedule = SyncSchedule(EventStream.allCases, interval: .seconds(5))
        for _ in 0..<3 {
            let due = schedule.due(at: now, isAsked: false)
            #expect(due == EventStream.allCases && schedule.failing.isEmpty)
            #expect(schedule.wait(after: .passed(failures: [:]), of: due, at: now, jitter: 1) == .seconds(5))
        }
    }

    @Test func `a stream with problem is tried at its own pace, the others keep theirs`() {
        var schedule = SyncSchedule(EventStream.allCases, interval: .seconds(5))
        var now = now
        var tried = 0
        for _ in 0..<60 {
            let due = schedule.due(at: now, isAsked: false)
            #expect(due.contains(.bars) && due.contains(.quotes))
            let isTried = due.contains(.trades)
            if isTried { tried += 1 }
            let wait = schedule.wait(
                after: .passed(failures: isTried ? [.trades: .paused] : [:]), of: due, at: now, jitter: 1)
            #expect(schedule.failing == [.trades] && wait <= .seconds(5))
            now += wait
        }
        // After 0, 5, 15, 35, 75 seconds, then every minute.
        #expect(tried == 8)
        let due = schedule.due(at: now + .seconds(60), isAsked: false)
        _ = schedule.wait(after: .passed(failures: [:]), of: due, at: now, jitter: 1)
        #expect(due == EventStream.allCases && schedule.failing.isEmpty)
    }

    @Test func `a stream that is soon to be tried again doesn't wait for the interval`() {
        var schedule = SyncSchedule(EventStream.allCases, interval: .seconds(60))
        let wait = schedule.wait(
            after: .passed(failures: [.bars: .failedForNow]), of: EventStream.allCases, at: now, jitter: 1)
        #expect(wait == .seconds(1))
        #expect(schedule.due(at: now, isAsked: false) == EventStream.allCases.filter { $0 != .bars })
        #expect(schedule.due(at: now + wait, isAsked: false) == EventStream.allCases)
    }

    @Test func `a stream doesn't wait out its pause once a database that was away is back`() {
        var schedule = SyncSchedule(EventStream.allCases, interval: .seconds(5))
        var now = now
        for _ in 0..<8 {
            let wait = schedule.wait(
                after: .passed(failures: [.trades: .paused]), of: EventStream.allCases, at: now, jitter: 1)
            now += wait
        }
        #expect(!schedule.due(at: now, isAsked: false).contains(.trades))
        now += schedule.wait(after: .failed(.failedForNow), of: [.bars, .quotes], at: now, jitter: 1)
        #expect(schedule.due(at: now, isAsked: false) == EventStream.allCases && schedule.failing == [.trades])
    }

    @Test func `the interval is from one pass's beginning to the next one's, and what was cut short goes on at once`() {
        var schedule = SyncSchedule(EventStream.allCases, interval: .seconds(5))
        for (took, isCutShort, expected) in [(2.0, false, 3.0), (7, false, 0), (7, true, 0), (2, true, 0)] {
            let wait = schedule.wait(
                after: .passed(failures: [:], isCutShort: isCutShort), of: EventStream.allCases, at: now,
                took: .seconds(took), jitter: 1)
            #expect(wait == .seconds(expected))
        }
    }

    @Test func `who asks has all streams tried at once`() {
        var schedule = SyncSchedule(EventStream.allCases, interval: .seconds(5))
        _ = schedule.wait(after: .passed(failures: [.trades: .paused]), of: EventStream.allCases, at: now, jitter: 1)
        #expect(schedule.due(at: now, isAsked: true) == EventStream.allCases)
    }

    @Test func `problem of the database backs all of them off`() {
        var schedule = SyncSchedule(EventStream.allCases, interval: .seconds(5))
        for seconds in [1, 2, 4] {
            #expect(
                schedule.wait(after: .failed(.failedForNow), of: EventStream.allCases, at: now, jitter: 1)
                    == .seconds(seconds))
        }
        #expect(schedule.failing.isEmpty)
    }
}

@Suite(.timeLimit(.minutes(1))) struct BatchSizeTests {
    @Test func `a batch that took too long halves the next, down to a row`() {
        var size = BatchSize(5000, most: 5000)
        size.tookTooLong()
        #expect(size.rows == 2500)
        for _ in 0..<20 { size.tookTooLong() }
        #expect(size.rows == 1)
    }

    @Test func `full batches that go up double it again, step by step, and no further than it may be`() {
        var size = BatchSize(100, most: 100)
        for _ in 0..<3 { size.tookTooLong() }
        #expect(size.rows == 12)
        var sizes: [Int] = []
        for _ in 0..<5 {
            for _ in 0..<BatchSize.steady { size.wentUp(size.rows, in: .milliseconds(1)) }
            sizes.append(size.rows)
        }
        #expect(sizes == [24, 48, 96, 100, 100])
    }

    @Test func `batches that aren't full prove nothing`() {
        var size = BatchSize(100, most: 100)
        size.tookTooLong()
        for _ in 0..<100 { size.wentUp(49, in: .milliseconds(1)) }
        #expect(size.rows == 50)
    }
}

@Suite(.timeLimit(.minutes(1))) struct SyncStatusTests {
    private func report(_ failures: [EventStream: UpstreamError] = [:]) -> UploadReport {
        var report = UploadReport()
        report.failures = failures
        return report
    }

    @Test func `a stream's failure names it and ends when that stream goes up`() {
        var status = SyncStatus()
        let now = ContinuousClock.now
        status.failed(.quotes, "the table is missing", needsPerson: true, at: now)
        status.failed(.trades, "locked", needsPerson: false, at: now + .seconds(1))
        status.failed(.quotes, "the table is missing", needsPerson: true, at: now + .seconds(2))
        #expect(status.failure?.description == "trades: locked; quotes: the table is missing")
        #expect(status.failure?.needsPerson == true && status.failure?.since == now)
        status.passed(report(), of: [.bars, .trades], at: now + .seconds(3))
        #expect(status.failure?.description == "quotes: the table is missing" && status.lastSuccess == nil)
        status.passed(report(), of: EventStream.allCases, at: now + .seconds(4))
        #expect(status.failure == nil && status.lastSuccess == now + .seconds(4))
    }

    /// Simulates a server that takes this long for each batch and each row, in milliseconds.
    private func uploads(_ batches: Int, _ size: inout BatchSize, perBatch: Double, perRow: Double) {
        for _ in 0..<batches {
            size.wentUp(size.rows, in: .milliseconds(1) * (perBatch + perRow * Double(size.rows)))
        }
    }

    @Test func `where each batch takes the server long, batches grow, as far as they may`() {
        var size = BatchSize(20_000, most: 100_000)
        uploads(100, &size, perBatch: 280, perRow: 0.007)
        #expect(size.rows == 100_000)
    }

    @Test func `where a batch takes no longer than its rows, the size stays`() {
        var quick = BatchSize(20_000, most: 100_000)
        uploads(100, &quick, perBatch: 1, perRow: 0.005)
        #expect(quick.rows == 20_000)
        // With a slow disk, for example, larger batches gain nothing, and the old size comes back.
        var slow = BatchSize(20_000, most: 100_000)
        uploads(BatchSize.steady, &slow, perBatch: 5, perRow: 0.05)
        #expect(slow.rows == 40_000)
        uploads(100, &slow, perBatch: 5, perRow: 0.05)
        #expect(slow.rows == 20_000)
    }

    @Test func `a batch that grew and took too long is halved, and does not grow there again`() {
        var size = BatchSize(20_000, most: 100_000)
        uploads(100, &size, perBatch: 280, perRow: 0.007)
        size.tookTooLong()
        #expect(size.rows == 50_000)
        uploads(100, &size, perBatch: 280, perRow: 0.007)
        #expect(size.rows == 50_000)
        size.tookTooLong()
        size.tookTooLong()
        uploads(100, &size, perBatch: 280, perRow: 0.007)
        #expect(size.rows == 20_000)
    }
}

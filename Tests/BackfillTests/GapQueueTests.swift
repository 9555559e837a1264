import MarketData
import Testing

@testable import Backfill
@testable import Store

@Suite(.timeLimit(.minutes(1))) struct GapQueueTests {
    private let wall: Int64 = 1_795_000_000_000
    private let rules: BackfillService.Configuration = {
        var rules = BackfillService.Configuration()
        rules.reach = .seconds(86_400)
        return rules
    }()
    private let badAnswer = BackfillError(.badAnswer, "HTTP 404")

    private func gap(_ id: Int64, endedAgo age: Int64 = 60_000) -> GapRecord {
        GapRecord(
            id: id,
            gap: Gap(
                connection: "primary", symbols: [], events: [.minuteBar], from: wall - age - 1, to: wall - age,
                cause: .disconnected), state: .open, detail: nil, rows: 0, recorded: wall, settled: [:])
    }

    private struct Due: Equatable {
        var now: [Int64]
        var next: Duration?
    }

    private func due(_ queue: inout GapQueue, _ gaps: [GapRecord], now: Duration, step: Int64 = 0) -> Due {
        let (due, next) = queue.due(gaps.compactMap { WaitingGap($0) }, wall: wall + step, now: now)
        return Due(now: due.map(\.id), next: next)
    }

    private func failed(_ queue: inout GapQueue, _ gap: Int64, _ error: BackfillError, now: Duration) -> Bool {
        queue.failed(self.gap(gap), error, now: now)
    }

    @Test func `a gap waits until its last bars have come, and one beyond the reach is left alone`() {
        var queue = GapQueue(rules: rules)
        let gaps = [gap(1, endedAgo: 60_000), gap(2, endedAgo: 20_000), gap(3, endedAgo: 86_400_001)]
        #expect(due(&queue, gaps, now: .zero) == Due(now: [1], next: .seconds(10)))
        #expect(due(&queue, [gaps[2]], now: .zero) == Due(now: [], next: nil))
    }

    @Test func `an end in the future, as a clock that was stepped back shows it, waits as a fresh one`() {
        var queue = GapQueue(rules: rules)
        #expect(due(&queue, [gap(1, endedAgo: -3_600_000)], now: .zero) == Due(now: [], next: .seconds(30)))
    }

    @Test func `a gap that has just ended settles for its whole time, wherever a clock is stepped to meanwhile`() {
        var queue = GapQueue(rules: rules)
        #expect(due(&queue, [], now: .zero) == Due(now: [], next: nil))
        // The clock is stepped forward by an hour, or back by one.
        for step in [3_600_000, -3_600_000] as [Int64] {
            let gap = gap(step, endedAgo: 0)
            #expect(due(&queue, [gap], now: .seconds(5)) == Due(now: [], next: .seconds(30)))
            #expect(due(&queue, [gap], now: .seconds(34), step: step) == Due(now: [], next: .seconds(1)))
            #expect(due(&queue, [gap], now: .seconds(35), step: step) == Due(now: [step], next: nil))
        }
        // A gap that goes on ends again later.
        var more = gap(1, endedAgo: 0)
        _ = due(&queue, [more], now: .seconds(40))
        more.gap.to = wall + 20_000
        #expect(due(&queue, [more], now: .seconds(60)) == Due(now: [], next: .seconds(30)))
        #expect(due(&queue, [more], now: .seconds(90)) == Due(now: [1], next: nil))
    }

    @Test func `of a delayed feed's gap the delay is over when it ends, and no more of its settling time`() {
        var delayed = rules
        delayed.delay = .seconds(16 * 60)
        delayed.settleTime = delayed.delay + .seconds(30)
        var queue = GapQueue(rules: delayed)
        _ = due(&queue, [], now: .zero)
        #expect(due(&queue, [gap(1, endedAgo: 15 * 60_000)], now: .zero) == Due(now: [], next: .seconds(90)))
        #expect(due(&queue, [gap(2, endedAgo: 3_600_000)], now: .zero) == Due(now: [], next: .seconds(30)))
    }

    @Test func `events that the server refused are asked for again after an hour, and logged once`() {
        var queue = GapQueue(rules: rules)
        #expect(queue.uncovered(now: .zero).isEmpty)
        let isNew = queue.refused(.trade, now: .zero)
        #expect(isNew && queue.uncovered(now: .seconds(3599)) == [.trade])
        #expect(queue.uncovered(now: .seconds(3600)).isEmpty)
        let isNewAgain = queue.refused(.trade, now: .seconds(3600))
        #expect(!isNewAgain)
        #expect(queue.uncovered(now: .seconds(7199)) == [.trade])
    }

    @Test func `a gap whose answer is bad waits, longer each time, and keeps no other gap waiting`() {
        var queue = GapQueue(rules: rules)
        let gaps = [gap(1, endedAgo: 60_000), gap(2, endedAgo: 60_000)]
        #expect(failed(&queue, 1, badAnswer, now: .zero))
        #expect(due(&queue, gaps, now: .zero) == Due(now: [2], next: .seconds(60)))
        queue.filled(gap(2), .filled)
        #expect(due(&queue, [gaps[0]], now: .seconds(60)) == Due(now: [1], next: nil))
        _ = queue.failed(gap(1), badAnswer, now: .seconds(60))
        #expect(due(&queue, [gaps[0]], now: .seconds(60)) == Due(now: [], next: .seconds(120)))
        queue.filled(gap(1), .filled)
        #expect(failed(&queue, 1, badAnswer, now: .seconds(60)))
        #expect(due(&queue, [gaps[0]], now: .seconds(60)) == Due(now: [], next: .seconds(60)))
    }

    @Test func `the same failure of a gap is told once, another again`() {
        var queue = GapQueue(rules: rules)
        #expect(failed(&queue, 1, badAnswer, now: .zero))
        #expect(!failed(&queue, 1, badAnswer, now: .seconds(60)))
        #expect(failed(&queue, 1, BackfillError(.badAnswer, "HTTP 410"), now: .seconds(200)))
        #expect(failed(&queue, 2, badAnswer, now: .seconds(200)))
    }

    @Test func `a server that can't be reached is left alone by every gap, a refused key for longer`() {
        let gaps = [gap(1, endedAgo: 60_000), gap(2, endedAgo: 60_000)]
        var queue = GapQueue(rules: rules)
        #expect(failed(&queue, 1, BackfillError(.unreachable, "away"), now: .zero))
        #expect(queue.isResting(now: .zero))
        #expect(due(&queue, gaps, now: .zero) == Due(now: [], next: .seconds(30)))
        #expect(!failed(&queue, 1, BackfillError(.unreachable, "away"), now: .seconds(30)))
        #expect(due(&queue, gaps, now: .seconds(30)) == Due(now: [], next: .seconds(60)))
        queue.filled(gap(1), .filled)
        #expect(!queue.isResting(now: .seconds(30)))
        _ = queue.failed(gap(2), BackfillError(.keyRefused, "refused"), now: .zero)
        #expect(due(&queue, gaps, now: .zero) == Due(now: [], next: .seconds(3600)))
    }

    @Test func `a failure lasts from its first time until it is over or nothing waits any more`() {
        let gaps = [gap(1, endedAgo: 60_000), gap(2, endedAgo: 60_000)]
        var queue = GapQueue(rules: rules)
        #expect(queue.failure == nil)
        let refused = BackfillError(.keyRefused, "refused")
        _ = queue.failed(gap(1), badAnswer, now: .seconds(5))
        for hour in 0..<3 { _ = queue.failed(gap(2), refused, now: .seconds(10 + 3600 * hour)) }
        #expect(queue.failure?.since == .seconds(5) && queue.failure?.message == "HTTP 404")
        _ = due(&queue, [gaps[1]], now: .seconds(9000))
        #expect(queue.failure?.since == .seconds(10) && queue.failure?.message == "refused")
        queue.filled(gap(2), .filled)
        #expect(queue.failure == nil)
        _ = queue.failed(gap(1), refused, now: .seconds(9000))
        _ = due(&queue, [], now: .seconds(9000))
        #expect(queue.failure == nil && !queue.isResting(now: .seconds(9000)))
    }

    @Test func `one gap after the other with a bad answer is the server's problem, and the next ones come afterwards`()
    {
        let gaps = (1...4).map { gap($0, endedAgo: 60_000) }
        var queue = GapQueue(rules: rules)
        for id in 1...3 { _ = queue.failed(gap(Int64(id)), badAnswer, now: .zero) }
        #expect(due(&queue, gaps, now: .zero) == Due(now: [], next: .seconds(30)))
        #expect(due(&queue, gaps, now: .seconds(30)) == Due(now: [4], next: .seconds(30)))
    }

    @Test func `gaps that wait for the database, however many, are tried again and keep no other gap waiting`() {
        let gaps = (1...5).map { gap($0, endedAgo: 60_000) }
        var queue = GapQueue(rules: rules)
        let away = BackfillError(.database, "away")
        for id in 1...4 { #expect(failed(&queue, Int64(id), away, now: .zero)) }
        #expect(!queue.isResting(now: .zero))
        #expect(due(&queue, gaps, now: .zero) == Due(now: [5], next: .seconds(60)))
        #expect(due(&queue, gaps, now: .seconds(60)) == Due(now: [1, 2, 3, 4, 5], next: nil))
    }

    @Test func `gaps whose rows are gone, however many, keep no other gap waiting`() {
        var queue = GapQueue(rules: rules)
        let gone = BackfillError(.forgotten, "gone")
        for id in 1...4 { #expect(failed(&queue, Int64(id), gone, now: .zero)) }
        #expect(!queue.isResting(now: .zero))
    }

    @Test func `a gap filled as far as the reach goes is not asked for again`() {
        var queue = GapQueue(rules: rules)
        queue.filled(gap(1), .open)
        #expect(due(&queue, [gap(1, endedAgo: 60_000)], now: .zero) == Due(now: [], next: nil))
    }

    @Test func `what happened to a gap says nothing of the one to which a fresh file gives its number`() {
        var queue = GapQueue(rules: rules)
        queue.filled(gap(1), .open)
        _ = queue.failed(gap(2), badAnswer, now: .zero)
        let others = [gap(1), gap(2)].map { record in
            var other = record
            other.recorded += 1
            return other
        }
        #expect(due(&queue, others, now: .zero) == Due(now: [1, 2], next: nil))
    }
}

@Suite(.timeLimit(.minutes(1))) struct PageLinkTests {
    private let page = "/v2/aggs/ticker/AAPL/range/1/minute/1/2?cursor=bGltaXQ9Mg"

    @Test(arguments: [
        "https://api.massive.com", "https://api.polygon.io", "http://10.0.0.1:8080", "https://api.massive.com:443:443",
        "https://user@[2001:db8::1]:8443", "",
    ])
    func `a link counts by its path and query alone, on the server that was asked`(origin: String) {
        #expect(PageLink.address(origin + page, base: "https://own:8443", prefix: "") == "https://own:8443" + page)
    }

    @Test func `the path before the routes is put on once`() {
        for link in ["https://api.massive.com" + page, "https://own/massive" + page, "/massive" + page] {
            #expect(PageLink.address(link, base: "https://own", prefix: "/massive") == "https://own/massive" + page)
        }
    }

    @Test(arguments: [
        "", "cursor", "https://api.massive.com", "//other/v2", "https://api.massive.com//other", "/v2/a b",
        "/v2/\r\nX: y",
        "/v2/" + String(repeating: "x", count: 9000),
    ])
    func `what is no path is not followed`(link: String) {
        #expect(PageLink.address(link, base: "https://own", prefix: "") == nil)
    }
}

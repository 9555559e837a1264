import Testing

@testable import Collector

@Suite(.timeLimit(.minutes(1))) struct HistoryTests {
    private static let now: Int64 = 1_767_625_200_000

    private static func point(_ secondsAgo: Int64, rates: [String: Double] = [:]) -> History.Point {
        History.Point(time: now - secondsAgo * 1000, rates: rates, pending: secondsAgo, lag: 0)
    }

    private static func history(_ points: [History.Point]) -> History {
        var history = History()
        points.forEach { history.append($0) }
        return history
    }

    @Test func `the hour comes back from its text as it was`() {
        let full = History.Point(
            time: Self.now, rates: ["connection_1": 12.25, "a=b": 0, "c": 1.0 / 3], pending: 7, lag: 1.5,
            latencyMedian: 0.002, latencyHigh: 0.25)
        let points = [Self.point(10), Self.point(5, rates: ["connection_1": 3]), full]
        #expect(History(text: Self.history(points).text, now: Self.now).points == points)
    }

    @Test func `what is older than an hour, comes from the future or can't be read is left out`() {
        let points = [Self.point(3601), Self.point(3599), Self.point(0), Self.point(-1)]
        let text = Self.history(points).text
        let torn = "half a line\n" + text + "\(Self.now)\t1"
        #expect(History(text: torn, now: Self.now).points == [points[1], points[2]])
        #expect(History(text: "\u{0}\u{1}", now: Self.now).points == [])
    }

    @Test func `an earlier life comes before this one's points`() {
        let board = StatusBoard(collector: { CollectorSnapshot(collector: "box", version: "1") }, latency: { [:] })
        let own = board.remember()
        let earlier = Self.history([Self.point(10), Self.point(5)])
        board.recall(earlier)
        #expect(board.history.points == earlier.points + [own])
    }
}

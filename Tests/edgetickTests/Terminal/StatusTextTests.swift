import Collector
import Feed
import MarketData
import Store
import Testing

@testable import Wire
@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct StatusTextTests {
    /// A collector with long names and numbers, as its API tells of it.
    private static func status(name: String, failing: Bool) -> StatusJSON {
        var snapshot = CollectorSnapshot(collector: name, version: "0.1.0")
        func connection(_ number: Int, _ name: String, _ change: (inout FeedSnapshot) -> Void) -> ConnectionState {
            var feed = FeedSnapshot(name: name)
            change(&feed)
            return ConnectionState(SetSnapshot.Member(id: "connection_\(number)", feed: feed), at: 0)
        }
        let symbols = (0..<1000).compactMap { Symbol("S\($0)") }
        snapshot.connections = [
            connection(1, name) { feed in
                feed.status = failing ? .disconnected : .connected
                (feed.assigned, feed.confirmed, feed.errors) = (symbols, Array(symbols.dropLast()), 42)
                feed.events = [.trade: 123_456_789_012]
                feed.lastMessage = 1_767_600_000_000
                feed.lastError = FeedError(.closed, operation: "read", message: String(repeating: "x", count: 200))
            },
            connection(2, "all") { feed in
                feed.status = .connecting
                feed.takesAll = true
            },
        ]
        snapshot.buffer[.bars].appended = 9_999_999_999
        snapshot.buffer[.bars].lastSequence = 9_999_999_999
        (snapshot.buffer.usedBytes, snapshot.maximumBytes) = (5 << 30, 8 << 30)
        (snapshot.buffer.drops, snapshot.buffer.gaps, snapshot.buffer.deadLetters) = (1_000_000, 1_000_000, 1_000_000)
        if failing {
            snapshot.buffer.setAside = [String(repeating: "/directory", count: 20) + "/ticks-bad-1.sqlite"]
        }
        var totals = UploadTotals()
        totals[.bars].uploaded = 9_999_999_999
        snapshot.uploads = [UploadState()]
        snapshot.uploads[0].status.progressed(totals)
        let board = StatusBoard(collector: { [snapshot] in snapshot }, latency: { [:] })
        var status = StatusJSON(board.sample, clients: 0)
        status.uptime_seconds = 90_061
        status.health.headline = nil
        status.health.status = failing ? .failing : .ok
        status.health.checks = [
            "feed": .init(status: failing ? .failing : .ok, detail: String(repeating: "long ", count: 60)),
            "buffer": .init(status: .ok, detail: "events reach the file"),
            "sync": .init(status: .degraded, detail: "trying again: \u{1B}[31mred"),
            "loops": .init(status: .ok, detail: "every loop makes progress"),
        ]
        return status
    }

    @Test(arguments: [true, false])
    func `every line fits eighty columns, whatever the names and numbers`(failing: Bool) {
        for name in ["box", String(repeating: "name", count: 30)] {
            let page = StatusText(
                status: Self.status(name: name, failing: failing), address: "http://127.0.0.1:8080/",
                paint: Paint(isOn: false)
            ).page
            for line in page.split(separator: "\n") { #expect(line.count <= 80, "\(line.count): \(line)") }
        }
    }

    @Test func `what is wrong is told to its end, on as many lines as it takes`() {
        var status = Self.status(name: "box", failing: true)
        let words = (1...30).map { "word\($0)" }.joined(separator: " ")
        status.health.checks["feed"] = .init(status: .failing, detail: words)
        status.health.checks["buffer"] = .init(status: .ok, detail: words)
        let page = StatusText(status: status, address: "http://x/", paint: Paint(isOn: false)).page
        let lines = page.split(separator: "\n")
        #expect(page.contains("word30\n"))
        #expect(lines.filter { $0.contains("word1 ") }.count == 2)
        #expect(lines.contains { $0.hasPrefix("buffer    ok") && $0.hasSuffix("…") })
        #expect(lines.contains { $0.hasPrefix("aside    …") && $0.hasSuffix("/ticks-bad-1.sqlite") })
    }

    @Test func `the headline stands above all, cut to the width`() {
        var status = Self.status(name: "box", failing: true)
        #expect(!StatusText(status: status, address: "http://x/", paint: Paint(isOn: false)).page.contains("trouble"))
        status.health.headline = "feed failing (and 2 more troubles): nothing comes"
        let page = StatusText(status: status, address: "http://x/", paint: Paint(isOn: false)).page
        #expect(page.split(separator: "\n")[2] == "feed failing (and 2 more troubles): nothing comes")
        status.health.headline = String(repeating: "long ", count: 60)
        let long = StatusText(status: status, address: "http://x/", paint: Paint(isOn: false)).page
        #expect(long.split(separator: "\n")[2].count <= 80)
    }

    @Test(arguments: [
        ("", [""]), ("a", ["a"]), ("aa bb cc", ["aa bb", "cc"]), ("aaaaaaa", ["aaaaa", "aa"]),
        ("aaaaa bbbbb", ["aaaaa", "bbbbb"]), ("a b c d e f g h i j", ["a b c", "d e f", "g h …"]),
    ])
    func `texts break at spaces, and at the width where there is none`(text: String, lines: [String]) {
        #expect(text.lines(of: 5, atMost: 3) == lines)
    }

    @Test func `a pipe gets no escape, neither ours nor one from outside`() {
        let page = StatusText(
            status: Self.status(name: "box", failing: true), address: "http://127.0.0.1:8080/",
            paint: Paint(isOn: false)
        ).page
        #expect(!page.contains("\u{1B}"))
        #expect(page.contains("NOT COLLECTING"))
        #expect(page.contains(#"\u{1b}[31mred"#))
    }

    @Test func `a terminal gets colours beside words, never colours alone`() {
        let status = Self.status(name: "box", failing: true)
        let plain = StatusText(status: status, address: "http://x/", paint: Paint(isOn: false)).page
        let painted = StatusText(status: status, address: "http://x/", paint: Paint(isOn: true)).page
        #expect(painted.contains("\u{1B}[31;1mfailing"))
        let bare = painted.replacing(/\u{1B}\[[0-9;]*m/, with: "")
        #expect(bare == plain)
    }

    @Test(arguments: [
        (0.04, "0.0 s"), (4.26, "4.3 s"), (59.9, "59 s"), (125, "2 min"), (7500, "2 h 5 min"), (1_000_000, "11 days"),
    ])
    func `spans are short`(seconds: Double, text: String) {
        #expect(StatusText.span(seconds) == text)
    }
}

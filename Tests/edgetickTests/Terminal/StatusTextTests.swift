import MarketData
import Store
import Testing

@testable import Collector
@testable import Feed
@testable import Wire
@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct StatusTextTests {
    /// The status of a collector with long names and numbers, as its API shows it.
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
                feed.lastEvent = 1_767_600_000_000
                feed.lastError = FeedError(.closed, operation: "read", message: String(repeating: "x", count: 200))
            },
            connection(2, "all") { feed in
                feed.status = .connecting
                feed.takesAll = true
            },
        ]
        snapshot.buffer[.bars].appended = 9_999_999_999
        snapshot.buffer[.bars].marks.last = 9_999_999_999
        (snapshot.buffer.usedBytes, snapshot.maximumBytes) = (5 << 30, 8 << 30)
        (snapshot.buffer.drops, snapshot.buffer.gaps) = (1_000_000, 1_000_000)
        snapshot.buffer[.bars].deadLetters = 1_000_000
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

    private static func page(_ status: StatusJSON, isPainted: Bool = false, width: Int? = 80) -> String {
        StatusText(
            status: status, gaps: GapCounts(), address: "http://x/", paint: Paint(isOn: isPainted), width: width
        ).page
    }

    @Test(arguments: [true, false], [40, 60, 80, 160])
    func `every line fits its window, whatever the names and numbers`(failing: Bool, columns: Int) {
        for name in ["box", String(repeating: "name", count: 30)] {
            let page = StatusText(
                status: Self.status(name: name, failing: failing),
                gaps: GapCounts(open: 1_000_000, unfillable: 1_000_000),
                address: "http://127.0.0.1:8080/", paint: Paint(isOn: false), width: columns
            ).page
            for line in page.split(separator: "\n") { #expect(line.count <= columns, "\(line.count): \(line)") }
        }
    }

    @Test func `what is wrong is told to its end, on as many lines as it takes`() {
        var status = Self.status(name: "box", failing: true)
        let words = (1...30).map { "word\($0)" }.joined(separator: " ")
        status.health.checks["feed"] = .init(status: .failing, detail: words)
        status.health.checks["buffer"] = .init(status: .ok, detail: words)
        let page = Self.page(status, isPainted: false)
        let lines = page.split(separator: "\n")
        #expect(page.contains("word30\n"))
        #expect(lines.filter { $0.contains("word1 ") }.count == 2)
        #expect(lines.contains { $0.hasPrefix("buffer    ok") && $0.hasSuffix("…") })
        #expect(lines.contains { $0.hasPrefix("aside    …") && $0.hasSuffix("/ticks-bad-1.sqlite") })
    }

    @Test func `losses, upload and market are shown to their end in a narrow window`() {
        let page = Self.page(Self.status(name: "box", failing: false), width: 40)
        let lines = page.split(separator: "\n").map { String($0) }
        #expect(page.contains("dead letters"))
        for label in ["losses   ", "upload   ", "market   "] {
            #expect(lines.contains { $0.hasPrefix(label) && !$0.hasSuffix("…") }, "\(label) in \(lines)")
        }
    }

    @Test func `the one thing that is wrong is reported once`() {
        var status = Self.status(name: "box", failing: true)
        status.health.checks["sync"]?.status = .ok
        status.health.checks["feed"]?.detail = "no way to the feed"
        status.health.headline = "feed failing: no way to the feed"
        #expect(Self.page(status).ranges(of: "no way to the feed").count == 1)
        status.health.headline = "feed failing: no way to the feed (and 1 more problem)"
        #expect(Self.page(status).ranges(of: "no way to the feed").count == 2)
    }

    @Test func `the headline stands above all: in a window's width, and whole in a pipe`() {
        var status = Self.status(name: "box", failing: true)
        #expect(!Self.page(status).contains("problem"))
        let headline = "feed failing: " + String(repeating: "long ", count: 20) + "end (and 2 more problems)"
        status.health.headline = headline
        for width in [60, 80, 160] {
            let lines = Self.page(status, width: width).split(separator: "\n").map { String($0) }
            let shown = lines[2...].prefix((headline.count + width - 10) / (width - 5))
            #expect(shown.joined(separator: " ").contains("end (and 2 more problems)"), "\(width): \(shown)")
        }
        #expect(Self.page(status, width: nil).split(separator: "\n")[2] == headline)
    }

    @Test func `a low window cuts off what is well, before losses and upload`() throws {
        let lines = Self.page(Self.status(name: "box", failing: true)).split(separator: "\n").map { String($0) }
        func place(_ start: String) throws -> Int { try #require(lines.firstIndex { $0.hasPrefix(start) }, "\(start)") }
        let order = try [
            "feed", "sync", "losses", "upload", "CONNECTION", "STREAM", "buffer   5", "buffer    ok", "loops",
        ]
        .map(place)
        #expect(order == order.sorted(), "\(order)")
        #expect(!lines.contains { $0.hasPrefix("trades") }, "a stream without rows has no line")
    }

    @Test func `a quiet day is told from a quiet feed`() throws {
        var status = Self.status(name: "box", failing: false)
        status.market.until = 1_795_770_000_000
        let texts: [(MarketHours.Session, String)] = [
            (.closed, "closed until"), (.holiday, "closed, a holiday, until"), (.preMarket, "before the session until"),
            (.regular, "open until"), (.afterHours, "after the session until"),
        ]
        for (session, text) in texts {
            status.market.session = session
            #expect(Self.page(status).contains("\nmarket   \(text) 2026-11-27T09:00:00Z\n"))
        }
    }

    @Test func `rows don't wait for a database that there is none of`() {
        var status = Self.status(name: "box", failing: false)
        status.sync.state = .off
        #expect(Self.page(status).contains("9,999,999,999             -\n"))
    }

    @Test func `gaps that are no damage aren't counted as such`() {
        #expect(GapCounts().text == "0 open gaps")
        #expect(GapCounts(open: 1).text == "1 open gap")
        #expect(GapCounts(open: 2, unfillable: 3).text == "2 open gaps, 3 unfillable")
        #expect(GapCounts(partial: 2, unfillable: 1).text == "0 open gaps, 2 partial, 1 unfillable")
    }

    @Test(arguments: [
        ("", [""]), ("a", ["a"]), ("aa bb cc", ["aa bb", "cc"]), ("aaaaaaa", ["aaaaa", "aa"]),
        ("aaaaa bbbbb", ["aaaaa", "bbbbb"]), ("a b c d e f g h i j", ["a b c", "d e f", "g h …"]),
    ])
    func `texts break at spaces, and at the width where there is none`(text: String, lines: [String]) {
        #expect(text.lines(of: 5, atMost: 3) == lines)
    }

    @Test func `a pipe gets no escape, neither ours nor one from outside`() {
        let page = Self.page(Self.status(name: "box", failing: true))
        #expect(!page.contains("\u{1B}"))
        #expect(page.contains("NOT COLLECTING"))
        #expect(page.contains(#"\u{1b}[31mred"#))
    }

    @Test func `a terminal gets colours beside words, never colours alone`() {
        let status = Self.status(name: "box", failing: true)
        let plain = Self.page(status, isPainted: false)
        let painted = Self.page(status, isPainted: true)
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

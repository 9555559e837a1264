import Feed
import Foundation
import MarketData
import Store
import TestSupport
import Testing
import WebAPI
import WebAPISupport

@testable import Collector
@testable import Upstream

/// What a desk looks at besides the symbols: the fleet, the relay, whole days, and what it saves as files.
extension DeskTests {
    @Test func `the fleet's card is green only while all boxes are well, and its table has the worst first`()
        async throws
    {
        func box(_ id: String, age: Double, version: String, _ change: (inout FleetReport) -> Void = { _ in })
            -> FleetRow
        {
            var report = FleetReport(id: id, group: "nyc", host: "host-\(id)", version: version, fileID: id)
            report.state = .ok
            report.symbols = 150
            change(&report)
            return FleetRow(report: report, seen: Self.start, age: age)
        }
        func view(ages: [Double]) -> FleetBoard.View {
            var view = FleetBoard.View()
            view.fleet = Fleet([
                box("test-box", age: ages[0], version: "1.2.3") { $0.sharesWith = ["test-box", "other"] },
                box("other", age: ages[1], version: "1.2.2") {
                    $0.sharesWith = ["test-box", "other"]
                    $0.rowsPending = 1200
                    $0.oldestPending = 90
                },
            ])
            view.age = 0
            return view
        }
        let stale = view(ages: [1, 7200])
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.fleet = FleetBoard.Status()
            state.snapshot.fleet?.clockOffset = 12
            state.fleet = view(ages: [1, 1])
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                let card = "document.getElementById('card-fleet')"
                try await browser.open(
                    Self.page(server), until: "\(card).querySelector('.badge').dataset.level === 'ok'")
                try await browser.until("/^2\\s*of 2 boxes live/.test(\(card).querySelector('.figure').innerText)")
                let text = try await browser.evaluate("return \(card).innerText", as: String.self)
                #expect(
                    text.contains("1 min 30 s") && text.contains("12 ms") && text.contains("1.2.2, 1.2.3"), "\(text)")
                collector.change { $0.fleet = stale }
                try await browser.until("\(card).querySelector('.badge').dataset.level === 'failing'")
                try await browser.until("/other stale/.test(\(card).innerText)")
                let first = try await browser.evaluate(
                    "return document.querySelector('#fleet-table tbody tr').innerText", as: String.self)
                for part in ["other", "nyc · host-other · 1.2.2", "stale", "2 h 0 min ago", "1,200"] {
                    #expect(first.contains(part), "\(part) in \(first)")
                }
                let more = try await browser.evaluate(
                    "return document.querySelector('#fleet-table tbody tr.more').innerText", as: String.self)
                #expect(more.contains("shares its symbols with test-box"), "\(more)")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `the way to the overview leads to the very top of the page, where its banner is`() async throws {
        try await RunningServer.run(collector: StagedCollector.market()) { server in
            try await Browser.run(width: 390) { browser in
                try await browser.open(Self.page(server), until: "document.querySelector('#cards .card')")
                try await browser.evaluate(
                    "document.getElementById('symbol').scrollIntoView(); return true", as: Bool.self)
                try await browser.until("window.scrollY > 100")
                try await browser.click("nav a[href='#overview']")
                try await browser.until("window.scrollY === 0")
            }
        }
    }

    @Test func `boxes that could not be read are not shown as none`() async throws {
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.fleet = FleetBoard.Status()
            var view = FleetBoard.View()
            view.problem = "the database can't be reached"
            state.fleet = view
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(
                    Self.page(server, "#fleet"), until: "!document.getElementById('fleet').hidden")
                let text = try await browser.evaluate(
                    "return document.querySelector('#fleet .panel').innerText.trim()", as: String.self)
                #expect(text == "the database can't be reached · not read yet")
            }
        }
    }

    @Test func `a fleet's table stays where it was scrolled, and keeps the keyboard focus`() async throws {
        func view(pending: Int64) -> FleetBoard.View {
            var view = FleetBoard.View()
            view.age = 0
            view.fleet = Fleet(
                (10..<50).map { number in
                    var report = FleetReport(
                        id: "box-\(number)", group: nil, host: "host", version: "1.2.3", fileID: "\(number)")
                    report.state = .ok
                    report.rowsPending = pending
                    return FleetRow(report: report, seen: Self.start, age: 1)
                })
            return view
        }
        let (before, after) = (view(pending: 0), view(pending: 4321))
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.fleet = FleetBoard.Status()
            state.fleet = before
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(
                    Self.page(server, "#fleet"),
                    until: "document.querySelectorAll('#fleet-table tbody tr').length >= 40")
                let box = "document.querySelector('#fleet-table .records')"
                try await browser.evaluate("\(box).focus(); \(box).scrollTop = 200; return true", as: Bool.self)
                collector.change { $0.fleet = after }
                try await browser.until("/4,321/.test(\(box).textContent)")
                #expect(try await browser.evaluate("return \(box).scrollTop", as: Int.self) == 200)
                #expect(try await browser.evaluate("return \(box) === document.activeElement", as: Bool.self))
            }
        }
    }

    @Test func `the relay shows who reads and how far behind each is`() async throws {
        let collector = StagedCollector.market()
        func reader(_ id: Int, _ agent: String, waiting: Int, isLoggedIn: Bool = true) -> RelayState.Reader {
            RelayState.Reader(
                id: id, address: "127.0.0.1:\(50_000 + id)", agent: agent, isLoggedIn: isLoggedIn,
                connectedSince: Self.start, channels: 1, sample: ["T.*"], events: 10, bytes: 1000, replayed: 0,
                waitingBytes: waiting * 100, waitingEvents: waiting, isReplaying: false)
        }
        collector.change { state in
            state.snapshot.relay?.readers = [
                reader(1, "prompt", waiting: 0), reader(2, "slow", waiting: 2048),
                reader(3, "mute", waiting: 0, isLoggedIn: false),
            ]
            state.snapshot.relay?.slowReaders = 1
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#relay"))
                try await browser.until("document.querySelectorAll('#relay-table tbody tr').length === 3")
                let rows = try await browser.evaluate(
                    "return [...document.querySelectorAll('#relay-table tbody tr')].map((row) => row.innerText)",
                    as: [String].self)
                #expect(rows[0].contains("prompt") && rows[0].contains("live") && rows[0].contains("nothing"))
                #expect(rows[1].contains("catching up") && rows[1].contains("2,048 events, 200 KiB"), "\(rows[1])")
                #expect(rows[2].contains("not logged in"))
                let note = try await browser.evaluate(
                    "return document.getElementById('relay-note').innerText", as: String.self)
                #expect(note.contains("1 client closed because it read too slowly"), "\(note)")
                #expect(
                    try await browser.evaluate(
                        "return document.getElementById('card-relay').innerText.includes('200 KiB')", as: Bool.self))
            }
        }
    }

    @Test func `a day is green only when it was compared with the tape`() async throws {
        // The last two days of trading that are over.
        var days: [TradingDay] = []
        var day = TradingDay.lastFinal(at: WallClock.milliseconds())
        while days.count < 2 {
            if day.session != nil { days.append(day) }
            day = day.before
        }
        let collector = Self.market(["DAYS"])
        collector.change { [days] in $0.reconciled = [days[1]] }
        try await RunningServer.run(collector: collector) { [days] server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.start * 1000)
            for day in days {
                let open = try #require(day.session).regularOpen
                batch.bars += try (0..<60).map { try Self.bar("DAYS", $0, 10, 11, 9, 10, from: open) }
            }
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#completeness?tz=ny&day=\(days[1])"))
                func state(_ day: TradingDay) -> String {
                    "document.querySelector('[data-day=\"\(day)\"]')?.dataset.state"
                }
                try await browser.until("\(state(days[0])) === 'unchecked' && \(state(days[1])) === 'complete'")
                try await browser.until(
                    "/1 of 1 symbol compared/.test(document.getElementById('coverage-title').textContent)")
                try await browser.until("document.getElementById('coverage-map').dataset.count === '1'")
                // The first hour has bars; then nothing was traded.
                #expect(try await browser.hasColor("cover-bar", in: "#coverage-map", x: 90, y: 25))
                let width = try await browser.evaluate(
                    "return document.getElementById('coverage-map').clientWidth", as: Int.self)
                #expect(try await browser.hasColor("cover-none", in: "#coverage-map", x: width - 8, y: 25))
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `the heat map is divided by connection or by the groups of a type, and the address keeps it`()
        async throws
    {
        try await RunningServer.run(collector: .market()) { server in
            try await Browser.run { browser in
                let blocks = "document.getElementById('fresh-map').dataset.blocks"
                try await browser.open(Self.page(server, "#freshness"), until: "\(blocks) === 'primary\\nsecondary'")
                try await browser.evaluate(
                    "const box = document.getElementById('fresh-by'); box.value = 'THEME';"
                        + "box.dispatchEvent(new Event('change')); return true", as: Bool.self)
                try await browser.until("\(blocks) === 'ai\\nin no theme'")
                #expect(try await browser.evaluate("return location.hash.includes('by=THEME')", as: Bool.self))
                try await browser.reload()
                try await browser.until("\(blocks) === 'ai\\nin no theme'")
                // Down from the group's last row leads to the rest.
                try await browser.evaluate("document.getElementById('fresh-map').focus(); return true", as: Bool.self)
                try await browser.press(Keys.right)
                try await browser.until("/^AAPL/.test(document.getElementById('fresh-readout').textContent)")
                try await browser.press(Keys.down)
                try await browser.until("/^AIG/.test(document.getElementById('fresh-readout').textContent)")
                try await browser.press(Keys.enter)
                try await browser.until("document.getElementById('symbol-name').value === 'AIG'")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `the bars are handed over as CSV, and the chart as an image`() async throws {
        let collector = Self.market(["SAVE"])
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.start * 1000)
            batch.bars = [try Self.bar("SAVE", 0, 10, 12, 9.5, 11), try Self.bar("SAVE", 1, 11, 11.5, 10, 10.5)]
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#symbol?symbol=SAVE"), until: "\(Self.shown) === 2")
                try await browser.click("#chart-csv")
                let text = String(decoding: try await browser.download("SAVE.csv"), as: UTF8.self)
                #expect(
                    text == """
                        start_utc,interval_seconds,open,high,low,close,volume,vwap
                        2026-01-05T15:00:00.000Z,60,10,12,9.5,11,100,11
                        2026-01-05T15:01:00.000Z,60,11,11.5,10,10.5,100,10.5

                        """)
                try await browser.click("#chart-png")
                let image = try await browser.download("SAVE.png")
                #expect(image.prefix(8) == Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
                let width = try await browser.evaluate(
                    "return document.querySelector('.candles canvas').width", as: Int.self)
                #expect(image[16..<20].reduce(0) { $0 << 8 | Int($1) } == width)
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `bars are shaded where bars of their kind were missed`() async throws {
        let collector = Self.market(["SECS"])
        let symbol = try #require(Symbol("SECS"))
        func gap(_ kind: EventKind, _ from: Int64) -> Gap {
            Gap(
                connection: "primary", symbols: [symbol], events: [kind], from: Self.start + from,
                to: Self.start + 42_000, cause: .disconnected)
        }
        collector.record(gap(.minuteBar, 0))
        collector.record(gap(.secondBar, 40_000))
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.start * 1000)
            batch.bars = (0..<60).map { second in
                let start = Self.start + Int64(second) * 1000
                return Bar(
                    symbol: symbol, interval: .second, start: start, end: start + 1000, open: 10, high: 12, low: 9,
                    close: 11, volume: 100, vwap: 10)
            }
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#symbol?symbol=SECS&every=1&tz=utc"))
                let box = "document.querySelector('.candles')"
                try await browser.until("\(box).dataset.shown === '60' && \(box).dataset.gaps")
                let spans = try await browser.evaluate("return \(box).dataset.gaps", as: String.self)
                let ends = spans.split(separator: "-").compactMap { Int($0) }
                let step = try await browser.evaluate("return (\(box).clientWidth - 70) / 60", as: Double.self)
                // One span, over two of the sixty seconds.
                try #require(ends.count == 2, "\(spans)")
                #expect(abs(Double(ends[1] - ends[0]) - 2 * step) <= 2, "\(spans)")
            }
        }
    }

    @Test func `a page that nobody sees has no stream, and comes back by itself`() async throws {
        try await RunningServer.run(collector: Self.market(["LIVE"])) { server in
            let symbol = try #require(Symbol("LIVE"))
            // The server notices that a stream was closed only when it writes to it.
            let trading = Task {
                while !Task.isCancelled {
                    let now = WallClock.microseconds()
                    var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
                    batch.trades.append(Trade(symbol: symbol, time: now / 1000, price: 10, size: 1))
                    _ = server.tap.offer(batch)
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            defer { trading.cancel() }
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#symbol?symbol=LIVE"))
                func streams(_ count: Int) async throws {
                    try await Waiting.until("\(count) streams") {
                        try await browser.evaluate(
                            """
                            return fetch('/api/status').then((answer) => answer.json()).then((state) => state.process.event_clients);
                            """, as: Int.self) == count
                    }
                }
                func seen(_ isSeen: Bool) async throws {
                    try await browser.evaluate(
                        """
                        Object.defineProperty(document, 'hidden', { value: \(!isSeen), configurable: true });
                        document.dispatchEvent(new Event('visibilitychange'));
                        return true;
                        """, as: Bool.self)
                }
                try await browser.until(Self.isLive)
                try await streams(2)
                try await seen(false)
                try await streams(0)
                try await seen(true)
                try await browser.until(Self.isLive)
                try await streams(2)
                // Away from the symbol, its own stream is closed.
                try await browser.click("nav a[href='#overview']")
                try await streams(1)
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `groups of dead letters stay where they are when newer ones come`() async throws {
        let collector = StagedCollector.market()
        @Sendable func letter(_ number: Int64, _ constraint: String) -> DeadLetter {
            DeadLetter(
                stream: .trades, sequence: number, sqlState: "23514",
                reason: "new row for relation \"trades\" violates check constraint \"\(constraint)\"", row: "{}",
                time: Self.start)
        }
        @Sendable func put(_ letters: [DeadLetter]) {
            collector.change { state in
                state.deadLetters = letters
                state.snapshot.buffer[.trades].deadLetters = Int64(letters.count)
            }
        }
        put([letter(1, "few"), letter(2, "many"), letter(3, "many")])
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#dead-letters"))
                let counts =
                    "[...document.querySelectorAll('#dead-letters-panel .letters .link')].map((each) => each.textContent.slice(2)).join()"
                try await browser.until("\(counts) === '2 trades,1 trades'")
                put([letter(1, "few"), letter(4, "few"), letter(5, "few"), letter(2, "many"), letter(3, "many")])
                try await browser.until("\(counts) === '2 trades,3 trades'")
            }
        }
    }

    @Test func `the footer's links work where a token is needed`() async throws {
        let token = "a-token-of-the-browser-test"
        let configuration = try WebConfiguration(port: 0, token: Secret(token))
        try await RunningServer.run(configuration) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server), until: "document.getElementById('sign-in').open")
                try await browser.type(token + Keys.enter, into: "#sign-in-token")
                try await browser.until(Self.isLive)
                try await browser.click("footer a[data-token='metrics']")
                let metrics = try await browser.textOfNewWindow()
                #expect(metrics.contains("edgetick_"), "\(metrics.prefix(200))")
                try await browser.click("footer a[data-token='health/ready']")
                let health = try await browser.textOfNewWindow()
                #expect(health.contains("\"checks\""), "\(health.prefix(200))")
            }
        }
    }
}

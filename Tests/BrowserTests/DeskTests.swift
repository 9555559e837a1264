import Collector
import Feed
import Foundation
import MarketData
import Store
import Synchronization
import TestSupport
import Testing
import WebAPI
import WebAPISupport

/// What a trading desk does with the page: candles, freshness, links, universes, gaps and dead letters.
@Suite(.enabled(if: Browser.isInstalled, "Chromium and chromedriver are not installed"), .timeLimit(.minutes(5)))
struct DeskTests {
    static let isLive = "document.getElementById('contact').dataset.state === 'live'"
    static let readout = "document.querySelector('#candles .readout').textContent.replaceAll('\\u00a0', ' ')"
    static let shown = "Number(document.querySelector('.candles').dataset.shown)"
    /// 2026-01-05, 10:00 in New York.
    static let start: Int64 = 1_767_625_200_000

    static func bar(
        _ symbol: String, _ minute: Int, _ open: Double, _ high: Double, _ low: Double, _ close: Double,
        from start: Int64 = Self.start
    ) throws -> Bar {
        let start = start + Int64(minute) * 60_000
        return Bar(
            symbol: try #require(Symbol(symbol)), interval: .minute, start: start, end: start + 60_000, open: open,
            high: high, low: low, close: close, volume: 100, vwap: close)
    }

    static func market(_ symbols: [String]) -> StagedCollector {
        let collector = StagedCollector.market()
        collector.change("connection_1") {
            $0.feed.assigned = symbols.compactMap { Symbol($0) }
            $0.feed.confirmed = $0.feed.assigned
        }
        collector.change { $0.snapshot.connections.removeLast() }
        return collector
    }

    static func page(_ server: RunningServer, _ view: String = "") -> String {
        "http://127.0.0.1:\(server.port)/\(view)"
    }

    @Test(arguments: ["light", "dark"])
    func `candles, missing minutes and gaps are drawn where they belong`(scheme: String) async throws {
        let collector = Self.market(["CNDL"])
        collector.record(
            Gap(
                connection: "primary", symbols: [try #require(Symbol("CNDL"))], events: [.minuteBar],
                from: Self.start + 180_000, to: Self.start + 360_000, cause: .disconnected))
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.start * 1000 + 600_000_000)
            batch.bars = [
                try Self.bar("CNDL", 0, 10, 12, 9.5, 11), try Self.bar("CNDL", 1, 11, 11.5, 10, 10.5),
                try Self.bar("CNDL", 2, 10.5, 14, 10.25, 13.5), try Self.bar("CNDL", 6, 13.5, 13.75, 12, 12.25),
                try Self.bar("CNDL", 7, 12.25, 13, 12, 12.25),
            ]
            _ = server.tap.offer(batch)
            try await Browser.run(scheme: scheme) { browser in
                try await browser.open(Self.page(server, "#symbol?symbol=CNDL&tz=utc"))
                try await browser.until("document.querySelector('.candles').dataset.gaps")
                let candles = try await browser.candles()
                #expect(candles.map(\.side) == ["up", "down", "up", "down", "muted"])
                #expect(candles.prefix(4).map(\.isFilled) == [false, true, false, true])
                for (candle, dollars) in zip(candles, [2.5, 1.5, 3.75, 1.75, 1]) {
                    #expect(abs(Double(candle.height) / dollars - Double(candles[2].height) / 3.75) < 3, "\(candles)")
                }
                // Three minutes have no bar: the axis keeps their places.
                let step = candles[1].middle - candles[0].middle
                #expect(abs(candles[3].middle - candles[2].middle - 4 * step) <= 2)
                // The gap is shaded there, and nowhere else.
                let middle = (candles[2].middle + candles[3].middle) / 2
                #expect(try await browser.hasColor("warn-soft", in: ".candles", x: middle, y: 120))
                #expect(try await browser.hasColor("warn-soft", in: ".candles", x: middle - step, y: 121))
                #expect(try await !browser.hasColor("warn-soft", in: ".candles", x: middle - 2 * step, y: 120))
                #expect(try await !browser.hasColor("warn-soft", in: ".candles", x: middle + 2 * step, y: 120))
                let read = try await browser.evaluate("return \(Self.readout)", as: String.self)
                #expect(read.hasPrefix("05 Jan 2026 15:07 UTC"), "\(read)")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `the times below the candles leave room for the zone's name`() async throws {
        let collector = Self.market(["CNDL"])
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.start * 1000)
            // The last one, at the right edge, is of a full hour, which is named.
            batch.bars = try (-300...0).map { try Self.bar("CNDL", $0, 10, 12, 9, 11) }
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.prepare(
                    """
                    window.written = [];
                    const write = CanvasRenderingContext2D.prototype.fillText;
                    CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
                      const half = this.textAlign === 'center' ? this.measureText(text).width / 2 : 0;
                      if (this.canvas.closest('.candles')) window.written.push({ text, end: x + half, x, y });
                      return write.call(this, text, x, y, ...more);
                    };
                    """)
                try await browser.open(
                    Self.page(server, "#symbol?symbol=CNDL&tz=utc"),
                    until: "written.some((each) => /^\\d\\d:\\d\\d$/.test(each.text))")
                let crossing = try await browser.evaluate(
                    """
                    const zone = written.findLast((each) => each.text === 'UTC');
                    return written.filter((each) => each.text !== 'UTC' && each.y === zone.y && each.end >= zone.x)
                      .map((each) => each.text);
                    """, as: [String].self)
                #expect(crossing == [])
            }
        }
    }

    @Test func `a trade forms the candle of its minute at once, and the minute's bar takes its place`() async throws {
        let collector = Self.market(["LIVE"])
        try await RunningServer.run(collector: collector) { server in
            let symbol = try #require(Symbol("LIVE"))
            let minute = WallClock.milliseconds() / 60_000 * 60_000
            var batch = EventBatch(connection: "primary", receivedMicroseconds: minute * 1000)
            batch.bars = try (-5..<0).map { try Self.bar("LIVE", $0, 10, 11, 9, 10, from: minute) }
            _ = server.tap.offer(batch)
            // Always in that minute, even when the next one has begun; sent again, it counts as the same trade.
            @Sendable func trade(_ price: Double) {
                var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
                batch.trades = [
                    Trade(symbol: symbol, time: minute, price: price, size: 50, sequence: Int64(price * 100))
                ]
                _ = server.tap.offer(batch)
            }
            try await Browser.run { browser in
                try await browser.open(
                    Self.page(server, "#symbol?symbol=LIVE"), until: "/C 10.00/.test(\(Self.readout))")
                // The symbol's stream may be opened later than its bars are shown.
                try await Waiting.until("a candle that forms", within: .seconds(60)) {
                    trade(10.5)
                    return try await browser.evaluate(
                        "return /forming/.test(\(Self.readout)) && /C 10.50/.test(\(Self.readout))", as: Bool.self)
                }
                trade(10.25)
                try await browser.until("/H 10.50/.test(\(Self.readout)) && /C 10.25/.test(\(Self.readout))")
                #expect(try await browser.candles().last?.side == "down")
                var bars = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
                bars.bars = [try Self.bar("LIVE", 0, 10.5, 12, 10, 11.75, from: minute)]
                _ = server.tap.offer(bars)
                try await browser.until("!/forming/.test(\(Self.readout)) && /C 11.75/.test(\(Self.readout))")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `wheel and keys zoom and move, and the address keeps where`() async throws {
        let collector = Self.market(["ZOOM"])
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.start * 1000)
            batch.bars = try (0..<300).map { try Self.bar("ZOOM", $0, 10, 11, 9, 10.5) }
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#symbol?symbol=ZOOM"), until: "\(Self.shown) === 120")
                try await browser.turnWheel(over: ".candles", by: -120)
                #expect(try await browser.evaluate("return \(Self.shown)", as: Int.self) == 120, "the page scrolls")
                try await browser.click(".candles")
                try await browser.turnWheel(over: ".candles", by: -120)
                try await browser.until("\(Self.shown) < 120")
                try await browser.turnWheel(over: ".candles", by: 120)
                try await browser.until("\(Self.shown) === 120")
                try await browser.press("+")
                try await browser.until("\(Self.shown) < 90")
                try await browser.press("-")
                try await browser.until("\(Self.shown) > 100")
                let last = "Number(document.querySelector('.candles').dataset.last)"
                let newest = Self.start + 299 * 60_000
                try await browser.press(Keys.left, with: Keys.shift)
                try await browser.until("\(last) < \(newest)")
                let kept = try await browser.evaluate("return [\(last), \(Self.shown)].join()", as: String.self)
                #expect(
                    try await browser.evaluate("return /[?&]to=/.test(location.hash)", as: Bool.self))
                try await browser.reload()
                try await browser.until("[\(last), \(Self.shown)].join() === '\(kept)'")
                try await browser.click(".candles")
                try await browser.press("0")
                try await browser.until("\(last) === \(newest) && \(Self.shown) === 120")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `an address leads to its view, and back and forward go through the views`() async throws {
        try await RunningServer.run(collector: .market()) { server in
            try await Browser.run { browser in
                let view = "symbol=MSFT&every=300&tz=ny&only=ibm&kinds=T,Q&group=THEME/ai&find=a"
                try await browser.open(Self.page(server, "#universes?\(view)"))
                try await browser.until("\(Self.isLive) && document.querySelector('#universe-detail h3')")
                let state = """
                    return [document.getElementById('symbol-name').value, document.getElementById('symbol-interval').value,
                      document.getElementById('zone').value, document.getElementById('events-symbols').value,
                      [...document.querySelectorAll('input[name=kind]:checked')].map((box) => box.value).join('+'),
                      document.querySelector('#universe-detail h3').textContent,
                      document.getElementById('fresh-search').value].join()
                    """
                #expect(try await browser.evaluate(state, as: String.self) == "MSFT,300,ny,ibm,T+Q,ai,a")
                #expect(
                    try await browser.evaluate(
                        "return document.getElementById('events-time').textContent", as: String.self)
                        == "Time, New York")
                try await browser.click("#universe-detail tbody button")
                try await browser.until("document.getElementById('symbol-name').value === 'AAPL'")
                #expect(try await browser.evaluate("return location.hash.startsWith('#symbol?')", as: Bool.self))
                try await browser.evaluate("history.back(); return true", as: Bool.self)
                try await browser.until("document.getElementById('symbol-name').value === 'MSFT'")
                try await browser.evaluate("history.forward(); return true", as: Bool.self)
                try await browser.until("document.getElementById('symbol-name').value === 'AAPL'")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `a symbol that falls silent is seen within two seconds, and is found by a lower-case search`()
        async throws
    {
        let collector = Self.market(["AAA", "BBB", "CCC"])
        try await RunningServer.run(collector: collector) { server in
            let symbols = ["AAA", "BBB", "CCC"].compactMap { Symbol($0) }
            let hasStopped = Flag()
            let feeding = Task {
                while !Task.isCancelled {
                    let now = WallClock.microseconds()
                    var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
                    for symbol in symbols where !(hasStopped.isSet && symbol.description == "BBB") {
                        batch.trades.append(Trade(symbol: symbol, time: now / 1000, price: 10, size: 1))
                    }
                    _ = server.tap.offer(batch)
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            defer { feeding.cancel() }
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#freshness"))
                // A machine that is busy with other tests may be late once, and not always.
                var times: [Duration] = []
                repeat {
                    hasStopped.set(false)
                    try await browser.until("document.getElementById('fresh-map').dataset.fresh === '3'")
                    hasStopped.set()
                    let stopped = ContinuousClock.now
                    try await browser.until("document.getElementById('fresh-map').dataset.fresh === '2'")
                    times.append(ContinuousClock.now - stopped)
                } while times.count < 20 && times.last! >= .seconds(2)
                #expect(times.last! < .seconds(2), "\(times)")
                // The others may be late for a moment too.
                try await Waiting.until("the colour of AAA") {
                    try await browser.hasColor("age-1", in: "#fresh-map", x: 2, y: 2)
                }
                #expect(try await !browser.hasColor("age-1", in: "#fresh-map", x: 59 + 2, y: 2))
                #expect(
                    try await browser.evaluate(
                        "return document.querySelector('#fresh-slowest .name').textContent", as: String.self) == "BBB")
                try await browser.type("bb" + Keys.enter, into: "#fresh-search")
                try await browser.until("document.getElementById('symbol-name').value === 'BBB'")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `Enter in the search opens the symbol as it was typed, before one that differs in case`() async throws {
        try await RunningServer.run(collector: Self.market(["BACPL", "BACpL"])) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#freshness"))
                try await browser.until("document.getElementById('fresh-summary').textContent.startsWith('2 symbols')")
                try await browser.type("BACpL" + Keys.enter, into: "#fresh-search")
                try await browser.until("document.getElementById('symbol-name').value !== ''")
                #expect(
                    try await browser.evaluate(
                        "return document.getElementById('symbol-name').value", as: String.self) == "BACpL")
            }
        }
    }

    @Test func `every group opens, with what is collected of it and how fresh it is`() async throws {
        try await RunningServer.run(collector: .market()) { server in
            let now = WallClock.microseconds()
            var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
            batch.trades = [Trade(symbol: try #require(Symbol("AAPL")), time: now / 1000, price: 123.5, size: 1)]
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#universes"))
                try await browser.until("document.querySelectorAll('#universe-list button').length === 4")
                for (index, name) in ["tech", "SPY", "Energy", "ai"].enumerated() {
                    try await browser.click("#universe-list li:nth-child(\(index + 1)) button")
                    try await browser.until("document.querySelector('#universe-detail h3')?.textContent === '\(name)'")
                }
                try await browser.until(
                    "/123.5/.test(document.querySelector('#universe-detail tbody tr').innerText)"
                        + " && document.getElementById('universe-detail').innerText.includes('(primary 2)')")
                let text = try await browser.evaluate(
                    "return document.getElementById('universe-detail').innerText", as: String.self)
                #expect(text.contains("2 symbols") && text.contains("all collected (primary 2)"), "\(text)")
                #expect(text.contains("2.25 %") && text.contains("Energy"), "\(text)")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `dead letters are in groups of bounded height, and are retried or discarded when confirmed`()
        async throws
    {
        let collector = StagedCollector.market()
        collector.change { state in
            state.deadLetters = (1...60).map { number in
                let name = number % 10 == 0 ? "no_zero" : "sane"
                return DeadLetter(
                    stream: .trades, sequence: Int64(number), sqlState: "23514",
                    reason: "new row for relation \"trades\" violates check constraint \"\(name)\": "
                        + String(repeating: "a long row ", count: 60), row: "{\"seq\":\(number)}", time: Self.start)
            }
            state.snapshot.buffer[.trades].deadLetters = 60
            state.lettersWaiting = 2
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#dead-letters"))
                try await browser.until("document.querySelectorAll('#dead-letters-panel .letters').length === 2")
                try await browser.click("#dead-letters-panel .letters:nth-child(1) .link")
                try await browser.until("document.querySelectorAll('.letters-scroll tbody tr').length === 54")
                let height = try await browser.evaluate(
                    "return document.getElementById('dead-letters').offsetHeight", as: Int.self)
                #expect(height < 700)
                try await browser.click(".letters:nth-child(2) .buttons button:nth-child(1)")
                try await browser.press(Keys.escape)
                try await browser.until("!document.getElementById('confirm').open")
                #expect(collector.current.deadLetters.count == 60, "nothing happens unconfirmed")
                try await browser.click(".letters:nth-child(2) .buttons button:nth-child(1)")
                try await browser.click("#confirm-yes")
                try await browser.until(
                    "/6 rows are back in the queue/.test(document.getElementById('toast').textContent)")
                try await browser.until("document.querySelectorAll('#dead-letters-panel .letters').length === 1")
                let button = "return document.getElementById('confirm-yes').className"
                #expect(try await browser.evaluate(button, as: String.self) == "primary")
                try await browser.click(".letters-scroll tbody tr:first-child td:last-child button:nth-child(2)")
                #expect(try await browser.evaluate(button, as: String.self) == "final", "what can't be undone looks so")
                try await browser.click("#confirm-yes")
                try await browser.until(
                    "/1 row discarded; 2 rows stayed in the queue/.test(document.getElementById('toast').textContent)")
                #expect(collector.current.deadLetters.count == 53)
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `the headline names the worst problem and leads to its card, and each check has a place`() async throws {
        let collector = StagedCollector.market()
        let error = "the server refused the login: " + String(repeating: "a long story ", count: 80)
        collector.change { state in
            state.snapshot.uploads[0].status.failed(nil, error, needsPerson: true, at: .now)
            state.snapshot.buffer.state = .failing(message: "disk gone")
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server), until: "document.querySelector('#verdict-detail a')")
                #expect(
                    try await browser.evaluate(
                        "return document.querySelector('#verdict-detail strong').textContent", as: String.self)
                        == "Buffer failing")
                try await browser.click("#problems a")
                #expect(
                    try await browser.evaluate("return document.activeElement.id", as: String.self) == "card-upload")
                // A long error is cut off, and shown in full on demand.
                let height = "document.querySelector('#card-upload').offsetHeight"
                #expect(try await browser.evaluate("return \(height)", as: Int.self) < 420)
                try await browser.click("#card-upload .note button")
                let whole = "document.querySelector('#card-upload .note p')"
                #expect(
                    try await browser.evaluate(
                        "return \(whole).scrollHeight <= \(whole).clientHeight + 2", as: Bool.self))
                // A card is green only if none of its checks has a problem.
                let wrong = try await browser.evaluate(
                    """
                    const checks = (await (await fetch('/api/status')).json()).health.checks;
                    const shown = document.getElementById('cards').innerText;
                    return Object.entries(checks).filter(([, check]) => check.status !== 'ok' && !shown.includes(check.detail.slice(0, 40)))
                      .map(([name]) => name);
                    """, as: [String].self)
                #expect(wrong == [])
                #expect(
                    try await browser.evaluate(
                        "return document.querySelector('#card-upload .badge').dataset.level", as: String.self) != "ok")
            }
        }
    }

    @Test func `of equal problems the page puts the one first that the headline names`() async throws {
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.uploads[0].status.failed(nil, "the server does not respond", needsPerson: false, at: .now)
            state.snapshot.backfill = .lacking("there is no key")
            state.snapshot.buffer.openGaps = 1
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server), until: "document.querySelector('#problems a')")
                let named = try await browser.evaluate(
                    "return (await (await fetch('/api/status')).json()).health.headline", as: String.self)
                #expect(named.hasPrefix("sync degraded: "), "\(named)")
                let shown = try await browser.evaluate(
                    "return document.getElementById('verdict-detail').textContent", as: String.self)
                #expect(shown.hasPrefix("Upload degraded: "), "\(shown)")
                // Without contact, none of them may be true any longer.
                try await browser.evaluate(
                    """
                    window.fetch = () => Promise.reject(new TypeError('gone'));
                    for (const hidden of [true, false]) {
                      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
                      document.dispatchEvent(new Event('visibilitychange'));
                    }
                    return true;
                    """, as: Bool.self)
                try await browser.until(
                    "document.documentElement.classList.contains('is-old') && !document.querySelector('#problems a')")
            }
        }
    }

    @Test func `without an upstream nothing offers to push, and nothing is behind`() async throws {
        let collector = StagedCollector.market()
        collector.change { $0.snapshot.uploads = [] }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server))
                try await browser.until("document.querySelector('#card-upload .badge').textContent === 'off'")
                let text = try await browser.evaluate(
                    "return document.getElementById('card-upload').innerText", as: String.self)
                #expect(!text.contains("behind") && !text.contains("Push") && text.contains("DATABASE_URI"), "\(text)")
                #expect(try await browser.evaluate("return document.getElementById('push').hidden", as: Bool.self))
                try await browser.until(
                    "document.getElementById('dead-letters-panel').textContent"
                        + " === 'No dead letters: no refused row is waiting.'")
            }
        }
    }

    @Test func `live events have milliseconds and sizes, and pause for who reads`() async throws {
        try await RunningServer.run(collector: .market()) { server in
            @Sendable func quote(_ index: Int) throws {
                var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
                for number in 0..<40 {
                    batch.quotes.append(
                        Quote(
                            symbol: try #require(Symbol("AAPL")), time: Self.start + 7, bid: 10, bidSize: 300,
                            ask: 10.5,
                            askSize: Double(index * 1000 + number)))
                }
                _ = server.tap.offer(batch)
            }
            try quote(1)
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#events?tz=utc"))
                try await browser.until("document.querySelectorAll('#events-body tr').length >= 40")
                let row = try await browser.evaluate(
                    "return document.querySelector('#events-body tr').innerText", as: String.self)
                #expect(row.contains("15:00:00.007") && row.contains("10.00 × 300 / 10.50 × 1K"), "\(row)")
                try await browser.evaluate(
                    "document.getElementById('events-box').scrollTop = 200; return true", as: Bool.self)
                try await browser.until("document.getElementById('pause').textContent === 'Resume'")
                let held = try await browser.evaluate(
                    "return document.getElementById('events-body').innerText", as: String.self)
                try quote(2)
                try await browser.until("/40 events passed/.test(document.getElementById('events-note').textContent)")
                #expect(
                    try await browser.evaluate(
                        "return document.getElementById('events-body').innerText", as: String.self)
                        == held)
                try await browser.click("#pause")
                try await browser.until("document.getElementById('events-box').scrollTop === 0")
                try await browser.until("/2K/.test(document.querySelector('#events-body').innerText)")
                #expect(
                    try await browser.evaluate(
                        "return document.querySelectorAll('#events-body tr').length <= 200", as: Bool.self))
            }
        }
    }

    @Test func `that more events arrive than are shown stays said between two crowded messages`() async throws {
        let collector = StagedCollector.market()
        try await RunningServer.run(collector: collector) { server in
            @Sendable func trades(_ count: Int, of name: String) throws {
                let now = WallClock.microseconds()
                var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
                let symbol = try #require(Symbol(name))
                batch.trades = (0..<count).map { index in
                    Trade(symbol: symbol, time: now / 1000, price: 10 + Double(index) / 100, size: 1)
                }
                _ = server.tap.offer(batch)
            }
            try await Browser.run { browser in
                // On a loaded machine, the next message may take longer than the note stays.
                try await browser.prepare("const opened = performance.now(); performance.now = () => opened;")
                // The list as first read would replace what has come since.
                try await browser.open(
                    Self.page(server),
                    until: Self.isLive + " && !document.getElementById('events-empty').hidden")
                let note = "document.getElementById('events-note').textContent"
                try trades(100, of: "MANY")
                try await browser.until("\(note).startsWith('More events')")
                try trades(1, of: "ONE")
                try await browser.until("document.querySelector('#events-body .ticker')?.textContent === 'ONE'")
                #expect(try await browser.evaluate("return \(note)", as: String.self).hasPrefix("More events"))
            }
        }
    }

    @Test func `outages are marked in the charts, also those before a restart`() async throws {
        let collector = StagedCollector.market()
        let now = WallClock.milliseconds()
        // The gap of the lost bars is longer than the outage was.
        for (kind, from) in [
            (EventKind.trade, now - 1_200_000), (.minuteBar, now - 2_100_000), (.quote, now - 1_200_000),
        ] {
            collector.record(
                Gap(connection: "primary", symbols: [], events: [kind], from: from, to: now - 900_000, cause: .down))
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(
                    Self.page(server, "#hour"), until: "document.querySelectorAll('#charts .mark').length >= 4")
                let share = try await browser.evaluate(
                    """
                    const mark = document.querySelector('#charts .mark').getBoundingClientRect();
                    const chart = document.querySelector('#charts svg').getBoundingClientRect();
                    return mark.width / chart.width;
                    """, as: Double.self)
                #expect(share > 0.15 && share < 0.4, "five of twenty minutes")
                try await browser.until("/recorded gap/.test(document.getElementById('hour').innerText)")
                let rows = try await browser.evaluate(
                    "return [...document.querySelectorAll('#gaps-panel tbody tr')].map((row) => row.innerText)",
                    as: [String].self)
                #expect(rows.count == 1, "one outage, whatever was missed")
                let row = rows.first ?? ""
                #expect(["trades", "minute bars", "quotes", "5 min 0 s"].allSatisfy(row.contains), "\(row)")
            }
        }
    }

    @Test func `gaps of one outage share a row only if they are of the same symbols`() async throws {
        let collector = StagedCollector.market()
        let now = WallClock.milliseconds()
        for (kind, names) in [(EventKind.minuteBar, ["IBM", "F"]), (.trade, ["GE", "T"]), (.quote, ["IBM", "F"])] {
            collector.record(
                Gap(
                    connection: "primary", symbols: names.compactMap { Symbol($0) }, events: [kind],
                    from: now - 1_200_000, to: now - 900_000, cause: .disconnected))
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#hour"))
                try await browser.until("document.querySelectorAll('#gaps-panel tbody tr').length > 0")
                let rows = try await browser.evaluate(
                    "return [...document.querySelectorAll('#gaps-panel tbody tr')].map((row) => row.innerText)",
                    as: [String].self)
                #expect(rows.count == 2, "\(rows)")
                #expect(rows.contains { row in ["minute bars, quotes", "IBM"].allSatisfy(row.contains) }, "\(rows)")
                #expect(rows.contains { row in ["trades", "GE"].allSatisfy(row.contains) }, "\(rows)")
            }
        }
    }

    @Test func `the first view is small and the page is bounded, at every width`() async throws {
        let collector = StagedCollector.market()
        collector.change { state in
            state.deadLetters = (1...50).map {
                DeadLetter(
                    stream: .bars, sequence: Int64($0), sqlState: "22003", reason: "numeric field overflow \($0)",
                    row: "{}",
                    time: Self.start)
            }
            state.snapshot.buffer[.trades].deadLetters = 50
        }
        for index in 0..<200 {
            collector.record(
                Gap(
                    connection: "primary", symbols: [], events: [.trade], from: Self.start + Int64(index),
                    to: Self.start + Int64(index) + 1, cause: .stalled))
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(
                    Self.page(server), until: "document.querySelectorAll('#gaps-panel tbody tr').length === 200")
                let bytes = try await browser.evaluate(
                    """
                    return performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/assets/'))
                      .reduce((sum, entry) => sum + entry.encodedBodySize, performance.getEntriesByType('navigation')[0].encodedBodySize);
                    """, as: Int.self)
                #expect(bytes > 50_000 && bytes <= 150 * 1024)
                for (width, most) in [(390, 10_000), (1024, 7000), (1920, 6000)] {
                    try await browser.settle(width: width, height: 900)
                    let height = try await browser.evaluate(
                        "return document.documentElement.scrollHeight", as: Int.self)
                    #expect(height < most, "at \(width)")
                    #expect(
                        try await browser.evaluate(
                            """
                            scrollTo({ top: 2000, behavior: 'instant' });
                            const isInView = (element) => {
                              const { left, right, top, bottom } = element.getBoundingClientRect();
                              return left >= 0 && right <= innerWidth && top >= 0 && bottom <= 120;
                            };
                            const nav = document.querySelector('nav');
                            return isInView(nav) && [...nav.querySelectorAll('a:not([hidden])')].every((link) => {
                              nav.scrollLeft = link.offsetLeft - nav.offsetLeft;
                              return isInView(link);
                            }) && document.documentElement.scrollWidth <= innerWidth;
                            """, as: Bool.self), "at \(width)")
                }
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test(
        .enabled(if: Axe.script != nil, "axe.min.js of PyPI's axe-playwright-python is not there (make python)"),
        arguments: ["light", "dark"])
    func `axe-core finds nothing`(scheme: String) async throws {
        let script = try String(contentsOfFile: try #require(Axe.script), encoding: .utf8)
        let collector = StagedCollector.market()
        collector.change { state in
            state.deadLetters = [
                DeadLetter(
                    stream: .bars, sequence: 1, sqlState: "22003", reason: "overflow", row: "{}", time: Self.start)
            ]
            state.snapshot.buffer[.trades].deadLetters = 1
            state.snapshot.uploads[0].status.failed(nil, "the server is away", needsPerson: false, at: .now)
        }
        collector.record(
            Gap(connection: "primary", symbols: [], events: [.trade], from: Self.start, to: nil, cause: .stalled))
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            batch.bars = try (0..<30).map { try Self.bar("AAPL", $0, 10, 11, 9, 10.5) }
            _ = server.tap.offer(batch)
            try await Browser.run(scheme: scheme) { browser in
                try await browser.open(Self.page(server, "#universes?symbol=AAPL&group=THEME/ai&letters=bars+22003+"))
                try await browser.until(
                    "\(Self.isLive) && document.querySelector('#universe-detail tbody') && document.querySelector('.letters-scroll')"
                        + " && document.querySelector('#verdict-detail a') && document.querySelector('#gaps-panel td')")
                for width in [390, 1024, 1920] {
                    try await browser.settle(width: width, height: 900)
                    try await browser.evaluate(script + "; return true", as: Bool.self)
                    let found = try await browser.evaluate(
                        """
                        const { violations } = await axe.run(document, { resultTypes: ['violations'] });
                        return violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(' ')).slice(0, 3).join(' | ')}`);
                        """, as: [String].self)
                    #expect(found == [], "\(scheme) at \(width)")
                }
            }
        }
    }
}

/// The accessibility checker of axe-core, as PyPI's axe-playwright-python ships it.
enum Axe {
    static let script: String? = {
        guard let python = ProcessInfo.processInfo.environment["EDGETICK_TEST_PYTHON"], !python.isEmpty else {
            return nil
        }
        let libraries = URL(filePath: python).deletingLastPathComponent().deletingLastPathComponent().path + "/lib"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: libraries)) ?? []
        return versions.map { "\(libraries)/\($0)/site-packages/axe_playwright_python/axe.min.js" }
            .first { FileManager.default.isReadableFile(atPath: $0) }
    }()
}

/// Set by one task, read by another.
final class Flag: Sendable {
    private let state = Mutex(false)
    var isSet: Bool { state.withLock { $0 } }
    func set(_ value: Bool = true) { state.withLock { $0 = value } }
}

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

/// The same at the widths of a phone, a tablet and a desk's screen.
extension DeskTests {
    private static let widths = [390, 1024, 1920]

    @Test(arguments: ["light", "dark"])
    func `what a desk does works at every width`(scheme: String) async throws {
        let collector = Self.market(["CNDL", "FORM", "GO", "STOP", "ZOOM"])
        collector.record(
            Gap(
                connection: "primary", symbols: [try #require(Symbol("CNDL"))], events: [.minuteBar],
                from: Self.start + 180_000, to: Self.start + 360_000, cause: .disconnected))
        collector.change { state in
            state.deadLetters = Self.widths.map { width in
                DeadLetter(
                    stream: .trades, sequence: Int64(width), sqlState: "23514",
                    reason: "new row for relation \"trades\" violates check constraint \"at_\(width)\"", row: "{}",
                    time: Self.start)
            }
            state.snapshot.buffer[.trades].deadLetters = Int64(Self.widths.count)
        }
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.start * 1000)
            batch.bars = [
                try Self.bar("CNDL", 0, 10, 12, 9.5, 11), try Self.bar("CNDL", 1, 11, 11.5, 10, 10.5),
                try Self.bar("CNDL", 2, 10.5, 14, 10.25, 13.5), try Self.bar("CNDL", 6, 13.5, 13.75, 12, 12.25),
                try Self.bar("CNDL", 7, 12.25, 13, 12, 12.25),
            ]
            batch.bars += try (0..<300).map { try Self.bar("ZOOM", $0, 10, 11, 9, 10.5) }
            _ = server.tap.offer(batch)
            let hasStopped = Flag()
            let trading = Task {
                while !Task.isCancelled {
                    let now = WallClock.microseconds()
                    var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
                    for name in ["GO", "STOP"] where !(hasStopped.isSet && name == "STOP") {
                        batch.trades.append(
                            Trade(symbol: try #require(Symbol(name)), time: now / 1000, price: 10, size: 1))
                    }
                    _ = server.tap.offer(batch)
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            defer { trading.cancel() }
            try await Browser.run(scheme: scheme) { browser in
                try await browser.open(Self.page(server, "#symbol?symbol=CNDL&tz=utc"), until: Self.isLive)
                for width in Self.widths {
                    try await browser.settle(width: width, height: 900)
                    try await Self.seeCandles(browser)
                    try await Self.seeForming(browser, server, at: Double(10_000 + width) / 1000)
                    try await Self.zoom(browser)
                    try await Self.seeSilence(browser, hasStopped)
                    try await Self.retryLetter(browser)
                }
                #expect(collector.current.deadLetters.isEmpty)
                #expect(try await browser.complaints() == [])
            }
        }
    }

    private static func go(_ browser: Browser, to view: String) async throws {
        try await browser.evaluate("location.hash = '\(view)'; return true", as: Bool.self)
    }

    /// Each candle has its side and its place, and the gap is shaded between them.
    private static func seeCandles(_ browser: Browser) async throws {
        try await go(browser, to: "#symbol?symbol=CNDL&tz=utc")
        let box = "document.querySelector('.candles')"
        try await browser.until(
            "\(shown) === 5 && \(box).dataset.gaps && \(box).querySelector('canvas').width === \(box).clientWidth")
        let candles = try await browser.candles()
        try #require(candles.map(\.side) == ["up", "down", "up", "down", "muted"], "\(candles)")
        for (candle, dollars) in zip(candles, [2.5, 1.5, 3.75, 1.75, 1]) {
            #expect(abs(Double(candle.height) / dollars - Double(candles[2].height) / 3.75) < 3, "\(candles)")
        }
        let step = candles[1].middle - candles[0].middle
        #expect(abs(candles[3].middle - candles[2].middle - 4 * step) <= 4, "\(candles)")
        let middle = (candles[2].middle + candles[3].middle) / 2
        #expect(try await browser.hasColor("warn-soft", in: ".candles", x: middle, y: 120))
        #expect(try await !browser.hasColor("warn-soft", in: ".candles", x: middle - 2 * step, y: 121))
    }

    /// A trade is the close of the candle that forms.
    private static func seeForming(_ browser: Browser, _ server: RunningServer, at price: Double) async throws {
        try await go(browser, to: "#symbol?symbol=FORM&tz=utc")
        try await browser.until("document.getElementById('symbol-name').value === 'FORM'")
        let now = WallClock.milliseconds()
        var batch = EventBatch(connection: "primary", receivedMicroseconds: now * 1000)
        batch.trades = [
            Trade(symbol: try #require(Symbol("FORM")), time: now, price: price, size: 5, sequence: now)
        ]
        // The symbol's stream may be opened some time later; sent again, it counts as the same trade.
        try await Waiting.until("a candle that forms", within: .seconds(60)) { [batch] in
            _ = server.tap.offer(batch)
            return try await browser.evaluate(
                "return /forming/.test(\(readout)) && /C \(price)/.test(\(readout))", as: Bool.self)
        }
        try await browser.until("\(shown) >= 1")
        let candle = try #require(try await browser.candles().last)
        #expect(candle.height >= 1)
    }

    /// The wheel and keys zoom and move, and a reload leads to the same view.
    private static func zoom(_ browser: Browser) async throws {
        try await go(browser, to: "#symbol?symbol=ZOOM&tz=utc")
        // As many as can be told apart.
        let box = "document.querySelector('.candles')"
        let usual = "Math.min(120, Math.floor((\(box).clientWidth - 70) / 6))"
        try await browser.until("\(shown) === \(usual)")
        try await browser.click(".candles")
        try await browser.turnWheel(over: ".candles", by: -120)
        try await browser.until("\(shown) < \(usual)")
        try await browser.press("-")
        try await browser.until("\(shown) > \(usual)")
        let last = "Number(document.querySelector('.candles').dataset.last)"
        let before = try await browser.evaluate("return \(last)", as: Double.self)
        try await browser.press(Keys.left, with: Keys.shift)
        try await browser.until("\(last) < \(before)")
        let kept = try await browser.evaluate("return [\(last), \(shown)].join()", as: String.self)
        try await browser.reload()
        try await browser.until("[\(last), \(shown)].join() === '\(kept)'")
    }

    /// A symbol that stops is seen on the map.
    private static func seeSilence(_ browser: Browser, _ hasStopped: Flag) async throws {
        try await go(browser, to: "#freshness")
        let fresh = "document.getElementById('fresh-map').dataset.fresh"
        try await browser.until("\(fresh) === '2'")
        hasStopped.set()
        try await browser.until("\(fresh) === '1'")
        hasStopped.set(false)
    }

    /// The first letter goes back into the queue, once that is confirmed.
    private static func retryLetter(_ browser: Browser) async throws {
        try await go(browser, to: "#dead-letters")
        let letters = "document.querySelectorAll('#dead-letters-panel .letters').length"
        try await browser.until("\(letters) > 0")
        let before = try await browser.evaluate("return \(letters)", as: Int.self)
        try await browser.click("#dead-letters-panel .letters:first-child .buttons button:first-child")
        try await browser.click("#confirm-yes")
        try await browser.until(
            "/1 row is back in the queue/.test(document.getElementById('toast').textContent) && \(letters) === \(before - 1)"
        )
    }

    @Test func `nothing scrolls sideways at any width, and each section shown has its way in the head`() async throws {
        let collector = StagedCollector.market()
        let problem = "sync degraded: " + String(repeating: "a row was refused and is not upstream; ", count: 4)
        let boxes = ["desk-new-york-1", "cellar", "office"]
        let name = String(repeating: "a_name_that_a_script_made_", count: 6)
        collector.change { state in
            state.snapshot.fleet = FleetBoard.Status()
            var view = FleetBoard.View()
            view.age = 0
            view.fleet = Fleet(
                boxes.map { id in
                    var report = FleetReport(id: id, group: "nyc", host: "host-of-\(id)", version: "1.2.3", fileID: id)
                    report.state = .degraded
                    report.reason = problem
                    report.symbols = 3000
                    report.rowsPending = 1_234_567
                    report.oldestPending = 7300
                    report.sharesWith = boxes
                    return FleetRow(report: report, seen: Self.start, age: 7200)
                })
            state.fleet = view
            state.snapshot.relay?.readers = (1...3).map { id in
                RelayState.Reader(
                    id: id, address: "127.0.0.1:\(50_000 + id)", agent: "strategy-momentum/2.1 (python 3.11)",
                    isLoggedIn: true, connectedSince: Self.start, channels: 30,
                    sample: ["AM.*", "T.AAPL", "T.MSFT", "Q.NVDA"], events: 123_456_789, bytes: 12_345_678_901,
                    replayed: 1000, waitingBytes: 204_800, waitingEvents: 2048, isReplaying: false)
            }
            state.deadLetters = (1...3).map { number in
                DeadLetter(
                    stream: .trades, sequence: Int64(1_000_000 + number), sqlState: "23514",
                    reason: "new row for relation \"trades\" violates check constraint \"sane\"", row: "{}",
                    time: Self.start)
            }
            state.deadLetters.append(
                DeadLetter(
                    stream: .trades, sequence: 1_000_004, sqlState: "23514",
                    reason: "new row for relation \"trades\" violates check constraint \"\(name.prefix(63))\"",
                    row: "{}", time: Self.start))
            state.snapshot.buffer[.trades].deadLetters = 4
            state.groups.append((UniverseGroup(name, .universe, description: nil, members: 1), []))
        }
        for kind in [EventKind.trade, .quote, .minuteBar] {
            collector.record(
                Gap(
                    connection: "primary", symbols: ["AAPL", "AIG", "BRK.B", "MSFT"].compactMap { Symbol($0) },
                    events: [kind], from: Self.start, to: Self.start + 5_400_000, cause: .disconnected))
        }
        try await RunningServer.run(collector: collector) { server in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            let symbol = try #require(Symbol("AAPL"))
            batch.quotes = (0..<40).map { index in
                Quote(
                    symbol: symbol, time: Self.start, bid: 1422.33, bidSize: 1700, ask: 1422.34,
                    askSize: Double(400 + index))
            }
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#fleet?symbol=AAPL&letters=trades+23514+sane"))
                try await browser.until(
                    "document.querySelectorAll('#fleet-table tr.more').length === 3"
                        + " && document.querySelector('#relay-table td') && document.querySelector('#gaps-panel td')"
                        + " && document.querySelector('.letters-scroll td') && document.querySelector('#symbol-gaps td')"
                        + " && document.querySelector('#symbol-events td') && document.querySelector('#events-body td')"
                )
                #expect(
                    try await browser.evaluate(
                        """
                        const links = [...document.querySelectorAll('nav a:not([hidden])')].map((link) => link.hash.slice(1));
                        return ['fleet', 'relay'].every((id) => links.includes(id)) && links.every((id) => document.getElementById(id).checkVisibility());
                        """, as: Bool.self))
                for width in Self.widths + [641, 961, 1280, 1440, 1501] {
                    try await browser.settle(width: width, height: 900)
                    let broken = try await browser.evaluate(
                        """
                        return [...document.querySelectorAll('.card dt')]
                          .filter((name) => name.offsetHeight > 24).map((name) => name.textContent);
                        """, as: [String].self)
                    #expect(broken == [], "a name in two lines at \(width)")
                    let wide = try await browser.evaluate(
                        """
                        return [document.documentElement, ...document.querySelectorAll('.scroll, .letters-box, .card h3')]
                          .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
                          .map((box) => `${box.id || box.getAttribute('aria-label') || box.textContent}: ${box.scrollWidth} in ${box.clientWidth}`);
                        """, as: [String].self)
                    #expect(wide == [], "at \(width)")
                }
            }
        }
    }

    @Test func `on a phone an event is one line, and its kind is the feed's letter`() async throws {
        try await RunningServer.run(collector: .market()) { server in
            let now = WallClock.microseconds()
            var batch = EventBatch(connection: "primary", receivedMicroseconds: now)
            let symbol = try #require(Symbol("AAPL"))
            batch.quotes = [
                Quote(symbol: symbol, time: now / 1000, bid: 142.33, bidSize: 1700, ask: 142.34, askSize: 400)
            ]
            batch.trades = [Trade(symbol: symbol, time: now / 1000, price: 142.33, size: 100)]
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.resize(width: 390, height: 844)
                try await browser.open(Self.page(server, "#events"))
                try await browser.until("document.querySelectorAll('#events-body tr').length === 2")
                let values = try await browser.evaluate(
                    """
                    return [...document.querySelectorAll('#events-body .num')].map((cell) => {
                      const range = document.createRange();
                      range.selectNodeContents(cell);
                      return range.getClientRects().length;
                    });
                    """, as: [Int].self)
                #expect(values == [1, 1])
                let kinds = try await browser.evaluate(
                    """
                    return [...document.querySelectorAll('#events-body .kind')]
                      .map((cell) => [cell.textContent, cell.dataset.code, getComputedStyle(cell).fontSize].join(' ')).sort();
                    """, as: [String].self)
                #expect(kinds == ["quote Q 0px", "trade T 0px"])
            }
        }
    }

    @Test(arguments: ["holiday", "regular"])
    func `silence is a problem only while the market trades, and the head says whether it does`(session: String)
        async throws
    {
        try await RunningServer.run(collector: Self.market(["AAA"])) { server in
            let old = WallClock.microseconds() - 7200 * 1_000_000
            var batch = EventBatch(connection: "primary", receivedMicroseconds: old)
            batch.trades = [Trade(symbol: try #require(Symbol("AAA")), time: old / 1000, price: 10, size: 1)]
            _ = server.tap.offer(batch)
            try await Browser.run { browser in
                try await browser.prepare(
                    """
                    const ask = window.fetch;
                    window.fetch = async (url, options) => {
                      const answer = await ask(url, options);
                      if (!String(url).includes('/api/events')) return answer;
                      const told = (text) => text.replace(/"market":\\{[^}]*\\}/, '"market":{"session":"\(session)","until_ms":4099453200000}');
                      // A message may come in pieces.
                      let rest = '';
                      return new Response(answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({
                        transform: (text, stream) => {
                          const messages = (rest + text).split('\\n\\n');
                          rest = messages.pop();
                          for (const message of messages) stream.enqueue(`${told(message)}\\n\\n`);
                        },
                      })).pipeThrough(new TextEncoderStream()), answer);
                    };
                    """)
                try await browser.open(Self.page(server, "#freshness?tz=utc"))
                let words = session == "holiday" ? "Market closed, a holiday, until" : "Market open until"
                try await browser.until("document.getElementById('market').textContent.startsWith('\(words)')")
                #expect(
                    try await browser.evaluate("return document.getElementById('market').textContent", as: String.self)
                        .hasSuffix("27 Nov 09:00 UTC"))
                try await browser.until("document.getElementById('fresh-map').dataset.count === '1'")
                let color = session == "holiday" ? "cover-none" : "age-6"
                #expect(try await browser.hasColor(color, in: "#fresh-map", x: 2, y: 2))
                #expect(
                    try await browser.evaluate(
                        "return document.getElementById('fresh-resting').hidden", as: Bool.self)
                        == (session == "regular"))
            }
        }
    }

    @Test func `a symbol that is not collected is named as such without an error, and an only box leads to no fleet`()
        async throws
    {
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.fleet = FleetBoard.Status()
            let report = FleetReport(id: "test-box", group: nil, host: "host", version: "1.2.3", fileID: "1")
            state.fleet?.fleet = Fleet([FleetRow(report: report, seen: Self.start, age: 1)])
            state.fleet?.age = 0
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server, "#symbol?symbol=NOPE"))
                try await browser.until(
                    "document.getElementById('symbol-about').textContent.includes('not collected')"
                        + " && !document.getElementById('card-fleet').hidden")
                try await browser.until("document.querySelector('#card-fleet .figure').innerText.includes('of 1 box')")
                #expect(
                    try await browser.evaluate(
                        "return document.querySelector('#card-fleet a').checkVisibility()", as: Bool.self)
                        == false)
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `the fleet's card says nothing before the boxes were read`() async throws {
        let collector = StagedCollector.market()
        collector.change { $0.snapshot.fleet = FleetBoard.Status() }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.prepare(
                    """
                    const ask = window.fetch;
                    window.fetch = (url, options) => (String(url).endsWith('/api/fleet') ? new Promise(() => {}) : ask(url, options));
                    """)
                try await browser.open(Self.page(server), until: "!document.getElementById('card-fleet').hidden")
                #expect(
                    try await browser.evaluate(
                        "return document.querySelector('#card-fleet .badge').dataset.level", as: String.self)
                        == "unknown")
                let text = try await browser.evaluate(
                    "return document.getElementById('card-fleet').innerText", as: String.self)
                #expect(!text.contains("0") && !text.contains("ok"), "\(text)")
            }
        }
    }

    @Test func `a fleet that can't be read is not shown as well, and has no number of boxes`() async throws {
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.fleet = FleetBoard.Status()
            state.fleet?.problem = "the server is down"
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                let card = "document.getElementById('card-fleet')"
                try await browser.open(
                    Self.page(server), until: "document.getElementById('fleet-badge').dataset.level === 'degraded'")
                try await browser.until("\(card).querySelector('.badge').dataset.level === 'degraded'")
                let figure = try await browser.evaluate(
                    "return \(card).querySelector('.figure').textContent", as: String.self)
                #expect(figure == "–boxes")
                // Not read yet, for no known reason.
                collector.change { $0.fleet?.problem = nil }
                try await browser.until("\(card).querySelector('.badge').dataset.level === 'unknown'")
            }
        }
    }

    @Test func `what was not read yet is not said to be well`() async throws {
        let collector = StagedCollector.market()
        collector.change { state in
            state.snapshot.buffer[.trades].deadLetters = 7
            state.snapshot.buffer.gaps = 5
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.prepare(
                    """
                    const ask = window.fetch;
                    window.fetch = (url, options) => (/\\/api\\/(dead-letters|gaps)/.test(url) ? new Promise(() => {}) : ask(url, options));
                    """)
                try await browser.open(Self.page(server, "#dead-letters?tz=ny"))
                let card = "document.getElementById('card-completeness')"
                try await browser.until("/5\\s*gaps/.test(\(card).innerText)")
                let text = try await browser.evaluate("return \(card).innerText", as: String.self)
                #expect(text.contains(/Filled\s*–/), "\(text)")
                for panel in ["dead-letters-panel", "gaps-panel"] {
                    let text = try await browser.evaluate(
                        "return document.getElementById('\(panel)').textContent", as: String.self)
                    #expect(text == "", "\(panel)")
                }
            }
        }
    }

    @Test func `the card of completeness counts the gaps by what became of them, and leads to them`() async throws {
        let collector = StagedCollector.market()
        for state in [GapState.open, .partial, .filled, .covered, .unfillable] {
            collector.record(
                Gap(
                    connection: "primary", symbols: [], events: [.trade], from: Self.start, to: Self.start + 1000,
                    cause: .stalled))
            collector.change { $0.gaps[0].state = state }
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open(Self.page(server))
                let card = "document.getElementById('card-completeness')"
                try await browser.until("/Can't be filled\\s*1/.test(\(card).innerText)")
                let text = try await browser.evaluate("return \(card).innerText", as: String.self)
                #expect(text.contains(/5\s*gaps/) && text.contains(/Filled\s*2/) && text.contains(/Not all filled\s*2/))
                #expect(text.contains("1 gap is not filled yet"))
                let level = "\(card).querySelector('.badge').dataset.level"
                #expect(try await browser.evaluate("return \(level)", as: String.self) == "degraded")
                // Days are not compared: neither good nor bad.
                collector.change { state in
                    for index in state.gaps.indices where state.gaps[index].state == .open {
                        state.gaps[index].state = .empty
                    }
                }
                try await browser.until("\(level) === 'off'")
                try await browser.click("#card-completeness a")
                #expect(try await browser.evaluate("return document.activeElement.id", as: String.self) == "gaps")
            }
        }
    }
}

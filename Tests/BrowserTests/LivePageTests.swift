import Foundation
import TestSupport
import Testing
import WebAPISupport

/// The page in front of the real program and a simulated feed.
@Suite(.enabled(if: Browser.isInstalled, "Chromium and chromedriver are not installed"), .timeLimit(.minutes(5)))
struct LivePageTests {
    private static let isLive = "document.getElementById('contact').dataset.state === 'live'"
    private static let events = "document.querySelectorAll('#events-body tr').length"
    private static let badge = "document.querySelector('#connection-list .badge')?.textContent"

    /// What a page complains of. That the collector is busy (503) doesn't count: on a loaded machine its file may take
    /// longer than the three seconds that it has for an answer, and the page asks again.
    private func complaints(of browser: Browser) async throws -> [String] {
        try await browser.complaints().filter { !$0.contains("status of 503") }
    }

    @Test func `events of the feed appear, nothing outside is asked for, and the page has nothing to complain of`()
        async throws
    {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        try await Browser.run { browser in
            for path in ["/", "/admin/websockets"] {
                try await browser.open("http://127.0.0.1:\(port)\(path)")
                try await browser.until("\(Self.isLive) && \(Self.events) > 5 && \(Self.badge) === 'connected'")
                try await browser.until("document.getElementById('verdict').textContent === 'Collecting'")
            }
            try await browser.evaluate(
                "const box = document.getElementById('symbol-interval'); box.value = '1';"
                    + "box.dispatchEvent(new Event('change')); return true", as: Bool.self)
            try await browser.until("Number(document.querySelector('.candles').dataset.count) > 1")
            try await browser.click("#pause")
            let held = try await browser.evaluate(
                "return document.querySelector('#events-body').innerHTML", as: String.self)
            try await browser.until("/passed since/.test(document.getElementById('events-note').textContent)")
            #expect(
                try await browser.evaluate("return document.querySelector('#events-body').innerHTML", as: String.self)
                    == held)
            let asked = try await browser.requested()
            #expect(asked.contains { $0.hasSuffix("/api/events") })
            #expect(
                asked.filter { $0.hasPrefix("http") || $0.hasPrefix("ws") }
                    .filter { !$0.hasPrefix("http://127.0.0.1:\(port)/") } == [])
            let complaints = try await complaints(of: browser)
            #expect(complaints == [])
        }
        withExtendedLifetime(collector) {}
    }

    @Test func `only the symbols and kinds asked for are shown`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        try await Browser.run { browser in
            try await browser.open("http://127.0.0.1:\(port)/", until: "\(Self.events) > 5")
            try await browser.type("msft", into: "#events-symbols")
            for kind in ["AM", "A", "Q"] { try await browser.click("input[name=kind][value=\(kind)]") }
            let rows = "[...document.querySelectorAll('#events-body tr')]"
            try await browser.until(
                "\(rows).length > 2 && \(rows).every((row) => row.cells[1].textContent === 'trade'"
                    + " && row.cells[2].textContent === 'MSFT')")
        }
        withExtendedLifetime(collector) {}
    }

    @Test func `a connection that is cut is shown as such, and as connected when it is back`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (collector, port) = try await box.collect()
        try await Browser.run { browser in
            try await browser.open(
                "http://127.0.0.1:\(port)/", until: "\(Self.badge) === 'connected' && \(Self.events) > 0")
            try await market.kill()
            try await browser.until("\(Self.badge) !== 'connected'")
            try await browser.until("document.getElementById('verdict').dataset.level === 'failing'")
            let again = try await SimulatedMarket(port: market.port)
            try await browser.until("\(Self.badge) === 'connected'")
            try await browser.until("document.getElementById('verdict').textContent === 'Collecting'")
            try await browser.until("document.querySelectorAll('#gaps-panel tbody tr').length > 0")
            let complaints = try await complaints(of: browser)
            #expect(complaints == [])
            withExtendedLifetime(again) {}
        }
        withExtendedLifetime(collector) {}
    }

    @Test func `a restart of the collector is shown, survived, and followed by new events`() async throws {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (first, port) = try await box.collect()
        try await Browser.run { browser in
            try await browser.open("http://127.0.0.1:\(port)/", until: "\(Self.isLive) && \(Self.events) > 0")
            first.send(SIGKILL)
            try await first.exit()
            try await browser.until("document.getElementById('contact').dataset.state === 'lost'")
            try await browser.until("!document.getElementById('banner').hidden")
            // An answer from before the end may still come in between.
            try await browser.until(
                "document.documentElement.classList.contains('is-old')"
                    + " && document.getElementById('verdict').textContent === 'Unknown'"
                    + " && document.title === '(?) box · EdgeTick'")
            let (second, _) = try await box.collect(settings: ["HTTP_PORT": "\(port)"])
            try await browser.until("\(Self.isLive) && document.getElementById('banner').hidden")
            let newest = "document.querySelector('#events-body tr')?.cells[0].textContent"
            // What had not reached the file is gone with the first one, so there may be none for a moment.
            try await browser.until(newest)
            let before = try await browser.evaluate("return \(newest) ?? ''", as: String.self)
            try await browser.until("\(newest) && \(newest) !== '\(before)'")
            try await browser.until("/^(\\(!+\\) )?box · EdgeTick$/.test(document.title)")
            // A page that nobody sees has no stream, but its title is read.
            try await browser.evaluate(
                """
                Object.defineProperty(document, 'hidden', { value: true, configurable: true });
                document.dispatchEvent(new Event('visibilitychange'));
                return true;
                """, as: Bool.self)
            second.send(SIGKILL)
            try await second.exit()
            try await browser.until("document.title === '(?) box · EdgeTick'")
        }
    }

    @Test func `the last hour's charts survive a restart, with a mark where nothing was collected`()
        async throws
    {
        let market = try await SimulatedMarket()
        let box = try CollectorBox(feed: market.url)
        let (first, port) = try await box.collect()
        let points = "(await (await fetch('/api/history')).json()).points"
        try await Browser.run { browser in
            try await browser.open("http://127.0.0.1:\(port)/#hour")
            let hasPoints = "return \(points).length >= 3"
            try await Waiting.until(within: .seconds(60)) { try await browser.evaluate(hasPoints, as: Bool.self) }
            let before = try await browser.evaluate("return \(points)[0].time_ms", as: Double.self)
            try await first.stop()
            let (second, _) = try await box.collect(settings: ["HTTP_PORT": "\(port)"])
            try await browser.until("\(Self.isLive) && document.getElementById('banner').hidden")
            let oldest = try await browser.evaluate("return \(points)[0].time_ms", as: Double.self)
            #expect(oldest == before)
            try await browser.until("document.querySelectorAll('#charts .mark').length >= 3")
            withExtendedLifetime(second) {}
        }
    }

    @Test func `the candles are those of the feed, in their newest version`() async throws {
        let place = try Workspace()
        let start = 1_700_000_040_000
        func bar(_ minute: Int, _ open: Double, _ high: Double, _ low: Double, _ close: Double, _ volume: Int) -> String
        {
            let from = start + minute * 60_000
            return #"{"ev":"AM","sym":"CNDL","v":\#(volume),"vw":\#(close),"o":\#(open),"c":\#(close),"h":\#(high),"#
                + #""l":\#(low),"s":\#(from),"e":\#(from + 60_000)}"#
        }
        // The third minute is sent twice; what came later counts.
        let bars = [
            bar(0, 10, 12, 9.5, 11, 100), bar(1, 11, 11.5, 10, 10.5, 250), bar(2, 10.5, 99, 1, 50, 7),
            bar(2, 10.5, 14, 10.25, 13.5, 400), bar(3, 13.5, 13.75, 12, 12.25, 50),
        ]
        let capture = try place.write(bars.map { "[\($0)]\n" }.joined(), to: "known.ndjson")
        let feed = try await SimulatedMarket(["--capture", capture, "--speed", "flat-out", "--resume"])
        let box = try CollectorBox(feed: feed.url, settings: ["SYMBOLS": "CNDL", "FEED_EVENTS": "AM"])
        let (collector, port) = try await box.collect()
        try await Browser.run { browser in
            try await browser.open(
                "http://127.0.0.1:\(port)/", until: "document.querySelector('.candles').dataset.count === '4'")
            let label = try await browser.evaluate(
                "return document.querySelector('.candles').getAttribute('aria-label')", as: String.self)
            #expect(label.contains("CNDL: 4 bars, lowest 9.50, highest 14.00, last close 12.25"), "\(label)")
            // Two candles rise, two fall, each as high as its prices are apart.
            let candles = try await browser.candles()
            #expect(candles.map(\.side) == ["up", "down", "up", "down"])
            for (candle, dollars) in zip(candles, [2.5, 1.5, 3.75, 1.75]) {
                #expect(abs(Double(candle.height) / dollars - Double(candles[0].height) / 2.5) < 2, "\(candles)")
            }
            try await browser.evaluate("document.querySelector('.candles').focus(); return true", as: Bool.self)
            try await browser.press(Keys.left)
            let read = try await browser.evaluate(
                "return document.querySelector('#candles .readout').textContent.replaceAll('\\u00a0', ' ')",
                as: String.self)
            #expect(read.contains("O 10.50  H 14.00  L 10.25  C 13.50  V 400"), "\(read)")
            try await browser.click("#bars-details summary")
            try await browser.until("document.querySelectorAll('#bars-table tbody tr').length === 4")
            let complaints = try await complaints(of: browser)
            #expect(complaints == [])
        }
        withExtendedLifetime((feed, collector)) {}
    }
}

/// Keys without a letter.
enum Keys {
    static let tab = "\u{E004}"
    static let enter = "\u{E007}"
    static let escape = "\u{E00C}"
    static let left = "\u{E012}"
    static let right = "\u{E014}"
    static let down = "\u{E015}"
    static let shift = "\u{E008}"
}

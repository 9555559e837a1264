import Collector
import Feed
import Foundation
import MarketData
import Store
import TestSupport
import Testing
import WebAPI
import WebAPISupport

/// The page in front of a staged collector: what it asks, what it shows, and who can use it.
@Suite(.enabled(if: Browser.isInstalled, "Chromium and chromedriver are not installed"), .timeLimit(.minutes(5)))
struct PageTests {
    private static let isShown =
        "document.getElementById('contact').dataset.state === 'live' && document.querySelector('#connection-list .badge')"

    @Test func `buttons ask first, do what they say, and say what was done`() async throws {
        try await RunningServer.run(collector: .market(uneven: true)) { server in
            try await Browser.run { browser in
                try await browser.open("http://127.0.0.1:\(server.port)/")
                try await browser.until("\(Self.isShown) && !document.getElementById('push').hidden")
                try await browser.click("#push")
                try await browser.until("document.getElementById('confirm').open")
                try await browser.press(Keys.escape)
                try await browser.until("!document.getElementById('confirm').open")
                #expect(server.collector.current.pushes == 0)
                try await browser.click("#push")
                try await browser.click("#confirm-yes")
                try await browser.until("/asked to start/.test(document.getElementById('toast').textContent)")
                #expect(server.collector.current.pushes == 1)
                #expect(
                    try await browser.evaluate("return document.activeElement.id", as: String.self) == "push",
                    "the focus comes back")

                try await browser.click("#rebalance")
                try await browser.click("#confirm-yes")
                try await browser.until("/moved/.test(document.getElementById('toast').textContent)")
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `the keyboard alone reaches everything in order`() async throws {
        try await RunningServer.run { server in
            try await Browser.run { browser in
                try await browser.open("http://127.0.0.1:\(server.port)/")
                // The first metrics come after the connections, and show this button.
                try await browser.until("\(Self.isShown) && !document.getElementById('push').hidden")
                try await browser.press(Keys.tab)
                #expect(
                    try await browser.evaluate("return document.activeElement.className", as: String.self) == "skip")
                try await browser.press(Keys.enter)
                #expect(try await browser.evaluate("return document.activeElement.id", as: String.self) == "main")
                var seen: [String] = []
                for _ in 0..<300 {
                    try await browser.press(Keys.tab)
                    let id = try await browser.evaluate(
                        """
                        const one = document.activeElement;
                        const style = getComputedStyle(one);
                        if (one !== document.body && style.outlineStyle === 'none') return 'NO OUTLINE ' + one.outerHTML;
                        return one.id || one.name || one.className || one.tagName;
                        """, as: String.self)
                    seen.append(id)
                    if id == "universe-list" { break }
                }
                #expect(seen.filter { $0.hasPrefix("NO OUTLINE") } == [])
                var rest = seen[...]
                for id in [
                    "push", "rebalance", "fresh-search", "fresh-map", "symbol-name", "chart tall candles",
                    "pause",
                    "events-symbols", "universe-search",
                ] {
                    let place = rest.firstIndex(of: id)
                    #expect(place != nil, "\(id) after \(seen)")
                    if let place { rest = rest[(place + 1)...] }
                }
            }
        }
    }

    @Test(arguments: ["light", "dark"])
    func `the accessibility rules hold`(scheme: String) async throws {
        let rules = try String(
            contentsOfFile: Places.repository + "/Tests/BrowserTests/accessibility.js", encoding: .utf8)
        try await RunningServer.run(collector: .market(uneven: true)) { server in
            server.collector.change("connection_2") {
                $0.feed.status = .error
                $0.feed.lastError = FeedError(
                    .keyRefused, operation: "login", message: "the feed refused the key: check MASSIVE_API_KEY")
            }
            try await Browser.run(width: 1280, scheme: scheme) { browser in
                try await browser.open("http://127.0.0.1:\(server.port)/")
                try await browser.until("\(Self.isShown) && document.querySelector('#universe-list button')")
                for (width, height) in [(320, 640), (390, 844), (1024, 768), (1920, 1080)] {
                    try await browser.settle(width: width, height: height)
                    let broken = try await browser.evaluate(rules, as: [String].self)
                    #expect(broken == [], "\(scheme) at \(width)")
                }
                for dialog in ["#rebalance", "#connection-list button"] {
                    try await browser.click(dialog)
                    try await browser.until("document.querySelector('dialog[open]')")
                    let broken = try await browser.evaluate(rules, as: [String].self)
                    #expect(broken == [], "\(scheme), dialog of \(dialog)")
                    try await browser.press(Keys.escape)
                    try await browser.until("!document.querySelector('dialog[open]')")
                }
            }
        }
    }

    @Test func `names that look like markup stay text`() async throws {
        let collector = StagedCollector.market()
        let name = "<img src=x onerror=\"window.broken = 1\">"
        collector.change("connection_1") {
            $0.feed.name = name
            $0.feed.lastError = FeedError(.closed, operation: "read", message: name)
        }
        collector.change { state in
            state.groups.append((UniverseGroup(name, .universe, description: name, members: 1), []))
            state.gaps = [
                GapRecord(
                    Gap(connection: name, symbols: [], events: [.trade], from: 1, to: 2, cause: .down), id: 1)
            ]
            state.deadLetters = [
                DeadLetter(stream: .bars, sequence: 1, sqlState: "22001", reason: name, row: name, time: 1)
            ]
            state.snapshot.buffer.gaps = 1
            state.snapshot.buffer[.trades].deadLetters = 1
        }
        try await RunningServer.run(collector: collector) { server in
            try await Browser.run { browser in
                try await browser.open("http://127.0.0.1:\(server.port)/")
                try await browser.until(
                    "\(Self.isShown) && document.querySelector('#dead-letters-panel .letters')"
                        + " && /onerror/.test(document.getElementById('universe-list').textContent)"
                        + " && /onerror/.test(document.getElementById('connection-list').textContent)")
                #expect(
                    try await browser.evaluate(
                        "return window.broken === undefined && !document.querySelector('img[src=x]')", as: Bool.self))
                #expect(try await browser.complaints() == [])
            }
        }
    }

    @Test func `a token is asked for, a wrong one is told, the right one lets in`() async throws {
        let token = "a-token-of-the-browser-test"
        let configuration = try WebConfiguration(port: 0, token: Secret(token))
        try await RunningServer.run(configuration) { server in
            try await Browser.run { browser in
                try await browser.open(
                    "http://127.0.0.1:\(server.port)/", until: "document.getElementById('sign-in').open")
                try await browser.type("wrong", into: "#sign-in-token")
                try await browser.click("#sign-in-form button")
                try await browser.until("/not the one/.test(document.getElementById('sign-in-text').textContent)")
                try await browser.type(token, into: "#sign-in-token")
                try await browser.click("#sign-in-form button")
                try await browser.until(Self.isShown)
                let kept = try await browser.evaluate(
                    "return document.cookie + JSON.stringify(localStorage) + location.href", as: String.self)
                #expect(!kept.contains(token))
            }
        }
    }

    @Test func `after a restart with another token, the page says that what it shows is past`() async throws {
        let token = "a-token-of-the-browser-test"
        let configuration = try WebConfiguration(port: 0, token: Secret(token))
        try await RunningServer.run(configuration) { server in
            try await Browser.run { browser in
                try await browser.open(
                    "http://127.0.0.1:\(server.port)/", until: "document.getElementById('sign-in').open")
                try await browser.type(token, into: "#sign-in-token")
                try await browser.click("#sign-in-form button")
                try await browser.until("document.getElementById('verdict').dataset.level !== 'unknown'")
                // The page connects again, and its token is no longer the right one.
                try await browser.evaluate(
                    """
                    sessionStorage.setItem('edgetick-token', 'the-token-before');
                    for (const hidden of [true, false]) {
                      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
                      document.dispatchEvent(new Event('visibilitychange'));
                    }
                    return true;
                    """, as: Bool.self)
                try await browser.until("document.getElementById('contact').dataset.state === 'signed-out'")
                try await browser.until(
                    "document.documentElement.classList.contains('is-old')"
                        + " && document.getElementById('verdict').textContent === 'Unknown'"
                        + " && document.title.startsWith('(?)')")
            }
        }
    }

    private static func largeMarket() -> StagedCollector {
        let collector = StagedCollector()
        for number in 1...3 {
            let symbols = (0..<1000).compactMap { Symbol("S\(number)\(String($0, radix: 36).uppercased())") }
            collector.connect("connection_\(number)", name: "feed-\(number)", symbols: symbols)
        }
        return collector
    }

    @Test func `the page of three thousand symbols shows their state within half a second`() async throws {
        try await RunningServer.run(collector: Self.largeMarket()) { server in
            try await Browser.run { browser in
                try await browser.prepare(
                    """
                    addEventListener('DOMContentLoaded', () => {
                      const verdict = document.getElementById('verdict');
                      if (verdict) new MutationObserver(() => { window.shownAt ??= performance.now(); }).observe(verdict, { childList: true });
                    });
                    """)
                // Milliseconds of each load, with nothing cached. The best counts, since other work of the machine
                // delays some of them.
                var loads: [[Double]] = []
                while loads.count < 30, !loads.contains(where: { $0.allSatisfy { $0 <= 500 } }) {
                    try await browser.open("http://127.0.0.1:\(server.port)/")
                    let paint = "performance.getEntriesByName('first-contentful-paint')[0]"
                    try await browser.until("window.shownAt && \(paint)")
                    let load = try await browser.evaluate(
                        "return [performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd, \(paint).startTime, window.shownAt]",
                        as: [NSNumber].self)
                    loads.append(load.map(\.doubleValue))
                }
                // A wait that ran out, so that the gate tries once more with the machine to itself.
                guard loads.contains(where: { $0.allSatisfy { $0 <= 500 } }) else {
                    throw Waiting.TimedOut("a load; DOMContentLoaded, first contentful paint, first state: \(loads)")
                }
                try await browser.until(
                    "document.getElementById('connection-list').innerText.includes('1,000 of 1,000')")
            }
        }
    }

    @Test func `three thousand symbols and a busy feed leave the page quick`() async throws {
        try await RunningServer.run(collector: Self.largeMarket()) { server in
            let feeding = Task {
                while !Task.isCancelled {
                    for number in 1...3 {
                        var batch = EventBatch(
                            connection: "feed-\(number)",
                            receivedMicroseconds: Int64(Date().timeIntervalSince1970 * 1e6))
                        for symbol in 0..<300 {
                            guard let symbol = Symbol("S\(number)\(String(symbol, radix: 36).uppercased())") else {
                                continue
                            }
                            batch.trades.append(
                                Trade(symbol: symbol, time: batch.receivedMicroseconds / 1000, price: 10, size: 1))
                        }
                        _ = server.tap.offer(batch)
                    }
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            defer { feeding.cancel() }
            try await Browser.run(traces: true) { browser in
                let isFull = "\(Self.isShown) && document.querySelectorAll('#events-body tr').length === 200"
                try await browser.open("http://127.0.0.1:\(server.port)/", until: isFull)
                try await browser.click("#connection-list button")
                try await browser.until("document.querySelectorAll('#tickers-list li').length > 500")
                try await browser.type("S1RR", into: "#tickers-search")
                try await browser.until("document.querySelectorAll('#tickers-list li').length === 1")
                let size = try await browser.evaluate("return document.querySelectorAll('*').length", as: Int.self)
                #expect(size < 6000, "the page does not grow with what passes")

                // With everything in view at once, no task holds the page up. A machine that stands still may charge
                // the pause to the task that runs; then it is measured again, on a new page.
                try await browser.press(Keys.escape)
                var tries: [[Double]] = []
                for number in 0..<3 {
                    if number > 0 {
                        try await browser.open("http://127.0.0.1:\(server.port)/", until: isFull)
                    }
                    try await browser.evaluate(
                        """
                        window.updates = 0;
                        new MutationObserver(() => { window.updates += 1; }).observe(document.getElementById('events-body'), { childList: true });
                        return true;
                        """, as: Bool.self)
                    try await browser.resize(width: 1920, height: 6000)
                    try await browser.until("document.getElementById('fresh-map').dataset.count === '3000'")
                    let tasks = try await browser.tasks {
                        try await browser.evaluate("window.updates = 0; return true", as: Bool.self)
                        try await browser.until("window.updates >= 60")
                    }
                    #expect(tasks.count > 100)
                    tries.append(Array(tasks.prefix(5)))
                    if tasks.prefix(5).allSatisfy({ $0 < 50 }) { break }
                }
                #expect(
                    tries.contains { $0.allSatisfy { $0 < 50 } }, "milliseconds of processor time: \(tries)")
            }
        }
    }
}

extension StagedCollector {
    /// The usual market, with symbols to move and an upstream to push to.
    static func market(uneven: Bool) -> StagedCollector {
        let collector = StagedCollector.market()
        guard uneven else { return collector }
        collector.connect(
            "connection_3", name: "tertiary",
            symbols: ["TSLA", "AMZN", "META", "QQQ", "WMT", "JPM"].compactMap { Symbol($0) })
        return collector
    }
}

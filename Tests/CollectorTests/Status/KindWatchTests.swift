import MarketData
import Testing

@testable import Collector
@testable import Feed

/// When a kind of event that no longer comes is noticed, and when its silence proves nothing.
@Suite(.timeLimit(.minutes(1))) final class KindWatchTests {
    private var watch = KindWatch()
    private var states = [ConnectionState(id: "connection_1", name: "primary", status: .connected)]
    private var isTrading = true
    private let start = ContinuousClock.now
    private var seconds = 0

    init() {
        states[0].feed.assigned = [Symbol("AAPL")!]
        states[0].feed.connectedSince = 1
        confirm(.minuteBar, .secondBar, .trade, .quote)
        look()
    }

    private func confirm(_ kinds: EventKind...) {
        states[0].feed.confirmedKinds = Dictionary(uniqueKeysWithValues: kinds.map { ($0, 1) })
    }

    private func look() { watch.look(at: &states, isTrading: isTrading, now: start + .seconds(seconds)) }

    /// Lets time pass; in each of its seconds, `each` says how many events of each kind come.
    private func pass(_ length: Int, _ each: (_ second: Int) -> [EventKind: Int64]) {
        for _ in 0..<length {
            seconds += 1
            for (kind, count) in each(seconds) where count > 0 { states[0].feed.events[kind, default: 0] += count }
            look()
        }
    }

    private func minutely(_ second: Int) -> Int64 { second % 60 == 3 ? 1 : 0 }

    private var silent: [EventKind] { states[0].silentKinds }

    @Test func `minute bars that stop while trades go on are silent after five minutes, until they come again`() {
        confirm(.minuteBar, .trade)
        // The last one comes in second 543.
        pass(600) { [.minuteBar: self.minutely($0), .trade: 10] }
        #expect(silent == [])
        pass(240) { _ in [.trade: 10] }
        #expect(silent == [])
        pass(10) { _ in [.trade: 10] }
        #expect(silent == [.minuteBar])
        // The session ends; nothing has become better.
        isTrading = false
        pass(60) { _ in [.trade: 10] }
        #expect(silent == [.minuteBar])
        pass(60) { [.minuteBar: self.minutely($0), .trade: 10] }
        #expect(silent == [])
    }

    @Test func `a kind that never came since the start is silent too`() {
        pass(310) { _ in [.trade: 10, .quote: 100] }
        #expect(silent == [.minuteBar, .secondBar])
    }

    @Test(arguments: [EventKind.minuteBar, .secondBar])
    func `bars prove trades and the other bars`(proof: EventKind) {
        pass(400) { [proof: self.minutely($0)] }
        let others: [EventKind] = [.minuteBar, .secondBar, .trade]
        #expect(silent == others.filter { $0 != proof })
    }

    @Test func `quotes are silent after a quarter of an hour, if more of them had come than of the others`() {
        pass(60) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5, .quote: 50] }
        pass(880) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5] }
        #expect(silent == [])
        pass(40) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5] }
        #expect(silent == [.quote])
    }

    @Test func `a symbol without quotes has none to miss`() {
        pass(2000) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5] }
        #expect(silent == [])
    }

    @Test func `quotes that came for a symbol that was given up are not missed of the others`() {
        states[0].feed.confirmed = [Symbol("AAPL")!, Symbol("OTCQX")!]
        pass(60) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5, .quote: 50] }
        states[0].feed.confirmed = [Symbol("OTCQX")!]
        pass(2000) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5] }
        #expect(silent == [])
    }

    @Test func `symbols that are given up while quotes are missing hide nothing`() {
        states[0].feed.confirmed = [Symbol("AAPL")!, Symbol("MSFT")!, Symbol("NVDA")!]
        pass(60) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5, .quote: 50] }
        states[0].feed.confirmed.removeLast()
        pass(60) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5, .quote: 50] }
        pass(100) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5] }
        states[0].feed.confirmed.removeLast()
        pass(820) { _ in [.minuteBar: 1, .secondBar: 1, .trade: 5] }
        #expect(silent == [.quote])
    }

    @Test func `quotes prove nothing, since they go on in a halt`() {
        pass(60) { [.minuteBar: self.minutely($0), .secondBar: 1, .trade: 5, .quote: 50] }
        pass(7200) { _ in [.quote: 50] }
        #expect(silent == [])
        // The halt ends: the first bars come after the first trades.
        pass(65) { _ in [.trade: 100, .quote: 50] }
        #expect(silent == [])
    }

    @Test func `a few trades prove no bars, since small ones make none`() {
        pass(900) { [.trade: $0.isMultiple(of: 30) ? 1 : 0] }
        #expect(silent == [])
    }

    @Test func `trades with pauses prove nothing`() {
        pass(3600) { [.trade: $0 % 300 == 0 ? 500 : 0] }
        #expect(silent == [])
    }

    @Test func `one symbol that is traded rarely never looks like a loss`() {
        for rest in [61, 89, 130, 400, 1000] {
            pass(7200) { self.rare($0, every: rest) }
            #expect(silent == [], "\(rest)")
        }
    }

    /// The events of one second: a trade and a quote now and then, the second's bar a moment later, and the minute's
    /// bar when the minute is over.
    private func rare(_ second: Int, every rest: Int) -> [EventKind: Int64] {
        var events: [EventKind: Int64] = [:]
        if second % rest == 0 { events = [.trade: 1, .quote: 1] }
        if (second - 1) % rest == 0 { events[.secondBar] = 1 }
        let minute = second - 63..<second - 3
        if second % 60 == 3, minute.contains(where: { $0 % rest == 0 }) { events[.minuteBar] = 1 }
        return events
    }

    @Test func `a busy symbol that is added to a quiet connection proves nothing in its first minutes`() {
        pass(3600) { _ in [:] }
        pass(120) { _ in [.trade: 200, .secondBar: 1] }
        #expect(silent == [])
    }

    @Test func `outside the regular session nothing is judged, and its events prove nothing later`() {
        isTrading = false
        pass(3600) { _ in [.trade: 10] }
        #expect(silent == [])
        isTrading = true
        pass(240) { _ in [.trade: 10] }
        #expect(silent == [])
    }

    @Test func `a kind that is refused, or not confirmed for as many symbols, is not missed here`() {
        states[0].feed.confirmedKinds = [.minuteBar: 1, .trade: 2]
        pass(900) { _ in [.trade: 10] }
        #expect(silent == [])
    }

    @Test func `a new connection is judged by its own events`() {
        pass(310) { _ in [.trade: 10] }
        #expect(!silent.isEmpty)
        states[0].feed.connectedSince = nil
        states[0].feed.status = .disconnected
        states[0].silentKinds = []
        look()
        #expect(silent == [])
        states[0].feed.connectedSince = 2
        states[0].feed.status = .connected
        pass(200) { _ in [.trade: 10] }
        #expect(silent == [])
        pass(110) { _ in [.trade: 10] }
        #expect(!silent.isEmpty)
    }

    @Test func `a machine that was suspended proves nothing`() {
        pass(200) { _ in [.trade: 10] }
        seconds += 3600
        pass(200) { _ in [.trade: 10] }
        #expect(silent == [])
    }
}

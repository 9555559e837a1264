import FeedServerSupport
import Foundation
import LedgerSupport
import MarketData
import Synchronization
import Testing

@testable import FeedSimulator

/// An event, decoded by a reader other than the product's.
private struct Decoded: Decodable {
    var ev, sym: String
    var v, av, z, s, e, t, q: Decimal?
    var dv, dav, ds: String?
    var op, vw, o, c, h, l, a, p, bp, ap: Decimal?

    enum CodingKeys: String, CodingKey {
        case ev, sym, v, av, z, s, e, t, q, dv, dav, ds, op, vw, o, h, l, a, p, bp, ap
        case c
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        ev = try values.decode(String.self, forKey: .ev)
        sym = try values.decode(String.self, forKey: .sym)
        func number(_ key: CodingKeys) -> Decimal? { try? values.decode(Decimal.self, forKey: key) }
        (v, av, z, s, e, t, q) = (number(.v), number(.av), number(.z), number(.s), number(.e), number(.t), number(.q))
        (op, vw, o, c, h) = (number(.op), number(.vw), number(.o), number(.c), number(.h))
        (l, a, p, bp, ap) = (number(.l), number(.a), number(.p), number(.bp), number(.ap))
        dv = try values.decodeIfPresent(String.self, forKey: .dv)
        dav = try values.decodeIfPresent(String.self, forKey: .dav)
        ds = try values.decodeIfPresent(String.self, forKey: .ds)
    }

    var size: Decimal? { ds.flatMap { Decimal(string: $0) } ?? s }
    var volume: Decimal? { dv.flatMap { Decimal(string: $0) } ?? v }
}

@Suite(.timeLimit(.minutes(1))) struct `A synthetic market` {
    private static let symbols = ["AAPL", "BRK.B", "ZVZZT"].compactMap { Symbol($0) }
    private static let start: Int64 = 1_704_205_800_000

    private func feed(seed: UInt64 = 7, fractions: Int = 200_000) -> SyntheticFeed {
        var feed = SyntheticFeed(symbols: Self.symbols)
        feed.seed = seed
        feed.tradesPerSecond = 0.7
        feed.quotesPerTrade = 2
        feed.start = Self.start
        feed.duration = .seconds(180)
        feed.fractionalTradesPerMillion = fractions
        return feed
    }

    private func decoded(_ capture: [UInt8]) throws -> [Decoded] {
        try String(decoding: capture, as: UTF8.self).split(separator: "\n").flatMap { line in
            try JSONDecoder().decode([Decoded].self, from: Data(line.utf8))
        }
    }

    @Test func `is the same for a seed, and another for another`() throws {
        let first = try feed().lines()
        #expect(first == (try feed().lines()))
        #expect(first != (try feed(seed: 8).lines()))
        #expect(
            String(decoding: first.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
                == #"[{"ev":"Q","sym":"AAPL","bx":8,"bp":309.13,"bs":1200,"ax":12,"ap":309.15,"as":400,"c":1,"t":1704205800742,"q":1,"z":3},{"ev":"Q","sym":"AAPL","bx":8,"bp":309.13,"bs":100,"ax":7,"ap":309.15,"as":600,"c":0,"t":1704205800785,"q":2,"z":3}]"#
        )
        #expect(fingerprint(first) == 16_501_321_737_945_054_066)
    }

    /// 2024-01-03 in New York begins at 05:00 UTC.
    @Test(arguments: [(1_704_240_000_000, false), (1_704_258_000_000, true)] as [(Int64, Bool)])
    func `the day's volume begins again at midnight in New York`(moment: Int64, isMidnight: Bool) throws {
        var market = feed()
        market.start = moment - 60_000
        market.duration = .seconds(120)
        let bars = try decoded(market.lines()).filter { $0.ev == "AM" && $0.sym == "AAPL" }
        try #require(bars.map(\.s) == [Decimal(moment - 60_000), Decimal(moment)])
        #expect((bars[1].av == bars[1].v) == isMidnight)
    }

    @Test func `bars are made of the trades they cover`() throws {
        let events = try decoded(feed().lines())
        let bars = events.filter { $0.ev == "AM" || $0.ev == "A" }
        #expect(bars.count { $0.ev == "AM" } == 9)
        #expect(bars.count > 150)
        for bar in bars {
            let (start, end) = (try #require(bar.s), try #require(bar.e))
            #expect(end - start == (bar.ev == "AM" ? 60_000 : 1000))
            let trades = events.filter { trade in
                guard trade.ev == "T", trade.sym == bar.sym, let time = trade.t else { return false }
                return time >= start && time < end
            }
            let prices = try trades.map { try #require($0.p) }
            #expect(bar.o == prices.first && bar.c == prices.last)
            #expect(bar.h == prices.max() && bar.l == prices.min())
            let volume = try trades.reduce(Decimal(0)) { $0 + (try #require($1.size)) }
            #expect(bar.volume == volume)
            let notional = try trades.reduce(Decimal(0)) { $0 + (try #require($1.size)) * (try #require($1.p)) }
            let difference = try #require(bar.vw) * volume - notional
            #expect(abs(difference) <= volume * Decimal(string: "0.00005")!)
            let (open, high, low) = (try #require(bar.o), try #require(bar.h), try #require(bar.l))
            #expect(low <= open && open <= high && low > 0)
        }
    }

    @Test func `events come in order of time, with prices of up to 4 decimals and some fractions and new fields`()
        throws
    {
        let capture = try feed().lines()
        let events = try decoded(capture)
        for symbol in Self.symbols {
            let ticks = events.filter { $0.sym == symbol.description && ($0.ev == "T" || $0.ev == "Q") }
            let times = ticks.compactMap(\.t)
            #expect(times == times.sorted())
            let sequences = ticks.compactMap(\.q)
            #expect(sequences == (1...ticks.count).map { Decimal($0) })
        }
        let prices = events.compactMap(\.p)
        #expect(prices.allSatisfy { $0.exponent >= -4 })
        #expect(prices.contains { $0.exponent <= -3 })
        #expect(
            events.contains { $0.ds != nil } && events.contains { $0.dv != nil } && events.contains { $0.dav != nil })
        let text = String(decoding: capture, as: UTF8.self)
        #expect(text.contains("\"nbbo\":true") || text.contains("\"venue\":") || text.contains("\"n\":"))
        #expect(events.filter { $0.ev == "Q" }.allSatisfy { ($0.bp ?? 1) < ($0.ap ?? 0) })
    }

    @Test func `only the kinds asked for are sent, and the bars stay the same`() throws {
        var onlyBars = feed(fractions: 0)
        onlyBars.kinds = [.minuteBar]
        var all = feed(fractions: 0)
        all.novelFieldsPerMillion = 0
        onlyBars.novelFieldsPerMillion = 0
        let bars = try decoded(onlyBars.lines())
        #expect(Set(bars.map(\.ev)) == ["AM"])
        #expect(bars.map(\.vw) == (try decoded(all.lines())).filter { $0.ev == "AM" }.map(\.vw))
    }

    @Test func `price bands, imbalances and fair values come when asked for, and change nothing of the others`() throws
    {
        let usual = feed()
        var all = feed()
        all.kinds = Set(EventKind.allCases)
        func objects(_ capture: [UInt8]) throws -> [[String: Any]] {
            try String(decoding: capture, as: UTF8.self).split(separator: "\n").flatMap { line in
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [[String: Any]] ?? []
            }
        }
        let events = try objects(all.lines())
        let rare = events.filter { ["LULD", "NOI", "FMV"].contains($0["ev"] as? String) }
        // Three minutes of three tickers: at least a band every half minute, ten imbalances a minute, a value a second.
        #expect(rare.count { $0["ev"] as? String == "LULD" } >= 18)
        #expect(rare.count { $0["ev"] as? String == "NOI" } == 90)
        #expect(rare.count { $0["ev"] as? String == "FMV" } == 540)
        #expect(rare.allSatisfy { ($0["t"] as? Int ?? 0) / 1_000_000_000_000 == 1_704_205 })
        #expect(rare.allSatisfy { ($0["ev"] as? String == "FMV") == ($0["sym"] != nil) })
        #expect(events.count - rare.count == (try objects(usual.lines())).count)
    }

    @Test func `it is sent over a socket at a multiple of its own pace`() async throws {
        var feed = feed()
        feed.start = nil
        feed.duration = .seconds(30)
        var setting = try configuration(.synthetic(feed))
        setting.pace = .speed(60)
        try await withSimulator(setting) { simulator, port in
            let before = WallClock.milliseconds()
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.eventsSent > 80)
            let sent = statistics.frames
            let received = try await client.wait { $0.events.count >= sent }
            #expect(received.events.count == sent)
            #expect(abs((statistics.eventTime ?? 0) - before) < 90_000)
        }
    }

    @Test func `a live one goes on with the second that it is by now, after a pause too`() throws {
        var feed = SyntheticFeed(symbols: [try #require(Symbol("AAPL"))])
        feed.tradesPerSecond = 20
        let clock = Mutex(Self.start)
        let source = SyntheticSource(feed, pace: .speed(1)) { clock.withLock { $0 } }
        /// Returns the times of the next block's frames if it is asked for then; both count from the start.
        func times(at time: Int64) throws -> [Int64] {
            clock.withLock { $0 = Self.start + time }
            return try #require(try source.nextBlock()).frames.map { $0.time - Self.start }
        }
        #expect(try times(at: 250).allSatisfy { 0...1000 ~= $0 })
        #expect(try times(at: 900).allSatisfy { 1000...2000 ~= $0 })
        #expect(try times(at: 7250).allSatisfy { 7000...8000 ~= $0 })
        // The bar of the minute that ended meanwhile comes too, with the second that it is by now.
        let late = try times(at: 75_250)
        #expect(late.first == 60_000 && late.count > 1)
        #expect(late.dropFirst().allSatisfy { 75_000...76_000 ~= $0 })
        feed.start = 0
        #expect(source.isLive && !SyntheticSource(feed, pace: .speed(1)).isLive)
    }

    /// With EDGETICK_UPDATE_FIXTURES=1 in the environment, it is made again.
    @Test func `the bundled capture is what the generator makes`() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/captures/demo.ndjson").path
        let symbols = ["AAPL", "AMZN", "AVGO", "BRK.B", "GOOGL", "JPM", "LLY", "META", "MSFT", "NVDA", "TSLA", "WMT"]
        var feed = SyntheticFeed(symbols: symbols.compactMap { Symbol($0) })
        feed.seed = 2026
        feed.tradesPerSecond = 0.045
        feed.quotesPerTrade = 1
        feed.start = 1_767_623_400_000
        feed.duration = .seconds(300)
        let capture = try feed.lines()
        if ProcessInfo.processInfo.environment["EDGETICK_UPDATE_FIXTURES"] == "1" {
            try Data(capture).write(to: URL(fileURLWithPath: path))
        }
        #expect(capture.count < 80_000)
        #expect(Data(capture) == (try Data(contentsOf: URL(fileURLWithPath: path))))
    }

    /// Returns the 64-bit FNV-1a hash.
    private func fingerprint(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

@Suite(.timeLimit(.minutes(1))) struct `Numbered events` {
    private let plan = LedgerPlan(
        kinds: [.minuteBar, .trade, .quote, .secondBar], symbols: ["AAPL", "BRK.B", "MSFT"].compactMap { Symbol($0) })

    @Test func `follow from their number alone`() {
        let sent = (0..<4).map { String(decoding: plan.event($0).json, as: UTF8.self) }
        #expect(
            sent == [
                #"{"ev":"AM","sym":"AAPL","v":3982701,"av":376510751,"op":70.782,"vw":70.811,"o":70.782,"c":70.696,"h":70.818,"l":70.357,"a":70.811,"z":817,"s":1704205800000,"e":1704205860000}"#,
                #"{"ev":"T","sym":"AAPL","x":16,"i":"1","z":1,"p":350.309,"s":0,"ds":"0.029206","c":[],"t":1704205800000,"q":1,"pt":1704205799981}"#,
                #"{"ev":"Q","sym":"AAPL","bx":4,"bp":6140.937,"bs":563,"ax":8,"ap":6140.946,"as":2784,"c":1,"t":1704205800000,"q":2,"z":1,"pt":1704205799992}"#,
                #"{"ev":"A","sym":"AAPL","v":3068443,"av":306900758,"op":8693.467,"vw":8693.551,"o":8693.467,"c":8693.565,"h":8693.667,"l":8693.384,"a":8693.551,"z":215,"s":1704205800000,"e":1704205801000}"#,
            ])
    }

    @Test func `are found again by what names them`() {
        for id in UInt64(0)..<5000 {
            let event = plan.event(id)
            #expect(plan.id(of: event.kind, symbol: event.symbol, time: event.time) == id)
        }
        #expect(plan.id(of: .minuteBar, symbol: plan.symbols[0], time: plan.start + 1) == nil)
        #expect(plan.id(of: .minuteBar, symbol: plan.symbols[0], time: plan.start - 60_000) == nil)
    }

    @Test func `read as the values that a comparer rebuilds`() throws {
        for id in UInt64(0)..<2000 {
            let event = plan.event(id)
            let decoded = try JSONDecoder().decode(Decoded.self, from: Data(event.json))
            func double(_ decimal: Decimal?) -> Double? { decimal.flatMap { Double("\($0)") } }
            var text = TextArena()
            if let bar = event.bar {
                #expect(double(decoded.o) == bar.open && double(decoded.h) == bar.high)
                #expect(double(decoded.l) == bar.low && double(decoded.c) == bar.close)
                #expect(double(decoded.vw) == bar.vwap && double(decoded.a) == bar.dayVWAP)
                #expect(double(decoded.volume) == bar.volume)
                #expect(double(decoded.s) == Double(bar.start) && double(decoded.e) == Double(bar.end))
                #expect(bar.low <= bar.open && bar.open <= bar.high && bar.low <= bar.close && bar.close <= bar.high)
            } else if let trade = event.trade(text: &text) {
                #expect(double(decoded.p) == trade.price && double(decoded.size) == trade.size)
                #expect(text[try #require(trade.tradeID)] == String(id) && trade.sequence == Int64(id))
            } else {
                let quote = try #require(event.quote)
                #expect(double(decoded.bp) == quote.bid && double(decoded.ap) == quote.ask)
            }
        }
    }

    @Test func `are sent in order and to the last one`() async throws {
        let feed = LedgerFeed(plan: plan, firstID: 100, count: 1003, eventsPerFrame: 10)
        try await withSimulator(try configuration(.ledger(feed))) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            try await simulator.statistics { $0.phase == .done }
            let received = try await client.wait { $0.events.count == 101 }
            let sent = received.events.flatMap { events(in: $0) }
            #expect(sent == (100..<1103).map { String(decoding: plan.event($0).json, as: UTF8.self) })
        }
    }
}

extension SyntheticFeed {
    /// Returns all frames of the market, one a line; the market must end.
    fileprivate func lines() throws -> [UInt8] {
        Array(try frames(of: SyntheticSource(self, pace: .flatOut)).map { $0 + "\n" }.joined().utf8)
    }
}

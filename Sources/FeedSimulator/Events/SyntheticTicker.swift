import MarketData

/// One ticker of a synthetic market.
///
/// Prices are in units of 1/10000 dollar and sizes in 1/1000 share, so that sums and averages are exact and the same on
/// every machine.
struct SyntheticTicker {
    /// The trades of one window of time, aggregated.
    struct Window {
        var open: Int64 = 0
        var high: Int64 = 0
        var low: Int64 = 0
        var close: Int64 = 0
        var volume: Int64 = 0
        var notional: Int128 = 0
        var trades: Int64 = 0

        mutating func add(price: Int64, size: Int64) {
            if trades == 0 { (open, high, low) = (price, price, price) }
            high = max(high, price)
            low = min(low, price)
            close = price
            volume += size
            notional += Int128(price) * Int128(size)
            trades += 1
        }

        /// The volume-weighted average price, rounded half up.
        var average: Int64 { Int64((notional + Int128(volume) / 2) / Int128(volume)) }
    }

    /// An event with its time, ready to send.
    struct Happening {
        var time: Int64
        var kind: KindSet
        var text: [UInt8]
    }

    private static let exchanges: [Int64] = [4, 7, 8, 10, 11, 12, 15, 19]
    private static let cent: Int64 = 100

    let symbol: Symbol
    private let tape: Int64
    private let anchor: Int64
    private var price: Int64
    /// The New York day, in milliseconds since the Unix epoch.
    private var day: Range<Int64> = 0..<0
    private var dayWindow = Window()
    private var second = Window()
    private var minute = Window()
    private var tradeNumber: Int64 = 0
    private var sequence: Int64 = 0
    private var random: SeededRandom
    /// The kinds added later; they have a separate generator, so that the events of the other kinds stay the same.
    private var rarities: SyntheticRarities

    init(_ symbol: Symbol, seed: UInt64) {
        self.symbol = symbol
        var hash = seed
        symbol.withUTF8 { bytes in
            for byte in bytes { hash = SeededRandom.mixed(hash &+ UInt64(byte) &+ 0x9E37_79B9_7F4A_7C15) }
        }
        random = SeededRandom(seed: hash)
        rarities = SyntheticRarities(symbol, seed: hash)
        tape = Int64(1 + random.below(3))
        // Between $8 and $520.
        anchor = (800 + Int64(random.below(51_200))) * Self.cent
        price = anchor
    }

    /// Generates the second that begins at `start`, in milliseconds; appends its events in order of time.
    mutating func live(through start: Int64, of feed: SyntheticFeed, to happenings: inout [Happening]) {
        if !day.contains(start) {
            day = TradingDay(at: start).span
            dayWindow = Window()
        }
        var offsets: [Int64] = []
        for _ in 0..<tradeCount(feed.tradesPerSecond) { offsets.append(Int64(random.below(1000))) }
        offsets.sort()
        var last = start
        for offset in offsets {
            let time = start + offset
            let spread = Self.cent * Int64(1 + random.below(3))
            move()
            for _ in 0..<feed.quotesPerTrade {
                last = max(last, time - Int64(random.below(120)))
                quote(at: last, spread: spread, feed, &happenings)
            }
            last = max(last, time)
            trade(at: last, spread: spread, feed, &happenings)
        }
    }

    /// Returns the rarer events of the second that begins at `start`; call ``live(through:of:to:)`` for it first.
    mutating func rarities(from start: Int64, _ feed: SyntheticFeed) -> [Happening] {
        rarities.live(through: start, price: price, tape: tape, feed)
    }

    private mutating func tradeCount(_ rate: Double) -> Int {
        let trials = 2 * max(1, Int(rate.rounded(.up)))
        if trials > 64 { return Int(rate / 2) + random.below(Int(rate) + 1) }
        let share = Int(rate / Double(trials) * 1_000_000)
        return (0..<trials).count { _ in random.happens(perMillion: share) }
    }

    /// Moves the price by some cents, with a pull towards the anchor when it is more than a tenth away.
    private mutating func move() {
        let step = max(1, price / 2_000_000) * Self.cent
        price += step * Int64(random.below(7) - 3)
        if price > anchor / 10 * 11 { price -= step }
        if price < anchor / 10 * 9 { price += step }
        price = max(price, 5 * Self.cent)
    }

    private mutating func quote(at time: Int64, spread: Int64, _ feed: SyntheticFeed, _ happenings: inout [Happening]) {
        sequence += 1
        let exchanges = (random.below(8), random.below(8))
        let sizes = (Int64(100 * (1 + random.below(20))), Int64(100 * (1 + random.below(20))))
        let condition = Int64(random.below(20) == 0 ? 0 : 1)
        let hasIndicators = random.below(10) == 0
        let isNovel = random.happens(perMillion: feed.novelFieldsPerMillion)
        guard feed.kinds.contains(.quote) else { return }
        var text = EventText(.quote, symbol)
        text.add("bx", Self.exchanges[exchanges.0])
        text.add("bp", price, decimals: 4)
        text.add("bs", sizes.0)
        text.add("ax", Self.exchanges[exchanges.1])
        text.add("ap", price + spread, decimals: 4)
        text.add("as", sizes.1)
        text.add("c", condition)
        if hasIndicators { text.add("i", [604]) }
        text.add("t", time)
        text.add("q", sequence)
        text.add("z", tape)
        if isNovel { text.addTrue("nbbo") }
        happenings.append(Happening(time: time, kind: .quote, text: text.finished()))
    }

    private mutating func trade(at time: Int64, spread: Int64, _ feed: SyntheticFeed, _ happenings: inout [Happening]) {
        sequence += 1
        tradeNumber += 1
        var paid = random.below(2) == 0 ? price : price + spread
        switch random.below(16) {
        case 0: paid = price + spread / 2
        case 1: paid = price + Int64(1 + random.below(99))
        default: break
        }
        var size = Int64(100 * (1 + random.below(5)))
        if random.below(3) == 0 { size = Int64(1 + random.below(99)) }
        size *= 1000
        let isFractional = random.happens(perMillion: feed.fractionalTradesPerMillion)
        if isFractional { size = Int64(1 + random.below(5000)) }
        let exchange = Self.exchanges[random.below(8)]
        let lag = Int64(random.below(5))
        let isNovel = random.happens(perMillion: feed.novelFieldsPerMillion)
        second.add(price: paid, size: size)
        minute.add(price: paid, size: size)
        dayWindow.add(price: paid, size: size)
        guard feed.kinds.contains(.trade) else { return }
        var text = EventText(.trade, symbol)
        text.add("x", exchange)
        text.addPlain("i", String(tradeNumber))
        text.add("z", tape)
        text.add("p", paid, decimals: 4)
        text.add("s", size / 1000)
        if isFractional { text.addQuoted("ds", size, decimals: 3) }
        if size < 100_000 { text.add("c", exchange == 4 ? [12, 37] : [37]) }
        text.add("t", time)
        text.add("q", sequence)
        if exchange == 4 {
            text.add("trfi", 202)
            text.add("trft", time - lag)
        }
        if isNovel { text.addPlain("venue", "lit") }
        happenings.append(Happening(time: time, kind: .trade, text: text.finished()))
    }

    /// Returns the bar of the second or minute that begins at `start`; `nil` if there were no trades or such bars aren't
    /// sent.
    mutating func bar(_ interval: Bar.Interval, from start: Int64, _ feed: SyntheticFeed) -> Happening? {
        let window = interval == .minute ? minute : second
        if interval == .minute { minute = Window() } else { second = Window() }
        guard window.trades > 0 else { return nil }
        let isNovel = random.happens(perMillion: feed.novelFieldsPerMillion)
        let (kind, end) = (EventKind(interval), start + interval.milliseconds)
        guard feed.kinds.contains(kind) else { return nil }
        var text = EventText(kind, symbol)
        text.add("v", window.volume / 1000)
        if window.volume % 1000 != 0 { text.addQuoted("dv", window.volume, decimals: 3) }
        text.add("av", dayWindow.volume / 1000)
        if dayWindow.volume % 1000 != 0 { text.addQuoted("dav", dayWindow.volume, decimals: 3) }
        text.add("op", dayWindow.open, decimals: 4)
        text.add("vw", window.average, decimals: 4)
        text.add("o", window.open, decimals: 4)
        text.add("c", window.close, decimals: 4)
        text.add("h", window.high, decimals: 4)
        text.add("l", window.low, decimals: 4)
        text.add("a", dayWindow.average, decimals: 4)
        text.add("z", window.volume / 1000 / window.trades)
        text.add("s", start)
        text.add("e", end)
        if isNovel { text.add("n", window.trades) }
        return Happening(time: end, kind: KindSet(kind), text: text.finished())
    }
}

import MarketData

/// The rarer events of a synthetic ticker: price bands and halts, imbalances before an auction, fair values.
///
/// Every minute ends with an auction, so that even a short market shows one; its imbalances come in the minute's last
/// ten seconds. About one minute in thirty has a halt of ten seconds.
struct SyntheticRarities {
    private let symbol: Symbol
    private var random: SeededRandom
    private var bandSequence: Int64 = 0
    private var imbalanceSequence: Int64 = 0
    /// The second of this minute in which a halt starts; `nil` when there is none.
    private var halt: Int64?

    init(_ symbol: Symbol, seed: UInt64) {
        self.symbol = symbol
        random = SeededRandom(seed: SeededRandom.mixed(seed ^ 0x4C55_4C44))
    }

    /// Returns the events of the second that begins at `start`, in milliseconds; `price` is in 1/10000 dollar.
    mutating func live(
        through start: Int64, price: Int64, tape: Int64, _ feed: SyntheticFeed
    ) -> [SyntheticTicker.Happening] {
        var happenings: [SyntheticTicker.Happening] = []
        let second = start / 1000 % 60
        if second == 0 { halt = random.below(30) == 0 ? Int64(random.below(50)) : nil }
        if second % 30 == 0 { band(at: moment(start), price, tape, indicator: 1, feed, &happenings) }
        if second == halt { band(at: moment(start), price, tape, indicator: 17, feed, &happenings) }
        if let halt, second == halt + 10 { band(at: moment(start), price, tape, indicator: 18, feed, &happenings) }
        if second >= 50 { imbalance(at: moment(start), price, feed, &happenings) }
        fairValue(at: moment(start), price, feed, &happenings)
        return happenings
    }

    /// Returns a random moment within the second, in nanoseconds.
    private mutating func moment(_ start: Int64) -> Int64 {
        start * 1_000_000 + Int64(random.below(1000)) * 1_000_000 + Int64(random.below(1_000_000))
    }

    private mutating func band(
        at nanoseconds: Int64, _ price: Int64, _ tape: Int64, indicator: Int, _ feed: SyntheticFeed,
        _ happenings: inout [SyntheticTicker.Happening]
    ) {
        bandSequence += 1
        guard feed.kinds.contains(.limitBand) else { return }
        var text = EventText(.limitBand, symbol)
        text.add("h", (price + price / 20) / 100, decimals: 2)
        text.add("l", (price - price / 20) / 100, decimals: 2)
        text.add("i", [indicator])
        text.add("z", tape)
        text.add("t", nanoseconds)
        text.add("q", bandSequence)
        happenings.append(.init(time: nanoseconds / 1_000_000, kind: .limitBand, text: text.finished()))
    }

    private mutating func imbalance(
        at nanoseconds: Int64, _ price: Int64, _ feed: SyntheticFeed, _ happenings: inout [SyntheticTicker.Happening]
    ) {
        imbalanceSequence += 1
        let shares = Int64(random.below(20_001)) - 10_000
        let paired = Int64(random.below(100_000))
        guard feed.kinds.contains(.imbalance) else { return }
        var text = EventText(.imbalance, symbol)
        text.add("t", nanoseconds)
        text.add("at", 1600)
        text.addPlain("a", "C")
        text.add("i", imbalanceSequence)
        text.add("x", 10)
        text.add("o", shares)
        text.add("p", paired)
        text.add("b", price, decimals: 4)
        happenings.append(.init(time: nanoseconds / 1_000_000, kind: .imbalance, text: text.finished()))
    }

    private mutating func fairValue(
        at nanoseconds: Int64, _ price: Int64, _ feed: SyntheticFeed, _ happenings: inout [SyntheticTicker.Happening]
    ) {
        let value = price + Int64(random.below(201)) - 100
        guard feed.kinds.contains(.fairValue) else { return }
        var text = EventText(.fairValue, symbol)
        text.add("fmv", value, decimals: 4)
        text.add("t", nanoseconds)
        happenings.append(.init(time: nanoseconds / 1_000_000, kind: .fairValue, text: text.finished()))
    }
}

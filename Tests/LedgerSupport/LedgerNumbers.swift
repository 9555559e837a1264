import FeedSimulator
import MarketData

/// A decimal as a whole number and a number of decimal places: the text that is sent, and exactly the value it parses
/// to.
struct ExactDecimal: Equatable {
    var mantissa: Int64
    var places: Int

    /// The nearest `Double`: one correctly rounded division of two exact numbers.
    var double: Double {
        var power = 1.0
        for _ in 0..<places { power *= 10 }
        return Double(mantissa) / power
    }

    /// The whole part.
    var whole: Int64 {
        var power: Int64 = 1
        for _ in 0..<places { power *= 10 }
        return mantissa / power
    }

    /// Whether there is a fractional part.
    var hasFraction: Bool { double != Double(whole) }

    /// Returns a price with 2 to 4 decimals.
    static func price(_ random: inout SeededRandom) -> ExactDecimal {
        let places = 2 + random.below(3)
        return ExactDecimal(mantissa: Int64(100 + random.below(9_999_900)), places: places)
    }

    /// Returns a number of shares; about one in four is fractional.
    static func shares(_ random: inout SeededRandom, below bound: Int) -> ExactDecimal {
        let places = random.below(4) == 0 ? 1 + random.below(6) : 0
        return ExactDecimal(mantissa: Int64(1 + random.below(bound)), places: places)
    }
}

extension EventText {
    mutating func add(_ name: StaticString, _ value: ExactDecimal) {
        add(name, value.mantissa, decimals: value.places)
    }

    /// Adds the whole part under one name and, if there is a fraction, the exact decimal in quotes under another.
    mutating func add(_ name: StaticString, exact: StaticString, _ value: ExactDecimal) {
        add(name, value.whole)
        if value.hasFraction { addQuoted(exact, value.mantissa, decimals: value.places) }
    }
}

/// The numbers of a numbered bar.
struct BarNumbers {
    let open, high, low, close, vwap, volume, dayVolume: ExactDecimal
    let averageSize: Int64

    init(_ event: LedgerEvent) {
        var random = event.random
        low = .price(&random)
        let range = 1 + random.below(500)
        func above(_ offset: Int, _ low: ExactDecimal) -> ExactDecimal {
            ExactDecimal(mantissa: low.mantissa + Int64(offset), places: low.places)
        }
        open = above(random.below(range + 1), low)
        close = above(random.below(range + 1), low)
        vwap = above(random.below(range + 1), low)
        high = above(range, low)
        volume = .shares(&random, below: 5_000_000)
        dayVolume = .shares(&random, below: 500_000_000)
        averageSize = Int64(1 + random.below(900))
    }

    func write(_ event: LedgerEvent, to text: inout EventText) {
        text.add("v", exact: "dv", volume)
        text.add("av", exact: "dav", dayVolume)
        text.add("op", open)
        text.add("vw", vwap)
        text.add("o", open)
        text.add("c", close)
        text.add("h", high)
        text.add("l", low)
        text.add("a", vwap)
        text.add("z", averageSize)
        text.add("s", event.time)
        text.add("e", event.time + LedgerPlan.window(of: event.kind))
    }
}

/// The numbers of a numbered trade.
struct TradeNumbers {
    let price, size: ExactDecimal
    let exchange, tape, participantTime: Int64
    let conditions: [Int]

    init(_ event: LedgerEvent) {
        var random = event.random
        price = .price(&random)
        size = .shares(&random, below: 100_000)
        exchange = Int64(1 + random.below(20))
        tape = Int64(1 + random.below(3))
        conditions = Array([0, 12, 37, 41].prefix(random.below(4)))
        participantTime = event.time - Int64(random.below(40))
    }

    func write(_ event: LedgerEvent, to text: inout EventText) {
        text.add("x", exchange)
        text.addPlain("i", String(event.id))
        text.add("z", tape)
        text.add("p", price)
        text.add("s", exact: "ds", size)
        text.add("c", conditions)
        text.add("t", event.time)
        text.add("q", Int64(event.id))
        text.add("pt", participantTime)
    }
}

/// The numbers of a numbered quote.
struct QuoteNumbers {
    let bid, ask: ExactDecimal
    let bidSize, askSize, bidExchange, askExchange, condition, tape, participantTime: Int64

    init(_ event: LedgerEvent) {
        var random = event.random
        bid = .price(&random)
        ask = ExactDecimal(mantissa: bid.mantissa + Int64(1 + random.below(9)), places: bid.places)
        bidSize = Int64(random.below(5000))
        askSize = Int64(random.below(5000))
        bidExchange = Int64(1 + random.below(20))
        askExchange = Int64(1 + random.below(20))
        condition = Int64(random.below(3))
        tape = Int64(1 + random.below(3))
        participantTime = event.time - Int64(random.below(40))
    }

    func write(_ event: LedgerEvent, to text: inout EventText) {
        text.add("bx", bidExchange)
        text.add("bp", bid)
        text.add("bs", bidSize)
        text.add("ax", askExchange)
        text.add("ap", ask)
        text.add("as", askSize)
        text.add("c", condition)
        text.add("t", event.time)
        text.add("q", Int64(event.id))
        text.add("z", tape)
        text.add("pt", participantTime)
    }
}

/// The numbers of numbered price bands.
struct LimitBandNumbers {
    let high, low: ExactDecimal
    let indicator: Int
    let tape, nanoseconds: Int64

    init(_ event: LedgerEvent) {
        var random = event.random
        low = .price(&random)
        high = ExactDecimal(mantissa: low.mantissa + Int64(1 + random.below(900)), places: low.places)
        indicator = [1, 17, 18][random.below(3)]
        tape = Int64(1 + random.below(3))
        nanoseconds = event.time * 1_000_000 + Int64(random.below(1_000_000))
    }

    func write(_ event: LedgerEvent, to text: inout EventText) {
        text.add("h", high)
        text.add("l", low)
        text.add("i", [indicator])
        text.add("z", tape)
        text.add("t", nanoseconds)
        text.add("q", Int64(event.id))
    }
}

/// The numbers of a numbered imbalance.
struct ImbalanceNumbers {
    let clearingPrice: ExactDecimal
    let imbalance, paired, exchange, auctionTime, nanoseconds: Int64
    let auctionType: String

    init(_ event: LedgerEvent) {
        var random = event.random
        clearingPrice = .price(&random)
        imbalance = Int64(random.below(2_000_001)) - 1_000_000
        paired = Int64(random.below(1_000_000))
        exchange = Int64(1 + random.below(20))
        auctionTime = [930, 1600][random.below(2)]
        auctionType = ["O", "M", "H", "C", "P", "R"][random.below(6)]
        nanoseconds = event.time * 1_000_000 + Int64(random.below(1_000_000))
    }

    func write(_ event: LedgerEvent, to text: inout EventText) {
        text.add("t", nanoseconds)
        text.add("at", auctionTime)
        text.addPlain("a", auctionType)
        text.add("i", Int64(event.id))
        text.add("x", exchange)
        text.add("o", imbalance)
        text.add("p", paired)
        text.add("b", clearingPrice)
    }
}

/// The numbers of a numbered fair value.
struct FairValueNumbers {
    let value: ExactDecimal
    let nanoseconds: Int64

    init(_ event: LedgerEvent) {
        var random = event.random
        value = .price(&random)
        nanoseconds = event.time * 1_000_000 + Int64(random.below(1_000_000))
    }

    func write(_ event: LedgerEvent, to text: inout EventText) {
        text.add("fmv", value)
        text.add("t", nanoseconds)
    }
}

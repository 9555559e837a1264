public import MarketData

/// The latest news of a symbol.
public struct SymbolNews: Sendable, Equatable {
    /// The symbol.
    public var symbol: Symbol
    /// When an event of it was last read, in milliseconds since the Unix epoch.
    public var received: Int64
    /// The price of its newest trade or the close of its newest bar, whichever is newer by its own time; `nil` before
    /// the first.
    public var price: Double?
}

/// The latest news of each symbol, for the page. The table costs a few nanoseconds per event; a dictionary's lookup
/// would cost more than all else that is done with an event on its way.
struct NewestBySymbol: Sendable {
    /// The most symbols; the whole market has a third of that.
    static let limit = 1 << 15

    private var news: [SymbolNews] = []
    /// The time of each price in ``news``, in milliseconds since the Unix epoch.
    private var priceTimes: [Int64] = []
    /// Places in ``news`` by the symbol's hash: the index plus one, or 0 for a free place. The size is a power of two;
    /// at most half of it is in use.
    private var places = [Int32](repeating: 0, count: 1 << 10)

    /// Notes an event without a price.
    mutating func note(_ symbol: Symbol, at received: Int64) {
        let index = place(of: symbol)
        if index >= 0 { news[index].received = received }
    }

    /// Notes an event with a price, which counts unless the one before is newer: a corrected bar comes late.
    mutating func note(_ symbol: Symbol, at received: Int64, price: Double, of time: Int64) {
        let index = place(of: symbol)
        guard index >= 0 else { return }
        news[index].received = received
        // A time that lies ahead, by the feed's clock or by this one before it was set back, must not hold off all
        // later prices.
        let time = min(time, received)
        guard time >= priceTimes[index] || received < priceTimes[index] else { return }
        news[index].price = price
        priceTimes[index] = time
    }

    /// Returns the symbols that had an event at or after a moment, in milliseconds since the Unix epoch.
    func since(_ moment: Int64) -> [SymbolNews] { news.filter { $0.received >= moment } }

    /// Returns the index of a symbol's news, which is added if it is new; -1 when there is no room.
    private mutating func place(of symbol: Symbol) -> Int {
        var slot = Self.hash(symbol) & (places.count - 1)
        while places[slot] != 0 {
            let index = Int(places[slot] - 1)
            if news[index].symbol == symbol { return index }
            slot = (slot + 1) & (places.count - 1)
        }
        guard news.count < Self.limit else { return -1 }
        news.append(SymbolNews(symbol: symbol, received: 0))
        priceTimes.append(.min)
        places[slot] = Int32(news.count)
        if news.count * 2 > places.count { grow() }
        return news.count - 1
    }

    private mutating func grow() {
        places = [Int32](repeating: 0, count: places.count * 2)
        for (index, each) in news.enumerated() {
            var slot = Self.hash(each.symbol) & (places.count - 1)
            while places[slot] != 0 { slot = (slot + 1) & (places.count - 1) }
            places[slot] = Int32(index + 1)
        }
    }

    private static func hash(_ symbol: Symbol) -> Int {
        let words = unsafeBitCast(symbol, to: SIMD2<UInt64>.self)
        let mixed = (words.x ^ words.y &* 0x9E37_79B9_7F4A_7C15) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: mixed >> 32)
    }
}

import MarketData

/// Writes events from the buffer's columns as the feed does: field for field what was sent, for the fields that the
/// buffer keeps.
///
/// The buffer keeps a volume or size once, exactly. The feed sends its whole part and, if there is a fraction, the
/// exact decimal as a text.
struct RowText {
    /// The last object written.
    private(set) var bytes: [UInt8] = []

    mutating func write(_ bar: Bar) {
        open(EventKind(bar.interval), bar.symbol)
        exact("v", "dv", bar.volume)
        exact("av", "dav", bar.dayVolume)
        add("op", bar.dayOpen)
        add("vw", bar.vwap)
        add("o", bar.open)
        add("c", bar.close)
        add("h", bar.high)
        add("l", bar.low)
        add("a", bar.dayVWAP)
        add("z", bar.averageSize)
        add("s", bar.start)
        add("e", bar.end)
        if let isOTC = bar.isOTC { raw("otc", isOTC ? "true" : "false") }
        close()
    }

    mutating func write(_ trade: Trade, text: TextArena) {
        open(.trade, trade.symbol)
        add("x", trade.exchange.map(Int64.init))
        if let id = trade.tradeID { quoted("i", text, id) }
        add("z", trade.tape.map(Int64.init))
        add("p", trade.price)
        exact("s", "ds", trade.size)
        if let conditions = trade.conditions { plain("c", text, conditions) }
        add("t", trade.time)
        add("q", trade.sequence)
        add("trfi", trade.trfID.map(Int64.init))
        add("trft", trade.trfTime)
        add("pt", trade.participantTime)
        close()
    }

    mutating func write(_ quote: Quote, text: TextArena) {
        open(.quote, quote.symbol)
        add("bx", quote.bidExchange.map(Int64.init))
        add("bp", quote.bid)
        add("bs", quote.bidSize)
        add("ax", quote.askExchange.map(Int64.init))
        add("ap", quote.ask)
        add("as", quote.askSize)
        add("c", quote.condition.map(Int64.init))
        if let indicators = quote.indicators { plain("i", text, indicators) }
        add("t", quote.time)
        add("q", quote.sequence)
        add("z", quote.tape.map(Int64.init))
        add("pt", quote.participantTime)
        close()
    }

    mutating func write(_ event: LimitBand, text: TextArena) {
        open(.limitBand, event.symbol)
        add("h", event.high)
        add("l", event.low)
        if let indicators = event.indicators { plain("i", text, indicators) }
        add("z", event.tape.map(Int64.init))
        add("t", event.timeNanoseconds ?? event.time)
        add("q", event.sequence)
        close()
    }

    mutating func write(_ event: Imbalance, text: TextArena) {
        open(.imbalance, event.symbol)
        add("t", event.timeNanoseconds ?? event.time)
        add("at", event.auctionTime.map(Int64.init))
        if let type = event.auctionType { quoted("a", text, type) }
        add("i", event.sequence)
        add("x", event.exchange.map(Int64.init))
        add("o", event.imbalance)
        add("p", event.paired)
        add("b", event.clearingPrice)
        close()
    }

    mutating func write(_ event: FairValue) {
        open(.fairValue, event.symbol)
        add("fmv", event.value)
        add("t", event.timeNanoseconds ?? event.time)
        close()
    }

    mutating func writeAggregate(_ bar: Bar) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: "{\"t\":".utf8)
        DecimalText.append(bar.start, to: &bytes)
        add("o", bar.open)
        add("h", bar.high)
        add("l", bar.low)
        add("c", bar.close)
        add("v", bar.volume)
        add("vw", bar.vwap)
        // Left out if it is false, as the provider does.
        if bar.isOTC == true { raw("otc", "true") }
        close()
    }

    private mutating func open(_ kind: EventKind, _ symbol: Symbol) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: #"{"ev":""#.utf8)
        bytes.append(contentsOf: kind.rawValue.utf8)
        bytes.append(contentsOf: (kind == .limitBand || kind == .imbalance ? #"","T":""# : #"","sym":""#).utf8)
        symbol.withUTF8 { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func close() { bytes.append(UInt8(ascii: "}")) }

    private mutating func key(_ name: StaticString) {
        bytes.append(contentsOf: ",\"".utf8)
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(contentsOf: "\":".utf8)
    }

    private mutating func add(_ name: StaticString, _ value: Int64?) {
        guard let value else { return }
        key(name)
        DecimalText.append(value, to: &bytes)
    }

    private mutating func add(_ name: StaticString, _ value: Double?) {
        // A row that another program wrote may hold a value that is not a number.
        guard let value, value.isFinite else { return }
        key(name)
        DecimalText.append(value, to: &bytes)
    }

    private mutating func exact(_ name: StaticString, _ exactName: StaticString, _ value: Double?) {
        guard let value, value.isFinite else { return }
        let whole = value.rounded(.towardZero)
        add(name, whole)
        guard whole != value else { return }
        key(exactName)
        bytes.append(UInt8(ascii: "\""))
        DecimalText.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func raw(_ name: StaticString, _ text: String) {
        key(name)
        bytes.append(contentsOf: text.utf8)
    }

    /// Adds a text that is already JSON.
    private mutating func plain(_ name: StaticString, _ arena: TextArena, _ range: TextRange) {
        key(name)
        arena.withUTF8(range) { bytes.append(contentsOf: $0) }
    }

    private mutating func quoted(_ name: StaticString, _ arena: TextArena, _ range: TextRange) {
        key(name)
        let isPlain = arena.withUTF8(range) { text in
            text.allSatisfy { 0x20..<0x7F ~= $0 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        guard isPlain else { return JSONString.append(arena[range], to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
        arena.withUTF8(range) { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
    }
}

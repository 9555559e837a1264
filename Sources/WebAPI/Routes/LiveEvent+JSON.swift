import MarketData

extension LiveEvent {
    /// Writes the event's members.
    func write(to json: inout JSONText) {
        json.field("kind", kind.rawValue)
        json.field("symbol", symbol.description)
        json.field("time", milliseconds: time)
        json.field("received", Double(receivedMicroseconds) / 1_000_000)
        json.field("connection", connection)
        switch payload {
        case .bar(let bar): bar.writePrices(to: &json)
        case .trade(let trade):
            json.field("price", trade.price)
            json.field("size", trade.size)
            json.field("exchange", trade.exchange)
        case .quote(let quote):
            json.field("bid", quote.bid)
            json.field("bid_size", quote.bidSize)
            json.field("ask", quote.ask)
            json.field("ask_size", quote.askSize)
        }
    }
}

extension Bar {
    /// Writes the members that every bar has.
    func writePrices(to json: inout JSONText) {
        json.field("open", open)
        json.field("high", high)
        json.field("low", low)
        json.field("close", close)
        json.field("volume", volume)
        json.field("vwap", vwap)
    }
}

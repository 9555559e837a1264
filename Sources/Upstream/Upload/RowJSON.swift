import MarketData

/// Writes a buffered row as a JSON object, with the names that the buffer's columns have.
enum RowJSON {
    static func text<Event>(_ row: Buffered<Event>, _ context: RowContext) -> String {
        var object = ObjectText()
        object.add("seq", row.sequence)
        switch row.event {
        case let bar as Bar: add(bar, to: &object)
        case let trade as Trade: add(trade, context.text, to: &object)
        case let quote as Quote: add(quote, context.text, to: &object)
        default: break
        }
        object.add("received_us", row.receivedMicroseconds)
        let index = Int(row.connection)
        object.add("connection", context.connections.indices.contains(index) ? context.connections[index] : nil)
        object.add("source", row.source.rawValue)
        return object.closed
    }

    private static func add(_ bar: Bar, to object: inout ObjectText) {
        object.add("interval_s", Int64(bar.interval.rawValue))
        object.add("symbol", bar.symbol.description)
        object.add("start_ms", bar.start)
        object.add("end_ms", bar.end)
        object.add("open", bar.open)
        object.add("high", bar.high)
        object.add("low", bar.low)
        object.add("close", bar.close)
        object.add("volume", bar.volume)
        object.add("vwap", bar.vwap)
        object.add("day_volume", bar.dayVolume)
        object.add("day_open", bar.dayOpen)
        object.add("day_vwap", bar.dayVWAP)
        object.add("average_size", bar.averageSize)
        object.add("otc", bar.isOTC.map { Int64($0 ? 1 : 0) })
    }

    private static func add(_ trade: Trade, _ text: TextArena, to object: inout ObjectText) {
        object.add("symbol", trade.symbol.description)
        object.add("time_ms", trade.time)
        object.add("price", trade.price)
        object.add("size", trade.size)
        object.add("exchange", trade.exchange.map(Int64.init))
        object.add("tape", trade.tape.map(Int64.init))
        object.add("trade_id", trade.tradeID.map { text[$0] })
        object.add("conditions", trade.conditions.map { text[$0] })
        object.add("sequence", trade.sequence)
        object.add("trf_id", trade.trfID.map(Int64.init))
        object.add("trf_time_ms", trade.trfTime)
    }

    private static func add(_ quote: Quote, _ text: TextArena, to object: inout ObjectText) {
        object.add("symbol", quote.symbol.description)
        object.add("time_ms", quote.time)
        object.add("bid", quote.bid)
        object.add("bid_size", quote.bidSize)
        object.add("bid_exchange", quote.bidExchange.map(Int64.init))
        object.add("ask", quote.ask)
        object.add("ask_size", quote.askSize)
        object.add("ask_exchange", quote.askExchange.map(Int64.init))
        object.add("condition", quote.condition.map(Int64.init))
        object.add("indicators", quote.indicators.map { text[$0] })
        object.add("tape", quote.tape.map(Int64.init))
        object.add("sequence", quote.sequence)
    }

    /// Members of an object, one after the other; those without a value are left out.
    private struct ObjectText {
        private var text = ""

        var closed: String { "{\(text)}" }

        mutating func add(_ name: String, _ value: Int64?) {
            if let value { addRaw(name, String(value)) }
        }

        mutating func add(_ name: String, _ value: Double?) {
            if let value { addRaw(name, value.isFinite ? DecimalText.string(value) : "null") }
        }

        mutating func add(_ name: String, _ value: String?) {
            if let value { addRaw(name, JSONString.quoted(value)) }
        }

        private mutating func addRaw(_ name: String, _ value: String) {
            if !text.isEmpty { text += "," }
            text += "\"\(name)\":\(value)"
        }
    }
}

import FeedSimulator
import Foundation
import LedgerSupport
import MarketData

/// The expected columns of a row, computed from the event alone. Numbers are compared as decimal texts.
enum LedgerColumns {
    /// Returns the columns of a stream that the event determines, besides its kind, symbol and time. Their names are
    /// the same in the file and upstream, except `volume` (``UpstreamTables``).
    static func names(_ stream: EventStream) -> [String] {
        switch stream {
        case .bars:
            [
                "end_ms", "open", "high", "low", "close", "volume", "vwap", "day_volume", "day_open", "day_vwap",
                "average_size",
            ]
        case .trades: ["price", "size", "exchange", "tape", "trade_id", "conditions", "sequence"]
        case .quotes:
            [
                "bid", "bid_size", "bid_exchange", "ask", "ask_size", "ask_exchange", "condition", "tape", "sequence",
            ]
        case .luld: ["time_ns", "high_band", "low_band", "indicators", "tape", "sequence"]
        case .imbalances:
            [
                "time_ns", "auction_time", "auction_type", "sequence", "exchange", "imbalance", "paired",
                "clearing_price",
            ]
        case .fairValues: ["time_ns", "fair_value"]
        }
    }

    /// Returns the expected values of the columns ``names(_:)`` for an event.
    static func expected(_ event: LedgerEvent) -> [String?] {
        var text = TextArena()
        if let bar = event.bar {
            return [
                "\(bar.end)", decimal(bar.open), decimal(bar.high), decimal(bar.low), decimal(bar.close),
                decimal(bar.volume), bar.vwap.map(decimal), bar.dayVolume.map(decimal), bar.dayOpen.map(decimal),
                bar.dayVWAP.map(decimal), bar.averageSize.map(decimal),
            ]
        }
        if let trade = event.trade(text: &text) {
            return [
                decimal(trade.price), decimal(trade.size), trade.exchange.map(String.init),
                trade.tape.map(String.init), trade.tradeID.map { text[$0] }, trade.conditions.map { text[$0] },
                trade.sequence.map(String.init),
            ]
        }
        if let band = event.limitBand(text: &text) {
            return [
                band.timeNanoseconds.map(String.init), band.high.map(decimal), band.low.map(decimal),
                band.indicators.map { text[$0] }, band.tape.map(String.init), band.sequence.map(String.init),
            ]
        }
        if let event = event.imbalance(text: &text) {
            return [
                event.timeNanoseconds.map(String.init), event.auctionTime.map(String.init),
                event.auctionType.map { text[$0] }, event.sequence.map(String.init), event.exchange.map(String.init),
                event.imbalance.map(decimal), event.paired.map(decimal), event.clearingPrice.map(decimal),
            ]
        }
        if let event = event.fairValue { return [event.timeNanoseconds.map(String.init), decimal(event.value)] }
        guard let quote = event.quote else { return [] }
        return [
            quote.bid.map(decimal), quote.bidSize.map(decimal), quote.bidExchange.map(String.init),
            quote.ask.map(decimal), quote.askSize.map(decimal), quote.askExchange.map(String.init),
            quote.condition.map(String.init), quote.tape.map(String.init), quote.sequence.map(String.init),
        ]
    }

    /// Returns the shortest decimal that parses to the number, without an exponent.
    static func decimal(_ number: Double) -> String {
        let text = "\(number)"
        if text.contains("e") { return Decimal(string: text).map { "\($0)" } ?? text }
        return canonical(text)
    }

    /// Returns a decimal without the trailing zeros of its fraction.
    static func canonical(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: ".")) else { return text }
        var digits = Substring(text)
        while digits.utf8.last == UInt8(ascii: "0") { digits.removeLast() }
        if digits.utf8.last == UInt8(ascii: ".") { digits.removeLast() }
        return String(digits)
    }
}

/// A row as read from the file or from upstream.
struct LedgerRow {
    var kind: EventKind
    var symbol: String
    var time: Int64
    /// The sequence number in the stream; 0 for a row from upstream.
    var sequence: Int64 = 0
    var values: [String?]
}

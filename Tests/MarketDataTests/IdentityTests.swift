import MarketData
import Testing

/// What makes two rows the same event is defined once per stream.
@Suite(.timeLimit(.minutes(1)))
struct IdentityTests {
    @Test(arguments: [
        (EventStream.bars, ["symbol", "start_ms"]),
        (.trades, ["symbol", "time_ms", "exchange", "trade_id", "sequence"]),
        (
            .quotes,
            [
                "symbol", "time_ms", "bid", "bid_size", "bid_exchange", "ask", "ask_size", "ask_exchange", "sequence",
            ]
        ),
        (.luld, ["symbol", "time_ms", "high_band", "low_band", "indicators", "sequence"]),
        (.imbalances, ["symbol", "time_ms", "auction_time", "auction_type", "sequence", "exchange"]),
        (.fairValues, ["symbol", "time_ms", "fair_value"]),
    ])
    func `an event is told from others by what the feed says of it, never by who received it or when`(
        stream: EventStream, columns: [String]
    ) {
        let identity = stream.columns.filter { $0.targets.contains { !$0.roles.isDisjoint(with: [.key, .identity]) } }
        #expect(identity.map(\.name) == columns)
    }
}

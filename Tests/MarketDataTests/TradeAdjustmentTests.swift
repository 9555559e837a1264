import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct TradeAdjustmentTests {
    @Test func `a trade is marked by the conditions that say so, and by no others`() {
        #expect(TradeAdjustment(conditions: "[0,44]") == .cancelled)
        #expect(TradeAdjustment(conditions: "[46]") == .corrected)
        #expect(TradeAdjustment(conditions: "[12,37]") == nil && TradeAdjustment(conditions: "[]") == nil)
        #expect(TradeAdjustment(conditions: "[4,4]") == nil)
        #expect(
            TradeAdjustment(conditions: "[144]") == nil && TradeAdjustment(conditions: "[99999999999999999999]") == nil)
        #expect(TradeAdjustment(conditions: "0,54") == .wrong && TradeAdjustment(conditions: "") == nil)
    }
}

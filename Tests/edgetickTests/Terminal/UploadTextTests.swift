import MarketData
import Testing

@testable import Collector
@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct UploadTextTests {
    @Test func `rows that were upstream already are told from those that are new`() {
        var totals = UploadTotals()
        #expect(totals.text == "uploaded 0 rows")
        totals[.trades].uploaded = 1
        totals[.trades].new = 1
        #expect(totals.text == "uploaded 1 row")
        totals[.trades].uploaded = 4674
        totals[.trades].new = 534
        totals[.trades].present = 4140
        #expect(totals.text == "uploaded 4,674 rows: 534 new, 4,140 upstream already")
        totals[.bars].uploaded = 30
        totals[.bars].present = 20
        #expect(totals.text == "uploaded 4,704 rows: 534 new, 4,160 upstream already, 10 older versions of bars")
    }
}

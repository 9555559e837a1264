import ArgumentParser
import MarketData
import Testing

@testable import edgetick

/// Which day `edgetick reconcile` compares.
@Suite(.timeLimit(.minutes(1))) struct ReconcileDayTests {
    @Test func `a day is refused until the REST server has all of it, but not that of a file`() throws {
        let settings = try validate(["MASSIVE_WEBSOCKET_URL": "wss://delayed.massive.com/stocks"]).settings
        let day = try #require(TradingDay("2024-01-03"))
        // The day's bars are final, and a delayed server has them a quarter of an hour and a minute later.
        let ready = try #require(day.session?.close) + 15 * 60_000
        let named = try ReconcileCommand.parse(["--date", "2024-01-03"])
        let last = try ReconcileCommand.parse([])
        let error = #expect(throws: CommandFailure.self) { _ = try named.dayToCompare(settings, now: ready) }
        #expect(error?.status == .usage && error?.lines.first?.contains("2024-01-02") == true)
        #expect(try last.dayToCompare(settings, now: ready) == day.before)
        let later = ready + 16 * 60_000
        #expect(try named.dayToCompare(settings, now: later) == day)
        #expect(try last.dayToCompare(settings, now: later) == day)
        let file = try ReconcileCommand.parse(["--from-file", "bars/2024-01-03.csv.gz"])
        #expect(try file.dayToCompare(settings, now: ready) == day)
    }
}

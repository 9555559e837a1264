import MarketData
import Testing

@testable import edgetick

/// Which of the database's tables an export can do without.
@Suite(.timeLimit(.minutes(1))) struct OptionalTablesTests {
    @Test func `the tables of rare events are optional, unless the box collects them or they were asked for`() {
        #expect(
            ExportCommand.optional(named: [], collected: [.minuteBar]) == [
                .secondBar, .limitBand, .imbalance, .fairValue,
            ])
        #expect(
            ExportCommand.optional(named: [], collected: [.minuteBar, .secondBar, .limitBand]) == [
                .imbalance, .fairValue,
            ])
        #expect(
            ExportCommand.optional(named: [.bars, .luld], collected: [.trade]) == [
                .secondBar, .imbalance, .fairValue,
            ])
    }
}

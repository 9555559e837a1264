import Testing
import Wire

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct ClockCheckTests {
    private func check(asked: Int64, answered: Int64, shown: Int64, coarseness: Int64 = 0) -> ClockCheck {
        ClockCheck(other: "the database's", asked: asked, answered: answered, shown: shown, coarseness: coarseness)
    }

    @Test func `a time that may have been shown while it was asked for is right, however slow the way`() {
        #expect(check(asked: 1000, answered: 9000, shown: 5000).offset == 0)
        #expect(check(asked: 1900, answered: 1950, shown: 1000, coarseness: 1000).offset == 0)
        #expect(check(asked: 1000, answered: 1100, shown: 1500).finding.level == .ok)
    }

    @Test func `a clock that is ahead or behind is told with how much and what to do`() {
        let ahead = check(asked: 3_600_000, answered: 3_600_100, shown: 0).finding
        #expect(ahead.level == .warning && ahead.text.contains("3600.0 s ahead of the database's"))
        let behind = check(asked: 0, answered: 100, shown: 5100).finding
        #expect(behind.level == .warning && behind.text.contains("5.0 s behind the database's"))
        #expect(behind.text.contains("timedatectl"))
    }
}

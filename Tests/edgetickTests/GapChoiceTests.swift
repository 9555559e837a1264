import Logging
import MarketData
import Store
import TestSupport
import Testing

@testable import edgetick

/// Which gaps `edgetick backfill` fills.
@Suite(.blocking, .timeLimit(.minutes(1))) struct GapChoiceTests {
    private let symbol = Symbol("AAPL")!

    private func gap(_ events: [EventKind], to: Int64? = 9000) -> Gap {
        Gap(connection: "primary", symbols: [symbol], events: events, from: 1000, to: to, cause: .disconnected)
    }

    private func open(_ workspace: Workspace) throws -> TickBuffer { try TickBuffer.scratch(in: workspace.path) }

    @Test func `a gap that was closed without its trades is chosen however many newer gaps there are`() async throws {
        let workspace = try Workspace()
        let buffer = try open(workspace)
        buffer.record(gap([.minuteBar, .trade]))
        try await buffer.flush()
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        try await buffer.settle([GapFill(of: record, symbols: [(symbol: symbol, rows: 8)], state: .filled)])
        await buffer.close()
        try Command.sqlite(
            workspace.file("ticks.sqlite"),
            """
            WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers LIMIT 10001)
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us, state)
            SELECT 'primary', 'AAPL', 'AM', 1000, 9000, 'disconnected', 1, 'empty' FROM numbers
            """)
        let choice = GapChoice(directory: workspace.path, takesClosed: true, latest: .max)
        let count = try choice.count()
        #expect(count.chosen == 1 && count.tooNew == 0)
        var chosen: [Int64] = []
        var next = Int64.max
        while let part = try choice.part(before: next) {
            chosen += part.gaps.map(\.id)
            next = part.first
        }
        #expect(chosen == [record.id])
        let unsettled = try GapChoice(directory: workspace.path, takesClosed: false, latest: .max).count()
        #expect(unsettled.chosen == 0 && unsettled.tooNew == 0)
    }

    @Test func `a gap whose bars the server may not have yet is counted and left for later`() async throws {
        let workspace = try Workspace()
        let buffer = try open(workspace)
        for end in [6000, 6001, nil] as [Int64?] { buffer.record(gap([.minuteBar], to: end)) }
        try await buffer.flush()
        let choice = GapChoice(directory: workspace.path, takesClosed: false, latest: 6000)
        let count = try choice.count()
        #expect(count.chosen == 2 && count.tooNew == 1)
        let part = try #require(try choice.part())
        #expect(part.gaps.map(\.gap.to) == [6000, nil])
        await buffer.close()
    }
}

import GRDB
import TestSupport
import Testing

@testable import Store

/// Of what was noted long ago only that is deleted from which nothing follows any more.
@Suite(.timeLimit(.minutes(2))) struct OldNotesTests {
    private static let day: Int64 = 86_400_000_000

    /// - Parameters:
    ///   - days: How long ago it was recorded.
    ///   - settled: How long ago it was settled, if not at once.
    private func gap(_ id: Int, _ state: String, days: Int64, settled: Int64? = nil) -> String {
        let recorded = now() - days * Self.day
        let settled = settled.map { "\(now() - $0 * Self.day)" } ?? "NULL"
        return """
            INSERT INTO gaps (id, connection, symbols, events, from_ms, to_ms, cause, recorded_us, state, settled_us)
            VALUES (\(id), 'primary', 'AAPL', 'AM', 1000, 6000, 'down', \(recorded), '\(state)', \(settled));
            INSERT INTO gap_fills VALUES (\(id), 'AAPL', 'AM', 3, \(recorded)), (\(id), 'MSFT', 'AM', 3, \(recorded));
            """
    }

    private func prepared(_ scratch: Scratch) async throws {
        let buffer = try scratch.open()
        await buffer.close()
        let counts = repeatElement("1", count: 9).joined(separator: ", ")
        let (old, recent) = (now() - 401 * Self.day, now() - 399 * Self.day)
        try scratch.execute(
            [
                gap(1, "filled", days: 402, settled: 401), gap(2, "unfillable", days: 401),
                gap(3, "covered", days: 500, settled: 450), gap(4, "filled", days: 402, settled: 399),
                gap(5, "empty", days: 399), gap(6, "open", days: 1000), gap(7, "partial", days: 1000, settled: 900),
                gap(8, "empty", days: 401), gap(9, "filled", days: 401),
                """
                INSERT INTO reconciled VALUES ('AAPL', '2013-09-24', \(counts), \(old / 1000)),
                    ('AAPL', '2013-09-25', \(counts), \(recent / 1000));
                INSERT INTO incidents (at_us, what, detail) VALUES (\(old), 'lock replaced', ''),
                    (\(old), 'set aside', ''), (\(recent), 'lock replaced', '');
                """,
            ].joined())
    }

    @Test func `a gap that lacks nothing goes after 400 days, what is missing, compared or lost stays`() async throws {
        let scratch = try Scratch()
        try await prepared(scratch)
        let buffer = try scratch.open()
        try await Waiting.until("the old ones are gone") {
            try scratch.number("SELECT count(*) FROM gaps") == 6
                && scratch.number("SELECT count(*) FROM incidents") == 2
        }
        #expect(try scratch.rows("SELECT id FROM gaps ORDER BY id").map { $0[0] as Int64 } == [2, 3, 4, 5, 6, 7])
        #expect(
            try scratch.rows("SELECT gap FROM gap_fills ORDER BY gap").map { $0[0] as Int64 }
                == [2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7])
        // Without its row, a day would count as never checked.
        #expect(try scratch.texts("SELECT day FROM reconciled ORDER BY day") == ["2013-09-24", "2013-09-25"])
        #expect(try scratch.texts("SELECT what FROM incidents ORDER BY id") == ["set aside", "lock replaced"])
        try await Waiting.until("the count is right") { buffer.statistics.gaps == 6 }
        #expect(buffer.statistics.recordedGaps == 9, "a counter never goes back")
        await buffer.close()
    }

    @Test func `one step deletes several gaps, up to a number of rows, or else incidents`() async throws {
        let scratch = try Scratch()
        try await prepared(scratch)
        var connection: TickConnection? = try TickConnection.open(
            StoreFile(path: scratch.ticks, kind: .ticks), synchronous: "OFF",
            identity: TickConnection.Identity(id: "tests", collector: "tests"), seed: TickConnection.Contents())
        func step() throws -> [Int64] {
            let opened = try #require(connection)
            let gone = try opened.transaction { () throws(StoreError) in
                try opened.notes.forget(before: now() - 400 * Self.day, most: 5)
            }
            return [gone.gaps, gone.incidents]
        }
        // Each of the three gaps has a row and two of what filled it.
        #expect(try [step(), step(), step(), step()] == [[2, 0], [1, 0], [0, 1], [0, 0]])
        try TickConnection.close(&connection)
    }

    @Test func `a command that collects nothing deletes no notes`() async throws {
        let scratch = try Scratch()
        try await prepared(scratch)
        let tool = try scratch.open { $0.isCollecting = false }
        try await tool.note(incident: "tried", detail: "")
        await tool.close()
        #expect(try scratch.number("SELECT count(*) FROM gaps") == 9)
        #expect(try scratch.number("SELECT count(*) FROM incidents") == 4)
    }
}

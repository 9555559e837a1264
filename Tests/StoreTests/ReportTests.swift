import Glibc
import MarketData
import Migrations
import TestSupport
import Testing

@testable import Store

/// What `status` reads from the file, with and without a collector.
@Suite(.timeLimit(.minutes(5))) struct ReportTests {
    @Test func `a value that can't be there ends no report`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(3))
        await buffer.close()
        try scratch.execute(
            """
            INSERT INTO incidents (at_us, what, detail) VALUES (x'00', 7, 'torn');
            INSERT INTO drops (episode, stream, symbol, reason, count, at_us)
                VALUES (1, 'bars', x'ff', x'00', 'many', 0);
            INSERT INTO dead_letters (stream, seq, sql_state, reason, row_json, at_ms)
                VALUES ('bars', 1, x'00', x'00', x'00', 'soon'), ('no stream', 2, '', '', '', 0);
            """)
        let report = try BufferReport.read(directory: scratch.path)
        #expect(report[.bars].rows == 3 && report.incidents.count == 1 && report.drops.count == 1)
        #expect(try TickHistory(directory: scratch.path).deadLetters(limit: 10).map(\.sequence) == [1])
        try scratch.execute("DELETE FROM streams; DROP TABLE incidents")
        #expect(throws: StoreError.self) { try BufferReport.read(directory: scratch.path) }
    }

    @Test func `a row that was put back is counted once, and the newest row is the one received last`() async throws {
        let (scratch, buffer) = try await Scratch.opened(with: .bars(10, received: 1_000_000))
        try await buffer.collect(.bars(10, received: 9_000_000))
        await buffer.close()
        // As a retry of two refused rows leaves the file.
        try scratch.execute(
            """
            UPDATE bars SET seq = seq + 18 WHERE seq BETWEEN 3 AND 4;
            INSERT INTO drops (episode, stream, symbol, reason, first_seq, last_seq, count, at_us)
                VALUES (1, 'bars', '*', 'requeued', 3, 4, 0, 1), (2, 'bars', '*', 'requeued', 'x', x'00', 0, 1);
            """)
        let bars = try BufferReport.read(directory: scratch.path)[.bars]
        #expect(bars.rows == 20 && bars.newestMilliseconds == 9000)
    }

    @Test func `the report is the same numbers while the buffer is open and after it closed`() async throws {
        let scratch = try Scratch()
        let nothing = #expect(throws: StoreError.self) { _ = try BufferReport.read(directory: scratch.path) }
        #expect(nothing?.reason == .missing)

        let buffer = try scratch.open()
        #expect(buffer.offer(.bars(10, received: 1_000_000)) == .accepted)
        #expect(buffer.offer(.bars(10, received: 2_000_000)) == .accepted)
        try await buffer.collect(.trades(5, received: 3_000_000))
        _ = try await buffer.nextBatch(of: .bars, limit: 100)
        try await buffer.acknowledge(.bars, through: 10)
        buffer.record(Gap(connection: "primary", symbols: [], events: [.trade], from: 1, to: 2, cause: .down))
        try await buffer.addDeadLetters([
            DeadLetter(stream: .trades, sequence: 2, sqlState: "22003", reason: "range", row: "{}")
        ])
        let open = try BufferReport.read(directory: scratch.path)
        #expect(open.collectorProcess == getpid() && open.holder?.processID == getpid())
        #expect(open.id == buffer.id)
        #expect(open.collector == "tests")
        #expect(open.schemaVersion == LocalMigrations.ticks.last?.version)
        #expect(open[.bars].rows == 20)
        #expect(open[.bars].pending == 10)
        #expect(open[.bars].marks.acknowledged == 10)
        #expect(open[.bars].oldestPendingMilliseconds == 2000)
        #expect(open[.trades].pending == 5)
        #expect(open[.trades].newestMilliseconds == 3000)
        #expect(open[.quotes] == BufferReport.Stream())
        #expect(open.pending == 15)
        #expect(open.gaps == 1)
        #expect(open.deadLetters == 1)
        #expect(buffer.statistics.pending == 15)
        await buffer.close()

        let closed = try BufferReport.read(directory: scratch.path)
        #expect(closed.holder == nil)
        #expect(closed.streams == open.streams)
        #expect(closed.drops.isEmpty)
    }

    @Test func `many reports at once don't disturb the collector`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<10 { _ = try BufferReport.read(directory: scratch.path) }
                }
            }
            for round in 0..<50 {
                #expect(buffer.offer(.bars(100, from: round * 100)) != .refused)
                try await buffer.flush()
            }
            try await group.waitForAll()
        }
        #expect(buffer.statistics[.bars].marks.last == 5000)
        #expect(buffer.statistics.state == .writing)
        await buffer.close()
    }
}

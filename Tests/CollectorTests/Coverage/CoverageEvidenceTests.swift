import Collector
import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

/// What the database adds to what the file knows.
@Suite(.blocking, .timeLimit(.minutes(2))) struct CoverageEvidenceTests {
    /// Eight trading days, one of them a half day, with a holiday and two weekends.
    private static let span = TradingDay("2026-11-19")!...TradingDay("2026-12-01")!

    @Test(.enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
    func `the database says the same of some days at once as of each alone`() async throws {
        let (workspace, buffer) = try TickBuffer.scratch()
        await buffer.close()
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        // Every seventh minute of one symbol, day and night, and every minute of the other in parts of two days.
        _ = try cluster.psql(
            """
            CREATE TABLE ohlcv_1min (symbol text, timestamp timestamptz);
            INSERT INTO ohlcv_1min SELECT 'AAPL', t FROM generate_series(
                '2026-11-18 00:00+00'::timestamptz, '2026-12-03 00:00+00', '7 minutes') t;
            INSERT INTO ohlcv_1min SELECT 'RARE', t FROM generate_series(
                '2026-11-24 20:00+00'::timestamptz, '2026-11-25 15:00+00', '1 minute') t;
            """, database: database)
        let reader = UpstreamReader(
            configuration: try UpstreamConfiguration(
                uri: cluster.uri(database), collector: "tests", connectTimeout: .seconds(60)))

        func coverage(_ atOnce: @escaping (_ done: Int) -> Int) async throws -> CoverageReport {
            var evidence = try CoverageEvidence(directory: workspace.path, days: Self.span)
            await evidence.add(from: reader, symbols: nil) { done, total in
                #expect(total == 8)
                return atOnce(done)
            }
            return evidence.report(symbols: nil, now: Self.span.upperBound.span.upperBound)
        }
        let alone = try await coverage { _ in 1 }
        #expect(alone.askedUpstream && alone.problem == nil && alone.days.count == 13)
        let bars = alone.days.map { day in day.rows.map { $0.counts[.bar] ?? 0 } }
        #expect(bars == [[56], [56], [], [], [56], [56, 60], [55, 31], [], [30], [], [], [56], [56]])
        for atOnce in [3, 100] {
            #expect(try await coverage { _ in atOnce }.days == alone.days)
        }
        // Nothing is known of days that nobody asked about.
        let cut = try await coverage { $0 < 3 ? 3 : 0 }
        #expect(cut.problem?.contains("days before 2026-11-26 were not read") == true && cut.askedUpstream)
        #expect(cut.days.suffix(5) == alone.days.suffix(5))
        #expect(cut.days.prefix(8).allSatisfy { $0.rows.allSatisfy { $0.counts[.bar] == nil } })
        await reader.disconnect()
    }

    @Test(arguments: ["2026-11-24", "2026-11-26"])
    func `without a file there is no coverage, not even of a day without trading`(text: String) throws {
        let workspace = try Workspace()
        let day = try #require(TradingDay(text))
        let error = #expect(throws: StoreError.self) {
            _ = try CoverageEvidence(directory: workspace.path, days: day...day)
        }
        #expect(error?.reason == .missing)
    }

    @Test func `what another program wrote into the file's accounts ends no coverage`() async throws {
        let (workspace, buffer) = try TickBuffer.scratch()
        await buffer.close()
        let counts = repeatElement("9223372036854775807", count: 8).joined(separator: ", ")
        try Command.sqlite(
            workspace.path + "/ticks.sqlite",
            """
            INSERT INTO reconciled VALUES ('AAPL', '2026-11-24', \(counts), 0, 1), (x'4141504c', '2026-11-24', \(counts), 0, 1);
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us) VALUES
                ('other', 'AAPL', 'AM', -9223372036854775807 - 1, 9223372036854775807, 'down', 1);
            INSERT INTO drops VALUES (1, 'bars', 'IBM', 'closed', -9223372036854775807 - 1, 9223372036854775807, 1, 1, 1, 1);
            """)
        let evidence = try CoverageEvidence(directory: workspace.path, days: Self.span)
        let report = evidence.report(symbols: nil, now: Self.span.upperBound.span.upperBound)
        let gaps = report.days.map { day in day.rows.first { $0.symbol == Symbol("IBM") }?.counts[.gap] ?? 0 }
        #expect(gaps == [390, 390, 0, 0, 390, 390, 390, 0, 210, 0, 0, 390, 390])
    }

    @Test func `what filled the gaps of other days is not read`() async throws {
        let (workspace, buffer) = try TickBuffer.scratch()
        await buffer.close()
        let before = try #require(TradingDay("2026-10-05"))
        let open = try #require(before.session?.regularOpen)
        try Command.sqlite(
            workspace.path + "/ticks.sqlite",
            """
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us, state) VALUES
                ('other', 'AAPL', 'AM', \(open), \(open + 60_000), 'down', 1, 'filled');
            DROP TABLE gap_fills;
            """)
        #expect(throws: StoreError.self) { try CoverageEvidence(directory: workspace.path, days: before...before) }
        let evidence = try CoverageEvidence(directory: workspace.path, days: Self.span)
        #expect(evidence.report(symbols: nil, now: Self.span.upperBound.span.upperBound).days.count == 13)
    }

    @Test func `bars that are gone are noticed though the day has as many that the tape lacks`() async throws {
        let day = try #require(TradingDay("2026-11-24"))
        let (open, symbol) = (try #require(day.session?.regularOpen), try #require(Symbol("AAPL")))
        // The tape has 387 of the 390 minutes. The file has one more, and nobody has a bar of the other two.
        for (minutes, state) in [(0..<388, CoveragePeriod.State.complete), (1..<388, .unchecked)] {
            let (workspace, buffer) = try TickBuffer.scratch()
            var batch = EventBatch(connection: "primary", receivedMicroseconds: day.span.upperBound * 1000)
            batch.bars = minutes.map { minute in
                let start = open + Int64(minute) * 60_000
                return Bar.flat(symbol, at: start)
            }
            try await buffer.collect(batch)
            await buffer.close()
            try Command.sqlite(
                workspace.path + "/ticks.sqlite",
                "INSERT INTO reconciled VALUES ('AAPL', '\(day)', 390, 387, 0, 2, 387, 0, 0, 1, 0, 1)")
            let evidence = try CoverageEvidence(directory: workspace.path, days: day...day)
            let report = evidence.report(symbols: nil, now: day.span.upperBound)
            #expect(CoveragePeriod.periods(of: report.days, by: .day).map(\.state) == [state])
        }
    }

    @Test func `the database is asked about as many days as there is time for, at most twice as many as before`() {
        func days(_ done: Int, _ milliseconds: Int) -> Int {
            CoverageEvidence.days(after: done, in: .milliseconds(milliseconds), of: .milliseconds(1000))
        }
        #expect(days(0, 0) == 1 && days(0, 2000) == 1 && days(3, 0) == 3)
        #expect(days(1, 10) == 1 && days(4, 40) == 4)
        #expect(days(10, 800) == 2 && days(3, 900) == 1)
        #expect(days(5, 1000) == 0 && days(5, 1500) == 0)
    }
}

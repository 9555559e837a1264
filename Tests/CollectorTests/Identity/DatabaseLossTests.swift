import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// A database is restored or emptied, or loses its ledger. It gets what it lacks and nothing twice, what can't be sent again
/// is counted, and where a person must decide, the upload says so and keeps its rows.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct DatabaseLossTests: UploadSuite {
    let place: UploadPlace

    init() async throws { place = try await UploadPlace() }

    /// Uploads three times, so that the file forgets earlier transactions: only a restore can take the server back to
    /// them.
    private func goOn(_ box: UploadBox, from first: Int) async throws {
        for start in [first, first + 100, first + 200] { try await box.upload(start...start + 99) }
    }

    @Test func `a database restored to before a running collector's last uploads gets them again, without a person`()
        async throws
    {
        let box = try box("one")
        try await goOn(box, from: 1)
        await box.uploader.disconnect()
        let restored = try cluster.makeDatabase(copying: database)
        try await goOn(box, from: 301)
        let report = try await pass(of: box, on: restored).report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream(restored) == Set(1...600))
        await box.stop()
    }

    @Test func `a database restored to the transaction before the last gets the last one's rows again`() async throws {
        let box = try await box("one", uploading: 1...100)
        await box.uploader.disconnect()
        let restored = try cluster.makeDatabase(copying: database)
        try await box.upload(101...200)
        let report = try await pass(of: box, on: restored).report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream(restored) == Set(1...200))
        await box.stop()
    }

    @Test func `a database restored after an empty one gets what it lacks, without a person`() async throws {
        let box = try box("one")
        try await goOn(box, from: 1)
        await box.uploader.disconnect()
        let restored = try cluster.makeDatabase(copying: database)
        try await goOn(box, from: 301)
        let empty = try await emptyDatabase()
        // All rows wait again when the other database comes back.
        #expect(try await pass(of: box, on: empty).settle([.trades]).isEmpty)
        #expect(box.buffer.statistics[.trades].pending == 600)
        let report = try await pass(of: box, on: restored).report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream(restored) == Set(1...600))
        await box.stop()
    }

    @Test func `a database restored to before the file's identifier gets again what it lost`() async throws {
        try await box("one", uploading: 1...500).stop()
        let restored = try cluster.makeDatabase(copying: database)
        try await box("one", uploading: 501...900).stop()
        let third = try box("one", on: restored)
        try await third.upload()
        #expect(try upstream(restored) == Set(1...900))
        #expect(third.buffer.statistics.drops == 0)
        await third.stop()
    }

    @Test func `a new, empty database gets all that the file still has, and the rest is counted`() async throws {
        let first = try await box("one", retention: .zero, uploading: 1...500)
        let buffer = first.buffer
        // The newest row stays.
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.trades].marks.deleted == 499 }
        await first.stop()
        try await box("one", uploading: 501...900).stop()
        let empty = try await emptyDatabase()
        let third = try box("one", on: empty)
        try await third.upload()
        #expect(try upstream(empty) == Set(500...900))
        #expect(third.buffer.statistics.drops == 499)
        await third.stop()
    }

    @Test(arguments: [(refused: 0, again: 0), (1200, 0), (0, 1200)])
    func `bars that a new, empty database lacks go up again from a copy, though the original moved the ledger there`(
        last: (refused: Int, again: Int)
    ) async throws {
        func bars(_ seconds: Range<Int64>, volume: Double, in box: UploadBox) async throws {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            for second in seconds {
                // The same minute each time.
                for (interval, start) in [
                    (Bar.Interval.second, 1_700_000_000_000 + second * 1000), (.minute, 1_699_999_980_000),
                ] {
                    batch.bars.append(.flat(Symbol("AAPL")!, interval, at: start, volume: volume))
                }
            }
            #expect(box.buffer.offer(batch) != .refused)
            try await box.buffer.flush()
        }
        /// Uploads from a new file and copies it to "two"; `nil` if rows were deleted before they were copied.
        func uploadAndCopy(_ name: String) async throws -> UploadBox? {
            let box = try box(name, retention: .seconds(10))
            try await bars(0..<1500, volume: 1, in: box)
            try await box.upload()
            let file = box.file
            try await Waiting.until {
                try Command.query(file, "SELECT acknowledged FROM streams WHERE stream = 'bars'") == "3000"
            }
            try copy(box.directory, to: "two")
            let held = try Command.query(workspace.file("two/ticks.sqlite"), "SELECT count(*) FROM bars")
            if held == "3000" { return box }
            await box.stop()
            try FileManager.default.removeItem(atPath: workspace.file("two"))
            return nil
        }
        // A stalled machine uses up the ten seconds.
        var uploaded: UploadBox?
        for attempt in 1...5 where uploaded == nil { uploaded = try await uploadAndCopy("one-\(attempt)") }
        guard let original = uploaded else { throw Waiting.TimedOut("for a copy with all rows") }
        // From now on only the copy has them, and it counts them as uploaded.
        let buffer = original.buffer
        try await Waiting.until(within: .seconds(60)) { buffer.statistics[.bars].marks.deleted == 2999 }
        let empty = try await emptyDatabase()
        await original.uploader.disconnect()
        let pass = try pass(of: original, on: empty)
        _ = try await pass.run()
        // Newer versions of the last bars in the copy.
        try await bars(1500 - Int64(last.again) / 2..<1500, volume: 2, in: original)
        for round in Int64(1)...3 {
            try await bars(2000 + 1000 * round..<3000 + 1000 * round, volume: 2, in: original)
            _ = try await pass.run()
        }
        // The old database refused the last bars; they are sent again with the others.
        try Command.sqlite(
            workspace.file("two/ticks.sqlite"),
            "INSERT INTO dead_letters SELECT 'bars', seq, '23514', 'no', '{}', 0 FROM bars WHERE seq > 3000 - \(last.refused)"
        )
        let second = try box("two", on: empty)
        #expect(second.buffer.statistics[.bars].pending == 0)
        try await second.upload()
        let text = try cluster.psql(
            "SELECT count(*), min(timestamp), (SELECT max(volume) FROM ohlcv_1min) FROM ohlcv_1sec", database: empty)
        #expect(text.contains("4500|2023-11-14 22:13:20+00|2"), "\(text)")
        await second.stop()
        await original.stop()
    }

    /// Why a ledger can't say what is lost.
    enum Mute: String, CaseIterable {
        case hasNoColumns, mayNotRead, mayNotUpdate
    }

    @Test(arguments: Mute.allCases)
    func `where the ledger can't say what is lost, the file counts it all the same, and goes on`(
        mute: Mute
    ) async throws {
        let first = try box("one", retention: .zero)
        try await first.collect(1...500)
        try await uploadAndDelete(first, through: 500)
        await first.stop()
        let empty = try await emptyDatabase()
        var user: String?
        if mute == .hasNoColumns {
            _ = try cluster.psql(
                "ALTER TABLE edgetick_uploads DROP COLUMN lost_from, DROP COLUMN lost_through", database: empty)
        } else {
            let role = "\(mute)_\(empty)".lowercased()
            let named = "buffer_id, collector, stream, last_sequence, rows, updated_at, token, successor"
            let read = mute == .mayNotRead ? "SELECT (\(named))" : "SELECT"
            let update = mute == .mayNotUpdate ? "UPDATE (\(named))" : "UPDATE"
            _ = try cluster.psql(
                """
                CREATE ROLE \(role) LOGIN;
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \(role);
                REVOKE SELECT, UPDATE ON edgetick_uploads FROM \(role);
                GRANT \(read), \(update) ON edgetick_uploads TO \(role)
                """, database: empty)
            user = role
        }
        for round in 0..<3 {
            let box = try box("one", on: empty, as: user)
            try await box.collect(501 + round...501 + round)
            let report = await box.pass.report()
            #expect(report.failures.isEmpty && report.problem == nil)
            #expect(box.buffer.statistics.drops == 499)
            #expect(box.buffer.statistics.pending == 0)
            await box.stop()
        }
        #expect(try upstream(empty) == Set(500...503))
    }

    @Test func `a ledger of an earlier version, without columns for what is lost, serves as it did`() async throws {
        try sql("ALTER TABLE edgetick_uploads DROP COLUMN lost_from, DROP COLUMN lost_through")
        for round in 0..<2 {
            let box = try await box("one", uploading: 1 + 100 * round...100 + 100 * round)
            #expect(box.buffer.statistics.pending == 0)
            await box.stop()
        }
        #expect(try upstream() == Set(1...200))
    }

    @Test func `when the ledger alone is lost, no row goes up again`() async throws {
        try await box("one", uploading: 1...500).stop()
        try sql("DELETE FROM edgetick_uploads")
        let second = try await box("one", uploading: 501...600)
        #expect(try upstream() == Set(1...600))
        await second.stop()
    }

    @Test func `refused rows whose letters had to make room raise no question when the ledger alone is lost`()
        async throws
    {
        let first = try await box("one", uploading: 1...500)
        await first.stop()
        // As if the table had refused two of the rows from 200 through 210.
        try sql("DELETE FROM edgetick_uploads; DELETE FROM trades WHERE trade_id IN ('200', '210')")
        try Command.sqlite(
            first.file,
            """
            INSERT INTO drops (episode, stream, symbol, reason, first_seq, last_seq, count, at_us)
            VALUES (1, 'trades', 'IBM', 'letter_dropped', 200, 210, 2, 1)
            """)
        let second = try box("one")
        let report = await second.pass.report()
        #expect(report.failures.isEmpty && report.problem == nil)
        #expect(try upstream() == Set(1...500).subtracting([200, 210]))
        await second.stop()
        #expect(try await findings(of: second).isEmpty)
        // What is gone elsewhere is still missed.
        try sql("DELETE FROM trades WHERE trade_id = '300'")
        #expect(try await findings(of: second).contains { $0.contains("1 of 498 uploaded rows are not upstream") })
    }

    @Test func `when some rows are gone with the ledger, a person decides`() async throws {
        try await box("one", uploading: 1...500).stop()
        try sql("DELETE FROM edgetick_uploads; DELETE FROM trades WHERE trade_id::int > 200")
        let second = try box("one")
        let failure = await second.failure()
        #expect(failure?.reason == .ledger && failure?.description.contains("--again") == true)
        #expect(try upstream() == Set(1...200))
        try await second.pass.sendAgain(.trades, from: 201)
        try await second.upload()
        #expect(try upstream() == Set(1...500))
        await second.stop()
    }
}

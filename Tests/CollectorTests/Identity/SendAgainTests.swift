import Foundation
import MarketData
import Store
import TestSupport
import Testing
import Upstream

@testable import Collector

/// `sync --again`: rows that are sent again fill the holes upstream and duplicate nothing, over restarts too.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct SendAgainTests: UploadSuite {
    let place: UploadPlace

    init() async throws { place = try await UploadPlace() }

    @Test func `rows that are sent again are looked up also after a restart in their midst`() async throws {
        let first = try await box("one", uploading: 1...3000)
        try sql("DELETE FROM trades WHERE trade_id::int BETWEEN 500 AND 1500")
        try await first.pass.sendAgain(.trades, from: 400)
        let batch = try #require(try await first.buffer.nextBatch(of: .trades, limit: 700))
        #expect(batch.firstSequence == 400)
        try await first.uploader.drain(OneBatch(batch), of: first.buffer)
        #expect(try upstream() == Set(1...1099).union(1501...3000))
        await first.stop()
        let second = try box("one")
        try await second.collect(3001...3100)
        #expect(await second.failure() == nil)
        #expect(try upstream() == Set(1...3100))
        #expect(second.buffer.statistics.pending == 0)
        await second.stop()
    }

    @Test(arguments: [false, true])
    func `rows that the database lost are sent again, and not those after them that a forgotten copy has sent`(
        restarts: Bool
    ) async throws {
        let first = try await box("one", uploading: 1...300)
        try await first.collect(301...400)
        try copy(first.directory, to: "two")
        // As damaged pages leave it: the copy no longer knows whose it is.
        try Command.sqlite(
            workspace.file("two/ticks.sqlite"),
            "DELETE FROM predecessors; DELETE FROM moves; UPDATE buffer SET id = '\(UUID().uuidString.lowercased())'")
        try await first.upload(401...450)
        await first.stop()
        try sql("DELETE FROM trades WHERE trade_id::int <= 300")
        var second = try box("two")
        try await second.collect(501...510)
        if restarts {
            #expect(try await second.pass.settle([.trades]).isEmpty)
            await second.stop()
            second = try box("two")
        }
        try await second.upload()
        #expect(try upstream() == Set(1...450).union(501...510))
        #expect(second.buffer.statistics.pending == 0)
        try await second.upload(511...520)
        #expect(try upstream() == Set(1...450).union(501...520))
        await second.stop()
    }

    /// When the sending of rows again ends.
    enum Interruption: CaseIterable {
        case beforeSettling, beforeFirstBatch, afterFirstBatch
    }

    @Test(arguments: Interruption.allCases)
    func `rows that are sent again after a restart are still sent after another one`(
        interruption: Interruption
    ) async throws {
        try await box("one", uploading: 1...3000).stop()
        try sql("DELETE FROM trades WHERE trade_id::int BETWEEN 500 AND 1500")
        let second = try box("one")
        if interruption == .beforeSettling {
            try await second.buffer.sendAgain(.trades, from: 400)
        } else {
            try await second.pass.sendAgain(.trades, from: 400)
        }
        if interruption == .afterFirstBatch {
            let batch = try #require(try await second.buffer.nextBatch(of: .trades, limit: 700))
            try await second.uploader.drain(OneBatch(batch), of: second.buffer)
        }
        await second.stop()
        let third = try box("one")
        #expect(await third.failure() == nil)
        #expect(try upstream() == Set(1...3000))
        #expect(third.buffer.statistics.pending == 0)
        await third.stop()
    }

    @Test
    func
        `rows that are sent again are left out where they are upstream, so that holes are filled and nothing is doubled`()
        async throws
    {
        try await box("one", uploading: 1...2000).stop()
        // Some batches are complete; others lack some or all of their rows.
        try sql("DELETE FROM edgetick_uploads; DELETE FROM trades WHERE trade_id::int > 800 AND trade_id::int % 3 = 0")
        let second = try box("one")
        try await second.collect(2001...2100)
        let failure = await second.failure()
        #expect(failure?.reason == .ledger && failure?.description.contains("--again") == true)
        try await second.pass.sendAgain(.trades, from: 10)
        try await second.upload()
        #expect(try upstream() == Set(1...2100))
        #expect(second.buffer.statistics.pending == 0)
        try await second.upload(2101...2200)
        #expect(try upstream() == Set(1...2200))
        await second.stop()
    }

    @Test func `a pass tells the rows that were new from those that were upstream already`() async throws {
        let box = try await box("one", uploading: 1...1000)
        try sql("DELETE FROM trades WHERE trade_id::int BETWEEN 500 AND 599")
        try await box.pass.sendAgain(.trades, from: 400)
        let trades = try await box.pass.run()[.trades]
        #expect(trades.uploaded == 601 && trades.new == 100 && trades.present == 501)
        try await box.collect(1001...1010)
        let later = try await box.pass.run()
        #expect(later.rows == 10 && later.new == 10 && later.present == 0)
        await box.stop()
    }

    @Test(arguments: [true, false])
    func `rows that wait are never passed over when later ones are sent again, unless they are upstream`(
        hasReceipt: Bool
    ) async throws {
        if !hasReceipt { try sql("ALTER TABLE trades DROP COLUMN received_at") }
        let first = try box("one")
        try await first.collect(1...100)
        try copy(first.directory, to: "two")
        // A copy of the file has sent the first hundred.
        try await first.upload()
        await first.stop()
        let second = try box("two")
        try await second.collect(501...600)
        let pass = second.pass
        let error = await #expect(throws: UpstreamError.self) { try await pass.sendAgain(.trades, from: 151) }
        #expect(error?.reason == .ledger)
        #expect(error?.description.contains("50 rows from 101 on wait before row 151") == true)
        #expect(second.buffer.statistics[.trades].pending == 200)
        try await pass.sendAgain(.trades, from: 101)
        try await second.upload()
        #expect(try upstream() == Set(1...100).union(501...600))
        #expect(second.buffer.statistics.pending == 0)
        await second.stop()
    }

    @Test func `bars that wait go up as well when later ones are sent again`() async throws {
        let box = try box("one")
        for start in Int64(0)...1 {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            batch.bars = (start * 100..<start * 100 + 100).map {
                Bar.flat(Symbol("AAPL")!, .second, at: 1_700_000_000_000 + $0 * 1000)
            }
            try await box.buffer.collect(batch)
        }
        try await box.pass.sendAgain(.bars, from: 151)
        try await box.upload()
        #expect(try sql("SELECT count(*) FROM ohlcv_1sec") == "200")
        #expect(box.buffer.statistics.pending == 0)
        try await box.pass.sendAgain(.bars, from: 101)
        let bars = try await box.pass.run()[.bars]
        #expect(bars.uploaded == 100 && bars.new == 0 && bars.present == 100)
        await box.stop()
    }
}

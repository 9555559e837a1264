import Foundation
import GRDB
import MarketData
import TestSupport
import Testing

/// The oracle finds each of the faults that it looks for.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct OracleTests {
    private static let events = 480

    @Test func `a missing, spurious, corrupted or doubled event is noticed, in the file and upstream`() async throws {
        let feed = try await LedgerServer(count: Self.events, perSecond: nil)
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, _) = try await rig.box.collect()
        // Some may be there already: the feed doesn't wait for the collector's API.
        try await rig.collected(all: Int64(Self.events))
        let clean = try await rig.settleCleanly(collector)
        #expect(clean.events == Self.events)
        #expect(clean.upstream == Self.events)
        #expect(clean.explained == 0)

        try inTheFile(rig)
        try upstream(rig)
    }

    private func inTheFile(_ rig: FaultRig) throws {
        let plan = rig.feed.plan
        func found(_ sql: String, reported: [EventStream: Int64] = [:]) throws -> LedgerOracle.Findings {
            let copy = try Workspace()
            try FileManager.default.copyItem(atPath: rig.file.path, toPath: copy.file("ticks.sqlite"))
            let queue = try DatabaseQueue(path: copy.file("ticks.sqlite"))
            try queue.write { try $0.execute(sql: sql) }
            try queue.close()
            var oracle = LedgerOracle(plan: plan, end: UInt64(Self.events))
            oracle.reported = reported
            return try oracle.compare(BufferFile(path: copy.file("ticks.sqlite")), nil)
        }
        #expect(try found("UPDATE buffer SET collector = 'other'").isClean)
        // Two findings: a hole in the sequence numbers, and an event that no gap explains.
        #expect(try found("DELETE FROM trades WHERE seq = 17").missing.count == 2)
        // For the last row there is a second finding only if its number was reported durable.
        #expect(try found("DELETE FROM quotes WHERE seq = 120").missing.count == 1)
        #expect(try found("DELETE FROM quotes WHERE seq = 120", reported: [.quotes: 120]).missing.count == 2)
        // The event is moved to a time before the plan: it is missing, and its row matches no event.
        let moved = try found("UPDATE bars SET start_ms = start_ms - 100000000 WHERE seq = 3")
        #expect(moved.spurious.count == 1)
        #expect(moved.missing.count == 1)
        #expect(try found("UPDATE trades SET price = price + 0.0001 WHERE seq = 9").corrupted.count == 1)
        #expect(try found("UPDATE bars SET vwap = NULL WHERE seq = 9").corrupted.count == 1)
        #expect(
            try found(
                "CREATE TEMP TABLE t AS SELECT * FROM quotes WHERE seq = 5; UPDATE t SET seq = 121; "
                    + "INSERT INTO quotes SELECT * FROM t"
            ).doubled.count == 1)
        // A gap explains only missing events of its symbols and kinds at its time.
        let hole = "DELETE FROM quotes WHERE seq >= 61; "
        let gap = { (symbols: String, kinds: String, to: String) in
            "INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us) VALUES ('c', '\(symbols)', "
                + "'\(kinds)', 0, \(to), 'down', 0)"
        }
        #expect(try found(hole).missing.count == 60)
        #expect(try found(hole + gap("*", "AM,A,T,Q", "4102444800000")).isClean)
        #expect(try found(hole + gap("*", "T", "4102444800000")).missing.count == 60)
        #expect(try found(hole + gap("AAPL", "Q", "4102444800000")).missing.count == 40)
        #expect(try found(hole + gap("*", "AM,A,T,Q", "1")).missing.count == 60)
    }

    private func upstream(_ rig: FaultRig) throws {
        func found(_ sql: String) throws -> LedgerOracle.Findings {
            _ = try rig.upstream.value(sql)
            return try rig.compare()
        }
        #expect(try found("update trades set price = price + 0.01 where sequence = 2").corrupted.count == 1)
        #expect(try found("update trades set price = price - 0.01 where sequence = 2").isClean)
        #expect(try found("insert into quotes select * from quotes where sequence = 7").doubled.count == 1)
        #expect(try found("delete from quotes where ctid = (select max(ctid) from quotes)").isClean)
        let strange = try found("update ohlcv_1min set symbol = 'NONE' where symbol = 'AAPL'")
        #expect(strange.spurious.count == Self.events / 12)
        #expect(strange.missing.count == Self.events / 12)
        #expect(try found("update ohlcv_1min set symbol = 'AAPL' where symbol = 'NONE'").isClean)
        #expect(try found("delete from ohlcv_1sec where symbol = 'ZVZZT'").missing.count == Self.events / 12)
    }
}

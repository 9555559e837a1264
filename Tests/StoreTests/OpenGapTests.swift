import Foundation
import GRDB
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Store

/// A gap is in the file as soon as the loss begins.
@Suite(.timeLimit(.minutes(3))) struct OpenGapTests {
    private func gap(
        _ symbols: [String] = ["A"], from: Int64, to: Int64?, cause: Gap.Cause = .disconnected
    ) -> Gap {
        Gap(
            connection: "primary", symbols: symbols.compactMap { Symbol($0) }, events: [.minuteBar], from: from, to: to,
            cause: cause)
    }

    private func trade(at milliseconds: Int64) -> EventBatch {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: milliseconds * 1000)
        batch.trades = [Trade(symbol: Symbol("A")!, time: milliseconds, price: 1, size: 1)]
        return batch
    }

    private func copy(_ scratch: Scratch) throws -> Scratch {
        let killed = try Scratch()
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: scratch.ticks + suffix, toPath: killed.ticks + suffix)
        }
        return killed
    }

    @Test func `a loss has a row while it lasts, and the row is completed when it ends`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        buffer.record(GapChange(gaps: [gap(["A", "B"], from: 1000, to: nil)]))
        try await buffer.flush()
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [gap(["A", "B"], from: 1000, to: nil)])
        #expect(try FileVerifier.verify(scratch.ticks, as: .ticks).findings == [])
        // One of the two is back.
        let rest = gap(["B"], from: 1000, to: nil)
        buffer.record(
            GapChange(ended: [gap(["A", "B"], from: 1000, to: nil)], gaps: [gap(["A"], from: 1000, to: 5000), rest]))
        try await buffer.flush()
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [gap(["A"], from: 1000, to: 5000), rest])
        #expect(buffer.statistics.gaps == 2)
        let row = try #require(try GapLog.read(directory: scratch.path).last?.id)
        var last = gap(["B"], from: 1000, to: 9000)
        last.isUncertain = true
        buffer.record(GapChange(ended: [rest], gaps: [last]))
        try await buffer.flush()
        let records = try GapLog.read(directory: scratch.path)
        #expect(records.last?.gap == last && records.last?.id == row && buffer.statistics.gaps == 2)
        await buffer.close()
    }

    @Test func `a gap that is withdrawn has no row, and was recorded all the same`() async throws {
        let scratch = try Scratch()
        let buffer = try scratch.open()
        buffer.record(GapChange(gaps: [gap(from: 1000, to: nil)]))
        try await buffer.flush()
        #expect(buffer.statistics.gaps == 1)
        buffer.record(GapChange(ended: [gap(from: 1000, to: nil)], gaps: []))
        try await buffer.flush()
        #expect(buffer.statistics.gaps == 0 && buffer.statistics.recordedGaps == 1)
        await buffer.close()
    }

    @Test func `a loss that ends before its beginning was written has one row`() async throws {
        let hand = HandOver(limit: 1000, interval: .fixed(.seconds(60)))
        hand.record(GapChange(gaps: [gap(from: 1, to: nil)]))
        hand.record(GapChange(ended: [gap(from: 1, to: nil)], gaps: [gap(from: 1, to: 2)]))
        hand.close(patience: .seconds(1))
        let gaps: GapChange? = if case .work(let work) = hand.next(idleUntil: .now()) { work.notes.gaps } else { nil }
        #expect(gaps == GapChange(gaps: [gap(from: 1, to: 2)]))
    }

    @Test func `a gap that nobody will write any more is given back although no event waits`() {
        let hand = HandOver(limit: 1000, interval: .fixed(.seconds(60)))
        hand.record(GapChange(gaps: [gap(from: 1, to: 2)]))
        #expect(hand.end().notes.gaps == GapChange(gaps: [gap(from: 1, to: 2)]))
    }

    @Test func `an outage under way at a kill ends with the file's last life, and the next start knows of it`()
        async throws
    {
        let now = now() / 1000
        let scratch = try Scratch()
        // Killed before its first sign of life.
        let buffer = try scratch.open { $0.isCollecting = false }
        _ = buffer.offer(trade(at: now - 90_000))
        buffer.record(GapChange(gaps: [gap(from: now - 90_000, to: nil)]))
        // Another connection still delivers.
        try await buffer.collect(trade(at: now - 10_000))
        let killed = try copy(scratch)
        await buffer.close()

        try killed.execute("UPDATE buffer SET created_us = 0")
        let again = try killed.open { $0.isCollecting = false }
        let ended = gap(from: now - 90_000, to: now - 10_000)
        #expect(again.previousLife?.end == now - 10_000)
        #expect(again.previousLife?.told == [ended])
        #expect(again.previousLife?.ends(delay: 0).missedSince(.minuteBar, Symbol("A")!) == now - 10_000)
        #expect(try GapLog.read(directory: killed.path).map(\.gap) == [ended])
        // Killed once more before anything was back: the downtime's own row would be empty, so it is removed.
        again.record(GapChange(gaps: [gap(from: now - 10_000, to: nil, cause: .down)]))
        try await again.flush()
        let twice = try copy(killed)
        await again.close()
        let last = try twice.open()
        #expect(last.previousLife?.end == now - 10_000)
        #expect(last.previousLife?.ends(delay: 0).missedSince(.trade, Symbol("A")!) == now - 10_000 - Gap.startMargin)
        #expect(try GapLog.read(directory: twice.path).map(\.gap) == [ended])
        await last.close()
    }

    @Test func `a gap that was looked after hides no later loss of a feed that lags`() async throws {
        let now = now() / 1000
        for isLookedAfter in [false, true] {
            let scratch = try Scratch()
            let buffer = try scratch.open { $0.isCollecting = false }
            var gap = gap(from: now - 90_000, to: now - 20_000)
            gap.events = [.trade]
            buffer.record(gap)
            try await buffer.flush()
            let record = try #require(try GapLog.read(directory: scratch.path).first)
            if isLookedAfter { try await buffer.settle([GapFill(of: record, state: .filled)]) }
            // The stream goes on within the gap, since its events are a minute late.
            var batch = trade(at: now - 60_000)
            batch.receivedMicroseconds = (now - 5000) * 1000
            try await buffer.collect(batch)
            await buffer.close()
            let again = try scratch.open()
            let missed = again.previousLife?.ends(delay: 0).missedSince(.trade, Symbol("A")!)
            // A gap that nobody looked after is still to be filled up to its end.
            #expect(missed == (isLookedAfter ? now - 60_000 - Gap.startMargin : now - 20_000))
            await again.close()
        }
    }

    @Test func `a symbol that is refused on one connection after the other has one gap`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        func refused(_ connection: String, _ from: Int64, _ to: Int64?) -> Gap {
            var gap = gap(from: from, to: to, cause: .unsubscribed)
            gap.connection = connection
            return gap
        }
        for (place, connection) in ["primary", "secondary", "primary"].enumerated() {
            let from = Int64(place) * 30_000
            buffer.record(GapChange(gaps: [refused(connection, from, nil)]))
            try await buffer.flush()
            let ended = refused(connection, from, from + 29_000)
            buffer.record(GapChange(ended: [refused(connection, from, nil)], gaps: [ended]))
            try await buffer.flush()
        }
        #expect(try GapLog.read(directory: scratch.path).map(\.gap) == [refused("primary", 0, 89_000)])
        #expect(buffer.statistics.gaps == 1)
        // Much later, it is another gap.
        buffer.record(GapChange(gaps: [refused("primary", 500_000, nil)]))
        try await buffer.flush()
        #expect(try GapLog.read(directory: scratch.path).count == 2)
        await buffer.close()
    }

    @Test func `no row has an earlier receipt than one before it, whatever the clock does`() async throws {
        let now = now() / 1000
        let scratch = try Scratch()
        var buffer = try scratch.open()
        for offset in [0, 5000, -86_400_000, 6000] as [Int64] {
            try await buffer.collect(trade(at: now + offset))
        }
        await buffer.close()
        // Nor after a restart.
        buffer = try scratch.open()
        try await buffer.collect(trade(at: now - 3000))
        let received = try scratch.rows("SELECT received_us FROM trades ORDER BY seq").map {
            $0[0] as Int64 / 1000 - now
        }
        #expect(received == [0, 5000, 5000, 6000, 6000])
        await buffer.close()
    }

    @Test func `a gap is stored without reading all others, which are counted later`() async throws {
        let scratch = try Scratch()
        await (try scratch.open()).close()
        // More pages than the writer keeps in memory.
        try scratch.execute(
            """
            INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us, state)
            WITH RECURSIVE n(i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
            SELECT 'place-' || i, hex(zeroblob(1500)), 'AM', 1000, 2000, 'stalled', \(now()), 'filled' FROM n
            """)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.ticks))
        let early = try #require(bytes.range(of: Data("place-1100".utf8))?.lowerBound)
        let buffer = try scratch.open()
        // The first upkeep, before the first row, reads them all.
        try await buffer.collect(trade(at: now() / 1000))
        try scratch.damage(page: early / 4096 + 1)
        buffer.record(gap(from: 1000, to: 2000))
        try await buffer.flush()
        try await Waiting.until("the count meets the damage") { buffer.statistics.setAside.count == 1 }
        await buffer.close()
    }

    @Test func `a gap that is over counts as open until it is settled`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        buffer.record(gap(from: 1000, to: 2000))
        buffer.record(gap(from: 3000, to: nil))
        try await buffer.flush()
        try await Waiting.until { buffer.statistics.openGaps == 1 }
        let record = try #require(try GapLog.read(directory: scratch.path).first)
        try await buffer.settle([GapFill(of: record, state: .filled)])
        try await Waiting.until { buffer.statistics.openGaps == 0 }
        await buffer.close()
    }

    @Test(arguments: [GapState.partial, .unfillable])
    func `when a gap was given up, or a part of one, is known, also after a restart, until it is filled`(
        state: GapState
    ) async throws {
        let (scratch, first) = try Scratch.opened()
        first.record(gap(from: 1000, to: 2000))
        var rare = gap(from: 3000, to: 4000)
        rare.events = [.limitBand]
        first.record(rare)
        try await first.flush()
        // A kind that is never fetched was not given up.
        #expect(try GapLog.read(directory: scratch.path).last?.state == .unfillable)
        try await Waiting.until { first.statistics.openGaps == 1 }
        #expect(first.statistics.lastGivenUpGap == nil)
        let before = now() / 1000
        let record = try #require(try GapLog.read(directory: scratch.path).first)
        try await first.settle([GapFill(of: record, state: state, detail: "the plan")])
        try await Waiting.until { first.statistics.lastGivenUpGap.map { $0 >= before } ?? false }
        await first.close()
        let buffer = try scratch.open()
        #expect(buffer.statistics.lastGivenUpGap.map { $0 >= before } == true)
        try await buffer.settle([GapFill(of: record, state: .filled)])
        try await Waiting.until { buffer.statistics.lastGivenUpGap == nil }
        await buffer.close()
    }

    @Test func `what happened is kept`() async throws {
        let (scratch, buffer) = try Scratch.opened()
        buffer.record(Incident("stood still", detail: "for 150 s"))
        try await buffer.flush()
        #expect(try scratch.texts("SELECT what || ' ' || detail FROM incidents") == ["stood still for 150 s"])
        await buffer.close()
    }
}

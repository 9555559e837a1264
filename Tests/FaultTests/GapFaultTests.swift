import FeedSimulator
import Foundation
import GRDB
import LedgerSupport
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// Gaps record what was missed in the events' own time, whatever the clock did and however often the collector was
/// killed.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct GapFaultTests {
    private func missed(_ feed: LedgerServer, more frames: Int) async throws {
        let before = feed.simulator.statistics.missedFrames
        try await Waiting.until(within: .seconds(60)) { feed.simulator.statistics.missedFrames > before + frames }
    }

    /// Waits until the collector has recorded an outage that goes on.
    private func outageRecorded(_ rig: FaultRig) async throws {
        try await Waiting.until("a row of the gap while it lasts") { try rig.file.gaps().contains { $0.to == nil } }
    }

    /// Returns the length of the longest gap, in milliseconds, except those of a machine that stood still: they are as
    /// long as the clock is behind.
    private func longest(_ rig: FaultRig) throws -> Int64 {
        try rig.file.gapsBesidesPauses().map { ($0.to ?? $0.from) - $0.from }.max() ?? 0
    }

    @Test func `an outage under way is not forgotten by a kill, nor by two`() async throws {
        let feed = try await LedgerServer(misses: true)
        let line = try TCPProxy(to: feed.port)
        let rig = try await FaultRig(feed, cluster: .shared(), feedURL: "ws://127.0.0.1:\(line.port)/stocks")
        let (collector, _) = try await rig.box.collect()
        try await rig.collected(more: 400)
        line.set(.refuse)
        try await missed(feed, more: 300)
        try await outageRecorded(rig)
        try await rig.kill(collector)
        try await missed(feed, more: 100)
        // Killed again before it could subscribe to anything.
        let (again, _) = try await rig.box.collect()
        try await missed(feed, more: 100)
        try await rig.kill(again)
        try await missed(feed, more: 100)
        line.set(.pass)
        let (last, port) = try await rig.box.collect()
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(last)
        #expect(findings.explained > 600 * 8)
        #expect(try rig.file.gaps().allSatisfy { $0.to != nil })
    }

    @Test func `what was on its way when the file was made is missed too, when nothing of it was written`() async throws
    {
        let tables = try await FaultRig(LedgerServer(count: 0, perSecond: nil), cluster: .shared()).upstream
        // An event counts as on its way for five seconds, and a commit comes after ten. A loaded machine may need more
        // for the start, or stand still for longer before the kill.
        for _ in 0..<8 {
            let feed = try await LedgerServer()
            let rig = try await FaultRig(feed, cluster: .shared(), copying: tables)
            let first = try rig.box.start("run", settings: ["BUFFER_COMMIT_INTERVAL_MS": "10s"])
            try await Waiting.until(within: .seconds(60)) { feed.end > 100 }
            try await rig.kill(first)
            let made = try rig.file.read { try Int64.fetchOne($0, sql: "SELECT created_us / 1000 FROM buffer") } ?? 0
            let isEmpty = try rig.file.lastSequences().values.allSatisfy { $0 == 0 }
            guard isEmpty, made - feed.plan.start < 4500 else { continue }
            #expect(feed.plan.start < made, "no event was on its way when the file was made")
            let (collector, port) = try await rig.box.collect()
            try await rig.freshEvent(port)
            let findings = try await rig.settleCleanly(collector)
            #expect(findings.explained > 100)
            return
        }
        throw Waiting.TimedOut("a kill within five seconds, before anything is written")
    }

    @Test
    func `a minute that the feed throws away for a slow reader is a gap from the newest event on, filled to the bar`()
        async throws
    {
        // The backfill requests no bars while the market is closed, so the clock is set to trading hours.
        let clock = try ClockShim()
        let morning: Int64 = 1_704_294_000
        try clock.step(to: Date(timeIntervalSince1970: Double(morning)))
        let plan = LedgerPlan(
            kinds: [.secondBar, .trade],
            symbols: LedgerServer.symbols.split(separator: ",").compactMap { Symbol(String($0)) },
            start: morning * 1000, step: 1000)
        let turn = plan.kinds.count * plan.symbols.count
        let feed = try await LedgerServer(
            plan: plan, perSecond: Double(turn), eventsPerFrame: turn, misses: true, servesAggregates: true,
            faults: [.slowConsumer(queued: 60, frame: 5)])
        let rig = try await FaultRig(
            feed, cluster: .shared(),
            settings: clock.settings.merging([
                "MASSIVE_REST_URL": "http://127.0.0.1:\(feed.port)", "BACKFILL_ENABLED": "false",
            ]) { $1 })
        let (collector, port) = try await rig.box.collect()
        try await Waiting.until(within: .seconds(120)) { feed.times("slow-consumer") == 1 }
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(collector)

        func collected(_ stream: EventStream) throws -> [UInt64: [String?]] {
            var rows: [UInt64: [String?]] = [:]
            try rig.file.rows(stream) { row in
                guard let symbol = Symbol(row.symbol), let id = plan.id(of: row.kind, symbol: symbol, time: row.time)
                else { return }
                #expect(rows.updateValue(row.values, forKey: id) == nil, "\(id) is in the file twice")
            }
            return rows
        }
        let seen = try collected(.bars).merging(collected(.trades)) { $1 }
        let last = try #require(seen.keys.max())
        let missed = (0...last).filter { seen[$0] == nil }
        #expect(missed.count >= 55 * turn && findings.explained == missed.count)
        let gaps = try rig.file.gaps()
        for kind in plan.kinds {
            let first = try #require(missed.first { plan.event($0).kind == kind })
            let newest = plan.event(first - UInt64(turn))
            #expect(
                gaps.filter { $0.events.contains(kind.rawValue) }.map { $0.from + Gap.startMargin }
                    == [newest.bar?.end ?? newest.time],
                "\(kind.rawValue): \(gaps)")
        }

        // A gap is left alone for half a minute after its end.
        let end = try #require(gaps.compactMap(\.to).max())
        try clock.step(to: Date(timeIntervalSince1970: Double(end) / 1000 + 31))
        let (_, output) = try await rig.box.run("backfill")
        #expect(try await rig.sync().status == 0)
        let bars = try collected(.bars)
        for id in 0...last where plan.event(id).kind == .secondBar {
            // Of a bar's columns, those that the aggregates contain.
            let prices = LedgerColumns.expected(plan.event(id))[1...4]
            #expect(bars[id]?[1...4] == prices, "bar \(id): \(output)")
        }
        let count = "\(bars.count)"
        #expect(
            try rig.upstream.value("SELECT count(*), count(DISTINCT (symbol, timestamp)) FROM ohlcv_1sec")
                == "\(count)|\(count)")
    }

    /// The clock is wrong when the collector stops, and right when the next one starts.
    @Test(arguments: [-400, 400])
    func `a stop while the clock was 400 days off tells the downtime, and no year beside`(days: Int) async throws {
        let feed = try await LedgerServer(misses: true)
        let rig = try await FaultRig(feed, cluster: .shared())
        let clock = try ClockShim()
        let (collector, _) = try await rig.box.collect(settings: clock.settings)
        try await rig.collected(more: 400)
        try clock.step(to: .seconds(days * 86_400))
        try await rig.collected(more: 400)
        try await collector.stop()
        try await missed(feed, more: 100)
        try clock.step(to: .zero)
        let (again, port) = try await rig.box.collect(settings: clock.settings)
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(again)
        #expect(findings.explained > 100)
        let gaps = try rig.file.gaps()
        #expect(try longest(rig) < 3_600_000, "\(gaps)")
        if days > 0 { #expect(gaps.contains { $0.isUncertain }) }
    }

    /// A box without a hardware clock continues from the time of its last shutdown.
    @Test func `a clock that stood still while the box was off hides none of the downtime`() async throws {
        let feed = try await LedgerServer(misses: true)
        let rig = try await FaultRig(feed, cluster: .shared())
        let clock = try ClockShim()
        let (collector, _) = try await rig.box.collect(settings: clock.settings)
        try await rig.collected(more: 400)
        try await collector.stop()
        let off = Date()
        // Longer than the tolerated clock error, even for events that are as late as these.
        let least: Double = 12 + feed.lateness / .seconds(1)
        try await missed(feed, more: 3000)
        try await Waiting.until("the downtime", within: .seconds(120)) { -off.timeIntervalSinceNow > least }
        try clock.step(to: off.addingTimeInterval(1))
        let (again, port) = try await rig.box.collect(settings: clock.settings)
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(again)
        #expect(findings.explained > 20_000)
        let gaps = try rig.file.gaps()
        #expect(gaps.contains { $0.cause == "down" && $0.isUncertain }, "\(gaps)")
    }

    @Test func `a clock that is behind all the time hides none of the downtime`() async throws {
        let feed = try await LedgerServer(misses: true)
        let rig = try await FaultRig(feed, cluster: .shared())
        let clock = try ClockShim()
        try clock.step(to: .seconds(-900))
        let (collector, _) = try await rig.box.collect(settings: clock.settings)
        try await rig.collected(more: 400)
        try await collector.stop()
        try await missed(feed, more: 300)
        let (again, port) = try await rig.box.collect(settings: clock.settings)
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(again)
        #expect(findings.explained > 2000)
        let gaps = try rig.file.gaps()
        #expect(try longest(rig) < 600_000, "\(gaps)")
        #expect(gaps.contains { $0.isUncertain })
    }

    @Test func `a clock that steps back in an outage leaves the gap its length`() async throws {
        let feed = try await LedgerServer(misses: true)
        let line = try TCPProxy(to: feed.port)
        let rig = try await FaultRig(feed, cluster: .shared(), feedURL: "ws://127.0.0.1:\(line.port)/stocks")
        let clock = try ClockShim()
        let (collector, port) = try await rig.box.collect(settings: clock.settings)
        try await rig.collected(more: 400)
        line.set(.refuse)
        try await missed(feed, more: 100)
        try await outageRecorded(rig)
        try clock.step(to: .seconds(-3600))
        try await missed(feed, more: 100)
        line.set(.pass)
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained > 1600)
        let gaps = try rig.file.gaps()
        #expect(try longest(rig) < 1_200_000, "\(gaps)")
        #expect(gaps.contains { $0.isUncertain })
    }

    @Test func `a second collector gives way at once though the lock file was removed`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        try await rig.collected(more: 200)
        try FileManager.default.removeItem(atPath: rig.file.path + ".lock")
        let asked = ContinuousClock.now
        let (status, output) = try await rig.box.run("run")
        #expect(ContinuousClock.now - asked < .seconds(45))
        #expect(status == 75, "\(output)")
        #expect(output.contains { $0.contains("process \(collector.pid)") }, "\(output)")
        try await collector.line(containing: "lock file was removed or replaced")
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained == 0)
    }

    @Test func `a write-ahead log that is removed under load costs nothing, and is told`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        try await rig.collected(more: 3000)
        try FileManager.default.removeItem(atPath: rig.file.path + "-wal")
        try await collector.line(containing: "write-ahead log")
        try await rig.freshEvent(port)
        try await rig.kill(collector)
        try await rig.settleCleanly(nil)
    }
}

import FeedSimulator
import Foundation
import GRDB
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// The feed refuses, closes, goes silent and sends garbage.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct FeedFaultTests {
    /// The arguments are faults after which a client that reconnects gets everything that was sent.
    @Test(arguments: [
        ["close-code=1000@40"], ["close-code=1001@40", "close-code=1008@80", "close-code=1011@120"],
        ["close-code=4000@40", "close-code=3999@80"], ["drop-every=60"], ["fragment=7"], ["malformed-every=5"],
    ])
    func `however the feed breaks off, the collector comes back and has all that was sent`(_ faults: [String])
        async throws
    {
        let feed = try await LedgerServer(count: 1600, perSecond: 1600, faults: faults.map { try Fault($0) })
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, _) = try await rig.box.collect()
        try await rig.uploaded(atLeast: 1600, within: .seconds(120))
        for fault in faults {
            let name = String(fault.split(separator: "=")[0].split(separator: "@")[0])
            #expect(feed.times(name) > 0, "\(fault) never happened")
        }
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.events == 1600)
        #expect(findings.explained == 0)
        // A lost connection is a gap, although nothing was missed here. So is an invalid frame, which may have held
        // events. If the machine stands still, there may be a gap for that.
        let breaks = faults.contains { !$0.hasPrefix("fragment") }
        let gaps = try rig.file.gapsBesidesPauses()
        #expect(gaps.isEmpty != breaks, "\(gaps)")
    }

    /// The arguments are faults that lose data in flight, because one side breaks the connection.
    @Test(arguments: ["reset-every=300", "compressed-looking@40", "oversize@40"])
    func `what is on its way when a connection breaks is told by a gap`(_ fault: String) async throws {
        let feed = try await LedgerServer(perSecond: 2400, faults: [try Fault(fault)])
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        let name = String(fault.prefix { $0 != "=" && $0 != "@" })
        try await Waiting.until(within: .seconds(60)) { feed.times(name) >= 1 }
        try await Waiting.until(within: .seconds(60)) { feed.simulator.statistics.connections >= 2 }
        try await rig.freshEvent(port)
        try await rig.settleCleanly(collector)
        #expect(try rig.file.gaps().isEmpty == false)
    }

    @Test func `a line to the feed that falls silent is left, and the silence is a gap`() async throws {
        let feed = try await LedgerServer(perSecond: 800)
        let line = try TCPProxy(to: feed.port)
        let rig = try await FaultRig(feed, cluster: .shared(), feedURL: "ws://127.0.0.1:\(line.port)/stocks")
        let (collector, port) = try await rig.box.collect()
        try await rig.collected(more: 200)
        line.set(.blackhole)
        // The collector tolerates silence for a minute.
        try await collector.line(containing: "nothing was received", within: .seconds(150))
        line.set(.pass)
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained > 0)
        #expect(try rig.file.gaps().contains { $0.cause == "stalled" })
    }

    @Test func `pings that stay unanswered while data flows break nothing`() async throws {
        let feed = try await LedgerServer(perSecond: 400, faults: [.noPongs])
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        try await rig.freshEvent(port)
        try await rig.settleCleanly(collector)
        #expect(feed.simulator.statistics.connections == 1)
        // If the machine stands still, there may be a gap for that.
        let gaps = try rig.file.gapsBesidesPauses()
        #expect(gaps.isEmpty, "\(gaps)")
    }

    @Test func `a refused key is not tried in a tight loop, and said`() async throws {
        let feed = try await LedgerServer(faults: [.badLogin(times: nil)])
        let rig = try await FaultRig(feed, cluster: .shared())
        let begun = ContinuousClock.now
        let (collector, port) = try await rig.box.collect()
        let line = try await collector.line(containing: "MASSIVE_API_KEY", within: .seconds(60))
        #expect(!line.contains("box-key"))
        try await Waiting.until {
            try await RawHTTP(port: port).send("GET", "/api/websocket/connections").text.contains(#""status":"error""#)
        }
        // The next try is due in a minute, less a tenth of it at most.
        let refused = feed.simulator.statistics.loginsRefused
        #expect(refused >= 1 && refused <= 1 + Int((ContinuousClock.now - begun) / .seconds(54)))
        try await collector.stop()
    }

    @Test func `two collectors on one key give way to each other, never in a tight loop`() async throws {
        let feed = try await LedgerServer(limit: 1)
        let first = try await FaultRig(feed, cluster: .shared())
        let second = try await FaultRig(feed, cluster: .shared())
        let (one, _) = try await first.box.collect()
        try await first.collected(more: 50)
        let begun = ContinuousClock.now
        let (other, _) = try await second.box.collect()
        try await one.line(containing: "limit of connections is used up", within: .seconds(60))
        try await Waiting.until { feed.simulator.statistics.pushedOut >= 1 }
        try await second.collected(more: 200)
        // Whoever was pushed out comes back after half a minute at the earliest.
        let connections = feed.simulator.statistics.connections
        #expect(connections <= 3 + Int((ContinuousClock.now - begun) / .seconds(30)))
        for collector in [one, other] { try await collector.stop() }
    }

    @Test func `a symbol that is not authorized is named, and the others go on`() async throws {
        let refused = try #require(Symbol("BRK.B"))
        let feed = try await LedgerServer(faults: [.refuseSymbol(refused)])
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        try await rig.freshEvent(port)
        let status = try await RawHTTP(port: port).send("GET", "/api/websocket/connections/connection_1/tickers").text
        #expect(status.contains("BRK.B"), "\(status)")
        try await collector.line(containing: "BRK.B")
        try await collector.stop()
        let symbols = try rig.file.read {
            try String.fetchAll($0, sql: "SELECT DISTINCT symbol FROM trades ORDER BY symbol")
        }
        #expect(symbols == ["AAPL", "ZVZZT"])
    }

    @Test func `late, repeated and corrected bars: the newest version is what both sides end with`() async throws {
        let feed = try await LedgerServer(
            count: 2400, perSecond: 2400, faults: [.lateCorrections(share: 0.3), .duplicateEvery(frames: 9)])
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        try await Waiting.until(within: .seconds(90)) { feed.simulator.statistics.phase == .done }
        try await rig.received(port)
        _ = try? await RawHTTP(port: port).send("POST", "/api/sync")
        try await collector.stop()
        #expect(try await rig.sync().status == 0)
        #expect(feed.times("late-corrections") > 0)
        #expect(feed.times("duplicate-every") > 0)
        let wrong = try rig.newestBarsThatDiffer(count: 2400)
        #expect(wrong.isEmpty, "\(wrong.prefix(5))")
    }

    @Test func `a clock that jumps moves no bar and ends no wait early`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let clock = try ClockShim()
        let (collector, port) = try await rig.box.collect(settings: clock.settings)
        try await rig.collected(more: 200)
        for hours in [1, -2, 0] {
            try clock.step(to: .seconds(hours * 3600))
            try await rig.collected(more: 200)
            try await rig.freshEvent(port)
        }
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained == 0)
        let span = try rig.file.read {
            try Int64.fetchOne($0, sql: "SELECT max(received_us) - min(received_us) FROM trades") ?? 0
        }
        #expect(span > 3_600_000_000, "the clock did not jump")
        #expect(rig.feed.simulator.statistics.connections == 1)
    }
}

extension BufferFile {
    /// Returns the gaps, except those for which the machine stood still. A pause counts only if it was noted as such.
    func gapsBesidesPauses() throws -> [RecordedGap] {
        let wasSuspended: Bool = try read {
            try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM incidents WHERE what = 'suspended')") ?? false
        }
        return try gaps().filter { !(wasSuspended && $0.cause == "paused") }
    }
}

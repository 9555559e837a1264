import FeedSimulator
import Foundation
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// The collector's process is killed, stopped, interrupted, frozen.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct ProcessFaultTests {
    @Test func `kill -9 under load, again and again, loses nothing durable and doubles nothing`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        for _ in 0..<4 {
            let (collector, port) = try await rig.box.collect()
            try await rig.watch.watching {
                try await rig.collected(more: 400)
                await rig.noteReport(port)
                try await rig.kill(collector)
            }
        }
        let (collector, port) = try await rig.box.collect()
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.events > 1600)
        #expect(rig.watch.reported.values.reduce(0, +) > 0)
        #expect(try rig.file.gaps().contains { $0.cause == "down" })
    }

    @Test
    func `events of every kind come through a kill, a lost database and an upload, each once and as they were sent`()
        async throws
    {
        let feed = try await LedgerServer(kinds: EventKind.allCases)
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        try await rig.watch.watching {
            try await rig.uploaded(atLeast: 200)
            rig.proxy.set(.blackhole)
            try await rig.collected(more: 700)
            await rig.noteReport(port)
            try await rig.kill(collector)
        }
        rig.proxy.set(.pass)
        let (again, nextPort) = try await rig.box.collect()
        try await rig.freshEvent(nextPort)
        try await rig.settleCleanly(again)
        for stream in EventStream.allCases {
            let rows = try rig.upstream.value(
                "select count(*) > 50 from \(stream == .bars ? "ohlcv_1min" : stream.rawValue)")
            #expect(rows == "t", "\(stream)")
        }
    }

    @Test(.enabled(if: MemoryGroup.isAvailable, "no control group for memory can be made here"))
    func `a collector that runs out of memory is killed and goes on where it was`() async throws {
        let group = try #require(MemoryGroup())
        let rig = try await FaultRig(LedgerServer(perSecond: 4000), cluster: .shared())
        let (collector, _) = try await rig.box.collect()
        try await rig.watch.watching {
            try await rig.collected(more: 400)
            try group.enter(collector.pid)
            try group.leave(bytes: 256 << 10)
            #expect(try await collector.exit(within: .seconds(60)) == -SIGKILL)
        }
        let (again, port) = try await rig.box.collect()
        try await rig.freshEvent(port)
        try await rig.settleCleanly(again)
    }

    @Test func `SIGTERM under load with upstream away ends within 10 s and keeps everything`() async throws {
        var took = Duration.seconds(45)
        // A machine that stands still may add to the 10 s; to wait for the database would take five minutes.
        for _ in 0..<3 where took >= .seconds(10) {
            let rig = try await FaultRig(
                LedgerServer(), cluster: .shared(), settings: ["SYNC_STATEMENT_TIMEOUT": "300"])
            let (collector, port) = try await rig.box.collect()
            try await rig.uploaded(atLeast: 200)
            rig.proxy.set(.blackhole)
            try await rig.collected(more: 800)
            await rig.noteReport(port)
            let asked = ContinuousClock.now
            try await collector.stop(within: .seconds(90))
            took = ContinuousClock.now - asked
            #expect(took < .seconds(45))
            try await collector.line(containing: "not everything is uploaded")
            try await rig.settleCleanly(nil)
        }
        #expect(took < .seconds(10))
    }

    @Test func `interrupted twice it ends at once, and cleanly`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let (collector, _) = try await rig.box.collect()
        try await rig.uploaded(atLeast: 200)
        rig.proxy.set(.blackhole)
        try await rig.collected(more: 400)
        collector.send(SIGINT)
        collector.send(SIGINT)
        #expect(try await collector.exit() == 0)
        try await rig.settleCleanly(nil)
    }

    @Test func `SIGHUP under load, many times, stops nothing`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        for _ in 0..<10 {
            collector.send(SIGHUP)
            try await rig.collected(more: 100)
        }
        try await collector.line(containing: "the settings were read again", within: .seconds(60))
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained == 0)
    }

    @Test func `a collector that is frozen until the feed gives it up records the gap and goes on`() async throws {
        let feed = try await LedgerServer(perSecond: 4000, misses: true, slowBytes: 256 << 10)
        let rig = try await FaultRig(feed, cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        try await rig.collected(more: 400)
        collector.send(SIGSTOP)
        // The kernel's buffers fill up first; only then is the feed's own limit reached.
        try await Waiting.until(within: .seconds(90)) { feed.simulator.statistics.slowConsumers > 0 }
        try await Waiting.until(within: .seconds(60)) { feed.simulator.statistics.missedFrames > 100 }
        collector.send(SIGCONT)
        try await rig.freshEvent(port)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained > 100)
    }
}

/// A control group with limited memory; the kernel kills processes in it that need more.
final class MemoryGroup {
    /// Whether this process may make such a group.
    static var isAvailable: Bool { MemoryGroup() != nil }

    private let path: String

    /// Makes a group; `nil` if this process may not.
    init?() {
        path = "/sys/fs/cgroup/memory/edgetick-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        guard FileManager.default.fileExists(atPath: "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
            mkdir(path, 0o755) == 0
        else { return nil }
    }

    deinit { rmdir(path) }

    /// Moves a process into the group; what it holds already doesn't count.
    func enter(_ process: pid_t) throws {
        try write("\(process)", to: "cgroup.procs")
    }

    /// Limits the group to what it uses now plus this many bytes.
    func leave(bytes: Int) throws {
        let used = try String(contentsOfFile: path + "/memory.usage_in_bytes", encoding: .utf8)
        let count = Int(used.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
        try write("\(count + bytes)", to: "memory.limit_in_bytes")
    }

    private func write(_ text: String, to name: String) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path + "/" + name))
        try file.write(contentsOf: Data(text.utf8))
        try file.close()
    }
}

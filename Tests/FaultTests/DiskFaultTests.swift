import Foundation
import GRDB
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// The disk is full, fails, or returns bytes other than those written; two collectors want the same file.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct DiskFaultTests {
    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root"))
    func `a full disk stops nothing but the writing, and every event that is given up is told`() async throws {
        let place = try Workspace()
        let disk = try SmallDisk(at: place.file("disk"), megabytes: 16)
        let rig = try await FaultRig(
            LedgerServer(perSecond: 4000), cluster: .shared(), dataDirectory: disk.path + "/data")
        let (collector, port) = try await rig.box.collect()
        try await rig.collected(more: 400)
        rig.proxy.set(.blackhole)
        disk.fill()
        try await state(port) { $0.contains("edgetick_buffer_full 1") || $0.contains("edgetick_buffer_failing 1") }
        await rig.noteReport(port)
        disk.empty()
        rig.proxy.set(.pass)
        try await state(port) { $0.contains("edgetick_buffer_full 0") && $0.contains("edgetick_buffer_failing 0") }
        try await rig.freshEvent(port)
        try await rig.settleCleanly(collector, allowsLostFile: true)
    }

    @Test func `a second collector leaves the first one's file alone and names it`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let (collector, _) = try await rig.box.collect()
        for _ in 0..<3 {
            try await rig.collected(more: 100)
            let (status, output) = try await rig.box.run("run")
            #expect(status == 75, "\(output)")
            #expect(output.contains { $0.contains("\(collector.pid)") }, "\(output)")
        }
        // The lock belongs to the process, so a kill leaves none behind.
        try await rig.kill(collector)
        let (again, next) = try await rig.box.collect()
        try await rig.freshEvent(next)
        try await rig.settleCleanly(again)
    }

    @Test(.enabled(if: Injection.isAvailable, "strace can't trace here"), arguments: [InjectedFault.error, .kill])
    func `writes and syncs that fail or kill are hit, and cost nothing that was durable`(
        _ fault: InjectedFault
    ) async throws {
        let points = [("pwrite64", 12, false), ("pwrite64", 9, true), ("pwrite64", 30, true), ("fdatasync", 2, true)]
        for (call, number, isPrepared) in points {
            let turn = InjectedRun(fault, call: call, number: number, isPrepared: isPrepared)
            let outcome = try await turn.run(cluster: .shared())
            #expect(outcome.isHit, "\(fault) at \(call) \(number)")
            #expect(outcome.findings.isClean, "\(fault) at \(call) \(number): \(outcome.findings)")
        }
    }

    @Test func `bytes that are cut off or flipped while it is stopped cost at most themselves`() async throws {
        let source = try await TornFile.Source(cluster: .shared())
        for seed in 1...6 {
            let outcome = try await TornFile(seed: UInt64(seed)).run(from: source)
            #expect(outcome.faults.isEmpty, "seed \(seed): \(outcome.faults)")
            #expect(outcome.isHit)
        }
    }

    @Test func `when the log's end is lost, what comes afterwards goes up all the same`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let (collector, _) = try await rig.box.collect()
        try await rig.collected(more: 300)
        let copy = try Workspace()
        let names = ["ticks.sqlite", "ticks.sqlite-wal"]
        collector.send(SIGSTOP)
        for name in names {
            try FileManager.default.copyItem(atPath: rig.box.data + "/" + name, toPath: copy.file(name))
        }
        collector.send(SIGCONT)
        let kept = try BufferFile(path: copy.file("ticks.sqlite")).lastSequences().values.reduce(0, +)
        try await rig.uploaded(atLeast: Int(kept) + 600)
        try await rig.kill(collector)
        let lost = rig.feed.end
        for name in names + ["ticks.sqlite-shm"] {
            try FileManager.default.removeItem(atPath: rig.box.data + "/" + name)
        }
        for name in names {
            try FileManager.default.copyItem(atPath: copy.file(name), toPath: rig.box.data + "/" + name)
        }

        // Upstream has more rows than the file; neither the first nor the second start may mistake new rows for old
        // ones.
        for _ in 0..<2 {
            let (again, port) = try await rig.box.collect()
            try await rig.freshEvent(port)
            try await again.stop()
        }
        #expect(try await rig.sync().status == 0)
        var oracle = LedgerOracle(plan: rig.feed.plan, end: rig.feed.end)
        oracle.lostBefore = lost
        oracle.allowsLostFile = true
        oracle.allowsTail = true
        let findings = try oracle.compare(rig.file, rig.upstream)
        #expect(findings.isClean, "\(findings)")
        #expect(findings.upstream > findings.events, "nothing was lost")
    }

    private func state(_ port: Int, _ isWanted: @Sendable (String) -> Bool) async throws {
        try await Waiting.until("the metrics", within: .seconds(90)) {
            isWanted(try await RawHTTP(port: port).send("GET", "/metrics").text)
        }
    }
}

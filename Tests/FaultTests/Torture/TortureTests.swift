import Foundation
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// The long sets of `make torture`.
@Suite(
    .blocking, .enabled(if: Torture.rounds != nil && PostgresCluster.isInstalled, "run by make torture"), .serialized,
    .timeLimit(.minutes(600)))
struct TortureTests {
    @Test func `random kills`() async throws {
        var counts = Torture.Counts()
        var random = SeededRandom(seed: Torture.seed)
        let rounds = Torture.rounds(full: 1000)
        // A fresh box every 50 rounds keeps the cost of comparing constant.
        while counts.rounds < rounds {
            let rig = try await FaultRig(LedgerServer(perSecond: 6000), cluster: .shared())
            for _ in 0..<min(50, rounds - counts.rounds) {
                counts.rounds += 1
                let delay = Int.random(in: 5...400, using: &random)
                let process = try rig.box.start("run")
                try await rig.watch.watching {
                    // Half of the kills come during the start, half while events are collected.
                    if counts.rounds % 2 == 0 {
                        _ = try? await process.line(containing: "HTTP is ready", within: .seconds(20))
                    }
                    try await Task.sleep(for: .milliseconds(delay))
                    process.send(SIGKILL)
                    if try await process.exit() == -SIGKILL { counts.hits += 1 }
                }
            }
            let (collector, port) = try await rig.box.collect()
            try await rig.freshEvent(port)
            counts.add(try await rig.settle(collector), "kills up to \(counts.rounds), \(rig.box.data)")
            Torture.report("random kill -9", counts)
        }
        #expect(counts.isClean, "\(counts)")
        #expect(counts.hits == counts.rounds)
    }

    @Test(arguments: [InjectedFault.kill, .error], ["pwrite64", "fdatasync", "ftruncate"])
    func `each write and sync of a script`(_ fault: InjectedFault, _ call: String) async throws {
        for isPrepared in [true, false] { try await sweep(fault, call, isPrepared: isPrepared) }
    }

    private func sweep(_ fault: InjectedFault, _ call: String, isPrepared: Bool) async throws {
        var counts = Torture.Counts()
        let calls = try await InjectedRun.count(call, isPrepared: isPrepared, cluster: .shared())
        // The number of calls depends on the script's timing; a call that is not reached doesn't count as a hit.
        let step = max(1, 1000 / max(1, Torture.rounds ?? 1))
        for number in stride(from: 1, through: calls, by: step) {
            counts.rounds += 1
            do {
                let turn = InjectedRun(fault, call: call, number: number, isPrepared: isPrepared)
                let outcome = try await turn.run(cluster: .shared())
                if outcome.isHit { counts.hits += 1 }
                counts.add(outcome.findings, "\(call) \(number)")
            } catch {
                counts.failures.append("\(call) \(number): \(error)")
            }
        }
        Torture.report("\(fault) at each \(call) of \(calls), \(isPrepared ? "known" : "fresh") file", counts)
        #expect(counts.isClean, "\(counts)")
        #expect(calls == 0 || counts.hits > 0)
    }

    @Test func `torn files`() async throws {
        var counts = Torture.Counts()
        var unreadable = 0
        var refused = 0
        let source = try await TornFile.Source(cluster: .shared())
        for round in 0..<Torture.rounds(full: 207) {
            counts.rounds += 1
            do {
                let outcome = try await TornFile(seed: Torture.seed &+ UInt64(round), damage: Torture.damage)
                    .run(from: source)
                if outcome.isHit { counts.hits += 1 }
                if outcome.isUnreadable { unreadable += 1 }
                if let findings = outcome.findings {
                    counts.events += findings.events
                    refused += findings.refused
                    counts.lost += findings.missing.count
                    counts.doubled += findings.doubled.count
                    // Changed bytes that SQLite can't notice are expected to corrupt rows.
                    if outcome.damage.isNoticed { counts.corrupted += findings.corrupted.count }
                }
                counts.failures += outcome.faults.map { "seed \(round): \($0)" }
            } catch {
                counts.failures.append("seed \(round): \(error)")
            }
            if counts.rounds % 50 == 0 { Torture.report("torn files", counts) }
        }
        let remarks = "\(unreadable) with a page that nobody can read, \(refused) cut rows among the dead letters"
        Torture.report("torn files (\(remarks))", counts)
        #expect(counts.isClean, "\(counts)")
    }

    @Test(arguments: CopyEnding.allCases)
    func `every way to end a COPY`(_ ending: CopyEnding) async throws {
        var counts = Torture.Counts()
        let cluster = try PostgresCluster()
        let rig = try await FaultRig(
            LedgerServer(perSecond: 2000), cluster: cluster, settings: ["SYNC_INTERVAL": "600"])
        let (collector, port) = try await rig.box.collect()
        try await rig.freshEvent(port)
        for _ in 0..<Torture.rounds(full: 50) {
            counts.rounds += 1
            do {
                if try await CopyFault(rig: rig, port: port).make(ending) == .hit { counts.hits += 1 }
                try await rig.freshEvent(port)
            } catch {
                counts.failures.append("round \(counts.rounds): \(error)")
            }
        }
        counts.add(try await rig.settle(collector), ending.rawValue)
        Torture.report(ending.rawValue, counts)
        #expect(counts.isClean, "\(counts)")
        #expect(counts.hits == counts.rounds)
    }
}

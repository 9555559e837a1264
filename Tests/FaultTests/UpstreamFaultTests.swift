import Foundation
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// The database and the line to it fail in various ways while events arrive.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct UpstreamFaultTests {
    @Test func `an answer lost after COMMIT doubles nothing`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        let (collector, port) = try await rig.box.collect()
        for round in 1...5 {
            try await rig.collected(more: 100)
            rig.proxy.set(.swallowAnswer(containing: "COMMIT"))
            try await Waiting.until(within: .seconds(60)) {
                _ = try? await RawHTTP(port: port).send("POST", "/api/sync")
                return rig.proxy.swallowed >= round
            }
            rig.proxy.set(.pass)
            try await rig.freshEvent(port)
        }
        #expect(rig.proxy.swallowed >= 5)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained == 0)
    }

    @Test(arguments: CopyEnding.allCases)
    func `a COPY that is ended in its middle is sent again, once`(_ ending: CopyEnding) async throws {
        let cluster = try PostgresCluster()
        let rig = try await FaultRig(LedgerServer(), cluster: cluster, settings: ["SYNC_INTERVAL": "600"])
        let (collector, port) = try await rig.box.collect()
        try await rig.freshEvent(port)
        // A COPY may complete between being seen and being ended; such an attempt doesn't count.
        var hits = 0
        for _ in 0..<6 where hits < 2 {
            if try await CopyFault(rig: rig, port: port).make(ending) == .hit { hits += 1 }
            try await rig.freshEvent(port)
        }
        #expect(hits == 2)
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained == 0)
    }

    @Test func `a frozen server and a dead line are given up at the deadline, and collection goes on`() async throws {
        let cluster = try PostgresCluster()
        let rig = try await FaultRig(
            LedgerServer(), cluster: cluster, settings: ["SYNC_STATEMENT_TIMEOUT": "1"])
        let (collector, port) = try await rig.box.collect()
        try await rig.uploaded(atLeast: 100)
        for fault in ["frozen", "blackhole", "half-close"] {
            try await http(port, "the upload to work before: \(fault)") { $0["state"] as? String == "ok" }
            switch fault {
            case "frozen": try cluster.freeze()
            case "blackhole": rig.proxy.set(.blackhole)
            default: rig.proxy.set(.halfClose)
            }
            try await http(port, "the upload to fail: \(fault)") { $0["state"] as? String == "retrying" }
            try await rig.collected(more: 200)
            if fault == "frozen" { try cluster.thaw() }
            rig.proxy.set(.pass)
            try await rig.freshEvent(port)
        }
        let findings = try await rig.settleCleanly(collector)
        #expect(findings.explained == 0)
    }

    @Test func `a slow line that cuts everything in pieces is enough`() async throws {
        let rig = try await FaultRig(LedgerServer(), cluster: .shared())
        rig.proxy.set(.slice(bytes: 700, pause: .milliseconds(2)))
        let (collector, port) = try await rig.box.collect()
        try await rig.collected(more: 800)
        try await rig.freshEvent(port)
        #expect(rig.proxy.passedBytes > 0)
        try await rig.settleCleanly(collector)
    }

    @Test func `a database that is away at the start gets everything when it comes`() async throws {
        let cluster = try PostgresCluster()
        let rig = try await FaultRig(LedgerServer(), cluster: cluster)
        try cluster.stop()
        let (collector, port) = try await rig.box.collect()
        try await collector.line(containing: "the upload failed and is tried again", within: .seconds(60))
        try await rig.collected(more: 800)
        try cluster.start()
        try await rig.freshEvent(port)
        try await rig.settleCleanly(collector)
    }

    private func http(
        _ port: Int, _ what: String, _ isWanted: @Sendable ([String: Any]) -> Bool
    ) async throws {
        let http = RawHTTP(port: port)
        _ = try await Waiting.value(what, within: .seconds(60), until: { isWanted($0.json) }) { () -> RawHTTP.Reply in
            let sync = try await http.send("GET", "/api/sync")
            if !isWanted(sync.json) { _ = try? await http.send("POST", "/api/sync") }
            return sync
        }
    }
}

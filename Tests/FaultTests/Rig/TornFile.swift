import FeedSimulator
import Foundation
import GRDB
import LedgerSupport
import MarketData
import TestSupport

/// Cuts off, flips or replaces bytes of a buffer while no collector runs, and checks what a collector makes of it.
struct TornFile {
    /// The kind of damage.
    enum Damage: Int, CaseIterable {
        case logCut, logFlip, logGone, fileFlip, filePage, fileCut, fileEmpty, fileForeign, fileHeader

        /// Whether SQLite notices every changed byte: the WAL has checksums, the database file has none.
        var isNoticed: Bool { self == .logCut || self == .logFlip || self == .logGone }
    }

    /// A buffer left by a killed collector: partly uploaded, with a WAL that was not checkpointed.
    final class Source: Sendable {
        let data: Workspace
        let tables: UpstreamTables
        let plan: LedgerPlan
        let end: UInt64

        init(cluster: PostgresCluster) async throws {
            let rig = try await FaultRig(LedgerServer(perSecond: 3000), cluster: cluster)
            let (collector, _) = try await rig.box.collect()
            try await rig.uploaded(atLeast: 1500)
            rig.proxy.set(.refuse)
            try await rig.collected(more: 1500)
            try await rig.kill(collector)
            await rig.feed.stop()
            data = try Workspace()
            for name in ["ticks.sqlite", "ticks.sqlite-wal"] {
                try FileManager.default.copyItem(atPath: rig.box.data + "/" + name, toPath: data.file(name))
            }
            tables = rig.upstream
            plan = rig.feed.plan
            end = rig.feed.end
        }
    }

    /// The result of a run.
    struct Outcome {
        let damage: Damage
        /// Whether the bytes differ from before.
        let isHit: Bool
        /// Whether the file was left with a page that SQLite can't read, which is possible since uploaded rows are not
        /// read again.
        var isUnreadable = false
        /// The violations found.
        var faults: [String] = []
        var findings: LedgerOracle.Findings?
    }

    private var random: SeededRandom
    private let damage: Damage

    init(seed: UInt64, damage: Damage? = nil) {
        random = SeededRandom(seed: seed)
        self.damage = damage ?? Damage.allCases[Int(seed) % Damage.allCases.count]
    }

    func run(from source: Source) async throws -> Outcome {
        let feed = try await LedgerServer(plan: source.plan, first: source.end, perSecond: 3000)
        let rig = try await FaultRig(feed, cluster: source.tables.cluster, copying: source.tables)
        try FileManager.default.createDirectory(atPath: rig.box.data, withIntermediateDirectories: true)
        let before = try ["ticks.sqlite", "ticks.sqlite-wal"].map { name in
            try Data(contentsOf: URL(fileURLWithPath: source.data.file(name)))
        }
        var bytes = before
        tear(&bytes)
        for (name, content) in zip(["ticks.sqlite", "ticks.sqlite-wal"], bytes) {
            if name.hasSuffix("-wal"), damage == .logGone || damage == .fileForeign { continue }
            try content.write(to: URL(fileURLWithPath: rig.box.data + "/" + name))
        }
        // What a killed collector leaves of its lock.
        try Data("1 1\n".utf8).write(to: URL(fileURLWithPath: rig.box.data + "/ticks.sqlite.lock"))
        var outcome = Outcome(damage: damage, isHit: bytes != before || damage == .logGone)

        // Two lives: the second collector must be able to use what the first one made of the file.
        for life in 1...2 {
            let (collector, port) = try await rig.box.collect()
            do {
                try await rig.freshEvent(port)
            } catch {
                outcome.faults.append("\(damage), life \(life): \(error); \(collector.output.suffix(8))")
            }
            collector.send(SIGTERM)
            let status = try await collector.exit()
            if status != 0 { outcome.faults.append("\(damage), life \(life): exit \(status)") }
        }
        let (status, output) = try await rig.sync()
        if status != 0 { outcome.faults.append("\(damage): sync \(status) \(output.suffix(3))") }
        checkSetAside(bytes[0], rig, &outcome)
        var oracle = LedgerOracle(plan: source.plan, end: feed.end)
        oracle.lostBefore = source.end
        oracle.allowsLostFile = true
        oracle.allowsTail = true
        for name in setAside(rig) {
            oracle.toldBefore += (try? BufferFile(path: rig.box.data + "/" + name).gaps()) ?? []
        }
        let findings: LedgerOracle.Findings
        do {
            // The last command may have found the bad page and set the file aside; only the next writer makes a fresh
            // one.
            if !damage.isNoticed, !FileManager.default.fileExists(atPath: rig.file.path), !setAside(rig).isEmpty {
                outcome.isUnreadable = true
                findings = try oracle.compare(rig.upstream)
            } else {
                findings = try oracle.compare(rig.file, rig.upstream)
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT && !damage.isNoticed {
            outcome.isUnreadable = true
            findings = try oracle.compare(rig.upstream)
        }
        outcome.findings = findings
        // A page holds about forty rows, and the same row may be wrong both in the file and upstream.
        let allowedCorruption = damage.isNoticed ? 0 : 160
        if !findings.missing.isEmpty || !findings.doubled.isEmpty || findings.corrupted.count > allowedCorruption
            || findings.spurious.count > allowedCorruption
        {
            outcome.faults.append("\(damage): \(findings)")
        }
        return outcome
    }

    private func tear(_ bytes: inout [Data]) {
        var random = random
        func flip(_ data: inout Data, from: Int) {
            let place = Int.random(in: from..<data.count, using: &random)
            data[place] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
        }
        switch damage {
        case .logCut: bytes[1] = bytes[1].prefix(Int.random(in: 0..<bytes[1].count, using: &random))
        case .logFlip: flip(&bytes[1], from: 0)
        case .logGone: bytes[1] = Data()
        case .fileFlip: flip(&bytes[0], from: 100)
        case .filePage, .fileHeader:
            let page = damage == .fileHeader ? 0 : Int.random(in: 0..<(bytes[0].count / 4096), using: &random)
            for place in page * 4096..<(page + 1) * 4096 { bytes[0][place] = UInt8.random(in: 0...255, using: &random) }
        case .fileCut:
            // Half of the cuts fall into the last pages, most of which are in the WAL as well.
            let isLate = Bool.random(using: &random)
            let least = isLate ? max(1, bytes[0].count - 4 * 4096) : 1
            bytes[0] = bytes[0].prefix(Int.random(in: least..<bytes[0].count, using: &random))
        case .fileEmpty: bytes[0] = Data()
        case .fileForeign: bytes[0] = Data(String(repeating: "symbol,open,close\n", count: 500).utf8)
        }
    }

    private func setAside(_ rig: FaultRig) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: rig.box.data)) ?? []
        return names.filter { $0.contains("-bad-") && $0.hasSuffix(".sqlite") }
    }

    /// Checks that a bad file was set aside unchanged, not overwritten.
    private func checkSetAside(_ bytes: Data, _ rig: FaultRig, _ outcome: inout Outcome) {
        guard damage == .fileForeign || damage == .fileEmpty else { return }
        let aside = setAside(rig)
        if aside.count != 1 { outcome.faults.append("\(damage): set aside: \(aside)") }
        if let name = aside.first {
            let kept = try? Data(contentsOf: URL(fileURLWithPath: rig.box.data + "/" + name))
            if kept != bytes { outcome.faults.append("\(damage): \(name) is not as it was") }
        }
    }
}

import Foundation
import GRDB
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// What strace does to the chosen system call.
enum InjectedFault: String, Sendable, CustomStringConvertible {
    /// The call fails with EIO, once.
    case error
    /// The process is killed at the call.
    case kill

    var description: String { rawValue }
}

/// Whether strace can trace here, and so inject faults into system calls.
enum Injection {
    static let isAvailable: Bool = {
        let command = ["/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "true"]
        return (try? Command.run(command)) != nil
    }()
}

/// One run of a fixed script (start, collect a few hundred events, commit, upload, stop) in which one write or sync of
/// the buffer's file is hit; then another run without a fault and with further events.
///
/// strace counts calls per thread. The thread that makes a fresh file writes most, so the writer's own calls are
/// reached only if the file exists already.
struct InjectedRun {
    /// The result of a run.
    struct Outcome {
        /// Whether the call was reached and hit.
        var isHit = false
        var findings: LedgerOracle.Findings
    }

    static let events = 304

    let fault: InjectedFault
    let call: String
    let number: Int
    /// Whether the file exists before the run.
    let isPrepared: Bool

    init(_ fault: InjectedFault, call: String, number: Int, isPrepared: Bool) {
        self.isPrepared = isPrepared
        self.fault = fault
        self.call = call
        self.number = number
    }

    func run(cluster: PostgresCluster) async throws -> Outcome {
        let rig = try await FaultRig(
            LedgerServer(count: 0, perSecond: nil), cluster: cluster, settings: ["SYNC_INTERVAL": "1"])
        if isPrepared { try await Self.prepare(rig) }
        // This feed's events happen after the file was made: earlier ones would count as missed.
        let feed = try await LedgerServer(count: Self.events, perSecond: nil)
        let log = rig.box.workspace.file("strace")
        let injection = "inject=\(call):\(fault == .kill ? "signal=KILL" : "error=EIO"):when=\(number)"
        let traced = try rig.box.start(
            under: Self.strace(call, of: rig.file, to: log) + ["-e", injection], "run",
            settings: ["MASSIVE_WEBSOCKET_URL": feed.url])
        var status: Int32 = 0
        try await rig.watch.watching {
            let deadline = ContinuousClock.now + .seconds(90)
            while ContinuousClock.now < deadline {
                if (try? await traced.exit(within: .milliseconds(20))) != nil { break }
                if try rig.upstream.count() >= Self.events { break }
            }
            if let collector = Self.child(of: traced.pid) { Glibc.kill(collector, SIGTERM) }
            status = try await traced.exit()
        }
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        let isHit = fault == .kill ? status == -SIGKILL : text.contains("(INJECTED)")

        // The file must accept more events, and everything must arrive.
        let before = feed.end
        let more = try await LedgerServer(plan: feed.plan, first: before, count: 96, perSecond: nil)
        let (collector, _) = try await rig.box.collect(settings: ["MASSIVE_WEBSOCKET_URL": more.url])
        let file = rig.file
        try await Waiting.until(within: .seconds(60)) {
            let last = try? file.read { try Int64.fetchOne($0, sql: "SELECT max(sequence) FROM quotes") }
            return last ?? 0 == Int64(before) + 95
        }
        collector.send(SIGTERM)
        _ = try await collector.exit()
        let (synced, output) = try await rig.sync()
        try #require(synced == 0, "\(output.joined(separator: "\n"))")
        var oracle = LedgerOracle(plan: feed.plan, end: before + 96)
        oracle.reported = rig.watch.reported
        return Outcome(isHit: isHit, findings: try oracle.compare(file, rig.upstream))
    }

    /// Returns how often the script makes the call, in the thread that makes it most.
    static func count(_ call: String, isPrepared: Bool, cluster: PostgresCluster) async throws -> Int {
        let feed = try await LedgerServer(count: events, perSecond: nil)
        let rig = try await FaultRig(feed, cluster: cluster, settings: ["SYNC_INTERVAL": "1"])
        if isPrepared { try await prepare(rig) }
        let log = rig.box.workspace.file("strace")
        let traced = try rig.box.start(under: strace(call, of: rig.file, to: log), "run")
        try await rig.uploaded(atLeast: events)
        if let collector = child(of: traced.pid) { Glibc.kill(collector, SIGTERM) }
        _ = try await traced.exit()
        var counts: [Substring: Int] = [:]
        for line in try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        where line.contains(call + "(") {
            counts[line.prefix { $0 != " " }, default: 0] += 1
        }
        return counts.values.max() ?? 0
    }

    /// Makes the file by starting and stopping a collector.
    private static func prepare(_ rig: FaultRig) async throws {
        let (collector, _) = try await rig.box.collect(settings: ["MASSIVE_WEBSOCKET_URL": "ws://127.0.0.1:9/stocks"])
        collector.send(SIGTERM)
        _ = try await collector.exit()
    }

    /// The command that traces a system call on a file and its log, without the program to trace.
    private static func strace(_ call: String, of file: BufferFile, to log: String) -> [String] {
        ["/usr/bin/strace", "-f", "-qq", "-e", "trace=\(call)", "-P", file.path, "-P", file.path + "-wal", "-o", log]
    }

    private static func child(of parent: pid_t) -> pid_t? {
        let text = try? String(contentsOfFile: "/proc/\(parent)/task/\(parent)/children", encoding: .utf8)
        return text?.split(separator: " ").first.flatMap { pid_t($0) }
    }
}

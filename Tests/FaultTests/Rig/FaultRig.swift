import FeedSimulator
import Foundation
import LedgerSupport
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// The complete path in real processes: a feed of numbered events, the collector in its box, a line that can be broken,
/// and a database; and the oracle that checks all of it.
final class FaultRig: Sendable {
    let feed: LedgerServer
    let upstream: UpstreamTables
    let proxy: TCPProxy
    let box: CollectorBox
    let watch: DurableWatch

    var file: BufferFile { BufferFile(path: box.data + "/ticks.sqlite") }

    /// For commands, which don't try again as the collector does: the time after which a statement is given up.
    private static let patient = ["SYNC_STATEMENT_TIMEOUT": "300"]

    /// Connects a feed with a box that uploads through a proxy to a new database of `cluster`, empty or a copy.
    init(
        _ feed: LedgerServer, cluster: PostgresCluster, feedURL: String? = nil, copying original: UpstreamTables? = nil,
        dataDirectory: String? = nil, settings: [String: String] = [:]
    ) async throws {
        self.feed = feed
        upstream = try UpstreamTables(in: cluster, copying: original)
        proxy = try TCPProxy(to: cluster.port)
        var all = [
            "DATABASE_URI": cluster.uri(upstream.database, port: proxy.port), "SYMBOLS": LedgerServer.symbols,
            "SYNC_STATEMENT_TIMEOUT": "20",
            "FEED_EVENTS": feed.plan.kinds.map(\.rawValue).joined(separator: ","),
        ]
        all.merge(settings) { $1 }
        box = try CollectorBox(feed: feedURL ?? feed.url, dataDirectory: dataDirectory, settings: all)
        watch = DurableWatch(BufferFile(path: box.data + "/ticks.sqlite"))
        guard original == nil else { return }
        let (status, output) = try await box.run("migrate", settings: Self.patient)
        try #require(status == 0, "\(output.joined(separator: "\n"))")
    }

    /// Waits until upstream has this many rows.
    func uploaded(atLeast rows: Int, within limit: Duration = .seconds(60)) async throws {
        try await Waiting.until(within: limit) { [upstream] in try upstream.count() >= rows }
    }

    /// Waits until the file has this many more rows than now.
    func collected(more rows: Int64, within limit: Duration = .seconds(60)) async throws {
        let before = try await Waiting.value("the rows of \(file.path)", within: limit, until: { $0 != nil }) { sum() }
        try await collected(all: (before ?? 0) + rows, within: limit)
    }

    /// Waits until the file has this many rows.
    func collected(all rows: Int64, within limit: Duration = .seconds(60)) async throws {
        try await Waiting.until("\(rows) rows", within: limit) { [self] in sum() ?? 0 >= rows }
    }

    /// Waits until the collector has taken every event that the feed has sent.
    func received(_ port: Int, within limit: Duration = .seconds(60)) async throws {
        try await Waiting.until("every event that was sent", within: limit) { [feed] in
            let metrics = (try? await RawHTTP(port: port).send("GET", "/metrics"))?.text ?? ""
            let counts = metrics.split(separator: "\n").filter { $0.hasPrefix("edgetick_feed_events_total{") }
                .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
            return counts.reduce(0, +) >= feed.simulator.statistics.eventsSent
        }
    }

    /// Returns the bars among the first `count` events whose newest version, in the file or upstream, differs from the
    /// event.
    func newestBarsThatDiffer(count: UInt64) throws -> [String] {
        var newest: [UInt64: [String?]] = [:]
        var wrong: [String] = []
        let plan = feed.plan
        func id(_ row: LedgerRow) -> UInt64? {
            Symbol(row.symbol).flatMap { plan.id(of: row.kind, symbol: $0, time: row.time) }
        }
        try file.rows(.bars) { row in
            if let id = id(row) { newest[id] = row.values }
        }
        var upstream: [UInt64: [String?]] = [:]
        try self.upstream.rows(.bars) { row in
            guard let id = id(row) else { return }
            if upstream.updateValue(row.values, forKey: id) != nil { wrong.append("\(id) is upstream twice") }
        }
        for id in 0..<count where plan.event(id).kind.stream == .bars {
            let expected = LedgerColumns.expected(plan.event(id))
            if newest[id] != expected { wrong.append("file: \(id) is \(newest[id] ?? [])") }
            if upstream[id] != expected { wrong.append("upstream: \(id) is \(upstream[id] ?? [])") }
        }
        return wrong
    }

    /// The number of rows in the file; `nil` while it can't be read, as when it is being opened or recovered.
    private func sum() -> Int64? {
        guard FileManager.default.fileExists(atPath: file.path) else { return 0 }
        return (try? file.lastSequences())?.values.reduce(0, +)
    }

    /// Waits until an event sent after now is upstream, which shows that the complete path works.
    func freshEvent(
        _ port: Int? = nil, in tables: UpstreamTables? = nil, within limit: Duration = .seconds(90)
    ) async throws {
        let now = feed.end
        _ = try await Waiting.value("an event sent after \(now)", within: limit, until: { $0 > now }) { () -> UInt64 in
            if let port { _ = try? await RawHTTP(port: port).send("POST", "/api/sync") }
            let last = try? (tables ?? upstream).value("select coalesce(max(sequence), 0) from trades")
            return last.flatMap { UInt64($0) } ?? 0
        }
    }

    /// Uploads what is left, with the command; no collector may run.
    func sync() async throws -> (status: Int32, output: [String]) {
        try await box.run("sync", settings: Self.patient)
    }

    /// Stops the collector gracefully, uploads what is left, and compares everything.
    ///
    /// - Parameters:
    ///   - collector: The running collector; `nil` when none runs.
    ///   - tables: The tables to compare the file with; by default the rig's own.
    func settle(
        _ collector: ChildProcess?, in tables: UpstreamTables? = nil, allowsLostFile: Bool = false
    ) async throws -> LedgerOracle.Findings {
        if let collector {
            collector.send(SIGTERM)
            let status = try await collector.exit()
            #expect(status == 0, "\(collector.output.suffix(20).joined(separator: "\n"))")
        }
        proxy.set(.pass)
        // Only the next collector records what was sent while none ran, so the comparison allows a tail.
        let (status, output) = try await sync()
        #expect(status == 0, "\(output.joined(separator: "\n"))")
        return try compare(with: tables, allowsLostFile: allowsLostFile, allowsTail: true)
    }

    /// Settles like ``settle(_:in:allowsLostFile:)``, and expects that nothing was doubled, or lost without a record.
    @discardableResult
    func settleCleanly(
        _ collector: ChildProcess?, in tables: UpstreamTables? = nil, allowsLostFile: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> LedgerOracle.Findings {
        let findings = try await settle(collector, in: tables, allowsLostFile: allowsLostFile)
        #expect(findings.isClean, "\(findings)", sourceLocation: sourceLocation)
        return findings
    }

    /// Compares the file and the database with what was sent.
    func compare(
        with tables: UpstreamTables? = nil, allowsLostFile: Bool = false, allowsTail: Bool = false
    ) throws -> LedgerOracle.Findings {
        var oracle = LedgerOracle(plan: feed.plan, end: feed.end)
        oracle.reported = watch.reported
        oracle.allowsLostFile = allowsLostFile
        oracle.allowsTail = allowsTail
        return try oracle.compare(file, tables ?? upstream)
    }

    /// Kills the collector and waits for its end.
    func kill(_ collector: ChildProcess) async throws {
        collector.send(SIGKILL)
        let status = try await collector.exit()
        #expect(status == -SIGKILL)
    }

    /// Records for the oracle what /api/status reports as durable.
    func noteReport(_ port: Int) async {
        guard let reply = try? await RawHTTP(port: port).send("GET", "/api/status"),
            let buffer = reply.json["buffer"] as? [String: Any],
            let streams = buffer["streams"] as? [String: [String: Any]]
        else { return }
        var last: [EventStream: Int64] = [:]
        for stream in EventStream.allCases {
            if let number = streams[stream.rawValue]?["last_sequence"] as? NSNumber {
                last[stream] = number.int64Value
            }
        }
        watch.note(last)
    }
}

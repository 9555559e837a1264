import Collector
import Feed
import FoundationEssentials
import Logging
import MarketData
import Store
import Upstream

/// Builds the box's part in a fleet from the settings.
extension Settings {
    /// The box's identity in the fleet's table.
    func fleetIdentity(file id: String) -> FleetReport {
        FleetReport(
            id: collectorID, group: collectorGroup, host: HostFacts.current(environment: [:]).hostName ?? collectorID,
            version: Version.number, fileID: id)
    }

    /// The share set by `SHARD=k/n`; `nil` otherwise.
    var fixedShare: SymbolShare? {
        guard case .fixed(let number, let count) = shard else { return nil }
        return SymbolShare(of: "\(number)", in: ShardMap(count: count, replicas: shardReplicas), isAutomatic: false)
    }

    /// The box's share at a start with `SHARD=auto`; `nil` otherwise.
    func shardStart(_ identity: FleetReport, in table: FleetTable?, logger: Logger) async -> ShardKeeper? {
        guard shard == .auto, let table else { return nil }
        let kept = ShardMembers.read(directory: dataDirectory, group: collectorGroup ?? "")
        let (start, problem) = await ShardKeeper.start(identity, in: table, replicas: shardReplicas, kept: kept)
        if let problem {
            logger.error(
                kept == nil
                    ? "the database can't be asked which boxes share the symbols: this box collects all of them until it can"
                    : "the database can't be asked which boxes share the symbols: the last known shares are kept",
                metadata: ["error": "\(problem)"])
        }
        return start
    }

    /// The service that writes the box's row and, if `start` is given, keeps its share of the symbols up to date; `nil`
    /// without a database.
    func fleetService(
        _ table: FleetTable?, _ board: FleetBoard?, _ identity: FleetReport, _ start: ShardKeeper?, status: StatusBoard,
        symbols: Symbols, sink: any EventSink
    ) -> FleetService? {
        guard let table, let board else { return nil }
        let (directory, group) = (dataDirectory, collectorGroup ?? "")
        return FleetService(
            table: table, board: board, identity: identity, status: status, directory: directory,
            sharing: start.map { start in
                FleetService.Sharing(
                    start, symbols: symbols, events: feed.events, feedDelay: feedDelay, record: { sink.record($0) },
                    keep: { ShardMembers.write($0, directory: directory, group: group) })
            }, logger: Logger(label: "fleet"))
    }

    /// The service through which boxes of a group cover each other's gaps; `nil` without COLLECTOR_GROUP or a database.
    func pairService(
        buffer: TickBuffer, connections: ConnectionSet, upstreams: [UpstreamConfiguration], board: FleetBoard?
    ) -> PairService? {
        guard let collectorGroup, !upstreams.isEmpty else { return nil }
        return PairService(
            buffer: buffer, symbols: { connections.snapshot.subscribed },
            collectedSince: { connections.collectedSince(lastOf: $0) }, kinds: feed.events, feedDelay: feedDelay,
            tables: upstreams.map { StretchTable(configuration: $0, group: collectorGroup) }, board: board,
            logger: Logger(label: "group"))
    }
}

/// How the boxes last shared the symbols, kept in a small file of the data directory for the next start.
enum ShardMembers {
    private static func path(_ directory: String) -> String { directory + "/shard.members" }

    /// Returns the last assignment; `nil` if there is no such file, or if it is about another group.
    static func read(directory: String, group: String) -> ShardRecord? {
        guard let text = try? String(contentsOfFile: path(directory), encoding: .utf8) else { return nil }
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        guard lines.count > 1, lines[0] == [group] else { return nil }
        var record = ShardRecord(members: [])
        for line in lines.dropFirst() {
            guard let name = line.first, line.count < 3, CollectorName.isName(name) else { return nil }
            record.members.append(name)
            guard line.count > 1 else { continue }
            guard let time = Int64(line[1]), UnixTime.possible.contains(time) else { return nil }
            record.lapsed[name] = time
        }
        return record
    }

    /// Stores the assignment: the group, then each member, with a time if symbols have lapsed that were given up for it.
    /// If that fails, a start without the database takes more symbols than necessary.
    static func write(_ record: ShardRecord, directory: String, group: String) {
        let lines = record.members.map { name in record.lapsed[name].map { "\(name) \($0)" } ?? name }
        _ = PrivateFile.replace(path(directory), with: Array(([group] + lines).joined(separator: "\n").utf8))
    }
}

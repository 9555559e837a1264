import Foundation
import GRDB
import MarketData
import TestSupport
import Testing

/// The database fails over to a standby that lacks rows that the primary had confirmed.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct StandbyFaultTests {
    /// When the collector restarts, which gives the file a new identifier.
    enum Restart: CaseIterable {
        case never
        /// Before the failover: the primary has rows under the new identifier, which the standby doesn't know.
        case before
        /// After the failover: the new identifier is first used with the standby.
        case after
    }

    @Test(arguments: Restart.allCases)
    func `rows that a promoted standby never had are missed and go up again, once`(_ restart: Restart) async throws {
        let primary = try PostgresCluster(settings: ["wal_level": "replica", "max_wal_senders": "4"])
        let rig = try await FaultRig(LedgerServer(), cluster: primary)
        let line = try TCPProxy(to: primary.port)
        let standby = try PostgresCluster(standbyOf: primary, through: line.port)
        let tables = UpstreamTables(rig.upstream.database, on: standby)
        var (collector, port) = try await rig.box.collect()
        try await Waiting.until("rows on the standby", within: .seconds(60)) { try tables.count() > 400 }

        line.set(.refuse)
        let kept = try tables.count()
        if restart == .before {
            try await collector.stop()
            (collector, port) = try await rig.box.collect()
        }
        try await Waiting.until("rows that the standby lacks", within: .seconds(60)) {
            let acknowledged = try rig.file.read {
                try Int.fetchOne($0, sql: "SELECT sum(acknowledged) FROM streams") ?? 0
            }
            return acknowledged > kept + 1000
        }
        if restart == .after { try await collector.stop() }
        try primary.stop(.immediate)
        try standby.promote()
        // Some rows may have been in flight when the line was cut, so the standby's count is taken after its promotion.
        let lacks = try rig.file.lastSequences().values.reduce(0, +) - Int64(tables.count())
        #expect(lacks > 600)
        rig.proxy.lead(to: standby.port)
        if restart == .after { (collector, port) = try await rig.box.collect() }

        try await rig.freshEvent(port, in: tables)
        let findings = try await rig.settleCleanly(collector, in: tables)
        #expect(findings.explained == 0 || restart != .never)
        #expect(findings.upstream == findings.events)
    }
}

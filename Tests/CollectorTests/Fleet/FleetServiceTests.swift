import MarketData
import TestSupport
import Testing

@testable import Collector
@testable import Upstream

/// The service that writes the box's row and asks for the others'.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct FleetServiceTests {
    @Test func `writing the row hides neither that the others can't be asked, nor since when`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        _ = try await UpstreamSchema.migrate(
            UpstreamConfiguration(uri: cluster.uri(database), collector: "a", connectTimeout: .seconds(60)))
        // Only reading the rows calls this function.
        let role = "member_\(database)"
        try cluster.psql(
            """
            CREATE ROLE \(role) LOGIN;
            GRANT SELECT, INSERT, UPDATE ON edgetick_collectors TO \(role);
            REVOKE EXECUTE ON FUNCTION isfinite(timestamptz) FROM PUBLIC
            """, database: database)
        let rig = try SymbolsRig([wish("one", nil, list: "A,B")])
        let (symbols, _, _) = try await rig.open()
        let keeper = ShardKeeper(
            member: "a", replicas: 1, kept: nil, rows: nil, now: .now, time: WallClock.milliseconds(), offset: 0)
        let sharing = FleetService.Sharing(
            ShardStart(keeper: keeper), symbols: symbols, events: [.minuteBar], feedDelay: 0, record: { _ in },
            keep: { _ in })
        let board = FleetBoard(isSharing: true)
        let log = CapturedLog()
        let service = FleetService(
            table: FleetTable(
                configuration: try UpstreamConfiguration(
                    uri: cluster.uri(database, user: role), collector: "a", connectTimeout: .seconds(60))),
            board: board,
            identity: FleetReport(
                id: "a", group: nil, host: "h", version: "1", fileID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60"),
            status: StatusBoard(
                collector: { CollectorSnapshot(collector: "a", version: "1") }, latency: { [:] }),
            directory: rig.workspace.path, sharing: sharing, logger: log.logger)
        let running = Task { try await service.run() }
        // While somebody looks, the row is written every two seconds.
        _ = board.look()
        try await Waiting.until("a failure that lasts", within: .seconds(60)) { board.status.askingProblemAge > 7 }
        let status = board.status
        #expect(status.askingProblem?.contains("permission denied") == true, "\(status)")
        #expect(status.problem == nil)
        #expect(try cluster.psql("SELECT count(*) FROM edgetick_collectors", database: database).hasPrefix("1"))
        #expect(log.lines(with: "the fleet's table can't be read").count == 1, "\(log.lines)")
        #expect(log.lines(with: "be written").isEmpty, "\(log.lines)")
        try cluster.psql("GRANT EXECUTE ON FUNCTION isfinite(timestamptz) TO PUBLIC", database: database)
        try await Waiting.until("an answer") { !log.lines(with: "the fleet's table can be read again").isEmpty }
        #expect(board.status.askingProblem == nil)
        running.cancel()
        try await running.value
    }
}

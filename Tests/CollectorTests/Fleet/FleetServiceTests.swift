import Feed
import FeedSimulator
import Logging
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Collector
@testable import Upstream

/// The service that writes the box's row and asks for the others'.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(5)))
struct FleetServiceTests {
    private func service(
        _ configuration: UpstreamConfiguration, _ board: FleetBoard, _ sharing: FleetService.Sharing, _ rig: SymbolsRig,
        _ logger: Logger
    ) -> FleetService {
        FleetService(
            table: FleetTable(configuration: configuration), board: board,
            identity: FleetReport(
                id: "a", group: nil, host: "h", version: "1", fileID: "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60"),
            status: StatusBoard(
                collector: { CollectorSnapshot(collector: "a", version: "1") }, latency: { [:] }),
            directory: rig.workspace.path, sharing: sharing, logger: logger)
    }

    @Test func `what a live box gave up before this one has it is in a gap at once, not only when this one has it`()
        async throws
    {
        let cluster = try PostgresCluster.shared()
        let (_, configuration) = try await cluster.makeMigratedDatabase(for: "a")
        // No feed listens, so no symbol is ever subscribed.
        let rig = try SymbolsRig([wish("one", nil, list: "A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T")])
        let (symbols, _, _) = try await rig.open()
        var other = FleetReport(id: "b", group: nil, host: "h", version: "1", fileID: "b")
        other.sharesWith = ["b"]
        let now = WallClock.milliseconds()
        let keeper = ShardKeeper(
            member: "a", replicas: 1, handOver: .seconds(8), kept: nil,
            rows: [FleetRow(report: other, seen: now, age: 0)], now: .now, time: now, offset: 0)
        let recorded = Mutex<[GapChange]>([])
        let sharing = FleetService.Sharing(
            keeper, symbols: symbols, events: [.minuteBar], feedDelay: 0,
            record: { change in recorded.withLock { $0.append(change) } }, keep: { _ in })
        let service = service(configuration, FleetBoard(isSharing: true), sharing, rig, quiet)
        let running = Task { try await service.run() }
        try await Waiting.until("an open gap", within: .seconds(60)) {
            let gaps = recorded.withLock { $0.flatMap(\.gaps) }
            return gaps.contains {
                $0.from == now + 8000 - Gap.eventLateness && $0.to == nil && $0.cause == .shardMoved
            }
        }
        running.cancel()
        try await running.value
    }

    @Test func `a gap that is due waits for no answer of the database`() async throws {
        // The kernel accepts connections, and nobody ever answers.
        let listener = try LoopbackListener()
        let silence = try UpstreamConfiguration(
            uri: "postgresql://nobody@127.0.0.1:\(listener.port)/nowhere?sslmode=disable&gssencmode=disable",
            collector: "a", connectTimeout: .seconds(60))
        let rig = try SymbolsRig([wish("one", nil, list: "A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T")])
        let (symbols, _, _) = try await rig.open()
        var other = FleetReport(id: "b", group: nil, host: "h", version: "1", fileID: "b")
        other.sharesWith = ["b"]
        let now = WallClock.milliseconds()
        let keeper = ShardKeeper(
            member: "a", replicas: 1, handOver: .seconds(8), kept: nil,
            rows: [FleetRow(report: other, seen: now, age: 0)], now: .now, time: now, offset: 0)
        let board = FleetBoard(isSharing: true)
        // What the board says when a gap is recorded.
        let problems = Mutex<[String?]>([])
        let sharing = FleetService.Sharing(
            keeper, symbols: symbols, events: [.minuteBar], feedDelay: 0,
            record: { _ in problems.withLock { $0.append(board.status.problem) } }, keep: { _ in })
        let service = service(silence, board, sharing, rig, quiet)
        let running = Task { try await service.run() }
        try await Waiting.until("an open gap", within: .seconds(120)) { problems.withLock { !$0.isEmpty } }
        #expect(problems.withLock { $0 } == [nil])
        running.cancel()
        try await running.value
        listener.stop()
    }

    @Test func `the gap of a box that is gone has the margins of every gap`() async throws {
        var feed = SimulatorConfiguration(source: .synthetic(SyntheticFeed(symbols: symbols("A"))))
        feed.pace = .speed(1)
        let simulator = FeedSimulator(configuration: feed, logger: quiet)
        let rig = try SymbolsRig(
            [wish("one", nil, list: "A,B,C,D,E,F,G,H,I,J,K,L,M,N,O,P,Q,R,S,T")], port: try await simulator.bind())
        let (owner, _, connections) = try await rig.open()
        var other = FleetReport(id: "b", group: nil, host: "h", version: "1", fileID: "b")
        other.state = .stopped
        other.sharesWith = ["a", "b"]
        let begun = WallClock.milliseconds()
        let keeper = ShardKeeper(
            member: "a", replicas: 1, kept: nil, rows: [FleetRow(report: other, seen: begun - 60_000, age: 60)],
            now: .now, time: begun, offset: 0)
        let lost = owner.named.flatMap { $0.symbols }.filter { keeper.lossStart(of: $0) != nil }
        let since = try #require(lost.first.flatMap { keeper.lossStart(of: $0) })
        let delay: Int64 = 900_000
        let recorded = Mutex<[GapChange]>([])
        let sharing = FleetService.Sharing(
            keeper, symbols: owner, events: [.minuteBar], feedDelay: delay,
            record: { change in recorded.withLock { $0.append(change) } }, keep: { _ in })
        let nowhere = try UpstreamConfiguration(uri: "postgresql://nobody@127.0.0.1:1/nowhere", collector: "a")
        let service = service(nowhere, FleetBoard(isSharing: true), sharing, rig, quiet)
        let tasks = [
            Task { try? await simulator.run() }, Task { try? await connections.run() },
            Task { try? await service.run() },
        ]
        defer { for task in tasks { task.cancel() } }
        try await Waiting.until("the gap's end", within: .seconds(60)) { recorded.withLock { $0.count } == 2 }
        let changes = recorded.withLock { $0 }
        let begin = since - delay - Gap.eventLateness
        #expect(changes[0].gaps.map(\.from) == [begin] && changes[0].gaps.map(\.to) == [nil])
        #expect(changes[0].gaps.flatMap(\.symbols).sorted() == lost.sorted())
        #expect(changes[1].ended == changes[0].gaps)
        let end = try #require(changes[1].gaps.first?.to)
        #expect((begun...WallClock.milliseconds()).contains(end + delay - Gap.endMargin))
    }

    @Test func `writing the row hides neither that the others can't be asked, nor since when`() async throws {
        let cluster = try PostgresCluster.shared()
        let (database, _) = try await cluster.makeMigratedDatabase(for: "a")
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
            keeper, symbols: symbols, events: [.minuteBar], feedDelay: 0, record: { _ in },
            keep: { _ in })
        let board = FleetBoard(isSharing: true)
        let log = CapturedLog()
        let service = service(
            try UpstreamConfiguration(
                uri: cluster.uri(database, user: role), collector: "a", connectTimeout: .seconds(60)),
            board, sharing, rig, log.logger)
        let running = Task { try await service.run() }
        // While somebody looks, the row is written every two seconds.
        _ = board.look()
        try await Waiting.until("a failure that lasts", within: .seconds(60)) {
            board.status.askingFailure.map { .now - $0.since > .seconds(7) } ?? false
        }
        let status = board.status
        #expect(status.askingFailure?.description.contains("permission denied") == true, "\(status)")
        #expect(status.problem == nil)
        #expect(try cluster.psql("SELECT count(*) FROM edgetick_collectors", database: database).hasPrefix("1"))
        #expect(log.lines(with: "the fleet's table can't be read").count == 1, "\(log.lines)")
        #expect(log.lines(with: "be written").isEmpty, "\(log.lines)")
        try cluster.psql("GRANT EXECUTE ON FUNCTION isfinite(timestamptz) TO PUBLIC", database: database)
        try await Waiting.until("an answer") { !log.lines(with: "the fleet's table can be read again").isEmpty }
        #expect(board.status.askingFailure == nil)
        running.cancel()
        try await running.value
    }

    @Test func `a row that a restored database brings back once is not another box's, and one that comes again is`()
        async throws
    {
        let cluster = try PostgresCluster.shared()
        let (database, configuration) = try await cluster.makeMigratedDatabase(for: "a")
        let workspace = try Workspace()
        let board = FleetBoard(isSharing: false)
        let file = "2b1f6e0a-93a5-4d0e-8a57-0c1d8a4e5f60"
        let service = FleetService(
            table: FleetTable(configuration: configuration), board: board,
            identity: FleetReport(id: "a", group: nil, host: "h", version: "1", fileID: file),
            status: StatusBoard(collector: { CollectorSnapshot(collector: "a", version: "1") }, latency: { [:] }),
            directory: workspace.path, sharing: nil, logger: quiet)
        let running = Task { try await service.run() }
        // While somebody looks, the row is written every two seconds.
        _ = board.look()
        let seen = "SELECT seen FROM edgetick_collectors WHERE file_id = '\(file)'"
        let another = "UPDATE edgetick_collectors SET file_id = '00000000-93a5-4d0e-8a57-0c1d8a4e5f60'"
        try await Waiting.until("the first row") { try !cluster.psql(seen, database: database).isEmpty }
        try cluster.psql(another, database: database)
        let first = try await Waiting.value("its own row again", until: { !$0.isEmpty }) {
            try cluster.psql(seen, database: database)
        }
        // What was seen by that write is on the board before the next.
        try await Waiting.until("the next row") { try cluster.psql(seen, database: database) != first }
        #expect(!board.status.hasNamesake)
        try await Waiting.until("another box of the name") {
            _ = board.look()
            try cluster.psql(another, database: database)
            return board.status.hasNamesake
        }
        running.cancel()
        try await running.value
    }
}

import Feed
import FeedSimulator
import Foundation
import Logging
import MarketData
import ServiceLifecycle
import Store
import Synchronization
import TestSupport
import Testing
import Universe
import Upstream

@testable import Collector

private func symbols(_ names: [String]) -> [Symbol] { names.compactMap { Symbol($0) } }

/// The service that keeps connections subscribed to what the mirror says.
@Suite(.timeLimit(.minutes(5))) struct UniverseServiceTests {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A mirror, a service over it, and connections that note what they are given.
    private final class Rig: Sendable {
        let workspace: Workspace
        let mirror: UniverseMirror
        private let interests = Mutex<[String: [Interest]]>([:])
        private let settings: Mutex<UniverseService.Settings>

        init(_ wishes: [CollectedConnection.Wish], environment: String = "DEFAULT") throws {
            workspace = try Workspace()
            mirror = try UniverseMirror.open(directory: workspace.path, access: .readWrite)
            settings = Mutex(
                UniverseService.Settings(
                    environment: environment, cacheTimeToLive: .seconds(60), pullInterval: nil, wishes: wishes))
        }

        func change(_ body: (inout UniverseService.Settings) -> Void) { settings.withLock { body(&$0) } }

        func add(_ name: String, _ symbols: String..., environment: String = "DEFAULT") throws {
            // Another process, as edgetick universe import is.
            let other = try UniverseMirror.open(directory: workspace.path, access: .readWrite)
            try other.replaceGroup(
                .init(name: name, type: .universe, environment: environment),
                members: symbols.map { GroupMember(symbol: $0) })
        }

        func given(_ name: String) -> [Interest] { interests.withLock { $0[name] ?? [] } }

        func service(_ first: [String: [String]], source: UniverseSource? = nil) -> UniverseService {
            let current = settings.withLock { $0 }
            let connections = current.wishes.map { wish in
                CollectedConnection(wish: wish, interest: .symbols(symbols(first[wish.name] ?? []))) { interest in
                    self.interests.withLock { $0[wish.name, default: []].append(interest) }
                }
            }
            return UniverseService(
                mirror: mirror,
                cache: RelationshipCache(mirror: mirror, options: .init(environment: current.environment)),
                source: source, settings: current, connections: connections,
                reread: { self.settings.withLock { $0 } }, logger: quiet)
        }
    }

    private func running(_ service: UniverseService, _ body: () async throws -> Void) async throws {
        let task = Task { try await service.run() }
        defer { task.cancel() }
        try await body()
        task.cancel()
        try await task.value
    }

    private func wish(_ name: String, _ key: String?, symbols: String? = nil) -> CollectedConnection.Wish {
        .init(name: name, universeKey: key, symbols: symbols, fallback: .defaultList)
    }

    @Test func `another process's import reaches just the connections that it concerns`() async throws {
        let rig = try Rig([wish("one", "a:b"), wish("two", "c")])
        try rig.add("a", "A")
        try rig.add("b", "B")
        try rig.add("c", "C")
        try await running(rig.service(["one": ["A", "B"], "two": ["C"]])) {
            try rig.add("b", "B", "X")
            try await Waiting.until(within: .seconds(30)) { rig.given("one").count == 1 }
            #expect(rig.given("one") == [.symbols(symbols(["A", "B", "X"]))])
            try rig.add("c", "D")
            try await Waiting.until(within: .seconds(30)) { rig.given("two").count == 1 }
            #expect(rig.given("one").count == 1 && rig.given("two") == [.symbols(symbols(["D"]))])
        }
    }

    @Test func `a key that is gone leaves a connection the symbols that it has`() async throws {
        let rig = try Rig([wish("one", "a"), wish("two", "b")])
        try rig.add("a", "A")
        try rig.add("b", "B")
        try await running(rig.service(["one": ["A"], "two": ["B"]])) {
            try rig.mirror.removeGroups([.init(name: "a", type: "UNIVERSE", environment: "DEFAULT")])
            try rig.add("b", "B", "C")
            try await Waiting.until(within: .seconds(30)) { rig.given("two").count == 1 }
            #expect(rig.given("one").isEmpty)
        }
    }

    @Test func `settings read again change keys, lists and the environment`() async throws {
        let rig = try Rig([wish("one", "a")])
        try rig.add("a", "A")
        try rig.add("a", "P", environment: "PROD")
        let service = rig.service(["one": ["A"]])
        try await running(service) {
            rig.change { $0.environment = "PROD" }
            service.rereadNow()
            try await Waiting.until(within: .seconds(30)) { rig.given("one").last == .symbols(symbols(["P"])) }
            #expect(service.universeKeys["one"] != nil)
            rig.change { $0.wishes = [wish("one", nil, symbols: "Z, Y")] }
            service.rereadNow()
            try await Waiting.until(within: .seconds(30)) { rig.given("one").last == .symbols(symbols(["Z", "Y"])) }
            #expect(service.universeKeys.isEmpty)
            rig.change { $0.wishes = [wish("one", nil, symbols: "*"), wish("new", nil, symbols: "N")] }
            service.rereadNow()
            try await Waiting.until(within: .seconds(30)) { rig.given("one").last == .all }
            #expect(rig.given("new").isEmpty)
        }
    }

    @Test func `a pull changes what is collected, and one that fails leaves the mirror in use`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri(database), collector: "test", statementTimeout: .seconds(20), barTimestamp: .start)
        _ = try await UpstreamSchema.migrate(configuration)
        try cluster.psql(
            """
            INSERT INTO definition_groups (name, type) VALUES ('a', 'UNIVERSE');
            INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'A'), (1, 'B');
            """, database: database)
        let rig = try Rig([wish("one", "a")])
        rig.change { $0.pullInterval = .seconds(3600) }
        let service = rig.service(["one": ["A"]], source: UniverseSource(configuration: configuration))
        try await running(service) {
            try await Waiting.until(within: .seconds(30)) { rig.given("one") == [.symbols(symbols(["A", "B"]))] }
            #expect(service.status.pulls == 1 && service.status.failure == nil)
            try cluster.psql("INSERT INTO group_memberships (group_id, symbol) VALUES (1, 'C')", database: database)
            service.pullNow()
            try await Waiting.until(within: .seconds(30)) {
                rig.given("one").last == .symbols(symbols(["A", "B", "C"]))
            }
            try cluster.psql("DELETE FROM group_memberships", database: database)
            service.pullNow()
            try await Waiting.until(within: .seconds(30)) { service.status.failure != nil }
            #expect(service.status.failure?.description.contains("--force") == true)
            try cluster.psql("ALTER TABLE group_memberships RENAME TO away", database: database)
            service.pullNow()
            try await Waiting.until(within: .seconds(30)) {
                service.status.failure?.description.contains("group_memberships") == true
                    && service.status.failure?.description.contains("missing") == true
            }
            #expect(service.status.mirrorPulledAt != nil)
            #expect(rig.given("one").count == 2)
            let resolver = UniverseResolver(mirror: rig.mirror, environment: "DEFAULT")
            #expect(try resolver.resolve("a").symbols.count == 3)
        }
    }

    @Test func `a database that hangs delays no change`() async throws {
        let cluster = try PostgresCluster.shared()
        let proxy = try TCPProxy(to: cluster.port)
        proxy.set(.blackhole)
        let configuration = try UpstreamConfiguration(
            uri: cluster.uri("postgres", port: proxy.port), collector: "test", connectTimeout: .seconds(600))
        let rig = try Rig([wish("one", "a")])
        try rig.add("a", "A")
        rig.change { $0.pullInterval = .seconds(3600) }
        let service = rig.service(["one": ["A"]], source: UniverseSource(configuration: configuration))
        try await running(service) {
            try rig.add("a", "A", "B")
            try await Waiting.until(within: .seconds(60)) { rig.given("one") == [.symbols(symbols(["A", "B"]))] }
            rig.change { $0.wishes = [wish("one", nil, symbols: "Z")] }
            service.rereadNow()
            try await Waiting.until(within: .seconds(60)) { rig.given("one").last == .symbols(symbols(["Z"])) }
            #expect(service.status.pulls == 0 && service.status.failure == nil)
        }
    }

    @Test func `a live change subscribes and unsubscribes the difference on the connection that stands`() async throws {
        var configuration = SimulatorConfiguration(source: .synthetic(SyntheticFeed(symbols: symbols(["A"]))))
        configuration.pace = .speed(1)
        let simulator = FeedSimulator(configuration: configuration, logger: Self.quiet)
        let port = try await simulator.bind()
        let rig = try Rig([wish("one", "a")])
        try rig.add("a", "A", "B", "C")
        let feed = FeedConnection(
            configuration: FeedConfiguration(
                name: "one", endpoint: try FeedEndpoint(url: "ws://127.0.0.1:\(port)/stocks", allowsPlaintext: false),
                apiKey: Secret("k"), events: [.minuteBar]),
            interest: .symbols(symbols(["A", "B", "C"])), sink: Discarding(), logger: Self.quiet)
        let service = UniverseService(
            mirror: rig.mirror,
            cache: RelationshipCache(mirror: rig.mirror, options: .init(environment: "DEFAULT")), source: nil,
            settings: .init(
                environment: "DEFAULT", cacheTimeToLive: .seconds(60), pullInterval: nil, wishes: [wish("one", "a")]),
            connections: [
                CollectedConnection(wish: wish("one", "a"), interest: .symbols(symbols(["A", "B", "C"]))) {
                    feed.setInterest($0)
                }
            ], logger: Self.quiet)
        let tasks = [
            Task { try? await simulator.run() }, Task { try? await feed.run() }, Task { try? await service.run() },
        ]
        defer { for task in tasks { task.cancel() } }
        try await Waiting.until(within: .seconds(30)) { simulator.statistics.subscriptions == 3 }
        try rig.add("a", "B", "C", "D", "E", "F")
        try await Waiting.until(within: .seconds(30)) {
            feed.snapshot.confirmed.map(\.description).sorted() == ["B", "C", "D", "E", "F"]
        }
        let statistics = simulator.statistics
        #expect(statistics.subscriptions == 5)
        #expect(statistics.connections == 1 && feed.snapshot.reconnects == 0)
    }

    @Test func `what an interest becomes is told as a difference`() {
        let some = Interest.symbols(symbols(["A", "B"]))
        #expect(InterestChange(from: some, to: some) == nil)
        #expect(InterestChange(from: .all, to: .all) == nil)
        #expect(InterestChange(from: some, to: .symbols(symbols(["B", "A"]))) == nil)
        let change = InterestChange(from: some, to: .symbols(symbols(["B", "C", "D"])))
        #expect(change?.added == 2 && change?.removed == 1 && change?.sample == "+C +D -A")
        #expect(InterestChange(from: some, to: .all)?.removed == 2)
    }

    private final class Discarding: EventSink {
        func offer(_ batch: EventBatch) -> Admission { .accepted }
        func whenRoom(_ resume: @escaping @Sendable () -> Void) { resume() }
        func record(_ gap: Gap) {}
    }
}

import Feed
import Logging
import MarketData
import Store
import Synchronization
import TestSupport
import Universe
import Upstream

@testable import Collector

func symbols(_ names: String...) -> [Symbol] { names.compactMap { Symbol($0) } }

/// A mirror, the connections over it, their owner, and the service that follows the mirror.
final class SymbolsRig: Sendable {
    let mirror: UniverseMirror
    let workspace: Workspace
    private let settings: Mutex<UniverseService.Settings>
    private let lines = CapturedLog()
    private let sink = GapKeeper()
    private let port: Int

    init(_ wishes: [SymbolWish], environment: String = "DEFAULT", port: Int = 1) throws {
        workspace = try Workspace()
        mirror = try UniverseMirror.open(directory: workspace.path, access: .readWrite)
        self.port = port
        settings = Mutex(
            UniverseService.Settings(
                environment: environment, cacheTimeToLive: .seconds(60), pullInterval: nil, wishes: wishes))
    }

    /// What was logged.
    var log: [String] { lines.lines }

    /// The gaps that are over.
    var gaps: [Gap] { sink.gaps }

    /// Changes the settings as they will be read again.
    func change(_ body: (inout UniverseService.Settings) -> Void) { settings.withLock { body(&$0) } }

    /// Writes a group as another process would, such as `edgetick universe import`.
    func add(
        _ name: String, _ symbols: String..., type: GroupType = .universe, environment: String = "DEFAULT"
    ) throws {
        let other = try UniverseMirror.open(directory: workspace.path, access: .readWrite)
        try other.apply([
            GroupChange(
                definition: .init(name: name, type: type, environment: environment),
                members: symbols.map { MemberRecord(symbol: $0) })
        ])
    }

    /// Runs SQL on the mirror's file.
    func sql(_ text: String) throws {
        try Command.sqlite(workspace.file(LocalFile.universe.name), text)
    }

    /// Makes the parts as a start does.
    ///
    /// - Parameter other: A mirror from which the keys are resolved instead; the service watches this rig's own.
    func open(
        resolvingFrom other: UniverseMirror? = nil, source: UniverseSource? = nil, strategy: RoutingStrategy = .manual,
        maximumOnDemand: Int? = nil, demandPatience: Duration = .seconds(60), capacity: Int? = nil,
        previousLife: PreviousLife? = nil
    ) async throws -> (symbols: Symbols, service: UniverseService, connections: ConnectionSet) {
        let current = settings.withLock { $0 }
        let logger = lines.logger
        let seen = try mirror.changeCounter()
        let cache = RelationshipCache(mirror: other ?? mirror, environment: current.environment)
        let plan = try await Symbols.open(current.wishes, single: nil, cache: cache, logger: logger)
        let port = port
        var rules = Symbols.Rules(
            maximum: 3, strategy: strategy, maximumOnDemand: maximumOnDemand
        ) { name throws(FeedError) in
            FeedConfiguration(
                name: name, endpoint: try FeedEndpoint(url: "ws://127.0.0.1:\(port)/stocks", allowsPlaintext: false),
                apiKey: Secret("k"), events: [.minuteBar])
        }
        rules.demandPatience = demandPatience
        var configuration = SetConfiguration()
        configuration.strategy = strategy
        let connections = try ConnectionSet(
            configuration: configuration,
            members: plan.inForce.map { assignment -> SetMember in
                var configuration = try rules.configuration(assignment.wish.name)
                configuration.previousLife = previousLife
                return SetMember(
                    id: assignment.wish.connection, configuration: configuration, interest: assignment.interest,
                    capacity: capacity)
            },
            sink: sink, logger: logger)
        let symbols = Symbols(plan: plan, cache: cache, connections: connections, rules: rules, logger: logger)
        let service = UniverseService(
            mirror: mirror, seen: seen, symbols: symbols, source: source, settings: current,
            reread: { self.settings.withLock { $0 } }, logger: logger)
        return (symbols, service, connections)
    }

    private final class GapKeeper: EventSink {
        private let kept = Mutex<[Gap]>([])

        var gaps: [Gap] { kept.withLock { $0 } }

        func offer(_ batch: EventBatch) -> Admission { .accepted }
        func whenRoom(_ resume: @escaping @Sendable () -> Void) { resume() }
        func record(_ change: GapChange) { kept.withLock { $0 += change.gaps.filter { $0.to != nil } } }
    }
}

/// A wish from the settings for the connection of this name.
func wish(
    _ name: String, _ key: String?, list: String? = nil, fallback: SymbolSelection.Fallback = .defaultList
) -> SymbolWish {
    SymbolWish(connection: "connection_\(name)", name: name, universeKey: key, list: list, fallback: fallback)
}

extension Symbols {
    /// What the connection of this name should collect.
    func interest(_ name: String) -> Interest? { assignments.first { $0.wish.name == name }?.interest }
}

extension UniverseService {
    /// Runs the service while `body` runs.
    func running(_ body: () async throws -> Void) async throws {
        let task = Task { try await self.run() }
        defer { task.cancel() }
        try await body()
        task.cancel()
        try await task.value
    }
}

extension ConnectionSet {
    /// The symbols that a connection should deliver, in order.
    func symbols(of id: String) -> [Symbol]? { snapshot.members.first { $0.id == id }?.feed.assigned }
}

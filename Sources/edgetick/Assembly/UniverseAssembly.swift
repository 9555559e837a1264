import Collector
import Feed
import Logging
import MarketData
import Relay
import Store
import Universe
import Upstream

extension Settings {
    /// What happens when a connection's universe key can't be resolved and it has no list.
    private var symbolFallback: SymbolSelection.Fallback {
        switch (connections.isMulti, universe.fallback) {
        case (true, _): .nothing
        case (false, .default): .defaultList
        case (false, .error): .refusal
        }
    }

    private func wish(of connection: Connection, replacesBecause reason: String?) -> SymbolWish {
        SymbolWish(
            connection: connection.id, name: connection.name, universeKey: connection.universeKey,
            list: connection.symbols, fallback: symbolFallback, replacesBecause: reason)
    }

    /// The wishes of all connections; empty without a feed.
    var wishes: [SymbolWish] {
        let reason =
            connections.isFallback
            ? "the settings of the numbered connections can't be used (edgetick config says why)" : nil
        return feed.source == .none ? [] : connections.list.map { wish(of: $0, replacesBecause: reason) }
    }

    /// The wish of the single connection that replaces several if none of them has symbols; `nil` in single mode and
    /// without SYMBOL_UNIVERSE_KEY.
    var singleWish: SymbolWish? {
        guard connections.isMulti else { return nil }
        return connections.single.map {
            wish(
                of: $0,
                replacesBecause: "none of the numbered connections had symbols at the start: restart when one has")
        }
    }

    /// Whether the single connection of SYMBOL_UNIVERSE_KEY has replaced several that have no symbols.
    func gaveWay(_ plan: SymbolPlan) -> Bool { plan.wishes != wishes }

    func mirror(_ logger: Logger) throws(StoreError) -> UniverseMirror {
        let mirror = try UniverseMirror.open(directory: dataDirectory, access: .readWrite)
        if let name = mirror.setAside {
            logger.error(
                "universe.sqlite could not be read and was set aside; pull or import the universes again",
                metadata: ["file": "\(name)"])
        }
        return mirror
    }

    func relationshipCache(_ mirror: UniverseMirror) -> RelationshipCache {
        RelationshipCache(mirror: mirror, environment: universe.environment.rawValue, timeToLive: universe.cacheTTL)
    }

    /// The rules for changes to the connections at run time; those that are added go to `url`.
    func symbolRules(url: String) -> Symbols.Rules {
        Symbols.Rules(
            maximum: connections.maximum, strategy: connections.rules.strategy, maximumOnDemand: relay.onDemand
        ) { name throws(FeedError) in try feedConfiguration(named: name, url: url) }
    }

    /// Decides what the connections collect at the start. If no universe key can be resolved, the groups are pulled
    /// first: a new box has none, nor does one whose mirror was damaged.
    ///
    /// - Returns: The plan, and whether to start without symbols and wait for them: the pull failed and may work later.
    /// - Throws: ``CommandFailure`` if the pull failed and UNIVERSE_FALLBACK doesn't allow waiting.
    func symbolPlan(
        _ cache: RelationshipCache, _ mirror: UniverseMirror, _ upstream: UpstreamConfiguration?, _ logger: Logger
    ) async throws -> (plan: SymbolPlan, waits: Bool) {
        func open(_ logger: Logger) async throws -> SymbolPlan {
            try await Symbols.open(wishes, single: singleWish, cache: cache, logger: logger)
        }
        let quiet = Logger(label: "symbols") { _ in SwiftLogNoOpLogHandler() }
        guard let upstream, universe.pullInterval != nil, !SymbolPlan.keys(of: wishes).isEmpty,
            await (try? open(quiet))?.hasSymbols != true
        else { return (try await open(logger), false) }
        logger.notice("no universe key can be resolved yet: the groups are pulled before the start")
        let source = UniverseSource(configuration: upstream)
        guard let failure = await mirror.firstPull(from: source, logger: logger) else {
            cache.invalidate(.all)
            return (try await open(logger), false)
        }
        guard universe.fallback == .default else {
            let status = failure.cause.map { CommandFailure($0).status } ?? .tryAgain
            throw CommandFailure(
                status, "no universe key can be resolved, and the groups can't be pulled: \(failure.description)")
        }
        logger.error(
            "nothing is collected until the groups are pulled or imported; the pull is retried",
            metadata: ["error": "\(failure.description)"])
        return (try await open(logger), true)
    }

    /// The symbols that the settings name, as far as the mirror can resolve their keys; empty if everything is
    /// collected.
    func namedSymbols() async -> Set<Symbol> {
        let mirror = try? UniverseMirror.open(directory: dataDirectory, access: .readOnly)
        let all = wishes + [singleWish].compactMap(\.self)
        let resolutions = await mirror.map(relationshipCache)?.resolutions(of: SymbolPlan.keys(of: all)) ?? [:]
        func plan(_ wishes: [SymbolWish]) -> SymbolPlan {
            var plan = SymbolPlan()
            for wish in wishes { _ = try? plan.add(wish, resolutions) }
            return plan
        }
        var decided = plan(wishes)
        if !decided.hasSymbols, let singleWish { decided = plan([singleWish]) }
        return Set(decided.inForce.symbols ?? [])
    }

    /// A warning for each connection that delivers nothing because others already have all of its symbols.
    func coveredTexts(_ plan: SymbolPlan) -> [String] {
        guard connections.isMulti, connections.rules.strategy == .manual, connections.redundantSymbols == nil else {
            return []
        }
        let covered = plan.covered { id in connections.list.first { $0.id == id }?.priority ?? 1 }
        return covered.map { assignment, others in
            guard case .symbols(let symbols) = assignment.interest else { return "" }
            return
                "\(assignment.wish.name) delivers nothing: all that it names (\(symbols.count.counted("symbol"))) is already "
                + "on \(others.joined(separator: " and ")), and a symbol is subscribed once unless "
                + "WEBSOCKET_REDUNDANT_SYMBOLS names it"
        }
    }

    /// The universe settings that may change at run time; `wishes` are those of the running connections.
    private func universes(_ wishes: [SymbolWish]) -> UniverseService.Settings {
        UniverseService.Settings(
            environment: universe.environment.rawValue, cacheTimeToLive: universe.cacheTTL,
            pullInterval: universe.pullInterval, wishes: wishes)
    }

    /// The service that pulls the groups and has the symbols follow the mirror.
    ///
    /// - Parameters:
    ///   - seen: The mirror's change counter before the plan was made.
    ///   - reread: Reads the settings again; the relay's keys change with them. The set of connections stays as it is
    ///     until the next start, also if a single one has replaced several.
    func universeService(
        _ mirror: UniverseMirror, seen: Int64?, _ symbols: Symbols, _ plan: SymbolPlan,
        _ upstream: UpstreamConfiguration?, _ relay: RelayService?, reread: @escaping @Sendable () throws -> Settings
    ) -> UniverseService {
        let gaveWay = gaveWay(plan)
        return UniverseService(
            mirror: mirror, seen: seen, symbols: symbols, source: upstream.map { UniverseSource(configuration: $0) },
            settings: universes(plan.wishes),
            reread: {
                let settings = try reread()
                relay?.change(keys: settings.relay.keys)
                return settings.universes(gaveWay ? [settings.singleWish].compactMap(\.self) : settings.wishes)
            }, giveBackMemory: FreedMemory.giveBack, logger: Logger(label: "universes"))
    }
}

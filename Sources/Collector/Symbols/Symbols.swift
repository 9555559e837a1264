public import Feed
public import Logging
public import MarketData
import Synchronization
public import Universe

/// The single owner of what each connection collects.
///
/// The settings, the mirror's changes and the HTTP API hand it their wishes. Only the relationship cache resolves their
/// universe keys. ``SymbolPlan`` decides, and each connection gets only the difference. Status, health and API read
/// ``assignments`` and ``placement(of:)``.
public final class Symbols: Sendable {
    /// The limits for changes while the collector runs.
    public struct Rules: Sendable {
        /// The most connections (`WEBSOCKET_CONNECTIONS_MAX`).
        public var maximum: Int
        /// How symbols are spread (`WEBSOCKET_ROUTING_STRATEGY`).
        var strategy: RoutingStrategy
        /// How many symbols may be collected because readers of the relay ask for them (`RELAY_ON_DEMAND_MAX`); `nil`
        /// when none may.
        public var maximumOnDemand: Int?
        /// How long such a symbol is collected after its last reader has gone.
        public var demandPatience: Duration = .seconds(60)
        /// Returns how the connection of a name reaches the feed.
        public var configuration: @Sendable (_ name: String) throws(FeedError) -> FeedConfiguration

        /// Makes rules; see the properties for meaning.
        public init(
            maximum: Int, strategy: RoutingStrategy, maximumOnDemand: Int? = nil,
            configuration: @escaping @Sendable (_ name: String) throws(FeedError) -> FeedConfiguration
        ) {
            self.maximum = maximum
            self.strategy = strategy
            self.maximumOnDemand = maximumOnDemand
            self.configuration = configuration
        }
    }

    /// Resolves universe keys, and knows everything else in the mirror.
    public let cache: RelationshipCache
    private let connections: ConnectionSet
    private let rules: Rules
    private let logger: Logger
    /// Also held while the connections are changed, so that no change overtakes another. Nothing waits under this lock.
    private let book: Mutex<Book>

    private struct Book {
        var plan: SymbolPlan
        var demand: SymbolDemand
        /// Incremented whenever the keys are resolved again: earlier resolutions may be out of date.
        var round = 0
        /// The names of the connections that the settings name now and that are used only after a restart.
        var unused: [String] = []
    }

    /// Makes the owner of a plan from ``open(_:single:cache:logger:)``, from which `connections` were made.
    public init(plan: SymbolPlan, cache: RelationshipCache, connections: ConnectionSet, rules: Rules, logger: Logger) {
        self.cache = cache
        self.connections = connections
        self.rules = rules
        self.logger = logger
        book = Mutex(Book(plan: plan, demand: SymbolDemand(patience: rules.demandPatience)))
    }

    // MARK: Reading

    /// What each connection collects and why, in the order of the connections; from memory.
    public var assignments: [SymbolAssignment] { book.withLock { $0.plan.inForce } }

    /// How many of the symbols this box takes; `nil` when it takes all. From memory.
    var shard: ShardState? { book.withLock { $0.plan }.shard }

    /// Returns which connections deliver a symbol, and why; `nil` when nobody asked for it. From memory.
    public func placement(of symbol: Symbol) -> SymbolPlacement? {
        let (plan, isDemanded) = book.withLock { ($0.plan, $0.demand.contains(symbol)) }
        let wanting = connections.wanting(symbol)
        let assignments = plan.inForce
        var reasons: [SymbolPlacement.Reason] = assignments.compactMap { assignment in
            switch assignment.interest {
            case .all: .assignment(assignment)
            case .symbols(let symbols):
                wanting?.contains(assignment.wish.connection) == true && symbols.contains(symbol)
                    ? .assignment(assignment) : nil
            }
        }
        reasons += (plan.singles[symbol] ?? []).map { single -> SymbolPlacement.Reason in
            single.leftBy.map { .left(by: $0, origin: single.origin) }
                ?? .single(origin: single.origin, connection: single.connection)
        }
        if isDemanded { reasons.append(.single(origin: .relay, connection: nil)) }
        guard wanting != nil || !reasons.isEmpty else { return nil }
        let ids = Set(connections.connections(of: symbol))
        let places = connections.snapshot.members.filter { ids.contains($0.id) || $0.feed.takesAll }.map { member in
            SymbolPlacement.Place(
                connection: member.id, name: member.feed.name,
                isConfirmed: member.feed.takesAll
                    ? member.feed.isSettled && member.feed.confirmedChannels == member.feed.channels
                    : member.feed.confirmed.contains(symbol),
                isRefused: member.feed.refused.contains(symbol))
        }
        return SymbolPlacement(symbol: symbol, places: places, reasons: reasons)
    }

    /// Returns collected symbols that resemble one that isn't collected, best first.
    public func symbols(near symbol: Symbol) -> [String] {
        let collected = Set(connections.snapshot.members.flatMap(\.feed.assigned))
        return NearestNames.nearest(to: symbol.description, among: collected.map(\.description))
    }

    // MARK: The settings and the mirror

    /// Decides what the connections collect at a start, and logs it.
    ///
    /// - Parameters:
    ///   - wishes: A wish for each connection.
    ///   - single: Replaces all wishes when there are any and none of them has symbols.
    ///   - cache: Resolves universe keys; `nil` is enough if no wish names one.
    /// - Throws: The key's error when a wish refuses to start without its symbols.
    public static func open(
        _ wishes: [SymbolWish], single: SymbolWish?, cache: RelationshipCache?, logger: Logger
    ) async throws(UniverseError) -> SymbolPlan {
        let plan = try await open(wishes, cache: cache, logger: logger)
        guard let single, wishes.count > 0, !plan.hasSymbols else { return plan }
        logger.error(
            "none of the connections has any symbols: going on with the one connection of SYMBOL_UNIVERSE_KEY",
            metadata: ["key": "\(single.universeKey ?? "")"])
        return try await open([single], cache: cache, logger: logger)
    }

    private static func open(
        _ wishes: [SymbolWish], cache: RelationshipCache?, logger: Logger
    ) async throws(UniverseError) -> SymbolPlan {
        let resolutions = await cache?.resolutions(of: SymbolPlan.keys(of: wishes)) ?? [:]
        var plan = SymbolPlan()
        for wish in wishes { log(try plan.add(wish, resolutions), of: wish, logger) }
        if wishes.count > 1, let first = plan.inForce.first(where: { $0.interest == .all }) {
            logger.warning(
                "one connection collects every symbol: the others stand by",
                metadata: ["connection": "\(first.wish.name)"])
        }
        return plan
    }

    /// Adopts the wishes of settings that were read again; ``follow(because:)`` then applies them.
    func adopt(_ wishes: [SymbolWish], isOtherEnvironment: Bool = false) {
        let (new, gone) = book.withLock { book in
            let change = book.plan.adopt(wishes, isOtherEnvironment: isOtherEnvironment)
            book.unused = change.new
            return change
        }
        let news: [(names: [String], text: Logger.Message)] = [
            (new, "a connection that is new in the settings is used only after a restart"),
            (gone, "a connection was removed from the settings; it is used until the next restart"),
        ]
        for (names, text) in news { for name in names { logger.warning(text, metadata: ["connection": "\(name)"]) } }
    }

    /// The names of the connections that the settings name and that are used only after a restart. From memory.
    var unusedConnections: [String] {
        book.withLock { book in
            guard !book.unused.isEmpty else { return [] }
            // The API may have added one of them since.
            let used = Set(book.plan.wishes.map(\.name))
            return book.unused.filter { !used.contains($0) }
        }
    }

    /// Whether ``follow(because:)`` is due again, because the mirror could not be read for some key. From memory.
    var isBehind: Bool { book.withLock { $0.plan.isBehind } }

    /// Resolves every key again and gives the connections the differences.
    ///
    /// Before this, invalidate whatever in the cache may be out of date.
    func follow(because reason: Logger.Message) async {
        let (round, keys) = book.withLock { book in
            book.round += 1
            return (book.round, book.plan.keys)
        }
        let resolutions = await cache.resolutions(of: keys)
        take(because: reason) { book in
            // A later round sees what this one saw, and more.
            book.round == round ? book.plan.decide(resolutions) : SymbolPlan.Step()
        }
    }

    // MARK: The share

    /// The name of each connection with the symbols of its wish, whether or not this box takes them. From memory.
    var named: [(connection: String, symbols: [Symbol])] { book.withLock { $0.plan }.named }

    /// The symbols that should be collected and have room, and that the feed has neither confirmed nor refused. From
    /// memory.
    var untaken: Set<Symbol> {
        let snapshot = connections.snapshot
        var left = Set(assignments.flatMap(\.named))
        left.subtract(snapshot.unplaced)
        for member in snapshot.members {
            left.subtract(member.feed.confirmed)
            left.subtract(member.feed.refused)
        }
        return left
    }

    /// Whether nothing more is to be expected from the feed: it has confirmed some symbols, and what is left of
    /// ``untaken`` it does not answer for although it was asked again. From memory.
    var areAnswered: Bool {
        var left = untaken
        for member in connections.snapshot.members where member.feed.isSettled && member.feed.confirmedChannels > 0 {
            left.subtract(member.feed.assigned)
        }
        return left.isEmpty
    }

    /// Applies a new share of the symbols, and gives the connections the differences.
    func take(_ share: SymbolShare, because reason: Logger.Message) { take(because: reason) { $0.plan.take(share) } }

    // MARK: The relay's readers

    /// Returns the channels that a reader of the relay asks for but can't get, each with the reason. Never waits.
    ///
    /// Symbols that nobody asked for are collected from now on, if ``Rules/maximumOnDemand`` has room for them. All are
    /// added in one step, since the cost of a step grows with the number of symbols.
    public func admit(_ channels: [FeedChannel]) -> [FeedChannel: String] {
        var refusals: [FeedChannel: String] = [:]
        for channel in connections.refused(channels) { refusals[channel] = "the account's plan does not cover it" }
        let new = book.withLock { book -> [Symbol] in
            if book.plan.inForce.contains(where: { $0.interest == .all }) { return [] }
            var asked: [Symbol: [FeedChannel]] = [:]
            for channel in channels where refusals[channel] == nil {
                if let symbol = channel.symbol { asked[symbol, default: []].append(channel) }
            }
            let unknown = asked.keys.filter { connections.wanting($0) == nil }.sorted()
            let refused = demand(unknown, &book)
            for (symbol, why) in refused { for channel in asked[symbol] ?? [] { refusals[channel] = why } }
            let new = unknown.filter { refused[$0] == nil }
            for symbol in Set(asked.keys).subtracting(unknown) {
                if book.demand.contains(symbol) { book.demand.ask(for: symbol, now: .now) }
                guard connections.connections(of: symbol).isEmpty else { continue }
                for channel in asked[symbol] ?? [] { refusals[channel] = "no connection has room for \(symbol)" }
            }
            return new
        }
        if !new.isEmpty {
            logger.notice(
                "symbols are collected on demand",
                metadata: ["symbols": "\(DisplayText.list(new.map(\.description)))", "count": "\(new.count)"])
        }
        return refusals
    }

    /// Since when a symbol's events of a kind have been collected, whoever asked for them: as
    /// ``ConnectionSet/collectedSince(_:)``, and `nil` for what the account's plan does not cover. Never waits.
    public func collectedSince(_ kind: EventKind, of symbol: Symbol) -> Int64? {
        guard connections.refused([FeedChannel(kind: kind, symbol: symbol)]).isEmpty else { return nil }
        return connections.collectedSince(symbol)
    }

    /// Returns the same for many channels in one step, without those that are not collected and those of every symbol.
    public func collectedSince(_ channels: [FeedChannel]) -> [FeedChannel: Int64] {
        let refused = connections.refused(channels)
        var times: [FeedChannel: Int64] = [:]
        for channel in channels where !refused.contains(channel) {
            if let symbol = channel.symbol { times[channel] = connections.collectedSince(symbol) }
        }
        return times
    }

    /// Returns those of some symbols that nobody asks for any more, so that they are not collected. Never waits.
    public func unwanted(among symbols: some Collection<Symbol> & Sendable) -> [Symbol] {
        book.withLock { book in
            // Both at one moment: a plan that begins or ceases to name everything changes the wishes too.
            let takesAll = book.plan.inForce.contains { $0.interest == .all }
            return takesAll ? [] : connections.unwanted(among: symbols)
        }
    }

    /// The time of the events that come now, in milliseconds since the Unix epoch.
    public var present: Int64 { connections.present }

    /// Starts to collect symbols that nobody asked for before. Returns those that can't be collected, each with the
    /// reason.
    private func demand(_ symbols: [Symbol], _ book: inout Book) -> [Symbol: String] {
        guard !symbols.isEmpty else { return [:] }
        var refused: [Symbol: String] = [:]
        guard let maximum = rules.maximumOnDemand else {
            for symbol in symbols {
                refused[symbol] =
                    "nobody asked for \(symbol): add it to the symbols or a universe, "
                    + "POST /api/websocket/subscriptions, or set RELAY_ON_DEMAND=true"
            }
            return refused
        }
        let room = symbols.prefix(max(0, maximum - book.demand.count))
        do throws(FeedError) {
            for symbol in try connections.subscribe(Array(room), waiting: false)[""] ?? [] {
                refused[symbol] = "no connection has room for \(symbol)"
            }
        } catch {
            for symbol in room { refused[symbol] = error.message }
        }
        for symbol in room where refused[symbol] == nil { book.demand.ask(for: symbol, now: .now) }
        for symbol in symbols.dropFirst(room.count) {
            refused[symbol] =
                "\(book.demand.count.counted("symbol is", "symbols are")) collected on demand already, "
                + "as many as RELAY_ON_DEMAND_MAX allows; one is given up a minute after its last reader"
        }
        return refused
    }

    /// Gives up the on-demand symbols that have had no reader for a minute, and returns those that stay.
    public func reviewDemand(isRead: (Symbol) -> Bool) -> DemandReview {
        guard rules.maximumOnDemand != nil else { return DemandReview() }
        let (over, symbols) = book.withLock { book in
            book.demand.keep { connections.wanting($0) != nil }
            let over = book.demand.look(now: .now, isRead: isRead)
            // Symbols that were asked for over the API meanwhile stay, and so do those that the settings name.
            connections.release(over.filter { book.plan.singles[$0] == nil })
            return (over, book.demand.symbols)
        }
        if !over.isEmpty {
            logger.notice(
                "symbols on demand are no longer collected, since nobody reads them",
                metadata: ["symbols": "\(DisplayText.list(over.map(\.description)))", "count": "\(over.count)"])
        }
        guard !symbols.isEmpty else { return DemandReview() }
        let suspects = Set(connections.snapshot.members.flatMap(\.feed.refused))
        let channels = symbols.filter(suspects.contains).flatMap { symbol in
            EventKind.allCases.map { FeedChannel(kind: $0, symbol: symbol) }
        }
        return DemandReview(symbols: symbols, refused: connections.refused(channels))
    }

    // MARK: Changes over the API

    /// Adds a connection; its key is followed like those of the settings.
    public func add(_ id: String, _ request: ConnectionRequest) async throws(CollectorProblem) {
        if let key = request.universeKey, UniverseKey(key) == nil {
            throw CollectorProblem(
                .invalid, "The universe key names no group; write names joined by colons, such as sp500:nasdaq100.")
        }
        let list = request.symbols.isEmpty ? nil : request.symbols.map(\.description).joined(separator: ",")
        let wish = SymbolWish(
            connection: id, name: request.name ?? id, universeKey: request.universeKey, list: list,
            fallback: .refusal, origin: .api)
        while true {
            let round = book.withLock { $0.round }
            let resolutions = await cache.resolutions(of: SymbolPlan.keys(of: [wish]))
            let selection = try book.withLock { book throws(CollectorProblem) -> SymbolSelection? in
                // The groups have changed meanwhile, so the key is resolved again.
                guard book.round == round else { return nil }
                return try insert(wish, request.priority, resolutions, &book.plan)
            }
            if let selection { return Self.log(selection, of: wish, logger) }
        }
    }

    private func insert(
        _ wish: SymbolWish, _ priority: Int?, _ resolutions: SymbolPlan.Resolutions, _ plan: inout SymbolPlan
    ) throws(CollectorProblem) -> SymbolSelection {
        let wishes = plan.wishes
        guard !wishes.contains(where: { $0.connection == wish.connection }) else {
            throw CollectorProblem(.conflict, "\(wish.connection) already exists.")
        }
        guard wishes.count < rules.maximum else {
            throw CollectorProblem(
                .conflict,
                "WEBSOCKET_CONNECTIONS_MAX allows \(wishes.count.counted("connection")), and there are that many already."
            )
        }
        guard CollectorName.isConnectionName(wish.name), !wishes.contains(where: { $0.name == wish.name }) else {
            throw CollectorProblem(
                .invalid,
                "The name is taken or reserved (backfill, reconcile), or is not 1 to \(CollectorName.maximumLength) "
                    + "letters, digits, dots, hyphens or underscores, with single spaces between words.")
        }
        var next = plan
        let selection: SymbolSelection
        do {
            selection = try next.add(wish, resolutions)
        } catch {
            throw CollectorProblem(error)
        }
        let assignment = next.inForce.last
        try asking { () throws(FeedError) in
            try connections.add(
                SetMember(
                    id: wish.connection, configuration: try rules.configuration(wish.name),
                    interest: assignment?.interest ?? .symbols([]), priority: priority ?? wishes.count + 1))
        }
        plan = next
        return selection
    }

    /// Removes a connection. Its key is no longer followed, and the other connections take over its symbols.
    ///
    /// - Returns: the symbols that no connection delivers any more.
    public func remove(_ id: String) throws(CollectorProblem) -> [Symbol] {
        try book.withLock { book throws(CollectorProblem) in
            try check(id, book.plan)
            guard book.plan.wishes.count > 1 else {
                throw CollectorProblem(.conflict, "\(id) is the last connection; stop the collector instead.")
            }
            let released = try asking { () throws(FeedError) in try connections.remove(id) }
            tell(book.plan.remove(id) { connections.wanting($0) != nil }.changes)
            return released
        }
    }

    /// Subscribes to symbols: on the named connection, or where the strategy places them.
    public func subscribe(_ symbols: [Symbol], to id: String?) throws(CollectorProblem) -> SubscriptionChange {
        let change = try book.withLock { book throws(CollectorProblem) -> SubscriptionChange in
            try check(id, book.plan)
            if let all = book.plan.taker(of: id) {
                throw CollectorProblem(.conflict, "\(all.connection) (\(all.name)) already subscribes to every symbol.")
            }
            let held = Set(
                symbols.filter { symbol in
                    let places = connections.connections(of: symbol)
                    return id.map(places.contains) ?? !places.isEmpty
                })
            let wanted = symbols.filter { !held.contains($0) }
            var changed = try asking { () throws(FeedError) in
                try connections.subscribe(wanted, to: id, waiting: false)
            }
            let homeless = changed.removeValue(forKey: "") ?? []
            guard homeless.isEmpty || !changed.isEmpty else {
                throw CollectorProblem(.conflict, "No connection has room for more symbols.")
            }
            // A symbol that was collected for readers of the relay now stays when they have gone.
            let adopted = held.filter(book.demand.contains)
            book.plan.want(changed.values.flatMap { $0 } + adopted, on: id, origin: .api)
            return SubscriptionChange(
                changed: changed, unchanged: symbols.filter(held.contains), withoutRoom: homeless)
        }
        if !change.withoutRoom.isEmpty {
            let names = DisplayText.list(change.withoutRoom.map(\.description))
            logger.warning(
                "no connection has room for some symbols of a subscription over the API: they are not collected",
                metadata: ["symbols": "\(names)", "count": "\(change.withoutRoom.count)"])
        }
        return change
    }

    /// Unsubscribes from symbols: on the named connection, or wherever they are subscribed.
    public func unsubscribe(_ symbols: [Symbol], from id: String?) throws(CollectorProblem) -> SubscriptionChange {
        try book.withLock { book throws(CollectorProblem) in
            try check(id, book.plan)
            if let all = book.plan.taker(of: id) {
                throw CollectorProblem(
                    .conflict,
                    "\(all.connection) (\(all.name)) subscribes to every symbol; single ones can't be removed.")
            }
            let leaving = Set(symbols)
            let left = connections.snapshot.members.contains { member in
                member.feed.takesAll || member.feed.assigned.contains { !leaving.contains($0) }
            }
            guard left else {
                throw CollectorProblem(
                    .conflict, "No symbol would be left to collect; leave one, or stop the collector.")
            }
            let changed = try asking { () throws(FeedError) in try connections.unsubscribe(symbols, from: id) }
            let gone = Set(changed.values.flatMap { $0 })
            book.plan.unwant(symbols, on: id) { connections.wanting($0) != nil }
            book.demand.keep { connections.wanting($0) != nil }
            return SubscriptionChange(changed: changed, unchanged: symbols.filter { !gone.contains($0) })
        }
    }

    /// Moves symbols between the connections so that they deliver about the same number of events.
    public func rebalance() throws(CollectorProblem) -> [SetMove] {
        guard book.withLock({ $0.plan.wishes.count }) > 1 else {
            throw CollectorProblem(
                .conflict,
                "There is only one connection, so no symbol can move; USE_MULTI_CONNECTION=true allows several.")
        }
        switch rules.strategy {
        case .manual, .loadBalanced: return connections.rebalance()
        case .roundRobin, .priority:
            throw CollectorProblem(
                .conflict,
                "WEBSOCKET_ROUTING_STRATEGY=\(rules.strategy.rawValue) decides where each symbol belongs; "
                    + "with load-balanced and manual, symbols can move.")
        }
    }

    // MARK: Parts

    private func check(_ id: String?, _ plan: SymbolPlan) throws(CollectorProblem) {
        let ids = plan.wishes.map(\.connection)
        guard let id, !ids.contains(id) else { return }
        throw CollectorProblem(.notFound, "There is no connection \"\(id)\".", nearest: ids)
    }

    /// Takes a step of the plan, gives the connections the differences, and logs them.
    private func take(because reason: Logger.Message, _ step: (inout Book) -> SymbolPlan.Step) {
        let taken = book.withLock { book in
            let taken = step(&book)
            tell(taken.changes)
            return taken
        }
        for remark in taken.remarks {
            logger.log(level: remark.level.logLevel, "\(remark.text)", metadata: ["connection": "\(remark.name)"])
        }
        for change in taken.changes {
            logger.notice(
                reason,
                metadata: [
                    "connection": "\(change.name)", "added": "\(change.added)", "removed": "\(change.removed)",
                    "such_as": "\(change.sample)",
                ])
        }
    }

    private func tell(_ changes: [SymbolPlan.Change]) {
        guard !changes.isEmpty else { return }
        do {
            try connections.setInterests(changes.map { .init($0.interest, of: $0.connection, isOverdue: $0.isOverdue) })
        } catch {
            logger.error("a connection can't take its symbols", metadata: ["error": "\(error)"])
        }
    }

    private func asking<Value>(_ body: () throws(FeedError) -> Value) throws(CollectorProblem) -> Value {
        do { return try body() } catch { throw CollectorProblem(.conflict, error.message) }
    }

    private static func log(_ selection: SymbolSelection, of wish: SymbolWish, _ logger: Logger) {
        for remark in selection.remarks {
            logger.log(level: remark.level.logLevel, "\(remark.text)", metadata: ["connection": "\(wish.name)"])
        }
        logger.info("symbols: \(selection.summary)", metadata: ["connection": "\(wish.name)"])
    }
}

extension SymbolSelection.Remark.Level {
    fileprivate var logLevel: Logger.Level { self == .error ? .error : .warning }
}

extension CollectorProblem {
    /// Makes the problem of a universe key that gives no symbols.
    public init(_ error: UniverseError) {
        let kind: Kind =
            switch error.reason {
            case .unknownKey: .notFound
            case .noSymbols: .conflict
            case .emptyKey: .invalid
            case .mirror: .unavailable
            }
        self.init(kind, error.description, nearest: error.nearest)
    }
}

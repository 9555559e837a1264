public import Logging
public import MarketData
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// The feed connections of a collector as one: they share the symbols, take over for each other, and deliver one
/// stream.
///
/// All connect at the same time, and none waits for another. ``SetMachine`` decides what belongs where. The sink gets
/// one copy of each event, whichever connections delivered it. A set of one does the same with nothing to decide.
public final class ConnectionSet: Service, Sendable {
    private let configuration: SetConfiguration
    private let sharesLoad: Bool
    private let core: Mutex<SetCore>
    private let routes: Mutex<SetRoutes>
    private let confluence: Confluence
    private let cover = GapCover()
    private let eventLoop: any EventLoop
    private let bell = Doorbell()
    private let isRunning = Atomic(false)
    private let isStopping = Atomic(false)
    private let keep: @Sendable (CollectedTimes) -> Void
    private let logger: Logger

    /// Makes a set that does nothing until ``run()``.
    ///
    /// - Parameters:
    ///   - sink: receives the events of all connections; called on their event loops.
    ///   - isFixed: whether the set never changes; events are then not counted by symbol.
    ///   - previously: since when the previous collector had collected each symbol at its end; `nil` if that is not
    ///     known.
    ///   - keep: stores that of this one whenever it changes. Must not wait.
    /// - Throws: ``FeedError/Reason/misuse`` if two members have the same id, or there are more members than slots.
    public init(
        configuration: SetConfiguration, members: [SetMember], sink: any EventSink, isFixed: Bool = false,
        previously: CollectedTimes? = nil, keep: @escaping @Sendable (CollectedTimes) -> Void = { _ in },
        logger: Logger
    ) throws(FeedError) {
        self.configuration = configuration
        self.keep = keep
        self.logger = logger
        sharesLoad = !isFixed
        confluence = Confluence(
            sink: sink, memory: configuration.memory, limit: configuration.memoryLimit)
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        core = Mutex(SetCore(machine: SetMachine(configuration), previously: previously, logger: logger))
        routes = Mutex(SetRoutes())
        for member in members { try insert(member) }
        settle()
    }

    /// Runs the connections until graceful shutdown or cancellation, then waits for them to end.
    ///
    /// - Throws: ``FeedError/Reason/misuse`` if it ran before.
    public func run() async throws {
        guard isRunning.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent).exchanged
        else {
            throw FeedError(.misuse, operation: "run", message: "the set of connections was run before; make a new one")
        }
        let sampler = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] _ in
            self?.sample()
        }
        let health = TimeAmount(configuration.healthInterval)
        let balancer = eventLoop.scheduleRepeatedTask(initialDelay: health, delay: health) { [weak self] _ in
            self?.checkHealth()
        }
        defer {
            sampler.cancel()
            balancer.cancel()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            await withTaskCancellationOrGracefulShutdownHandler {
                await supervise(&group)
            } onCancelOrGracefulShutdown: { [self] in
                isStopping.store(true, ordering: .sequentiallyConsistent)
                bell.ring()
            }
            try await group.waitForAll()
        }
    }

    private func supervise(_ group: inout ThrowingTaskGroup<Void, any Error>) async {
        while !isStopping.load(ordering: .sequentiallyConsistent) {
            core.withLock { $0.seat(limit: configuration.limit, now: FeedMoment.now().monotonic) }
            let deadline = decide()
            for connection in core.withLock({ $0.takeUnstarted() }) {
                group.addTask { [self] in
                    defer {
                        core.withLock { $0.finished(connection) }
                        bell.ring()
                    }
                    try await connection.run()
                }
            }
            // A deadline that has passed without effect must not make this loop spin.
            let wait = deadline.map { max(.milliseconds(20), $0 - FeedMoment.now().monotonic) }
            await bell.sleep(upTo: wait ?? .seconds(3600))
        }
        let end = FeedMoment.now()
        core.withLock { core in
            core.isEnded = true
            if let change = core.noteUnplaced(end, isOver: true) { confluence.sink.record(change) }
        }
    }

    // MARK: Changes

    /// The symbols that a connection is configured to deliver from now on.
    public struct NewInterest: Sendable {
        /// The connection's id.
        public var connection: String
        /// The symbols, or everything.
        public var interest: Interest
        /// Whether the connection should have delivered these symbols from the start, but nobody could say which they
        /// are. Those that were not wanted from the start are then recorded as missed since the previous collector.
        public var isOverdue: Bool

        /// Makes a connection's new interest; see the properties for meaning.
        public init(_ interest: Interest, of connection: String, isOverdue: Bool = false) {
            self.connection = connection
            self.interest = interest
            self.isOverdue = isOverdue
        }
    }

    /// Replaces what connections are configured to deliver; while they run, only the difference is sent.
    ///
    /// All is decided in one step: a symbol that goes from one connection's list to another's is given up where it was
    /// only when the other one delivers it.
    ///
    /// - Throws: ``FeedError/Reason/misuse`` if one of them doesn't exist. The others still get their symbols.
    public func setInterests(_ new: [NewInterest]) throws(FeedError) {
        let missing = core.withLock { core in
            new.filter { change in
                guard let slot = core.slot(of: change.connection) else { return true }
                core.configure(slot, change.interest, isOverdue: change.isOverdue)
                return false
            }
        }
        settle()
        if let missing = missing.first { throw Self.unknown(missing.connection) }
    }

    /// Subscribes to symbols while running: on the given connection, bound to it, or else where the strategy puts them.
    ///
    /// - Parameter waiting: whether symbols that no connection has room for wait for room; otherwise they are treated as
    ///   if nobody had asked for them.
    /// - Returns: the symbols that are new, by the id of the connection that should deliver them; under an empty id
    ///   those that no connection has room for.
    /// - Throws: ``FeedError/Reason/misuse`` if there is no such connection.
    @discardableResult
    public func subscribe(
        _ symbols: [Symbol], to id: String? = nil, waiting: Bool = true
    ) throws(FeedError) -> [String: [Symbol]] {
        let slot = try id.map { id throws(FeedError) in try self.slot(of: id) }
        var homeless: [Symbol] = []
        let new = core.withLock { core -> [Symbol] in
            let bound = slot != nil
            let refused = waiting ? [] : core.machine.homeless(symbols, on: slot, bound: bound)
            homeless = symbols.filter(refused.contains)
            let taken = symbols.filter { !refused.contains($0) }
            return taken.isEmpty ? [] : core.machine.want(taken, on: slot, bound: bound)
        }
        // A change of nothing would cost as much as one of every symbol.
        if homeless.count < symbols.count { settle() }
        return grouped(new).merging(homeless.isEmpty ? [:] : ["": homeless], uniquingKeysWith: +)
    }

    /// Unsubscribes from symbols while running: on the given connection, or else on all.
    ///
    /// - Returns: the symbols that ended, by the id of the connection that had them.
    /// - Throws: ``FeedError/Reason/misuse`` if there is no such connection.
    @discardableResult
    public func unsubscribe(_ symbols: [Symbol], from id: String? = nil) throws(FeedError) -> [String: [Symbol]] {
        let slot = try id.map { id throws(FeedError) in try self.slot(of: id) }
        var places: [String: [Symbol]] = [:]
        core.withLock { core in
            let before = core.routes
            for symbol in core.machine.unwant(symbols, on: slot) {
                for place in before.slots[symbol] ?? [] where slot == nil || slot == place {
                    guard let id = before.ids[place] else { continue }
                    places[id, default: []].append(symbol)
                }
            }
        }
        settle()
        return places
    }

    /// Takes back subscriptions that were made wherever the strategy put them; symbols that connections are configured
    /// to deliver stay.
    public func release(_ symbols: [Symbol]) {
        guard !symbols.isEmpty else { return }
        core.withLock { $0.machine.release(symbols) }
        settle()
    }

    /// Adds a connection while running; the strategy then distributes the symbols again.
    ///
    /// - Throws: ``FeedError/Reason/misuse`` if the id or all slots are taken.
    public func add(_ member: SetMember) throws(FeedError) {
        try insert(member)
        settle()
    }

    /// Removes a connection while running: the others subscribe to its symbols, as far as they have room, before it
    /// ends.
    ///
    /// Its id is free at once. What it delivers until its end counts in ``SetSnapshot/former``.
    ///
    /// - Returns: the symbols that no connection delivers any more.
    /// - Throws: ``FeedError/Reason/misuse`` if there is no such connection.
    @discardableResult
    public func remove(_ id: String) throws(FeedError) -> [Symbol] {
        let slot = try slot(of: id)
        let before = core.withLock { core in
            let before = core.machine.placed.filter { $0.value.contains(slot) }.keys.sorted()
            core.remove(slot, now: FeedMoment.now().monotonic)
            return before
        }
        settle()
        return core.withLock { core in before.filter { core.machine.goals[$0] == nil } }
    }

    /// Evens out the load of the connections now; the symbols keep coming while they move.
    ///
    /// Does nothing if the strategy determines where a symbol belongs (round-robin, priority).
    public func rebalance() -> [SetMove] { rebalance(isAsked: true) }

    // MARK: Look-ups

    /// The ids of the connections that deliver a symbol, from memory; does not wait for changes under way.
    public func connections(of symbol: Symbol) -> [String] {
        let routes = routes.withLock { $0 }
        return (routes.slots[symbol] ?? []).compactMap { routes.ids[$0] }
    }

    /// The ids of the connections that a symbol is wanted on, wherever it was moved; empty if it is only wanted where
    /// the strategy puts it; `nil` if nobody wants it.
    public func wanting(_ symbol: Symbol) -> [String]? {
        core.withLock { core in
            core.machine.wishes[symbol].map { wish in wish.wanting.compactMap { core.entries[$0]?.member.id } }
        }
    }

    /// Since when a symbol has been collected, in milliseconds since the Unix epoch and in the events' own time, from
    /// memory. What was missed since then is recorded as gaps.
    ///
    /// - Returns: `Int64.min` if no time before is known in which it was not collected; `nil` if nobody wants it, or if
    ///   the feed has not answered for it yet.
    public func collectedSince(_ symbol: Symbol) -> Int64? { core.withLock { $0.collected[symbol] } }

    /// The latest ``collectedSince(_:)`` of some symbols; with `nil`, that of everything. It changes whenever one of
    /// them was not collected for a while.
    public func collectedSince(lastOf symbols: Set<Symbol>?) -> Int64? {
        core.withLock { $0.collected.latest(of: symbols) }
    }

    /// Returns those of some symbols that nobody wants by name, in one step.
    public func unwanted(among symbols: some Collection<Symbol> & Sendable) -> [Symbol] {
        core.withLock { core in symbols.filter { core.machine.wishes[$0] == nil } }
    }

    /// The time of the events that come now, in milliseconds since the Unix epoch: that of the most delayed connection.
    public var present: Int64 {
        let delay = core.withLock { $0.entries.values.map(\.member.configuration.feedDelay).max() }
        return WallClock.milliseconds() - (delay ?? 0)
    }

    /// Returns the channels that the account's plan does not cover: the feed refused them to every connection that should
    /// deliver them.
    public func refused(_ channels: [FeedChannel]) -> Set<FeedChannel> {
        let connections = core.withLock { $0.entries.mapValues(\.connection) }
        let refused = connections.mapValues { Set($0.snapshot.refusedChannels) }
        guard refused.values.contains(where: { !$0.isEmpty }) else { return [] }
        return core.withLock { core in
            let members = core.members
            let found = channels.filter { channel in
                let names = [channel.description, FeedChannel(kind: channel.kind, symbol: nil).description]
                let bringing = members.filter { slot, entry in
                    entry.member.interest == .all
                        || channel.symbol.map { core.machine.placed[$0]?.contains(slot) == true } ?? false
                }
                return !bringing.isEmpty
                    && bringing.allSatisfy { names.contains(where: (refused[$0.slot] ?? []).contains) }
            }
            return Set(found)
        }
    }

    /// Returns a sink that takes events as if a connection had delivered them, for replaying recorded ones and for
    /// measuring; `nil` if there is no such connection.
    public func entrance(of id: String) -> (any EventSink)? {
        core.withLock { core in core.slot(of: id).flatMap { core.entries[$0]?.inlet } }
    }

    /// The set's state and counters, from memory.
    public var snapshot: SetSnapshot {
        let counts = confluence.counts
        return core.withLock { core in
            let failed = core.hasOthers ? core.machine.failover.failed : []
            let members = core.members.map { slot, entry -> SetSnapshot.Member in
                var member = SetSnapshot.Member(
                    id: entry.member.id, feed: entry.connection.snapshot, priority: entry.member.priority)
                member.isFailedOver = configuration.failsOver && failed.contains(slot)
                member.eventsPerSecond = entry.meter.eventRate(over: .seconds(1))
                member.eventsPer5Seconds = entry.meter.eventRate(over: .seconds(5))
                member.eventsPerMinute = entry.meter.eventRate(over: .seconds(60))
                member.errorRate = entry.meter.errorRate
                return member
            }
            var snapshot = SetSnapshot()
            snapshot.members = members
            snapshot.former = core.former
            snapshot.wanted = core.machine.order.count
            snapshot.unplaced = core.machine.unplaced
            snapshot.moving = core.machine.moving
            snapshot.duplicates = counts.duplicates
            snapshot.forgotten = counts.forgotten
            return snapshot
        }
    }

    // MARK: Parts

    private func slot(of id: String) throws(FeedError) -> Int {
        guard let slot = core.withLock({ $0.slot(of: id) }) else { throw Self.unknown(id) }
        return slot
    }

    private static func unknown(_ id: String) -> FeedError {
        FeedError(.misuse, operation: "look up", message: "there is no connection \(DisplayText.escaped(id))")
    }

    private func insert(_ member: SetMember) throws(FeedError) {
        try core.withLock { core throws(FeedError) in
            guard !core.isEnded else {
                throw FeedError(.misuse, operation: "add", message: "the connections have been stopped")
            }
            guard core.slot(of: member.id) == nil else {
                throw FeedError(
                    .misuse, operation: "add",
                    message: "there is already a connection \(DisplayText.escaped(member.id)); remove it first")
            }
            guard let slot = core.freeSlot else {
                throw FeedError(.misuse, operation: "add", message: "there are already \(SlotSet.capacity) connections")
            }
            let inlet = Inlet(confluence, slot: slot, cover: cover, isTallying: sharesLoad)
            let connection = FeedConnection(
                configuration: member.configuration, interest: member.interest == .all ? .all : .symbols([]),
                sink: inlet, logger: logger)
            connection.onChange { [bell] in bell.ring() }
            cover.add(connection, slot: slot, delay: member.configuration.feedDelay)
            core.insert(
                SetCore.Entry(member: member, connection: connection, inlet: inlet), slot: slot,
                limit: configuration.limit, now: FeedMoment.now().monotonic)
        }
    }

    /// Decides about a change at once, and wakes the loop for what follows from it.
    private func settle() {
        _ = decide()
        bell.ring()
    }

    /// Lets the machine decide, performs its decisions, and returns when it must be asked again.
    private func decide() -> Duration? {
        let now = FeedMoment.now()
        return core.withLock { core -> Duration? in
            guard !core.isEnded else { return nil }
            let failed = core.machine.failover.failed
            if let change = core.noteOverdue(now) { confluence.sink.record(change) }
            core.advance(now: now, confluence: confluence, cover: cover)
            core.logFailures(before: failed)
            if let change = core.noteUnplaced(now) { confluence.sink.record(change) }
            if core.noteCollected(now) { keep(core.collected.times) }
            let fresh = core.routes
            routes.withLock { $0 = fresh }
            return core.machine.deadline
        }
    }

    private func grouped(_ symbols: [Symbol]) -> [String: [Symbol]] {
        core.withLock { core in
            var result: [String: [Symbol]] = [:]
            for symbol in symbols {
                let id = core.machine.goals[symbol]?.first.flatMap { core.entries[$0]?.member.id } ?? ""
                result[id, default: []].append(symbol)
            }
            return result
        }
    }

    private func sample() {
        let now = FeedMoment.now().monotonic
        core.withLock { core in
            for (slot, entry) in core.entries {
                let feed = entry.connection.snapshot
                core.entries[slot]?.meter.add(
                    .init(time: now, events: feed.eventCount, errors: feed.errorCount + feed.overflowed))
            }
        }
    }

    private func checkHealth() {
        guard sharesLoad else { return }
        core.withLock { core in
            var seen: [Symbol: Int] = [:]
            for entry in core.entries.values { seen.merge(entry.inlet.takeTally()) { max($0, $1) } }
            let seconds = configuration.healthInterval.inSeconds
            for symbol in core.machine.order {
                let rate = Double(seen[symbol] ?? 0) / seconds
                // A guess is in a unit of its own, so the first rates replace it. Later, old rates fade by half each
                // time.
                let before = core.hasRates ? core.machine.weights[symbol] ?? rate : rate
                core.machine.weights[symbol] = (before + rate) / 2
            }
            core.hasRates = core.hasRates || !seen.isEmpty
        }
        if configuration.rebalances { _ = rebalance(isAsked: false) }
    }

    private func rebalance(isAsked: Bool) -> [SetMove] {
        let moves = core.withLock { core -> [SetMove] in
            if isAsked, !core.hasRates {
                // Asked before the rates were first compared: the counts so far are better than nothing.
                for entry in core.entries.values {
                    for (symbol, count) in entry.inlet.currentTally {
                        core.machine.weights[symbol] = Double(count)
                    }
                }
            }
            return core.machine.rebalance(isAsked: isAsked).compactMap { move in
                guard let from = core.entries[move.from]?.member.id, let to = core.entries[move.to]?.member.id else {
                    return nil
                }
                return SetMove(symbol: move.symbol, from: from, to: to)
            }
        }
        guard !moves.isEmpty else { return [] }
        logger.notice("symbols move to even out the load", metadata: ["symbols": "\(moves.count)"])
        settle()
        return moves
    }
}

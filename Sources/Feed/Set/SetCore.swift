import Logging
import MarketData

/// A set's state, behind one lock: the machine, the connections, and what was decided for them.
struct SetCore: Sendable {
    struct Entry: Sendable {
        var member: SetMember
        var connection: FeedConnection
        var inlet: Inlet
        var meter = RateMeter()
    }

    var machine: SetMachine
    var entries: [Int: Entry] = [:]
    /// Connections that were created but do not run yet.
    private var unstarted: [FeedConnection] = []
    /// Slots of members that wait for another one to end, oldest first. The machine doesn't know them yet: it would
    /// keep symbols on the leaving connection until they are confirmed here, so each would wait for the other.
    private var waiting: [Int] = []
    /// Connections that were removed but have not ended yet.
    private var ending: [FeedConnection] = []
    private var ended = FeedTotals()
    private var running = 0
    var isEnded = false
    private var unplaced = UnplacedLedger()
    /// How far the previous collector of the file got.
    private var previousLife: PreviousLife?
    /// Symbols that should have been delivered from the start, but nobody could name them until now. Each is kept until
    /// a gap records what was missed of it.
    private var overdue: Set<Symbol> = []
    private(set) var collected: CollectedSince
    /// Whether the machine's weights are observed rates, not guesses.
    var hasRates = false
    private let logger: Logger

    init(machine: SetMachine, previously: CollectedTimes? = nil, logger: Logger) {
        self.machine = machine
        self.logger = logger
        collected = CollectedSince(previous: previously)
    }

    /// The slot of a member, unless it is being removed.
    func slot(of id: String) -> Int? {
        entries.first { $0.value.member.id == id && machine.stations[$0.key]?.removedSince == nil }?.key
    }

    var freeSlot: Int? { (0..<SlotSet.capacity).first { entries[$0] == nil } }

    /// The members in the order of their slots, without those that are being removed.
    var members: [(slot: Int, entry: Entry)] {
        entries.filter { machine.stations[$0.key]?.removedSince == nil }.sorted { $0.key < $1.key }
            .map { (slot: $0.key, entry: $0.value) }
    }

    /// What former members delivered, including those that are being removed.
    var former: FeedTotals {
        let leaving = entries.filter { machine.stations[$0.key]?.removedSince != nil }.map(\.value.connection)
        return (leaving + ending).reduce(into: ended) { $0.add($1.snapshot) }
    }

    /// Adds a new connection. If there are already `limit` of them, including any that are leaving, it waits.
    mutating func insert(_ entry: Entry, slot: Int, limit: Int?, now: Duration) {
        entries[slot] = entry
        previousLife = previousLife ?? entry.member.configuration.previousLife
        waiting.append(slot)
        seat(limit: limit, now: now)
    }

    /// Seats waiting members as far as the limit allows.
    mutating func seat(limit: Int?, now: Duration) {
        while let slot = waiting.first, running + unstarted.count < limit ?? .max {
            waiting.removeFirst()
            guard let entry = entries[slot] else { continue }
            machine.add(
                Router.Seat(slot: slot, priority: entry.member.priority, capacity: entry.member.capacity), now: now)
            configure(slot, entry.member.interest)
            unstarted.append(entry.connection)
        }
    }

    /// Replaces what a member is configured to deliver.
    ///
    /// - Parameter isOverdue: whether it should have delivered these symbols from the start.
    mutating func configure(_ slot: Int, _ interest: Interest, isOverdue: Bool = false) {
        entries[slot]?.member.interest = interest
        guard !waiting.contains(slot) else { return }
        switch interest {
        case .all: machine.configure(slot, [], takesAll: true)
        case .symbols(let symbols):
            // What was wanted from the start has its gap, and what its settings named before is not late.
            if isOverdue, previousLife != nil {
                overdue.formUnion(
                    symbols.filter {
                        !collected.isFromStart($0) && machine.wishes[$0]?.named.contains(slot) != true
                    })
            }
            machine.configure(slot, symbols)
        }
    }

    /// Begins to remove a member; one that is waiting is gone at once.
    mutating func remove(_ slot: Int, now: Duration) {
        guard let index = waiting.firstIndex(of: slot) else { return machine.remove(slot, now: now) }
        waiting.remove(at: index)
        entries[slot] = nil
    }

    /// Returns the connections to start now, and counts them as running.
    mutating func takeUnstarted() -> [FeedConnection] {
        defer { unstarted = [] }
        running += unstarted.count
        return unstarted
    }

    /// Records that a connection's run is over.
    mutating func finished(_ connection: FeedConnection) {
        running -= 1
        guard let index = ending.firstIndex(where: { $0 === connection }) else { return }
        ended.add(ending.remove(at: index).snapshot)
    }

    var routes: SetRoutes {
        var ids = [String?](repeating: nil, count: SlotSet.capacity)
        for (slot, entry) in members { ids[slot] = entry.member.id }
        return SetRoutes(slots: machine.placed, ids: ids)
    }

    /// Brings the machine up to date with the connections, and performs what it decides.
    mutating func advance(now: FeedMoment, confluence: Confluence, cover: GapCover) {
        for (slot, entry) in entries { observe(slot, entry, now, confluence, cover) }
        var recorded: Set<Symbol> = []
        for action in machine.advance(now: now.monotonic) {
            switch action {
            case .share(let sharings): confluence.share(sharings)
            case .interest(let slot, let interest):
                let missed = missed(of: interest)
                entries[slot]?.connection.setInterest(interest, missed: missed)
                recorded.formUnion(missed?.symbols ?? [])
            case .stop(let slot):
                cover.remove(slot)
                confluence.observe(slot, line: nil)
                guard let entry = entries.removeValue(forKey: slot) else { continue }
                entry.connection.stop()
                ending.append(entry.connection)
            }
        }
        overdue.subtract(recorded)
    }

    /// The overdue symbols of an interest, for the connection that now subscribes to them to record.
    private func missed(of interest: Interest) -> MissedSymbols? {
        guard !overdue.isEmpty, let previousLife, case .symbols(let symbols) = interest else { return nil }
        return MissedSymbols(symbols: overdue.intersection(symbols), life: previousLife)
    }

    /// Returns the gaps of overdue symbols that are subscribed to already, because somebody else wanted them meanwhile.
    /// Called before ``advance(now:confluence:cover:)``, which has the connections subscribe to the others.
    mutating func noteOverdue(_ now: FeedMoment) -> GapChange? {
        overdue = overdue.filter { machine.wishes[$0] != nil }
        let subscribed = overdue.filter { machine.placed[$0] != nil }
        guard !subscribed.isEmpty, let previousLife,
            let configuration = entries.min(by: { $0.key < $1.key })?.value.member.configuration
        else { return nil }
        overdue.subtract(subscribed)
        let present = now.wall - configuration.feedDelay + Gap.endMargin
        let channels = FeedChannel.channels(of: .symbols(Array(subscribed)), events: configuration.events)
        var losses = LossLedger()
        losses.lostSince(previousLife, channels, delay: configuration.feedDelay, now)
        let gaps = losses.ended(channels, connection: configuration.name) { [collected] channel, _, _ in
            .init(time: channel.symbol.flatMap { collected[$0] } ?? present)
        }
        return GapChange(gaps: gaps)
    }

    private mutating func observe(
        _ slot: Int, _ entry: Entry, _ now: FeedMoment, _ confluence: Confluence, _ cover: GapCover
    ) {
        let feed = entry.connection.snapshot
        // What the feed refuses here it would refuse on the other connections too.
        let isUp = feed.isUp
        confluence.observe(slot, line: isUp ? feed.reconnects : nil)
        let standing = isUp ? Set(feed.confirmed) : []
        machine.observe(
            slot,
            .init(
                isUp: isUp, standing: standing, isSettled: feed.isSettled, isQuiet: feed.isQuiet,
                standsAll: feed.takesAll && feed.isSettled && feed.confirmedChannels == feed.channels),
            now: now.monotonic)
        if machine.configuration.redundant != .none {
            cover.confirmed(slot, standing.filter(machine.configuration.redundant.contains), wall: now.wall)
        }
    }

    /// Whether there is more than one connection, so that one could take another's symbols.
    var hasOthers: Bool { machine.stations.values.count { $0.removedSince == nil } > 1 }

    /// Logs which symbols are not collected for lack of room, when that changes.
    ///
    /// - Parameter isOver: whether the set ends, and with it every gap.
    /// - Returns: the change to record in their gaps.
    mutating func noteUnplaced(_ now: FeedMoment, isOver: Bool = false) -> GapChange? {
        guard let first = entries.min(by: { $0.key < $1.key })?.value.member else { return nil }
        let homeless = isOver ? [] : machine.unplaced
        let before = unplaced.symbols.count
        var configuration = first.configuration
        configuration.previousLife = previousLife
        let change = unplaced.note(homeless, overdue: overdue, now, configuration)
        overdue.subtract(homeless)
        // If symbols are displaced by the same number of others, that makes a gap as well.
        guard change != nil, !isOver else { return change }
        guard !homeless.isEmpty else {
            if before > 0 { logger.notice("the connections have room for all symbols again") }
            return change
        }
        logger.warning(
            "some symbols are not collected because no connection has room for them; raise a connection's CAPACITY, enable another connection, or configure fewer symbols",
            metadata: [
                "count": "\(homeless.count)", "of": "\(machine.order.count)",
                "such_as": "\(homeless.prefix(10).map(\.description).joined(separator: " "))",
            ])
        return change
    }

    /// Records since when symbols have been collected; returns whether that has changed.
    mutating func noteCollected(_ now: FeedMoment) -> Bool {
        let stations = machine.stations
        let placed = machine.placed
        let feeds = entries.mapValues { $0.connection.snapshot }
        let delay = entries.values.map(\.member.configuration.feedDelay).min() ?? 0
        // A refused channel has a gap, so its symbol is answered too.
        func isAnswered(_ symbol: Symbol?, _ slot: Int, _ station: SetMachine.Station) -> Bool {
            guard let feed = feeds[slot] else { return false }
            guard let symbol else {
                return station.asksAll && (station.standsAll || station.isSettled && !feed.refusedChannels.isEmpty)
            }
            // What is known of a symbol that has just joined is about an earlier subscription.
            guard placed[symbol]?.contains(slot) == true, !station.fresh.contains(symbol) else { return false }
            return station.standing.contains(symbol) || feed.refused.contains(symbol)
        }
        return collected.note(
            machine.wishes.keys, takesAll: stations.values.contains(where: \.asksAll),
            time: now.wall - delay + Gap.endMargin
        ) { symbol in
            stations.contains { isAnswered(symbol, $0.key, $0.value) }
        }
    }

    /// Logs which connections have failed or recovered. A connection that is alone has nobody to give its symbols to.
    func logFailures(before: SlotSet) {
        let after = machine.failover.failed
        guard after != before, machine.configuration.failsOver, hasOthers else { return }
        for slot in after.subtracting(before) {
            guard let entry = entries[slot] else { continue }
            let own = machine.homes.values.count { $0.contains(slot) }
            let moved = machine.goals.count {
                machine.homes[$0.key]?.contains(slot) == true && !$0.value.contains(slot)
            }
            logger.warning(
                moved > 0
                    ? "the connection has been down for longer than WEBSOCKET_FAILOVER_GRACE: its symbols move to other connections"
                    : "the connection has been down for longer than WEBSOCKET_FAILOVER_GRACE, and no other connection can take its symbols: they are not collected",
                metadata: [
                    "connection": "\(entry.member.configuration.name)", "symbols": "\(own)", "moved": "\(moved)",
                ])
        }
        for slot in before.subtracting(after) {
            guard let entry = entries[slot] else { continue }
            logger.notice(
                "the connection is up again and takes its symbols back",
                metadata: ["connection": "\(entry.member.configuration.name)"])
        }
    }
}

import MarketData

/// Decides which of a set's connections subscribes to what, moment by moment. Performs nothing, reads no clock.
///
/// ``Router`` and ``Failover`` determine where a symbol belongs (its goal). On the way there, a symbol is first
/// subscribed at its new place, and the old place is given up only when the new one is confirmed. In between every
/// event comes twice, and none is missed. ``Action/share(_:)`` informs ``Confluence`` which symbols those are.
struct SetMachine: Sendable {
    /// Which connections may deliver a symbol at the moment.
    struct Sharing: Equatable, Sendable {
        var symbol: Symbol
        var slots: SlotSet
        /// Those of the slots that deliver no new events any more.
        var ended: SlotSet = []
    }

    enum Action: Equatable, Sendable {
        /// From now on, and before any later action is performed, these symbols may come from several connections, or
        /// from only one.
        case share([Sharing])
        /// The connection must subscribe to exactly this, the most important first.
        case interest(Int, Interest)
        /// The connection must stop for good: it has no symbols left, or has been leaving for too long.
        case stop(Int)
    }

    /// The state of a connection, as the connection reports it.
    struct Observation: Sendable {
        /// Whether it is logged in and subscribed.
        var isUp: Bool
        /// The symbols with every channel confirmed.
        var standing: Set<Symbol>
        /// Whether the feed has answered for everything that the last interest asked for.
        var isSettled: Bool
        /// Whether the feed has confirmed the end of everything that the last interest gave up.
        var isQuiet: Bool
        /// Whether every wildcard channel is confirmed, and so every symbol.
        var standsAll = false
    }

    struct Station: Sendable {
        var seat: Router.Seat
        /// Whether it should deliver everything.
        var takesAll = false
        /// Whether its interest is everything. It remains so until the symbols that it gives up are confirmed
        /// elsewhere.
        var asksAll = false
        /// Whether it no longer asks for everything but the feed has not confirmed that yet.
        var endsAll = false
        var isUp = false
        var standing: Set<Symbol> = []
        var standsAll = false
        /// The symbols that joined since the feed last answered everything; earlier reports of them as confirmed do not
        /// count.
        var fresh: Set<Symbol> = []
        var isSettled = false
        /// Since when the connection is being removed.
        var removedSince: Duration?
        var count = 0
    }

    private struct Place: Hashable, Sendable {
        var symbol: Symbol
        var slot: Int
    }

    /// A place that was given up.
    private struct Leave: Sendable {
        var since: Duration
        /// When the feed confirmed the end, or the wait for that was over.
        var quietSince: Duration?
        /// Whether none of its events can come any more.
        var isOver = false
    }

    let configuration: SetConfiguration
    private(set) var stations: [Int: Station] = [:]
    private(set) var failover: Failover
    /// The wanted symbols, the most important first.
    private(set) var order: [Symbol] = []
    private(set) var wishes: [Symbol: Router.Wish] = [:]
    /// Symbols that were given up by hand, and where. A change of the configuration does not bring them back.
    private var dismissed: Set<Place> = []
    private(set) var homes: [Symbol: SlotSet] = [:]
    private(set) var goals: [Symbol: SlotSet] = [:]
    /// The slots whose interest holds each symbol.
    private(set) var placed: [Symbol: SlotSet] = [:]
    var weights: [Symbol: Double]
    /// Joined places that have not replaced another yet, and since when they have been confirmed.
    private var joining: [Place: Duration?] = [:]
    private var leaving: [Place: Leave] = [:]
    private var shared: [Symbol: Sharing] = [:]
    private var isDirty = false
    /// Symbols that are not where they belong, or whose sharing may have to change.
    private var unsettled: Set<Symbol> = []

    init(_ configuration: SetConfiguration) {
        self.configuration = configuration
        weights = configuration.firstGuess
        failover = Failover(configuration.failover)
    }

    // MARK: What is wanted

    mutating func add(_ seat: Router.Seat, now: Duration) {
        stations[seat.slot] = Station(seat: seat)
        failover.add(seat.slot, now: now)
        // What was given up on an earlier connection in the slot says nothing about this one.
        dismissed = dismissed.filter { $0.slot != seat.slot }
        isDirty = true
    }

    /// Begins to remove a connection: its symbols go to the others, then it stops.
    mutating func remove(_ slot: Int, now: Duration) {
        guard stations[slot] != nil, stations[slot]?.removedSince == nil else { return }
        stations[slot]?.removedSince = now
        failover.remove(slot)
        for (symbol, var wish) in wishes where wish.wanting.union(wish.moved).contains(slot) {
            // The others take over what was subscribed to by hand here, and what nobody else wants.
            let isByHand = wish.bound.contains(slot)
            wish.leave(slot)
            wish.isFree = wish.isFree || isByHand || wish.wanting.isEmpty
            wishes[symbol] = wish
        }
        isDirty = true
    }

    /// Replaces what a connection is configured to deliver; symbols that no connection wants any more are given up.
    ///
    /// - Parameter takesAll: whether it should deliver everything.
    mutating func configure(_ slot: Int, _ symbols: [Symbol], takesAll: Bool = false) {
        let symbols = symbols.filter { !dismissed.contains(Place(symbol: $0, slot: slot)) }
        let new = Set(symbols)
        for (symbol, var wish) in wishes where wish.named.contains(slot) && !new.contains(symbol) {
            wish.named.remove(slot)
            wishes[symbol] = wish.isWanted ? wish : nil
        }
        stations[slot]?.takesAll = takesAll
        want(symbols, on: slot)
    }

    /// Adds wishes for symbols, on a connection or wherever the strategy puts them.
    ///
    /// - Returns: the symbols that were not wanted in this way before.
    @discardableResult
    mutating func want(_ symbols: [Symbol], on slot: Int?, bound: Bool = false) -> [Symbol] {
        var new: [Symbol] = []
        for symbol in symbols {
            for place in slot.map({ [$0] }) ?? Array(stations.keys) {
                dismissed.remove(Place(symbol: symbol, slot: place))
            }
            var wish = wishes[symbol] ?? Router.Wish(symbol: symbol, named: [])
            let before = wishes[symbol]
            if let slot {
                if bound { wish.bound.insert(slot) } else { wish.named.insert(slot) }
            } else {
                wish.isFree = true
            }
            guard wish != before else { continue }
            wishes[symbol] = wish
            if before == nil { order.append(symbol) }
            // Without a connection, a symbol that is already wanted is already delivered, so it is not new.
            if before == nil || slot != nil { new.append(symbol) }
        }
        reorder()
        return new
    }

    /// Returns the symbols that would find no room if ``want(_:on:bound:)`` were called with the same arguments.
    func homeless(_ symbols: [Symbol], on slot: Int?, bound: Bool = false) -> Set<Symbol> {
        guard !symbols.isEmpty else { return [] }
        // Newcomers displace nobody, so nothing needs to be tried.
        if slot == nil, !isDirty, isFull { return Set(symbols.filter { goals[$0] == nil }) }
        var trial = self
        trial.want(symbols, on: slot, bound: bound)
        trial.plan()
        return Set(symbols.filter { trial.goals[$0] == nil })
    }

    /// Removes wishes for symbols: on all connections, or on one.
    ///
    /// On one, the wishes of the others remain, so another connection may continue to deliver the symbols. Where the
    /// strategy places a symbol, it is given up on all, unless it was subscribed to on that connection by hand.
    ///
    /// - Returns: the symbols that were wanted there.
    @discardableResult
    mutating func unwant(_ symbols: [Symbol], on slot: Int?) -> [Symbol] {
        var gone: [Symbol] = []
        for symbol in symbols {
            guard var wish = wishes[symbol] else { continue }
            var only: Int?
            if let slot {
                guard (placed[symbol] ?? []).union(wish.seats).contains(slot) else { continue }
                if configuration.strategy == .manual || wish.bound.contains(slot) { only = slot }
            }
            if let only { wish.leave(only) }
            wishes[symbol] = only == nil || wish.wanting.isEmpty ? nil : wish
            for place in only.map({ [$0] }) ?? Array(stations.keys) {
                dismissed.insert(Place(symbol: symbol, slot: place))
            }
            gone.append(symbol)
        }
        reorder()
        return gone
    }

    /// Takes back wishes for symbols wherever the strategy puts them; what connections name stays.
    mutating func release(_ symbols: [Symbol]) {
        for symbol in symbols where wishes[symbol]?.isFree == true {
            wishes[symbol]?.isFree = false
            if wishes[symbol]?.isWanted == false { wishes[symbol] = nil }
        }
        reorder()
    }

    /// Puts the most important first: those named for redundancy, then by the best priority of the connections that
    /// want them, then in the order in which they came.
    private mutating func reorder() {
        let ranks = order.compactMap { symbol -> (symbol: Symbol, rank: Int)? in
            guard let wish = wishes[symbol] else { return nil }
            if case .some(let named) = configuration.redundant, named.contains(symbol) { return (symbol, .min) }
            return (symbol, wish.wanting.compactMap { stations[$0]?.seat.priority }.min() ?? .max)
        }
        order = ranks.sorted { $0.rank < $1.rank }.map(\.symbol)
        isDirty = true
    }

    // MARK: What happens

    /// Records the state of a connection.
    mutating func observe(_ slot: Int, _ observation: Observation, now: Duration) {
        guard let station = stations[slot] else { return }
        if station.isUp != observation.isUp {
            if !failover.failed.isEmpty { isDirty = true }
            for symbol in order where placed[symbol]?.contains(slot) == true && placed[symbol] != goals[symbol] {
                unsettled.insert(symbol)
            }
        }
        stations[slot]?.isUp = observation.isUp
        if observation.isUp, observation.isSettled { stations[slot]?.fresh = [] }
        let fresh = stations[slot]?.fresh ?? []
        stations[slot]?.standing = observation.isUp ? observation.standing.subtracting(fresh) : []
        stations[slot]?.standsAll = observation.isUp && observation.standsAll
        stations[slot]?.isSettled = observation.isUp && observation.isSettled
        if station.removedSince == nil { failover.observe(slot, isUp: observation.isUp, now: now) }
        for place in joining.keys where place.slot == slot {
            if !stands(place.symbol, slot) {
                joining[place] = .some(nil)
            } else if joining[place] == .some(nil) {
                joining[place] = now
            }
        }
        if observation.isQuiet {
            stations[slot]?.endsAll = false
            for (place, leave) in leaving where place.slot == slot && leave.quietSince == nil {
                leaving[place]?.quietSince = now
            }
        }
    }

    /// When ``advance(now:)`` is due by time alone.
    var deadline: Duration? {
        var times: [Duration] = []
        if configuration.failsOver, let due = failover.deadline { times.append(due) }
        times += joining.values.compactMap { $0.map { $0 + configuration.overlap } }
        times += leaving.values.map { leave in
            guard let quiet = leave.quietSince else { return leave.since + configuration.patience }
            return quiet + (leave.isOver ? configuration.memory : configuration.calm)
        }
        times += stations.values.compactMap { $0.removedSince.map { $0 + configuration.patience } }
        return times.min()
    }

    /// Works out what follows from all that has happened and from the time.
    mutating func advance(now: Duration) -> [Action] {
        if configuration.failsOver, failover.tick(now: now) { isDirty = true }
        if isDirty { plan() }
        endLeaves(now)
        let started = startWildcards()
        var (changed, ended): (SlotSet, SlotSet) = ([], [])
        var sharings: [Symbol: Sharing] = [:]
        // A place that is given up may make room for a symbol that waits for it.
        while true {
            let isFreed = move(now, &changed, &sharings)
            let done = endWildcards(now)
            ended = ended.union(done)
            if !isFreed, done.isEmpty { break }
        }
        for symbol in unsettled { share(symbol, &sharings) }
        // The interest of connections that ask for everything does not change with single symbols.
        changed = changed.subtracting(asking).union(started).union(ended)
        unsettled = unsettled.filter { placed[$0] ?? [] != goals[$0] ?? [] }
        // A place that was confirmed for long enough needs no deadline, even if other places keep the symbol unsettled.
        joining = joining.filter { place, stood in
            unsettled.contains(place.symbol) && stood.map { now < $0 + configuration.overlap } ?? true
        }
        var actions: [Action] = []
        // A symbol must be shared before the second connection delivers it.
        if !sharings.isEmpty { actions.append(.share(sharings.values.sorted { $0.symbol < $1.symbol })) }
        for slot in changed {
            let symbols = order.filter { placed[$0]?.contains(slot) == true }
            actions.append(.interest(slot, asking.contains(slot) ? .all : .symbols(symbols)))
            stations[slot]?.standsAll = false
            stations[slot]?.isSettled = false
        }
        for (slot, station) in stations {
            guard let since = station.removedSince else { continue }
            let isLeft = !leaving.contains { $0.key.slot == slot && $0.value.quietSince == nil }
            let isIdle = station.count == 0 && !station.asksAll && isLeft
            guard isIdle || now >= since + configuration.patience else { continue }
            drop(slot, now)
            actions.append(.stop(slot))
        }
        return actions
    }

    /// Moves symbols so that the connections deliver about the same, if the strategy allows it.
    ///
    /// - Parameter isAsked: whether a person asked. Manual places are then moved too, and small differences evened out.
    mutating func rebalance(isAsked: Bool) -> [Rebalance.Move] {
        guard configuration.strategy == .loadBalanced || isAsked && configuration.strategy == .manual else { return [] }
        let down = failover.failed
        var places: [Int: [Symbol]] = [:]
        var fixed: [Int: Double] = [:]
        var room: [Int: Int] = [:]
        for (slot, station) in stations
        where station.removedSince == nil && !station.takesAll && station.isUp && !down.contains(slot) {
            places[slot] = []
            if let capacity = station.seat.capacity { room[slot] = capacity - station.count }
        }
        for symbol in order {
            guard let home = homes[symbol], let slot = home.first, places[slot] != nil else { continue }
            let isMovable =
                home.count == 1 && goals[symbol] == home && placed[symbol] == home && wishes[symbol]?.isBound != true
            if isMovable {
                places[slot]?.append(symbol)
            } else {
                for slot in home { fixed[slot, default: 0] += weights[symbol] ?? 0 }
            }
        }
        let moves = Rebalance().moves(
            places: places, fixed: fixed, room: room, weights: weights, always: isAsked)
        for move in moves {
            homes[move.symbol] = [move.to]
            if configuration.strategy == .manual { wishes[move.symbol]?.moved = [move.to] }
        }
        if !moves.isEmpty { isDirty = true }
        return moves
    }

    /// The wanted symbols that no connection has room for, the most important first.
    var unplaced: [Symbol] { order.filter { goals[$0] == nil } }

    /// The number of symbols that are not yet where they belong.
    var moving: Int { unsettled.count { placed[$0] != goals[$0] } }

    // MARK: Parts

    private var router: Router {
        let seats = stations.values.filter { $0.removedSince == nil && !$0.takesAll }.map(\.seat)
        return Router(
            strategy: configuration.strategy, redundant: configuration.redundant,
            seats: seats.sorted { $0.slot < $1.slot }, weights: weights)
    }

    private mutating func plan() {
        isDirty = false
        let down = configuration.failsOver ? failover.failed : []
        let wildcards = wildcards
        let isCovered = !wildcards.subtracting(down).isEmpty
        // A connection that takes everything delivers these already.
        let wanted = order.compactMap { symbol in
            isCovered && !configuration.redundant.contains(symbol) ? nil : wishes[symbol]
        }
        let router = router
        homes = router.homes(of: wanted, previous: homes)
        let ready = SlotSet(
            stations.values.filter { $0.isUp && $0.removedSince == nil && !down.contains($0.seat.slot) }
                .map(\.seat.slot))
        goals = router.goals(of: wanted, homes: homes, down: down, ready: ready, previous: goals)
        if !wildcards.isEmpty { for symbol in order { goals[symbol] = wildcards.union(goals[symbol] ?? []) } }
        for (symbol, slots) in goals where placed[symbol] != slots { unsettled.insert(symbol) }
        for symbol in placed.keys where goals[symbol] == nil { unsettled.insert(symbol) }
    }

    // MARK: Moving symbols: joined before they are left, and shared while both places deliver them

    /// Takes every step towards the goals that is possible now. Returns whether a place was given up.
    private mutating func move(_ now: Duration, _ changed: inout SlotSet, _ sharings: inout [Symbol: Sharing]) -> Bool {
        var freed = false
        guard !unsettled.isEmpty else { return false }
        let known = order.filter(unsettled.contains)
        let gone = unsettled.filter { wishes[$0] == nil }.sorted()
        for symbol in gone + known {
            let before = placed[symbol] ?? []
            let goal = goals[symbol] ?? []
            guard before != goal else { continue }
            // A symbol that already comes by a wildcard when it is first wanted continues to come there until it is
            // confirmed elsewhere.
            if before.isEmpty {
                for slot in asking { join(symbol, slot, now) }
                for slot in stations.keys where stations[slot]?.endsAll == true {
                    leaving[Place(symbol: symbol, slot: slot)] = Leave(since: now)
                }
            }
            for slot in goal.subtracting(placed[symbol] ?? []) where hasRoom(slot) { join(symbol, slot, now) }
            for slot in before.subtracting(goal).subtracting(asking) where mayLeave(symbol, slot, goal, now) {
                leave(symbol, slot, now)
                freed = true
            }
            turnBack(symbol, now, &freed)
            let after = placed[symbol] ?? []
            guard after != before else { continue }
            share(symbol, &sharings)
            changed = changed.union(after.subtracting(before)).union(before.subtracting(after))
        }
        return freed
    }

    /// Whether every connection has as many symbols of its own as it takes.
    private var isFull: Bool {
        wildcards.isEmpty
            && stations.allSatisfy { slot, station in
                guard station.removedSince == nil else { return true }
                guard let capacity = station.seat.capacity else { return false }
                return homes.values.count { $0.contains(slot) } >= capacity
            }
    }

    private func hasRoom(_ slot: Int) -> Bool {
        guard let station = stations[slot] else { return false }
        return station.takesAll || station.count < station.seat.capacity ?? .max
    }

    /// Whether a connection delivers all that the feed has of a symbol.
    private func stands(_ symbol: Symbol, _ slot: Int) -> Bool {
        guard let station = stations[slot] else { return false }
        return station.standsAll || station.standing.contains(symbol)
    }

    /// Whether an old place may be given up: nobody wants the symbol, or another place is confirmed.
    private func mayLeave(_ symbol: Symbol, _ slot: Int, _ goal: SlotSet, _ now: Duration) -> Bool {
        if goal.isEmpty { return true }
        let isBringing = stands(symbol, slot)
        return goal.contains { other in
            guard placed[symbol]?.contains(other) == true, let station = stations[other] else { return false }
            guard stands(symbol, other) else {
                // The feed refused it at the new place, and the old one does not deliver it either.
                return station.isSettled && !isBringing
            }
            guard isBringing, case .some(let stood) = joining[Place(symbol: symbol, slot: other)] else { return true }
            return stood.map { now >= $0 + configuration.overlap } ?? false
        }
    }

    /// Gives up a new place that the feed refuses while an old one still delivers the symbol.
    private mutating func turnBack(_ symbol: Symbol, _ now: Duration, _ freed: inout Bool) {
        let goal = goals[symbol] ?? []
        let slots = placed[symbol] ?? []
        let old = slots.subtracting(goal).filter { stations[$0]?.removedSince == nil }
        let isBrought = old.contains { stands(symbol, $0) }
        guard isBrought, !goal.isEmpty else { return }
        let refused = goal.intersection(slots).filter { slot in
            stations[slot]?.isSettled == true && !stands(symbol, slot)
        }
        guard refused.count == goal.count else { return }
        for slot in refused { leave(symbol, slot, now) }
        freed = true
        goals[symbol] = SlotSet(old)
        homes[symbol] = SlotSet(old)
    }

    private mutating func join(_ symbol: Symbol, _ slot: Int, _ now: Duration) {
        let isFirst = placed[symbol] == nil
        placed[symbol, default: []].insert(slot)
        stations[slot]?.count += 1
        // Until the new interest is sent and answered, the connection's reports are about the previous one.
        stations[slot]?.isSettled = false
        stations[slot]?.fresh.insert(symbol)
        leaving[Place(symbol: symbol, slot: slot)] = nil
        // A connection that already subscribes to everything sends no request for the symbol, so no answer will confirm
        // it.
        if !isFirst { joining[Place(symbol: symbol, slot: slot)] = .some(stands(symbol, slot) ? now : nil) }
    }

    private mutating func leave(_ symbol: Symbol, _ slot: Int, _ now: Duration) {
        placed[symbol]?.remove(slot)
        stations[slot]?.count -= 1
        stations[slot]?.standing.remove(symbol)
        joining[Place(symbol: symbol, slot: slot)] = nil
        if let left = placed[symbol], left.isEmpty { placed[symbol] = nil }
        leaving[Place(symbol: symbol, slot: slot)] = Leave(since: now)
        unsettled.insert(symbol)
    }

    private mutating func endLeaves(_ now: Duration) {
        for (place, leave) in leaving {
            guard let quiet = leave.quietSince else {
                if now >= leave.since + configuration.patience { leaving[place]?.quietSince = now }
                continue
            }
            if now >= quiet + configuration.memory {
                leaving[place] = nil
            } else if !leave.isOver, now >= quiet + configuration.calm {
                leaving[place]?.isOver = true
            } else {
                continue
            }
            unsettled.insert(place.symbol)
        }
    }

    private mutating func drop(_ slot: Int, _ now: Duration) {
        for (symbol, slots) in placed where slots.contains(slot) { leave(symbol, slot, now) }
        if stations[slot]?.asksAll == true { endWildcard(slot, now) }
        // The others may still deliver copies of what it delivered last.
        for place in leaving.keys where place.slot == slot && leaving[place]?.quietSince == nil {
            leaving[place]?.quietSince = now
        }
        joining = joining.filter { $0.key.slot != slot }
        stations[slot] = nil
        isDirty = true
    }

    /// Works out which connections may deliver a symbol, and adds the sharing if it changed.
    private mutating func share(_ symbol: Symbol, _ sharings: inout [Symbol: Sharing]) {
        let here = placed[symbol] ?? []
        var slots = here
        var ended: SlotSet = []
        for slot in 0..<SlotSet.capacity {
            guard let leave = leaving[Place(symbol: symbol, slot: slot)] else { continue }
            slots.insert(slot)
            if leave.isOver { ended.insert(slot) }
        }
        // A wildcard connection delivers it too, whether the symbol is placed there or not.
        if !slots.isEmpty { slots = slots.union(asking) }
        let sharing = Sharing(symbol: symbol, slots: slots, ended: ended.subtracting(asking))
        if slots.count > 1 {
            guard shared[symbol] != sharing else { return }
            shared[symbol] = sharing
        } else {
            guard shared.removeValue(forKey: symbol) != nil else { return }
        }
        sharings[symbol] = slots.count > 1 ? sharing : Sharing(symbol: symbol, slots: here)
    }

    // MARK: Connections that deliver everything

    /// The connections that should deliver everything.
    private var wildcards: SlotSet {
        SlotSet(stations.values.lazy.filter { $0.takesAll && $0.removedSince == nil }.map(\.seat.slot))
    }

    /// The connections whose interest is everything at the moment.
    private var asking: SlotSet { SlotSet(stations.values.lazy.filter(\.asksAll).map(\.seat.slot)) }

    /// Makes the connections that should deliver everything ask for it.
    private mutating func startWildcards() -> SlotSet {
        let started = wildcards.subtracting(asking)
        for slot in started {
            stations[slot]?.asksAll = true
            stations[slot]?.endsAll = false
        }
        // Whatever the others deliver now comes from these too.
        if !started.isEmpty { unsettled = unsettled.union(placed.keys).union(leaving.keys.map(\.symbol)) }
        return started
    }

    /// Ends the wildcards of connections that should no longer deliver everything, once all that they give up is
    /// confirmed elsewhere.
    private mutating func endWildcards(_ now: Duration) -> SlotSet {
        var ended: SlotSet = []
        for slot in asking.subtracting(wildcards) {
            let given = placed.filter { $0.value.contains(slot) && goals[$0.key]?.contains(slot) != true }.keys
            guard given.allSatisfy({ mayLeave($0, slot, goals[$0] ?? [], now) }) else { continue }
            for symbol in given { leave(symbol, slot, now) }
            endWildcard(slot, now)
            ended.insert(slot)
        }
        return ended
    }

    /// Makes a connection stop asking for everything.
    private mutating func endWildcard(_ slot: Int, _ now: Duration) {
        stations[slot]?.asksAll = false
        stations[slot]?.endsAll = true
        // It also delivered these symbols, although they are not placed there.
        for (symbol, sharing) in shared where sharing.slots.contains(slot) && placed[symbol]?.contains(slot) != true {
            leaving[Place(symbol: symbol, slot: slot)] = Leave(since: now)
        }
    }
}

import MarketData
import TestSupport
import Testing

@testable import Feed

/// Random events with connections that behave as the real ones do, and what must hold throughout.
@Suite(.timeLimit(.minutes(3))) struct SetModelTests {
    /// A connection and the feed's view of it: interests travel, answers travel back, and either may be slow.
    private struct Wire {
        var isUp = false
        var interest: Set<Symbol> = []
        var asksAll = false
        /// The symbols whose events the feed sends.
        var subscribed: Set<Symbol> = []
        var sendsAll = false
        /// The symbols last known to be confirmed; those of the previous interest until the current one is answered.
        var confirmed: Set<Symbol> = []
        var isAnswered = true
        var isQuiet = true

        func asks(_ symbol: Symbol) -> Bool { asksAll || interest.contains(symbol) }
        func sends(_ symbol: Symbol) -> Bool { sendsAll || subscribed.contains(symbol) }
    }

    /// Who wants which symbols. Where the machine puts or moves them makes no difference to that.
    private struct Claims {
        /// What each connection is configured with, without what was given up there by hand.
        private var named: [Int: Set<Symbol>] = [:]
        /// What each connection was subscribed to by hand.
        private var bound: [Int: Set<Symbol>] = [:]
        /// What is wanted wherever the strategy puts it.
        private var free: Set<Symbol> = []
        /// What was given up by hand on each connection.
        private var dismissed: [Int: Set<Symbol>] = [:]

        var wanted: Set<Symbol> { free.union(here) }

        /// What is wanted on some connection.
        private var here: Set<Symbol> {
            var all: Set<Symbol> = []
            for symbols in named.values { all.formUnion(symbols) }
            for symbols in bound.values { all.formUnion(symbols) }
            return all
        }

        mutating func add(_ slot: Int) { dismissed[slot] = nil }

        mutating func remove(_ slot: Int) {
            free.formUnion(bound.removeValue(forKey: slot) ?? [])
            let own = named.removeValue(forKey: slot) ?? []
            free.formUnion(own.subtracting(here))
        }

        mutating func configure(_ slot: Int, _ symbols: [Symbol]) {
            named[slot] = Set(symbols).subtracting(dismissed[slot] ?? [])
        }

        mutating func bind(_ symbols: [Symbol], to slot: Int) {
            bound[slot, default: []].formUnion(symbols)
            dismissed[slot]?.subtract(symbols)
        }

        mutating func want(_ symbols: [Symbol], _ slots: some Sequence<Int>) {
            free.formUnion(symbols)
            for slot in slots { dismissed[slot]?.subtract(symbols) }
        }

        mutating func release(_ symbols: [Symbol]) { free.subtract(symbols) }

        /// Symbols are given up on all connections.
        mutating func end(_ symbols: [Symbol], _ slots: some Sequence<Int>) {
            let ended = wanted.intersection(symbols)
            free.subtract(ended)
            for slot in named.keys { named[slot]?.subtract(ended) }
            for slot in bound.keys { bound[slot]?.subtract(ended) }
            for slot in slots { dismissed[slot, default: []].formUnion(ended) }
        }

        /// A symbol is given up on one connection, which had it.
        mutating func end(_ symbol: Symbol, on slot: Int, _ slots: some Sequence<Int>, isManual: Bool) {
            guard isManual || bound[slot]?.contains(symbol) == true else { return end([symbol], slots) }
            named[slot]?.remove(symbol)
            bound[slot]?.remove(symbol)
            dismissed[slot, default: []].insert(symbol)
            if !here.contains(symbol) { free.remove(symbol) }
        }
    }

    private struct World {
        var machine: SetMachine
        var wires: [Int: Wire] = [:]
        var now = Duration.zero
        var random: SeededRandom
        var claims = Claims()
        /// The connections that each shared symbol may come from, as the sink's front was told.
        var sharing: [Symbol: SlotSet] = [:]
        let capacity: Int?
        let redundant: RedundantSymbols

        var wanted: Set<Symbol> { claims.wanted }

        mutating func add(_ slot: Int, priority: Int) {
            wires[slot] = Wire()
            machine.add(.init(slot: slot, priority: priority, capacity: capacity), now: now)
            claims.add(slot)
        }

        mutating func remove(_ slot: Int) {
            if machine.stations[slot]?.removedSince == nil { claims.remove(slot) }
            machine.remove(slot, now: now)
        }

        mutating func configure(_ slot: Int, _ symbols: [Symbol], takesAll: Bool = false) {
            machine.configure(slot, symbols, takesAll: takesAll)
            claims.configure(slot, symbols)
        }

        mutating func want(_ symbols: [Symbol], on slot: Int?) {
            machine.want(symbols, on: slot, bound: slot != nil)
            if let slot { claims.bind(symbols, to: slot) } else { claims.want(symbols, machine.stations.keys) }
        }

        mutating func unwant(_ symbols: [Symbol], on slot: Int?) {
            let gone = machine.unwant(symbols, on: slot)
            let slots = Array(machine.stations.keys)
            guard let slot else { return claims.end(symbols, slots) }
            let isManual = machine.configuration.strategy == .manual
            for symbol in gone { claims.end(symbol, on: slot, slots, isManual: isManual) }
        }

        mutating func release(_ symbols: [Symbol]) {
            machine.release(symbols)
            claims.release(symbols)
        }

        mutating func rebalance(_ pool: [Symbol]) {
            machine.weights = Dictionary(
                uniqueKeysWithValues: pool.map { ($0, Double.random(in: 0..<10, using: &random)) })
            _ = machine.rebalance(isAsked: true)
        }

        mutating func perform() {
            for (slot, wire) in wires {
                machine.observe(
                    slot,
                    .init(
                        isUp: wire.isUp, standing: wire.confirmed,
                        isSettled: wire.isUp && wire.isAnswered, isQuiet: wire.isQuiet,
                        standsAll: wire.asksAll && wire.isAnswered),
                    now: now)
            }
            for action in machine.advance(now: now) {
                switch action {
                case .share(let changes):
                    for change in changes {
                        sharing[change.symbol] = change.slots.count > 1 ? change.slots : nil
                    }
                case .interest(let slot, let interest):
                    wires[slot]?.asksAll = interest == .all
                    var symbols: [Symbol] = []
                    if case .symbols(let list) = interest { symbols = list }
                    #expect(Set(symbols).count == symbols.count)
                    wires[slot]?.interest = Set(symbols)
                    wires[slot]?.isAnswered = false
                    wires[slot]?.isQuiet = false
                case .stop(let slot): wires[slot] = nil
                }
            }
        }

        /// The feed takes on an interest and answers it.
        mutating func answer(_ slot: Int) {
            guard let wire = wires[slot], wire.isUp else {
                wires[slot]?.isQuiet = true
                return
            }
            wires[slot]?.subscribed = wire.interest
            wires[slot]?.sendsAll = wire.asksAll
            wires[slot]?.confirmed = wire.interest
            wires[slot]?.isAnswered = true
            wires[slot]?.isQuiet = true
        }

        mutating func connect(_ slot: Int) {
            wires[slot]?.isUp = true
            wires[slot]?.subscribed = []
            wires[slot]?.sendsAll = false
            answer(slot)
        }

        mutating func drop(_ slot: Int) {
            wires[slot]?.isUp = false
            wires[slot]?.subscribed = []
            wires[slot]?.sendsAll = false
            wires[slot]?.isAnswered = false
            wires[slot]?.isQuiet = true
        }

        /// The connections that deliver a symbol now.
        func bringers(of symbol: Symbol) -> SlotSet {
            SlotSet(wires.filter { $0.value.sends(symbol) }.keys)
        }

        /// Answers everything and lets enough time pass for all moves to end; fewer rounds do while all connections
        /// work.
        mutating func rest(_ rounds: Int = 400) {
            for _ in 0..<rounds {
                for slot in wires.keys { answer(slot) }
                perform()
                now += .seconds(2)
            }
        }
    }

    @Test(arguments: 0..<60, [false, true])
    func `whatever happens, every symbol has its place and none has two`(seed: Int, hasWildcard: Bool) {
        var random = SeededRandom(seed: UInt64(seed) &+ 1000)
        let capacity: Int? = Bool.random(using: &random) ? 12 : nil
        let pool = symbols(24)
        let redundant = [RedundantSymbols.none, .some([pool[0], pool[1]]), .all][Int.random(in: 0..<3, using: &random)]
        var configuration = SetConfiguration()
        configuration.strategy = RoutingStrategy.allCases[seed % RoutingStrategy.allCases.count]
        configuration.redundant = redundant
        configuration.failover = FailoverRules(
            grace: .seconds(10), recovery: .seconds(20), longestRecovery: .seconds(60))
        var world = World(
            machine: SetMachine(configuration), random: random, capacity: capacity, redundant: redundant)
        for slot in 0..<3 {
            world.add(slot, priority: slot + 1)
            world.configure(slot, Array(pool[(slot * 6)..<(slot * 6 + 8)]))
        }
        for _ in 0..<250 {
            step(&world, pool, hasWildcard)
            check(world)
        }
        // Everything works again: what is wanted and has room is delivered, by as many connections as it should be.
        for slot in world.wires.keys where world.wires[slot]?.isUp == false { world.connect(slot) }
        world.rest()
        check(world)
        checkSettled(world)
        // One is lost for good: the others deliver what they have room for.
        guard world.wires.count > 1, let lost = world.wires.keys.sorted().first else { return }
        world.drop(lost)
        world.rest()
        check(world)
        checkSettled(world, lost: lost)
    }

    @Test(arguments: 0..<25, RoutingStrategy.allCases)
    func `a symbol is collected as long as the settings or a person name it, wherever it was moved`(
        seed: Int, strategy: RoutingStrategy
    ) {
        var configuration = SetConfiguration()
        configuration.strategy = strategy
        let pool = symbols(12)
        var world = World(
            machine: SetMachine(configuration), random: SeededRandom(seed: UInt64(seed) &+ 5000), capacity: nil,
            redundant: .none)
        for slot in 0..<3 {
            world.add(slot, priority: slot + 1)
            world.connect(slot)
            world.configure(slot, Array(pool[(slot * 4)..<(slot * 4 + 4)]))
        }
        world.rest(8)
        for _ in 0..<60 {
            ask(&world, pool)
            world.rest(8)
            let collected = Set(pool.filter { !world.bringers(of: $0).isEmpty })
            #expect(collected == world.wanted)
        }
    }

    /// Changes who wants what, or where it is, while all connections work.
    private func ask(_ world: inout World, _ pool: [Symbol]) {
        let slots = world.wires.keys.sorted()
        let slot = slots.randomElement(using: &world.random) ?? 0
        let some = pool.filter { _ in Int.random(in: 0..<4, using: &world.random) == 0 }
        switch Int.random(in: 0..<12, using: &world.random) {
        case 0, 1: world.configure(slot, some)
        case 2, 3: world.want(some, on: slot)
        case 4: world.want(some, on: nil)
        case 5, 6: world.unwant(some, on: slot)
        case 7: world.unwant(some, on: nil)
        case 8: world.release(some)
        case 9 where slots.count > 1: world.remove(slot)
        case 10 where slots.count < 3:
            let free = (0..<3).first { world.wires[$0] == nil } ?? 3
            world.add(free, priority: free + 1)
            world.connect(free)
            world.configure(free, some)
        default: world.rebalance(pool)
        }
    }

    private func step(_ world: inout World, _ pool: [Symbol], _ hasWildcard: Bool) {
        let slots = world.wires.keys.sorted()
        let slot = slots.randomElement(using: &world.random) ?? 0
        let some = (0..<Int.random(in: 1...4, using: &world.random)).compactMap { _ in
            pool.randomElement(using: &world.random)
        }
        switch Int.random(in: 0..<16, using: &world.random) {
        case 0, 1: if world.wires[slot]?.isUp == true { world.drop(slot) }
        case 2, 3, 4: if world.wires[slot]?.isUp == false { world.connect(slot) }
        case 5: world.want(some, on: nil)
        case 6: world.unwant(some, on: nil)
        case 7: world.rebalance(pool)
        case 8 where slots.count < 4:
            let free = (0..<16).first { world.wires[$0] == nil } ?? 15
            guard world.machine.stations[free] == nil else { break }
            world.add(free, priority: 5)
        case 9 where slots.count > 2: world.remove(slot)
        case 10 where hasWildcard:
            // Only one connection at a time takes everything.
            if let other = slots.first(where: { world.machine.stations[$0]?.takesAll == true }) {
                world.configure(other, some)
            } else {
                world.configure(slot, [], takesAll: true)
            }
        default: for slot in slots where Bool.random(using: &world.random) { world.answer(slot) }
        }
        // A symbol that is delivered must not stop coming because it moves.
        let before = Dictionary(
            uniqueKeysWithValues: pool.map { symbol in
                (symbol, world.bringers(of: symbol).filter { world.wires[$0]?.asks(symbol) == true })
            })
        let isPatient = isPatient(world)
        let wanted = world.wanted
        world.perform()
        for symbol in pool where wanted.contains(symbol) {
            let stays = !world.bringers(of: symbol).filter { world.wires[$0]?.asks(symbol) == true }.isEmpty
            let goes = before[symbol].map { !$0.isEmpty } ?? false
            if goes, !stays, world.machine.goals[symbol] != nil, isPatient {
                Issue.record("\(symbol) was given up before it stood elsewhere: \(world.machine.goals[symbol]!)")
            }
        }
        world.now += .milliseconds(Int64.random(in: 0..<4000, using: &world.random))
    }

    /// Whether no connection is being removed by force.
    private func isPatient(_ world: World) -> Bool {
        let patience = world.machine.configuration.patience
        return world.machine.stations.values.allSatisfy { world.now < ($0.removedSince ?? world.now) + patience }
            && world.machine.stations.count == world.wires.count
    }

    /// What holds at every moment.
    private func check(_ world: World) {
        #expect(Set(world.machine.order) == world.wanted)
        for (slot, wire) in world.wires {
            if let capacity = world.capacity {
                #expect(wire.interest.count <= capacity, "connection \(slot) holds more than it takes")
            }
            if !wire.asksAll { #expect(world.machine.stations[slot]?.count == wire.interest.count) }
        }
        // The sink's front knows every connection that delivers a symbol besides another.
        for symbol in world.wanted {
            let holders = SlotSet(
                world.wires.filter { $0.value.sends(symbol) && $0.value.isUp }.keys)
            if holders.count > 1 {
                #expect(
                    holders.subtracting(world.sharing[symbol] ?? []).isEmpty,
                    "\(symbol) comes from \(Array(holders)) and only \(Array(world.sharing[symbol] ?? [])) are known")
            }
        }
    }

    /// What holds when nothing moves any more.
    private func checkSettled(_ world: World, lost: Int? = nil) {
        let alive = world.wires.filter { $0.key != lost }
        let room = alive.values.reduce(0) { $0 + max(0, (world.capacity ?? 1000) - $1.interest.count) }
        let wildcards = world.wires.values.count { $0.asksAll }
        for symbol in world.wanted {
            let copies = world.bringers(of: symbol)
            let most = world.redundant.contains(symbol) ? min(2 + wildcards, world.wires.count) : 1
            #expect(copies.count <= most, "\(symbol) comes from \(Array(copies))")
            // A wildcard that is down may deliver the symbol as soon as it is up.
            let asked = world.wires.values.count { $0.asks(symbol) }
            if asked < 2 { #expect(world.sharing[symbol] == nil, "\(symbol) counts as shared for good") }
            if copies.isEmpty { #expect(room == 0, "\(symbol) comes from nowhere though there is room for \(room)") }
        }
        let wanted = world.wanted
        for wire in alive.values { #expect(wire.subscribed.isSubset(of: wanted)) }
    }
}

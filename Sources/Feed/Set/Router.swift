public import MarketData

/// How symbols are spread over a set's connections.
public enum RoutingStrategy: String, Sendable, Equatable, CaseIterable {
    /// Each symbol where it is configured.
    case manual
    /// The union of all symbols, split evenly by number.
    case roundRobin = "round-robin"
    /// The union of all symbols, split evenly by the number of messages that they bring.
    case loadBalanced = "load-balanced"
    /// The most important symbols on the connection of the first priority, as many as it takes, and so on.
    case priority
}

/// Which symbols are subscribed to on two connections at once.
public enum RedundantSymbols: Sendable, Equatable {
    /// These, if there are two connections.
    case some(Set<Symbol>)
    /// Every one.
    case all

    /// None.
    public static let none = RedundantSymbols.some([])

    func contains(_ symbol: Symbol) -> Bool {
        switch self {
        case .some(let symbols): symbols.contains(symbol)
        case .all: true
        }
    }
}

/// Decides which connection delivers which symbol. Reads no clock, knows no socket.
///
/// It takes two steps. ``homes(of:previous:)`` distributes the symbols over all connections that should work, according
/// to the strategy. ``goals(of:homes:down:previous:)`` finds another place for those whose home is down. Both are
/// stable: a symbol stays where it was unless that place is gone or has more than its share.
struct Router: Sendable {
    /// A connection as the router sees it.
    struct Seat: Equatable, Sendable {
        var slot: Int
        /// 1 comes first.
        var priority: Int
        /// The maximum number of symbols that the connection takes; `nil` sets no limit.
        var capacity: Int?
    }

    /// A wanted symbol: who wants it, and where it was moved.
    struct Wish: Equatable, Sendable {
        var symbol: Symbol
        /// The connections whose configuration names the symbol.
        var named: SlotSet
        /// The connections that it was subscribed to on by hand. It stays there whatever the strategy, as long as they
        /// work.
        var bound: SlotSet = []
        /// Whether the symbol is also wanted wherever the strategy puts it.
        var isFree = false
        /// Where it was moved by hand. That keeps nobody's wish alive.
        var moved: SlotSet = []

        var isBound: Bool { !bound.isEmpty }

        /// The connections that the symbol is wanted on.
        var wanting: SlotSet { named.union(bound) }

        /// Whether anybody wants the symbol.
        var isWanted: Bool { isFree || !wanting.isEmpty }

        /// The connections that it belongs on if it is bound, or if the strategy is manual.
        var seats: SlotSet { isBound ? bound : moved.isEmpty ? named : moved }

        /// Takes the symbol from a connection: it is neither wanted there any more, nor has it been moved there.
        mutating func leave(_ slot: Int) {
            named.remove(slot)
            bound.remove(slot)
            moved.remove(slot)
        }
    }

    var strategy: RoutingStrategy
    var redundant: RedundantSymbols
    /// The connections, by slot.
    var seats: [Seat]
    /// How many messages a symbol brings, in any unit that all share; 1 for symbols not listed.
    var weights: [Symbol: Double] = [:]

    /// Returns the homes of the wishes, which are given with the most important first.
    func homes(of wishes: [Wish], previous: [Symbol: SlotSet]) -> [Symbol: SlotSet] {
        guard !seats.isEmpty else { return [:] }
        let units = wishes.reduce(0) { $0 + copies(of: $1.symbol) }
        var load = Load(self, quotas: quotas(for: units))
        var homes: [Symbol: SlotSet] = [:]
        homes.reserveCapacity(wishes.count)
        // First the symbols that the configuration places, then those that stay, then the rest, so that no newcomer
        // displaces another.
        for wish in wishes where strategy == .manual || wish.isBound {
            for slot in ranked(wish.seats).prefix(copies(of: wish.symbol)) where load.hasRoom(slot) {
                load.place(wish.symbol, slot, &homes)
            }
        }
        for wish in wishes {
            guard let before = previous[wish.symbol] else { continue }
            for slot in ranked(before) where isMissing(wish.symbol, homes) && load.mayKeep(slot) {
                load.place(wish.symbol, slot, &homes)
            }
        }
        var rest = wishes.filter { isMissing($0.symbol, homes) }
        if strategy == .loadBalanced { rest = rest.sorted { weight($0.symbol) > weight($1.symbol) } }
        for wish in rest {
            while isMissing(wish.symbol, homes), let slot = load.best(besides: homes[wish.symbol] ?? []) {
                load.place(wish.symbol, slot, &homes)
            }
        }
        return homes
    }

    /// Returns which connections should deliver the wanted symbols while some are down.
    ///
    /// Symbols whose home is down go to the other connections as far as those have room, the most important first. A
    /// symbol that finds no room stays on its home.
    ///
    /// - Parameters:
    ///   - down: the seats that have given their symbols away.
    ///   - ready: the seats that can take more symbols now.
    func goals(
        of wishes: [Wish], homes: [Symbol: SlotSet], down: SlotSet, ready: SlotSet, previous: [Symbol: SlotSet]
    ) -> [Symbol: SlotSet] {
        guard !down.isEmpty else { return homes }
        var load = Load(self, quotas: [:])
        var goals: [Symbol: SlotSet] = [:]
        goals.reserveCapacity(homes.count)
        for (symbol, slots) in homes {
            for slot in slots.subtracting(down) { load.place(symbol, slot, &goals) }
        }
        var rest: [(symbol: Symbol, missing: Int)] = []
        for wish in wishes {
            guard let home = homes[wish.symbol] else { continue }
            var missing = home.intersection(down).count
            guard missing > 0 else { continue }
            let before = previous[wish.symbol] ?? []
            for slot in before.subtracting(home).subtracting(down) where missing > 0 {
                guard !(goals[wish.symbol] ?? []).contains(slot), load.hasRoom(slot) else { continue }
                load.place(wish.symbol, slot, &goals)
                missing -= 1
            }
            if missing > 0 { rest.append((wish.symbol, missing)) }
        }
        for (symbol, missing) in rest {
            for _ in 0..<missing {
                let taken = goals[symbol] ?? []
                let home = homes[symbol]?.intersection(down).subtracting(taken).first
                if let slot = load.best(besides: taken, among: ready) ?? home { load.place(symbol, slot, &goals) }
            }
        }
        return goals
    }

    /// How many connections a symbol belongs on.
    func copies(of symbol: Symbol) -> Int { seats.count > 1 && redundant.contains(symbol) ? 2 : 1 }

    func weight(_ symbol: Symbol) -> Double { weights[symbol] ?? 1 }

    private func isMissing(_ symbol: Symbol, _ homes: [Symbol: SlotSet]) -> Bool {
        (homes[symbol]?.count ?? 0) < copies(of: symbol)
    }

    /// Slots by priority, then number.
    private func ranked(_ slots: SlotSet) -> [Int] {
        slots.count < 2
            ? Array(slots)
            : seats.filter { slots.contains($0.slot) }.sorted { $0.priority < $1.priority }.map(\.slot)
    }

    /// How many symbols each seat may keep from before; empty if the strategy sets no share.
    private func quotas(for units: Int) -> [Int: Int] {
        let order: [Seat]
        switch strategy {
        case .manual, .loadBalanced: return [:]
        case .priority: order = seats.sorted { $0.priority < $1.priority }
        // Seats too small for an even share leave more to the others.
        case .roundRobin: order = seats.sorted { ($0.capacity ?? .max) < ($1.capacity ?? .max) }
        }
        var quotas: [Int: Int] = [:]
        var left = units
        for (place, seat) in order.enumerated() {
            let open = order.count - place
            let share = strategy == .priority ? left : (left + open - 1) / open
            let quota = min(share, seat.capacity ?? share)
            quotas[seat.slot] = quota
            left -= quota
        }
        return quotas
    }

    /// What each seat holds while symbols are being placed.
    private struct Load {
        private let router: Router
        private let quotas: [Int: Int]
        private var counts = [Int](repeating: 0, count: SlotSet.capacity)
        private var weights = [Double](repeating: 0, count: SlotSet.capacity)
        private var capacities = [Int](repeating: 0, count: SlotSet.capacity)

        init(_ router: Router, quotas: [Int: Int]) {
            self.router = router
            self.quotas = quotas
            for seat in router.seats { capacities[seat.slot] = seat.capacity ?? .max }
        }

        func hasRoom(_ slot: Int) -> Bool { counts[slot] < capacities[slot] }

        /// Whether a symbol that was on the seat may stay.
        func mayKeep(_ slot: Int) -> Bool { hasRoom(slot) && counts[slot] < quotas[slot] ?? .max }

        mutating func place(_ symbol: Symbol, _ slot: Int, _ places: inout [Symbol: SlotSet]) {
            guard !(places[symbol] ?? []).contains(slot) else { return }
            places[symbol, default: []].insert(slot)
            counts[slot] += 1
            weights[slot] += router.weight(symbol)
        }

        /// The best seat for one more symbol: seats within their share come first, then the least loaded by the
        /// strategy's measure.
        ///
        /// - Parameter taken: the slots that have the symbol already.
        func best(besides taken: SlotSet, among allowed: SlotSet? = nil) -> Int? {
            var best: (order: Int, measure: Double, slot: Int)?
            for seat in router.seats {
                let slot = seat.slot
                guard !taken.contains(slot), hasRoom(slot), allowed?.contains(slot) ?? true else { continue }
                let measure: Double =
                    switch router.strategy {
                    case .priority: Double(seat.priority)
                    case .loadBalanced: weights[slot]
                    case .manual, .roundRobin: Double(counts[slot])
                    }
                let rank = (order: mayKeep(slot) ? 0 : 1, measure: measure, slot: slot)
                if best.map({ rank < $0 }) ?? true { best = rank }
            }
            return best?.slot
        }
    }
}

import MarketData

/// How a symbol gets from place to place: joined before it is left, and shared while both bring it.
extension SetMachine {
    /// Makes every step towards the goals that can be made now.
    mutating func move(_ now: Duration, _ changed: inout SlotSet) -> (symbols: [Symbol], freed: Bool) {
        var moved: [Symbol] = []
        var freed = false
        guard !unsettled.isEmpty else { return ([], false) }
        let known = order.filter(unsettled.contains)
        let gone = unsettled.filter { wishes[$0] == nil }.sorted()
        for symbol in gone + known {
            let before = placed[symbol] ?? []
            let goal = goals[symbol] ?? []
            guard before != goal else { continue }
            // What comes by a wildcard when it is wanted goes on coming there until it stands elsewhere.
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
            moved.append(symbol)
            changed = changed.union(after.subtracting(before)).union(before.subtracting(after))
        }
        return (moved, freed)
    }

    func hasRoom(_ slot: Int) -> Bool {
        guard let station = stations[slot] else { return false }
        return station.takesAll || station.count < station.seat.capacity ?? .max
    }

    /// Whether all that the feed has of a symbol comes from a connection.
    func stands(_ symbol: Symbol, _ slot: Int) -> Bool {
        guard let station = stations[slot] else { return false }
        return station.standsAll || station.standing.contains(symbol)
    }

    /// Whether an old place may be given up: nobody wants the symbol, or another place stands.
    func mayLeave(_ symbol: Symbol, _ slot: Int, _ goal: SlotSet, _ now: Duration) -> Bool {
        if goal.isEmpty { return true }
        let isBringing = stands(symbol, slot)
        return goal.contains { other in
            guard placed[symbol]?.contains(other) == true, let station = stations[other] else { return false }
            guard stands(symbol, other) else {
                // Refused at the new place, and not coming from the old one either.
                return station.isSettled && !isBringing
            }
            guard isBringing, case .some(let stood) = joining[Place(symbol: symbol, slot: other)] else { return true }
            return stood.map { now >= $0 + policy.overlap } ?? false
        }
    }

    /// Gives up a new place that the feed refuses while an old one still brings the symbol.
    mutating func turnBack(_ symbol: Symbol, _ now: Duration, _ freed: inout Bool) {
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

    mutating func join(_ symbol: Symbol, _ slot: Int, _ now: Duration) {
        let isFirst = placed[symbol] == nil
        placed[symbol, default: []].insert(slot)
        stations[slot]?.count += 1
        // Until the interest is sent and answered, what the connection says is of the one before.
        stations[slot]?.isSettled = false
        stations[slot]?.fresh.insert(symbol)
        leaving[Place(symbol: symbol, slot: slot)] = nil
        // Where everything comes already nothing is asked for, so no answer will tell that it stands.
        if !isFirst { joining[Place(symbol: symbol, slot: slot)] = .some(stands(symbol, slot) ? now : nil) }
    }

    mutating func leave(_ symbol: Symbol, _ slot: Int, _ now: Duration) {
        placed[symbol]?.remove(slot)
        stations[slot]?.count -= 1
        stations[slot]?.standing.remove(symbol)
        joining[Place(symbol: symbol, slot: slot)] = nil
        if let left = placed[symbol], left.isEmpty { placed[symbol] = nil }
        leaving[Place(symbol: symbol, slot: slot)] = Leave(since: now)
        unsettled.insert(symbol)
    }

    mutating func endLeaves(_ now: Duration) {
        for (place, leave) in leaving {
            guard let quiet = leave.quietSince else {
                if now >= leave.since + policy.patience { leaving[place]?.quietSince = now }
                continue
            }
            if now >= quiet + policy.linger {
                leaving[place] = nil
            } else if !leave.isOver, now >= quiet + policy.calm {
                leaving[place]?.isOver = true
            } else {
                continue
            }
            unsettled.insert(place.symbol)
        }
    }

    mutating func drop(_ slot: Int, _ now: Duration) {
        for (symbol, slots) in placed where slots.contains(slot) { leave(symbol, slot, now) }
        if stations[slot]?.asksAll == true { endWildcard(slot, now) }
        // The others may still bring again what it brought last.
        for place in leaving.keys where place.slot == slot && leaving[place]?.quietSince == nil {
            leaving[place]?.quietSince = now
        }
        joining = joining.filter { $0.key.slot != slot }
        stations[slot] = nil
        isDirty = true
    }

    /// Works out who may bring a symbol, and says so where it changed.
    mutating func share(_ symbol: Symbol, _ sharings: inout [Symbol: Sharing]) {
        let here = placed[symbol] ?? []
        var slots = here
        var ended: SlotSet = []
        for slot in 0..<SlotSet.capacity {
            guard let leave = leaving[Place(symbol: symbol, slot: slot)] else { continue }
            slots.insert(slot)
            if leave.isOver { ended.insert(slot) }
        }
        // A wildcard brings it too, whether the symbol has its place there or not.
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
}

/// Connections that bring everything, and give it back.
extension SetMachine {
    /// The connections that are to bring everything.
    var wildcards: SlotSet {
        SlotSet(stations.values.lazy.filter { $0.takesAll && $0.removedSince == nil }.map(\.seat.slot))
    }

    /// The connections that may bring everything at the moment.
    var asking: SlotSet { SlotSet(stations.values.lazy.filter(\.asksAll).map(\.seat.slot)) }

    /// Has the connections that are to bring everything ask for it.
    mutating func startWildcards() -> SlotSet {
        let started = wildcards.subtracting(asking)
        for slot in started {
            stations[slot]?.asksAll = true
            stations[slot]?.endsAll = false
        }
        // Whatever the others bring comes from these too.
        if !started.isEmpty { unsettled = unsettled.union(placed.keys).union(leaving.keys.map(\.symbol)) }
        return started
    }

    /// Has those that are to bring everything no more ask for less, when all that they give up stands elsewhere.
    mutating func endWildcards(_ now: Duration) -> SlotSet {
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

    /// Has a connection that asks for everything do so no more.
    mutating func endWildcard(_ slot: Int, _ now: Duration) {
        stations[slot]?.asksAll = false
        stations[slot]?.endsAll = true
        // It brought these besides others, though they have no place there.
        for (symbol, sharing) in shared where sharing.slots.contains(slot) && placed[symbol]?.contains(slot) != true {
            leaving[Place(symbol: symbol, slot: slot)] = Leave(since: now)
        }
    }
}

/// Admits a limited number of guests, yet always has room for one more: the guest that has waited longest must leave.
/// That way, idle guests can't keep others out.
public struct WaitingRoom<ID: Hashable, Guest> {
    private struct Place {
        let guest: Guest
        var isServed = false
        /// Grows with each change: the place with the lowest turn has been unchanged for longest.
        var turn: UInt64
    }

    private let limit: Int
    private var places: [ID: Place] = [:]
    private var turn: UInt64 = 0

    /// A room for at most `limit`.
    public init(limit: Int) { self.limit = limit }

    /// Admits a guest and returns the one that must leave for it: one being served leaves only when nobody waits.
    public mutating func enter(_ id: ID, _ guest: Guest) -> Guest? {
        var leaving: Guest?
        if places.count >= limit, let first = places.min(by: { Self.goesBefore($0.value, $1.value) }) {
            leaving = first.value.guest
            places[first.key] = nil
        }
        turn += 1
        places[id] = Place(guest: guest, turn: turn)
        return leaving
    }

    /// Notes whether a guest is served or waits again.
    public mutating func change(_ id: ID, isServed: Bool) {
        turn += 1
        places[id]?.isServed = isServed
        places[id]?.turn = turn
    }

    /// Forgets a guest that has gone.
    public mutating func leave(_ id: ID) { places[id] = nil }

    private static func goesBefore(_ left: Place, _ right: Place) -> Bool {
        left.isServed == right.isServed ? left.turn < right.turn : right.isServed
    }
}

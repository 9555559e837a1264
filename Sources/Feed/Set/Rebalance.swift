import MarketData

/// Decides which symbols to move so that the connections deliver about the same number of messages.
///
/// It moves as few as it can. It repeatedly moves the heaviest symbol that narrows the difference between the busiest
/// and the idlest connection, until the busiest delivers no more than the square root of ``factor`` times the idlest.
/// It stops well below the factor at which it starts, so that the next comparison does not start it again.
struct Rebalance: Sendable {
    /// One symbol's move.
    struct Move: Equatable, Sendable {
        var symbol: Symbol
        var from: Int
        var to: Int
    }

    /// Rates that differ by less are left alone.
    var factor = 1.5
    /// The maximum number of symbols moved at once.
    var mostMoves = 500

    /// Returns the moves; none if the rates are close enough.
    ///
    /// - Parameters:
    ///   - places: the symbols of each connection that takes part, without those that must stay.
    ///   - fixed: the rate of each connection from symbols that must stay.
    ///   - room: how many more symbols each connection takes.
    ///   - always: whether to even out rates that differ by less than the factor too.
    func moves(
        places: [Int: [Symbol]], fixed: [Int: Double] = [:], room: [Int: Int], weights: [Symbol: Double],
        always: Bool = false
    ) -> [Move] {
        guard places.count > 1 else { return [] }
        var symbols = places.mapValues { list in
            list.map { (symbol: $0, weight: weights[$0] ?? 0) }.sorted { $0.weight > $1.weight }
        }
        var rates = symbols.mapValues { $0.reduce(0) { $0 + $1.weight } }
        for (slot, rate) in fixed where rates[slot] != nil { rates[slot]? += rate }
        var room = room
        var moves: [Move] = []
        var limit = always ? 1 : factor
        while moves.count < mostMoves {
            let ranked = rates.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
            guard let busiest = ranked.last, busiest.value > 0,
                let idlest = ranked.first(where: { room[$0.key] ?? .max > 0 }), idlest.key != busiest.key,
                busiest.value > limit * idlest.value
            else { break }
            limit = always ? 1 : factor.squareRoot()
            // The heaviest symbol that does not overshoot the middle, so that every move reduces the difference.
            let half = (busiest.value - idlest.value) / 2
            guard let index = symbols[busiest.key]?.firstIndex(where: { $0.weight <= half }),
                let chosen = symbols[busiest.key]?[index], chosen.weight > 0
            else { break }
            symbols[busiest.key]?.remove(at: index)
            rates[busiest.key]? -= chosen.weight
            rates[idlest.key]? += chosen.weight
            if let left = room[idlest.key] { room[idlest.key] = left - 1 }
            if let left = room[busiest.key] { room[busiest.key] = left + 1 }
            moves.append(Move(symbol: chosen.symbol, from: busiest.key, to: idlest.key))
        }
        return moves
    }
}

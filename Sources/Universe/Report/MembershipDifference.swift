public import MarketData

/// How a group's new members differ from those before. Pure.
public struct MembershipDifference: Sendable, Equatable {
    /// A member whose weight changes.
    public struct Reweighting: Sendable, Equatable, Codable {
        /// The symbol.
        public var symbol: String
        /// The weight before.
        public var old: Double?
        /// The weight from now on.
        public var new: Double?

        private enum CodingKeys: String, CodingKey {
            case symbol
            case old = "from"
            case new = "to"
        }
    }

    /// Symbols that join, sorted.
    public var added: [String] = []
    /// Symbols that leave, sorted.
    public var removed: [String] = []
    /// Symbols that stay with another weight, sorted.
    public var reweighted: [Reweighting] = []
    /// How many members there were.
    public var before: Int

    /// Compares the old members with the new.
    public init(from old: [MemberRecord], to new: [MemberRecord]) {
        before = old.count
        var left = Dictionary(old.map { ($0.symbol, $0) }) { first, _ in first }
        for member in new.sorted(by: { $0.symbol < $1.symbol }) {
            guard let same = left.removeValue(forKey: member.symbol) else {
                added.append(member.symbol)
                continue
            }
            if same.weight != member.weight {
                reweighted.append(.init(symbol: member.symbol, old: same.weight, new: member.weight))
            }
        }
        removed = left.keys.sorted()
    }

    /// Whether nothing changes.
    var isEmpty: Bool { added.isEmpty && removed.isEmpty && reweighted.isEmpty }

    /// Whether so many members join or leave that a person should look first: more than half of those there were.
    var isDrastic: Bool { before > 0 && (added.count + removed.count) * 2 > before }
}

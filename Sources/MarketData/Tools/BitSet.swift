/// A set of small whole numbers, stored as one bit each.
public struct BitSet: Sendable, Equatable {
    private var words: [UInt64] = []

    /// Makes an empty set.
    public init() {}

    /// Whether a number is in the set.
    public func contains(_ number: Int) -> Bool {
        number >> 6 < words.count && words[number >> 6] & (1 << UInt64(number & 63)) != 0
    }

    /// Adds a number that is not less than 0; returns whether it is new.
    @discardableResult
    public mutating func insert(_ number: Int) -> Bool {
        let (place, bit) = (number >> 6, UInt64(1) << UInt64(number & 63))
        if place >= words.count { words += repeatElement(0, count: place + 1 - words.count) }
        defer { words[place] |= bit }
        return words[place] & bit == 0
    }

    /// Adds numbers that are not less than 0.
    public mutating func insert(_ numbers: Range<Int>) { for number in numbers { insert(number) } }

    /// The number of members.
    public var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
}

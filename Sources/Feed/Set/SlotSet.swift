/// Some of a set's connections, by their slots 0 to 15. Copying or comparing one costs a register operation.
struct SlotSet: Hashable, Sendable {
    /// The number of slots.
    static let capacity = 16

    private(set) var bits: UInt16

    init(bits: UInt16 = 0) { self.bits = bits }

    init(_ slots: some Sequence<Int>) { bits = slots.reduce(0) { $0 | 1 << UInt16($1) } }

    var isEmpty: Bool { bits == 0 }

    var count: Int { bits.nonzeroBitCount }

    /// The lowest slot.
    var first: Int? { bits == 0 ? nil : bits.trailingZeroBitCount }

    func contains(_ slot: Int) -> Bool { bits & 1 << UInt16(slot) != 0 }

    mutating func insert(_ slot: Int) { bits |= 1 << UInt16(slot) }

    mutating func remove(_ slot: Int) { bits &= ~(1 << UInt16(slot)) }

    func union(_ other: SlotSet) -> SlotSet { SlotSet(bits: bits | other.bits) }

    func intersection(_ other: SlotSet) -> SlotSet { SlotSet(bits: bits & other.bits) }

    func subtracting(_ other: SlotSet) -> SlotSet { SlotSet(bits: bits & ~other.bits) }
}

extension SlotSet: Sequence {
    /// The slots from the lowest to the highest.
    func makeIterator() -> Iterator { Iterator(bits: bits) }

    struct Iterator: IteratorProtocol {
        var bits: UInt16

        mutating func next() -> Int? {
            guard bits != 0 else { return nil }
            defer { bits &= bits - 1 }
            return bits.trailingZeroBitCount
        }
    }
}

extension SlotSet: ExpressibleByArrayLiteral {
    init(arrayLiteral elements: Int...) { self.init(elements) }
}

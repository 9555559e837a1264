public import MarketData

extension BitSet {
    /// Makes a set of the numbers of a sequence, none of which may be negative.
    public init(_ numbers: some Sequence<Int>) {
        self.init()
        for number in numbers { insert(number) }
    }
}

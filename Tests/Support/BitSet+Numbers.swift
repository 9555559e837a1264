public import MarketData

extension BitSet {
    /// The numbers of a sequence, none of them less than 0.
    public init(_ numbers: some Sequence<Int>) {
        self.init()
        for number in numbers { insert(number) }
    }
}

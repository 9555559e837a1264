import MarketData

/// The number of events of each kind.
struct KindCounts: Sendable, Equatable {
    private var values = SIMD16<UInt32>.zero

    static func += (left: inout KindCounts, right: KindCounts) { left.values &+= right.values }

    mutating func add(_ kind: KindSet) { values[kind.index] &+= 1 }

    subscript(kind: KindSet) -> Int { Int(values[kind.index]) }

    var kinds: KindSet {
        var set: KindSet = []
        for index in 0..<KindSet.count where values[index] > 0 { set.insert(KindSet(rawValue: 1 << UInt16(index))) }
        return set
    }

    var total: Int { Int(values.wrappedSum()) }
}

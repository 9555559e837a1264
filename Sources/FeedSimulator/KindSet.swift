import MarketData

/// A set of event kinds in one byte, with a place for kinds the feed's four channels don't cover.
struct KindSet: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    static let minuteBar = KindSet(rawValue: 1)
    static let secondBar = KindSet(rawValue: 2)
    static let trade = KindSet(rawValue: 4)
    static let quote = KindSet(rawValue: 8)
    /// A `status` message.
    static let status = KindSet(rawValue: 16)
    /// An event of any other kind.
    static let other = KindSet(rawValue: 32)

    static let bars: KindSet = [.minuteBar, .secondBar]
    static let market: KindSet = [.minuteBar, .secondBar, .trade, .quote]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ kind: EventKind) {
        switch kind {
        case .minuteBar: self = .minuteBar
        case .secondBar: self = .secondBar
        case .trade: self = .trade
        case .quote: self = .quote
        }
    }

    /// The kind that an event's `ev` names.
    init(name: UnsafeRawBufferPointer) {
        switch name.count {
        case 1:
            switch name[0] {
            case UInt8(ascii: "A"): self = .secondBar
            case UInt8(ascii: "T"): self = .trade
            case UInt8(ascii: "Q"): self = .quote
            default: self = .other
            }
        case 2: self = name[0] == UInt8(ascii: "A") && name[1] == UInt8(ascii: "M") ? .minuteBar : .other
        case 6: self = name.elementsEqual("status".utf8) ? .status : .other
        default: self = .other
        }
    }

    /// The place of a set of one kind among ``KindCounts``.
    var index: Int { rawValue.trailingZeroBitCount }
}

/// How many events of each kind.
struct KindCounts: Sendable, Equatable {
    private var values = SIMD8<UInt32>.zero

    static func += (left: inout KindCounts, right: KindCounts) { left.values &+= right.values }

    mutating func add(_ kind: KindSet) { values[kind.index] &+= 1 }

    /// The number of events of one kind.
    subscript(kind: KindSet) -> Int { Int(values[kind.index]) }

    /// The kinds that occur.
    var kinds: KindSet {
        var set: KindSet = []
        for index in 0..<6 where values[index] > 0 { set.insert(KindSet(rawValue: 1 << UInt8(index))) }
        return set
    }

    /// The number of events of all kinds.
    var total: Int { Int(values.wrappedSum()) }
}

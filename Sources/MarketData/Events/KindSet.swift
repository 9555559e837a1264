/// A set of event kinds, with bits also for messages that no channel of the feed covers.
@frozen
public struct KindSet: OptionSet, Sendable, Hashable {
    /// One bit per kind; those of the feed's channels come first, in the order of ``EventKind``.
    public let rawValue: UInt16

    /// `AM`.
    public static let minuteBar = KindSet(rawValue: 1)
    /// `A`.
    public static let secondBar = KindSet(rawValue: 2)
    /// `T`.
    public static let trade = KindSet(rawValue: 4)
    /// `Q`.
    public static let quote = KindSet(rawValue: 8)
    /// `LULD`.
    public static let limitBand = KindSet(rawValue: 16)
    /// `NOI`.
    public static let imbalance = KindSet(rawValue: 32)
    /// `FMV`.
    public static let fairValue = KindSet(rawValue: 64)
    /// A `status` message.
    public static let status = KindSet(rawValue: 128)
    /// An event of any other kind.
    public static let other = KindSet(rawValue: 256)

    /// Minute and second bars.
    public static let bars: KindSet = [.minuteBar, .secondBar]
    /// The kinds of the feed's channels.
    public static let market: KindSet = [.minuteBar, .secondBar, .trade, .quote, .limitBand, .imbalance, .fairValue]
    /// The number of kinds, including ``status`` and ``other``.
    public static let count = 9

    /// The set with these bits.
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The set of one kind.
    @inlinable public init(_ kind: EventKind) { self.init(rawValue: 1 << UInt16(kind.index)) }

    /// The kind that an event's `ev` names; ``other`` for an unknown name.
    public init(name: UnsafeRawBufferPointer) {
        switch name.count {
        case 1:
            switch name[0] {
            case UInt8(ascii: "A"): self = .secondBar
            case UInt8(ascii: "T"): self = .trade
            case UInt8(ascii: "Q"): self = .quote
            default: self = .other
            }
        case 2: self = name[0] == UInt8(ascii: "A") && name[1] == UInt8(ascii: "M") ? .minuteBar : .other
        case 3:
            self = name.elementsEqual("NOI".utf8) ? .imbalance : name.elementsEqual("FMV".utf8) ? .fairValue : .other
        case 4: self = name.elementsEqual("LULD".utf8) ? .limitBand : .other
        case 6: self = name.elementsEqual("status".utf8) ? .status : .other
        default: self = .other
        }
    }

    /// The number of the bit that is set, for a set of one kind.
    @inlinable public var index: Int { rawValue.trailingZeroBitCount }
}

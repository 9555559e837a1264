import MarketData

/// The kinds and symbols of the events that could not be decoded, as far as they are known.
struct UnreadableEvents: Sendable, Equatable {
    /// The symbols affected in one kind.
    struct Extent: Sendable, Equatable {
        /// Above this number, all symbols count as affected.
        static let mostSymbols = 100

        private(set) var symbols: Set<Symbol> = []
        /// Whether any symbol may be affected.
        private(set) var isWhole = false

        /// Whether this extent includes all of another.
        func covers(_ other: Extent) -> Bool { isWhole || !other.isWhole && other.symbols.isSubset(of: symbols) }

        /// Adds an event's symbol; `nil` if it can't be read.
        mutating func add(_ symbol: Symbol?) {
            guard !isWhole else { return }
            if let symbol { symbols.insert(symbol) }
            guard symbol == nil || symbols.count > Self.mostSymbols else { return }
            symbols = []
            isWhole = true
        }
    }

    private var kinds: [EventKind: Extent] = [:]
    /// Whether an event of any kind may be affected.
    private(set) var isOfAnyKind = false

    var isEmpty: Bool { kinds.isEmpty && !isOfAnyKind }

    /// What was lost of a kind; `nil` if nothing was.
    subscript(_ kind: EventKind) -> Extent? {
        guard isOfAnyKind else { return kinds[kind] }
        var whole = Extent()
        whole.add(nil)
        return whole
    }

    mutating func add(_ kind: EventKind, _ symbol: Symbol?) { kinds[kind, default: Extent()].add(symbol) }

    /// Adds text that is not JSON or not an event. Text without a brace is ignored, since it held no event.
    mutating func add(_ piece: UnsafeRawBufferPointer) {
        guard !isOfAnyKind, piece.contains(UInt8(ascii: "{")) else { return }
        isOfAnyKind = true
    }
}

import MarketData

/// Of which symbols and kinds events came that can't be decoded, as far as what came of them says.
struct UnreadableEvents: Sendable, Equatable {
    /// Of one kind.
    struct Extent: Sendable, Equatable {
        /// More symbols than these are not told apart.
        static let mostSymbols = 100

        private(set) var symbols: Set<Symbol> = []
        /// Whether an event may have been any symbol's.
        private(set) var isWhole = false

        /// Whether all of another is in it.
        func covers(_ other: Extent) -> Bool { isWhole || !other.isWhole && other.symbols.isSubset(of: symbols) }

        /// Adds an event's symbol; `nil` where it can't be read.
        mutating func add(_ symbol: Symbol?) {
            guard !isWhole else { return }
            if let symbol { symbols.insert(symbol) }
            guard symbol == nil || symbols.count > Self.mostSymbols else { return }
            symbols = []
            isWhole = true
        }
    }

    private var kinds: [EventKind: Extent] = [:]
    /// Whether an event may have been of any kind.
    private(set) var isOfAnyKind = false

    var isEmpty: Bool { kinds.isEmpty && !isOfAnyKind }

    /// What is lost of a kind; `nil` where nothing is.
    subscript(_ kind: EventKind) -> Extent? {
        guard isOfAnyKind else { return kinds[kind] }
        var whole = Extent()
        whole.add(nil)
        return whole
    }

    mutating func add(_ kind: EventKind, _ symbol: Symbol?) { kinds[kind, default: Extent()].add(symbol) }

    /// Adds text that is not JSON, or no event: without a brace it held none.
    mutating func add(_ piece: UnsafeRawBufferPointer) {
        guard !isOfAnyKind, piece.contains(UInt8(ascii: "{")) else { return }
        isOfAnyKind = true
    }
}

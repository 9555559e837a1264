public import Feed
public import Universe

/// A connection, and what names its symbols.
public struct CollectedConnection: Sendable {
    /// What names a connection's symbols, as written in the settings.
    public struct Wish: Sendable, Equatable {
        /// The connection's name.
        public var name: String
        /// The universe key.
        public var universeKey: String?
        /// The plain list, separated by commas.
        public var symbols: String?
        /// What happens when the key can't be resolved and there is no list.
        public var fallback: SymbolSelection.Fallback

        /// Makes a wish.
        public init(name: String, universeKey: String?, symbols: String?, fallback: SymbolSelection.Fallback) {
            self.name = name
            self.universeKey = universeKey
            self.symbols = symbols
            self.fallback = fallback
        }
    }

    /// What the settings say.
    public var wish: Wish
    /// The symbols that it has been given.
    public var interest: Interest
    /// Gives it other symbols; subscribes and unsubscribes just the difference.
    public var setInterest: @Sendable (Interest) -> Void

    /// Makes a connection.
    public init(wish: Wish, interest: Interest, setInterest: @escaping @Sendable (Interest) -> Void) {
        self.wish = wish
        self.interest = interest
        self.setInterest = setInterest
    }
}

/// What an interest becomes when a connection's symbols are looked up again. Pure.
public struct InterestChange: Sendable, Equatable {
    /// The symbols from now on.
    public var interest: Interest
    /// How many symbols join.
    public var added: Int
    /// How many symbols leave.
    public var removed: Int
    /// Some of those that join and leave, for the log.
    public var sample: String

    /// Compares; `nil` when both are the same.
    public init?(from old: Interest, to new: Interest) {
        interest = new
        switch (old, new) {
        case (.all, .all): return nil
        case (.all, .symbols(let symbols)):
            (added, removed, sample) = (symbols.count, 0, "in place of every symbol")
        case (.symbols(let symbols), .all):
            (added, removed, sample) = (0, symbols.count, "every symbol in place of them")
        case (.symbols(let old), .symbols(let new)):
            let before = Set(old)
            let after = Set(new)
            let joining = after.subtracting(before).sorted()
            let leaving = before.subtracting(after).sorted()
            guard !joining.isEmpty || !leaving.isEmpty else { return nil }
            (added, removed) = (joining.count, leaving.count)
            sample = (joining.prefix(5).map { "+\($0)" } + leaving.prefix(5).map { "-\($0)" }).joined(separator: " ")
        }
    }
}

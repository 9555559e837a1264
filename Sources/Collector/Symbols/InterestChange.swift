import Feed
import MarketData

/// What changed when a connection's symbols were decided again. Pure.
struct InterestChange: Sendable, Equatable {
    /// How many symbols join.
    var added: Int
    /// How many symbols leave.
    var removed: Int
    /// Some of those that join and leave, for the log.
    var sample: String

    /// Compares; `nil` when both are the same.
    init?(from old: Interest, to new: Interest) {
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

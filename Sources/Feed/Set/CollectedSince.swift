import MarketData

/// Remembers since when each symbol has been collected, or missed with a gap that says so. Reads no clock.
///
/// No gap tells of the time before: nobody wanted the symbol then, or the feed had not answered for it. For a symbol that
/// is wanted from the start, a gap tells even of the time while no collector ran, so it counts as collected before.
struct CollectedSince: Sendable {
    private var times: [Symbol: Int64] = [:]
    /// Since when every symbol has been collected, while a connection asks for everything.
    private var everything: Int64?
    private var hasBegun = false

    /// Since when a symbol has been collected, in milliseconds since the Unix epoch: `Int64.min` if it was wanted from
    /// the start, `nil` if it is not collected.
    subscript(symbol: Symbol) -> Int64? { [times[symbol], everything].compactMap(\.self).min() }

    /// Since when the last of some symbols has been collected, or everything (`nil`); `nil` if none is.
    func latest(of symbols: Set<Symbol>?) -> Int64? {
        guard let symbols else { return everything }
        return symbols.lazy.compactMap { self[$0] }.max()
    }

    /// Records what is collected now.
    ///
    /// - Parameters:
    ///   - wanted: the symbols that are wanted by name.
    ///   - takesAll: whether a connection asks for everything.
    ///   - time: the present time on the events' scale, in milliseconds since the Unix epoch.
    ///   - isAnswered: whether the feed has answered for a symbol, or for everything (`nil`).
    mutating func note(
        _ wanted: some Collection<Symbol>, takesAll: Bool, time: Int64, isAnswered: (Symbol?) -> Bool
    ) {
        let start = hasBegun ? nil : Int64.min
        hasBegun = true
        for symbol in wanted where times[symbol] == nil {
            // What came by a wildcard until now goes on without a break.
            times[symbol] = everything ?? start ?? (isAnswered(symbol) ? time : nil)
        }
        everything = takesAll ? everything ?? start ?? (isAnswered(nil) ? time : nil) : nil
        // A symbol that nobody names any more goes on by a wildcard.
        guard !takesAll else { return }
        for symbol in times.keys where !wanted.contains(symbol) { times[symbol] = nil }
    }
}

import MarketData

/// Remembers since when symbols have had no room on any connection, until they do or nobody wants them. Pure.
///
/// What has no room is collected by nobody, so it is a gap like any other.
struct UnplacedLedger: Sendable {
    /// In milliseconds since the Unix epoch.
    private var since: [Symbol: Int64] = [:]

    /// The symbols without room as last noted.
    var symbols: some Collection<Symbol> { since.keys }

    /// Notes which symbols have no room at a time.
    ///
    /// - Returns: the gaps that ended, those of symbols that lost their room together in one.
    mutating func note(
        _ unplaced: [Symbol], at time: Int64, connection: String, events: [EventKind]
    ) -> [Gap] {
        let now = Set(unplaced)
        let placed = since.filter { !now.contains($0.key) }
        for symbol in placed.keys { since[symbol] = nil }
        for symbol in unplaced where since[symbol] == nil { since[symbol] = time }
        return Dictionary(grouping: placed.keys) { placed[$0] ?? time }.sorted { $0.key < $1.key }.map {
            from, symbols in
            Gap(
                connection: connection, symbols: symbols.sorted(), events: events, from: from, to: max(from, time),
                cause: .unsubscribed)
        }
    }
}

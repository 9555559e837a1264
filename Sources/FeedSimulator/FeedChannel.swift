import MarketData

/// What one part of a subscription names: a kind of event, of one symbol or of all.
struct FeedChannel: Hashable, Sendable {
    var kind: EventKind
    /// `nil` for `*`.
    var symbol: Symbol?

    /// Reads `AM.AAPL` or `T.*`; `nil` when the text is neither.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = EventKind(rawValue: String(parts[0])) else { return nil }
        self.kind = kind
        if parts[1] != "*" {
            guard let symbol = Symbol(parts[1]) else { return nil }
            self.symbol = symbol
        }
    }

    /// The channel as it is written.
    var text: String { "\(kind.rawValue).\(symbol?.description ?? "*")" }
}

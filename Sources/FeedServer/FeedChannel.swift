public import MarketData

/// What one part of a subscription names: a kind of event, of one symbol or of all.
public struct FeedChannel: Hashable, Sendable {
    /// The kind of event.
    public var kind: EventKind
    /// The symbol; `nil` for `*`.
    public var symbol: Symbol?

    /// Reads `AM.AAPL` or `T.*`; `nil` when the text is neither.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = EventKind(rawValue: String(parts[0])) else { return nil }
        self.kind = kind
        if parts[1] != "*" {
            guard let symbol = Symbol(parts[1]) else { return nil }
            self.symbol = symbol
        }
    }

    /// The channel as it is written.
    public var text: String { "\(kind.rawValue).\(symbol?.description ?? "*")" }
}

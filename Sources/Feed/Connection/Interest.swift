public import MarketData

/// Which symbols a connection is to bring.
public enum Interest: Sendable, Equatable {
    /// Every symbol of the market: the wildcard channels (`AM.*`).
    case all
    /// These symbols; repeated ones count once.
    case symbols([Symbol])
}

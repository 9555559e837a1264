public import MarketData

/// Whether gaps are filled soon after they end (`BACKFILL_ENABLED`).
public enum BackfillState: Sendable, Equatable {
    /// Gaps are filled; with the failure that keeps one from being filled, if there is any.
    case filling(LastingFailure?)
    /// The settings leave gaps to `edgetick backfill`; the text is the reason.
    case off(String)
    /// No server can be asked, because a setting is missing; the text says which.
    case lacking(String)
}

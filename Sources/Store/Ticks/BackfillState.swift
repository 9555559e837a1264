public import MarketData

/// The state of the filling of gaps soon after they ended (`BACKFILL_ENABLED`).
public enum BackfillState: Sendable, Equatable {
    /// Gaps are filled; the failure that keeps one from it, if there is any.
    case filling(LastingFailure?)
    /// The settings leave gaps to `edgetick backfill`, for this reason.
    case off(String)
    /// No server can be asked, for want of a setting.
    case lacking(String)
}

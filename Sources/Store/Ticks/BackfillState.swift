/// The state of the filling of gaps soon after they ended (`BACKFILL_ENABLED`).
public enum BackfillState: Sendable, Equatable {
    /// A failure that lasts.
    public struct Failure: Sendable, Equatable {
        /// What happens and what to do, in one line, without secrets.
        public var description: String
        /// Since when it has lasted.
        public var since: ContinuousClock.Instant

        /// Makes a failure; see the properties for meaning.
        public init(description: String, since: ContinuousClock.Instant) {
            self.description = description
            self.since = since
        }
    }

    /// Gaps are filled; the failure that keeps one from it, if there is any.
    case filling(Failure?)
    /// The settings leave gaps to `edgetick backfill`, for this reason.
    case off(String)
    /// No server can be asked, for want of a setting.
    case lacking(String)
}

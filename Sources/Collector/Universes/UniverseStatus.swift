public import MarketData

/// The state of the mirror.
public struct UniverseStatus: Sendable, Equatable {
    /// The number of successful pulls since the process started, including those that found nothing new.
    public var pulls = 0
    /// When any process last found the mirror to match the database, in milliseconds since the Unix epoch; `nil` before
    /// the first pull.
    public var mirrorPulledAt: Int64?
    /// The present failure of the pull, if any.
    public var failure: LastingFailure?
    /// Why the mirror can't be read now, if it can't; what was read before stays in use.
    var unreadable: LastingFailure?
}

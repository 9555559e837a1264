/// The state of the mirror.
public struct UniverseStatus: Sendable, Equatable {
    /// A failure that lasts.
    public struct Failure: Sendable, Equatable {
        /// What went wrong and what to do, in one line.
        var description: String
        /// When it began.
        var since: ContinuousClock.Instant
    }

    /// Pulls that succeeded since the process started, those that found nothing new included.
    var pulls = 0
    /// When the mirror was last found to be as the database, by whichever process, in milliseconds since the Unix
    /// epoch; `nil` when there was never a pull.
    public var mirrorPulledAt: Int64?
    /// The pull's failure under way, if any.
    public var failure: Failure?
    /// Why the mirror can't be read now, if it can't; what was read before stays in use.
    var unreadable: Failure?
}

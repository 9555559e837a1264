/// The progress of a loop of the process.
public struct LoopProgress: Sendable, Equatable {
    /// The loop's name: `writer` or `status`.
    public var name: String
    /// Seconds since the loop last made progress, on a clock that never jumps.
    var age: Double
    /// The age in seconds from which the loop counts as stuck.
    public var limit: Double

    /// Whether the loop made progress in time.
    var isAlive: Bool { age <= limit }
}

/// How far a loop of the process has come.
public struct LoopProgress: Sendable, Equatable {
    /// The loop's name: `writer`, `upload`.
    public var name: String
    /// Seconds since the loop last went round, on a clock that never jumps.
    var age: Double
    /// The age in seconds from which the loop counts as stuck.
    public var limit: Double

    /// Whether the loop went round in time.
    var isAlive: Bool { age <= limit }
}

/// The health in short, for those who watch the process from outside.
public struct HealthVerdict: Sendable, Equatable {
    /// Whether all loops make progress.
    public var isLive: Bool
    /// The state in one line, with the worst problem and what to do.
    public var text: String

}

extension HealthVerdict {
    /// Summarises `health`.
    public init(_ health: Health) {
        let word = health.isReady ? "collecting" : "not collecting"
        self.init(
            isLive: health.isLive, text: word + (health.headline.map { "; \($0)" } ?? ""))
    }
}

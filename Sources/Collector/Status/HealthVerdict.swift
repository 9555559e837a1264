/// What health says, in short, for those who watch the process from outside.
public struct HealthVerdict: Sendable, Equatable {
    /// Whether all loops go round.
    public var isLive: Bool
    /// The state in one line, with the worst that is wrong and what to do.
    public var text: String

}

extension HealthVerdict {
    /// What `health` comes to, the worst first.
    public init(_ health: Health) {
        let word = health.isReady ? "collecting" : "not collecting"
        self.init(
            isLive: health.isLive, text: word + (health.headline.map { "; \($0)" } ?? ""))
    }
}

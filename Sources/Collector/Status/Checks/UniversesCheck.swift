import MarketData
import Universe

extension Health.Check {
    /// How many seconds of an unreadable mirror make the universes degraded. A file that is being replaced can't be read
    /// for a moment.
    static let unreadableLimit = 10.0

    /// Whether the local groups are as current as the settings ask for.
    static func universes(_ snapshot: CollectorSnapshot) -> Self {
        if let failure = snapshot.unreadableMirror, snapshot.age(of: failure.since) > unreadableLimit {
            return Self(
                "universes", .degraded,
                "the local groups can't be read, so the symbols stay as they are: \(failure.description)")
        }
        guard let mirror = snapshot.mirror else { return Self("universes", ok: "the local groups are used") }
        let age =
            mirror.mirrorPulledAt.map { "pulled \(Duration.milliseconds(snapshot.time - $0).spoken) ago" }
            ?? "never pulled"
        guard let failure = mirror.failure else { return Self("universes", ok: age) }
        return Self(
            "universes", .degraded,
            "the pull fails, so the local groups stay in use (\(age)): \(failure.description)")
    }
}

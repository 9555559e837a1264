extension Health.Check {
    /// Whether the local groups are as current as the settings ask for.
    static func universes(_ snapshot: CollectorSnapshot) -> Self {
        guard let mirror = snapshot.mirror else { return Self("universes", ok: "the local ones are used") }
        let age =
            mirror.mirrorPulledAt.map { "pulled \(words(minutes: (snapshot.time - $0) / 60_000))" } ?? "never pulled"
        guard let failure = mirror.failure else { return Self("universes", ok: age) }
        return Self(
            "universes", .degraded, "the local ones stay in use, \(age); the pull fails: \(failure.description)")
    }

    private static func words(minutes: Int64) -> String {
        switch minutes {
        case ..<1: "just now"
        case 1: "a minute ago"
        case ..<120: "\(minutes) minutes ago"
        default: "\(minutes / 60) hours ago"
        }
    }
}

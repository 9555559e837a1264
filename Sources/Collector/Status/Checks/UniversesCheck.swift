extension Health.Check {
    /// Whether the local groups are as current as the settings ask for.
    static func universes(_ snapshot: CollectorSnapshot) -> Self {
        guard let mirror = snapshot.mirror else { return Self("universes", ok: "the local ones are used") }
        let age =
            mirror.mirrorPulledAt.map { "pulled \(max(0, (snapshot.time - $0) / 60_000)) minutes ago" }
            ?? "never pulled"
        guard let failure = mirror.failure else { return Self("universes", ok: age) }
        return Self(
            "universes", .degraded, "the local ones stay in use, \(age); the pull fails: \(failure.description)")
    }
}

import Store

extension Health.Check {
    /// Rows that wait while none is settled for so many seconds make the upload degraded.
    static let stallLimit = 30.0
    /// An oldest row that waits longer than this, in seconds, makes the upload degraded.
    static let lagLimit = 900.0

    /// Whether upstream gets what is collected.
    static func sync(_ snapshot: CollectorSnapshot) -> Self {
        guard let sync = snapshot.sync else { return Self("sync", ok: "collecting only: DATABASE_URI is not set") }
        if let failure = sync.failure {
            let remedy = failure.needsPerson ? "needs a person: " : "trying again: "
            return Self("sync", .degraded, remedy + failure.description)
        }
        if snapshot.stalledFor > stallLimit {
            return Self("sync", .degraded, "nothing was uploaded for \(Int(snapshot.stalledFor)) s while rows wait")
        }
        if let lag = snapshot.oldestPendingAge, lag > lagLimit {
            return Self("sync", .degraded, "the oldest row waits for \(Int(lag / 60)) minutes")
        }
        let letters = snapshot.buffer.deadLetters
        guard letters == 0 else {
            return Self(
                "sync", .degraded,
                "\(letters) rows were refused and are not upstream: edgetick dead-letters list shows why; correct the "
                    + "cause and retry them, or discard them")
        }
        return Self("sync", ok: "upstream keeps up")
    }
}

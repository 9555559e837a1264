import MarketData
import Store
import Upstream

extension Health.Check {
    /// For how many seconds beyond the interval rows may wait with none settled before the upload is degraded.
    static let stallLimit = 30.0
    /// An oldest row that waits longer than this beyond the interval, in seconds, makes the upload degraded.
    static let lagLimit = 900.0

    /// Whether the collected rows reach upstream.
    static func sync(_ snapshot: CollectorSnapshot) -> Self {
        guard let upload = snapshot.uploads.first else {
            return Self("sync", ok: "collecting only: DATABASE_URI is not set")
        }
        if let problem = problem(upload, in: snapshot) { return Self("sync", .degraded, problem) }
        let letters = snapshot.buffer.deadLetters
        guard letters == 0 else {
            return Self(
                "sync", .degraded,
                "\(letters.counted("row was", "rows were")) refused, and not uploaded: edgetick dead-letters list shows why; "
                    + "correct the cause and retry them, or discard them")
        }
        let keptOut = snapshot.uploads.reduce(0) { $0 + $1.status.totals.keptOut }
        guard keptOut > 0 else { return Self("sync", ok: "upstream keeps up") }
        return Self(
            "sync",
            ok: "upstream keeps up; \(keptOut.counted("row")) did not end up in the table: a trigger on it discards or "
                + "redirects rows")
    }

    /// The same for the database in `DATABASE_URI_TICKS`; `nil` when there is none.
    static func syncTicks(_ snapshot: CollectorSnapshot) -> Self? {
        guard let upload = snapshot.uploads.first(where: { $0.role == .ticks }) else { return nil }
        guard let problem = problem(upload, in: snapshot) else { return Self("sync_ticks", ok: "upstream keeps up") }
        return Self("sync_ticks", .degraded, problem)
    }

    private static func problem(_ upload: UploadState, in snapshot: CollectorSnapshot) -> String? {
        if let failure = upload.status.failure {
            return (failure.needsPerson ? "a person must fix this: " : "trying again: ") + failure.description
        }
        if upload.stalledFor > upload.interval + stallLimit {
            return "nothing was uploaded for \(Int(upload.stalledFor)) s while rows wait"
        }
        let lag = upload.lag(in: snapshot)
        guard lag > upload.interval + lagLimit else { return nil }
        return "the oldest row has been waiting for \(Int(lag / 60)) minutes; check the load of the database and the "
            + "network to it"
    }
}

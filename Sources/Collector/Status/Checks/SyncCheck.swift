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
        return check("sync", upload, in: snapshot)
    }

    /// The same for the database in `DATABASE_URI_TICKS`; `nil` when there is none.
    static func syncTicks(_ snapshot: CollectorSnapshot) -> Self? {
        snapshot.uploads.first { $0.role == .ticks }.map { check("sync_ticks", $0, in: snapshot) }
    }

    private static func check(_ name: String, _ upload: UploadState, in snapshot: CollectorSnapshot) -> Self {
        var problems: [Health.Problem] = []
        if let problem = problem(upload, in: snapshot) { problems.degrade(problem) }
        let letters = upload.deadLetters(in: snapshot.buffer)
        if letters > 0 {
            problems.degrade(
                "\(letters.counted("row was", "rows were")) refused and not uploaded: edgetick dead-letters list shows why; "
                    + "fix the cause and retry them, or discard them")
        }
        let keptOut = upload.status.totals.keptOut
        if keptOut > 0, !upload.keepsOutOnPurpose {
            let counts = upload.streams.map { (stream: $0, rows: upload.status.totals[$0].keptOut) }
            let text = counts.filter { $0.rows > 0 }
                .map { "\($0.rows.counted("row")) of \($0.stream.rawValue)" }.joined(separator: ", ")
            problems.degrade(
                "\(text) went up since the start and are not in their table: a trigger on it discards or redirects them; "
                    + "correct it and send them again (edgetick sync --again), or set SYNC_KEPT_OUT_INTENDED=true")
        }
        let remark = keptOut > 0 ? "; a trigger kept \(keptOut.counted("row")) out of the table" : ""
        return Self(name, ok: "upstream keeps up" + remark, problems: problems)
    }

    private static func problem(_ upload: UploadState, in snapshot: CollectorSnapshot) -> String? {
        if let failure = upload.status.failure {
            return (failure.needsPerson ? "a person must fix this: " : "retrying: ") + failure.description
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

package import Collector
import MarketData
import Store
import Upstream

/// The state of the upload: `/api/sync`.
package struct SyncJSON: WireObject {
    package enum State: String, Codable, CaseIterable, Sendable {
        case off
        case ok
        case retrying
        case needs_person
    }

    package struct Stream: WireObject {
        package var rows_uploaded: Int
        package var rows_refused: Int
        package var rows_kept_out: Int
        package var failure: String?
        package var failure_age_seconds: Double?
        package var needs_person: Bool

        package static let meanings = [
            "rows_kept_out": "Discarded or redirected by a trigger on the table, since the start",
            "failure": "What stops this stream alone",
            "needs_person": "Whether a person must fix it",
        ]
    }

    package struct Database: WireObject {
        package var name: String
        package var state: State
        package var streams: [String]
        package var rows_uploaded: Int
        package var rows_refused: Int
        package var rows_kept_out: Int
        package var rows_pending: Int64
        package var lag_seconds: Double
        package var last_success_age_seconds: Double?
        package var stalled_seconds: Double
        package var failure: String?
        package var failure_age_seconds: Double?
        package var needs_person: Bool

        package static let meanings = SyncJSON.shared.merging([
            "name": UpstreamRole.settings,
            "streams": "The streams that go there",
            "lag_seconds": "How far the database is behind; 0 when it has everything",
            "last_success_age_seconds": "Since a pass last found everything there; null before the first",
        ]) { $1 }

        init(_ upload: UploadState, in snapshot: CollectorSnapshot) {
            let failure = upload.status.failure
            name = upload.name
            state = State(failure)
            streams = upload.streams.map(\.rawValue)
            rows_uploaded = upload.status.totals.rows
            rows_refused = upload.status.totals.refused
            rows_kept_out = upload.status.totals.keptOut
            rows_pending = upload.pending(in: snapshot.buffer)
            lag_seconds = upload.lag(in: snapshot)
            last_success_age_seconds = upload.status.lastSuccess.map { snapshot.age(of: $0) }
            stalled_seconds = upload.stalledFor
            (self.failure, failure_age_seconds, needs_person) = snapshot.members(of: failure)
        }
    }

    package var state: State
    package var is_configured: Bool
    package var rows_uploaded: Int
    package var rows_refused: Int
    package var rows_kept_out: Int
    package var rows_pending: Int64
    package var lag_seconds: Double
    package var last_success_age_seconds: Double?
    package var stalled_seconds: Double
    package var failure: String?
    package var failure_age_seconds: Double?
    package var needs_person: Bool
    package var next_pass_ms: Int64?
    package var streams: [String: Stream]
    package var databases: [Database]

    package static let meanings = shared.merging([
        "is_configured": "Whether DATABASE_URI is set",
        "lag_seconds": "How far upstream is behind; 0 when it has everything",
        "last_success_age_seconds": "Since a pass last found everything upstream; null before the first",
        "next_pass_ms": "When the next pass begins by itself; null while one is under way, and without an upstream",
        "streams": "By name: \(EventStream.names)",
        "databases": "One, or two with DATABASE_URI_TICKS; the other members cover both",
    ]) { $1 }

    private static let shared = [
        "rows_uploaded": "Since the start", "rows_refused": "Since the start",
        "rows_kept_out": "Discarded or redirected by a trigger on their table, since the start",
        "stalled_seconds": "Time without a row settled while rows wait",
        "failure": "What is wrong and what to do; null while nothing is",
        "needs_person": "Whether a person must fix it",
    ]

    package init(_ snapshot: CollectorSnapshot) {
        let sync = snapshot.sync
        let failure = sync?.failure
        state = sync == nil ? .off : State(failure)
        databases = snapshot.uploads.map { Database($0, in: snapshot) }
        is_configured = sync != nil
        rows_uploaded = sync?.totals.rows ?? 0
        rows_refused = sync?.totals.refused ?? 0
        rows_kept_out = sync?.totals.keptOut ?? 0
        rows_pending = snapshot.buffer.pending
        lag_seconds = snapshot.uploadLag
        last_success_age_seconds = sync?.lastSuccess.map { snapshot.age(of: $0) }
        stalled_seconds = snapshot.stalledFor
        (self.failure, failure_age_seconds, needs_person) = snapshot.members(of: failure)
        next_pass_ms = sync?.nextPass.map {
            snapshot.time + Int64((($0 - snapshot.instant).inSeconds * 1000).rounded())
        }
        streams = EventStream.byName { stream in
            let counts = sync?.totals[stream]
            let (failure, age, needsPerson) = snapshot.members(of: sync?.failures[stream])
            return Stream(
                rows_uploaded: counts?.uploaded ?? 0, rows_refused: counts?.refused ?? 0,
                rows_kept_out: counts?.keptOut ?? 0, failure: failure, failure_age_seconds: age,
                needs_person: needsPerson)
        }
    }
}

extension CollectorSnapshot {
    /// The members that describe a failure: what it is, its age in seconds, and whether a person must fix it.
    fileprivate func members(of failure: LastingFailure?) -> (String?, Double?, Bool) {
        (failure?.description, failure.map { age(of: $0.since) }, failure?.needsPerson ?? false)
    }
}

extension SyncJSON.State {
    fileprivate init(_ failure: LastingFailure?) {
        self = failure.map { $0.needsPerson ? .needs_person : .retrying } ?? .ok
    }
}

package import Collector
import MarketData
import Store

/// How the upload stands: `/api/sync`.
package struct SyncJSON: WireObject {
    /// The state in one word.
    package enum State: String, Codable, CaseIterable, Sendable {
        case off
        case ok
        case retrying
        case needs_person
    }

    /// One stream.
    package struct Stream: WireObject {
        package var rows_uploaded: Int
        package var rows_refused: Int
        package var failure: String?
        package var failure_age_seconds: Double?
        package var needs_person: Bool

        package static let meanings = [
            "failure": "What keeps this stream, and no other, from going on",
            "needs_person": "Whether a person must fix it",
        ]
    }

    package var state: State
    package var is_configured: Bool
    package var rows_uploaded: Int
    package var rows_refused: Int
    package var rows_pending: Int64
    package var lag_seconds: Double
    package var last_success_age_seconds: Double?
    package var stalled_seconds: Double
    package var failure: String?
    package var failure_age_seconds: Double?
    package var needs_person: Bool
    package var streams: [String: Stream]

    package static let meanings = [
        "is_configured": "Whether DATABASE_URI is set",
        "rows_uploaded": "Since the start",
        "rows_refused": "Since the start",
        "lag_seconds": "How far upstream is behind; 0 when it has everything",
        "last_success_age_seconds": "Since a pass last found everything upstream; null before the first",
        "stalled_seconds": "Time without a row settled while rows wait",
        "failure": "What went wrong and what to do; null while nothing does",
        "needs_person": "Whether a person must fix it",
        "streams": "By name: bars, trades, quotes",
    ]

    package init(_ snapshot: CollectorSnapshot) {
        let sync = snapshot.sync
        let failure = sync?.failure
        state =
            switch (sync, failure) {
            case (nil, _): .off
            case (_, nil): .ok
            case (_, let failure?): failure.needsPerson ? .needs_person : .retrying
            }
        is_configured = sync != nil
        rows_uploaded = sync?.rows ?? 0
        rows_refused = sync?.refused ?? 0
        rows_pending = snapshot.buffer.pending
        lag_seconds = snapshot.uploadLag
        last_success_age_seconds = sync?.lastSuccess.map { snapshot.age(of: $0) }
        stalled_seconds = snapshot.stalledFor
        self.failure = failure?.description
        failure_age_seconds = failure.map { snapshot.age(of: $0.since) }
        needs_person = failure?.needsPerson ?? false
        streams = Dictionary(
            uniqueKeysWithValues: EventStream.allCases.map { stream in
                let failure = sync?.failures[stream]
                return (
                    stream.rawValue,
                    Stream(
                        rows_uploaded: sync?.totals[stream].uploaded ?? 0,
                        rows_refused: sync?.totals[stream].refused ?? 0, failure: failure?.description,
                        failure_age_seconds: failure.map { snapshot.age(of: $0.since) },
                        needs_person: failure?.needsPerson ?? false)
                )
            })
    }
}

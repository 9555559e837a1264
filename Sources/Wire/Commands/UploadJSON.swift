package import Collector
import MarketData
package import Store

/// The result of one upload: `edgetick sync`.
package struct UploadJSON: WireObject {
    package struct Stream: WireObject {
        package var uploaded: Int
        package var new: Int
        package var already_upstream: Int
        package var refused: Int
        package var kept_out: Int
        package var failure: String?

        package static let meanings = UploadJSON.shared.merging(
            ["uploaded": "Rows", "failure": "What stopped the stream's upload"]
        ) { $1 }
    }

    package var rows: Int
    package var new: Int
    package var already_upstream: Int
    package var refused: Int
    package var kept_out: Int
    package var streams: [String: Stream]

    package static let meanings = shared.merging(
        ["rows": "Uploaded, of all streams", "streams": "By name: \(EventStream.names)"]
    ) { $1 }

    private static let shared = [
        "new": "Of these, rows and versions of bars that were not upstream before",
        "already_upstream": "Of these, rows that were upstream before, or of whose bar a newer version was",
        "refused": "Rows that became dead letters",
        "kept_out": "Rows that a trigger on their table discarded or redirected",
    ]

    package init(_ report: UploadReport) {
        rows = report.totals.rows
        new = report.totals.new
        already_upstream = report.totals.present
        refused = report.totals.refused
        kept_out = report.totals.keptOut
        streams = EventStream.byName { stream in
            let counts = report.totals[stream]
            return Stream(
                uploaded: counts.uploaded, new: counts.new, already_upstream: counts.present, refused: counts.refused,
                kept_out: counts.keptOut,
                failure: report.failures[stream].map { String(describing: $0) })
        }
    }
}

/// The rows that an upload would send: `edgetick sync --dry-run`.
package struct PendingJSON: WireObject {
    package var pending: [String: Int64]

    package static let meanings = ["pending": "Rows by stream"]

    package init(_ report: BufferReport) {
        pending = EventStream.byName { report[$0].pending }
    }
}

/// The result of a retry of dead letters, by name: `edgetick dead-letters retry`.
package struct DeadLetterRetryJSON: WireObject {
    package var sent: Int
    package var already_upstream: Int
    package var refused_again: [String]
    package var superseded: [String]
    package var unreadable: [String]

    package static let meanings = [
        "sent": "Rows that upstream accepted",
        "already_upstream": "Rows that were not sent, because they were upstream",
        "refused_again": "Under their new names",
        "superseded": "Bars that have a newer version; they stay",
        "unreadable": "Letters without a readable row; they stay",
    ]

    package init(_ result: DeadLetterRetry) {
        sent = result.sent
        already_upstream = result.stored
        refused_again = result.refusedAgain.map(\.name)
        superseded = result.superseded.map(\.name)
        unreadable = result.unreadable.map(\.name)
    }
}

import MarketData
package import Store

/// The result of verifying one file: an element of the output of `edgetick verify`.
package struct VerificationJSON: WireObject {
    package struct Stream: WireObject {
        package var rows: Int64
        package var first: Int64?
        package var last: Int64?
        package var acknowledged: Int64
        package var deleted_through: Int64

        package static let meanings = [
            "first": "The smallest sequence in the file", "last": "The greatest",
            "acknowledged": "Upstream through this sequence", "deleted_through": "Deleted through this sequence",
        ]
    }

    package var path: String
    package var file: String
    package var is_sound: Bool
    package var schema_version: Int?
    package var id: String?
    package var collector: String?
    package var collector_process: Int32?
    package var rows: Int64
    package var streams: [String: Stream]
    package var findings: [FileFinding]

    package static let meanings = [
        "file": "Which file it is: ticks or universe", "is_sound": "Whether there is no fault",
        "id": "The file's own identifier", "collector": "The collector that made the file",
        "collector_process": "The process that holds the file; null when none does, 0 when it is not known",
        "rows": "Rows read", "streams": "By name: \(EventStream.names)",
    ]

    package init(_ result: FileVerification) {
        path = result.path
        file = result.kind.rawValue
        is_sound = result.isSound
        schema_version = result.schemaVersion
        id = result.id
        collector = result.collector
        collector_process = result.holder
        rows = result.rows
        streams = EventStream.byName {
            result.streams[$0].map { found in
                Stream(
                    rows: found.rows, first: found.first, last: found.last, acknowledged: found.acknowledged,
                    deleted_through: found.deletedThrough)
            }
        }
        findings = result.findings
    }
}

extension FileFinding: WireObject {
    package static let meanings = [
        "check": "What was checked", "place": "Where in the file", "advice": "What to do; may be empty",
    ]
}

/// The result of repairing one file: an element of the output of `edgetick repair`.
package struct RepairJSON: WireObject {
    /// A run of lost rows.
    package struct Loss: WireObject {
        package var stream: String
        package var first: Int64
        package var last: Int64
        package var count: Int64
        package var from_ms: Int64?
        package var to_ms: Int64?
        package var symbols_around: [String]

        package static let meanings = [
            "first": "The first sequence", "last": "The last sequence", "from_ms": "The time of the row before",
            "to_ms": "The time of the row after", "symbols_around": "Symbols of the rows nearby",
        ]
    }

    package var path: String
    package var file: String
    package var outcome: String
    package var output: String?
    package var set_aside: String?
    package var id: String?
    package var new_id: String?
    package var kept: Int64
    package var lost: Int64
    package var loses_end: Bool
    package var tables: [RepairReport.Table]
    package var losses: [Loss]
    package var remarks: [String]

    package static let meanings = [
        "file": "Which file it is: ticks or universe",
        "outcome": "sound: nothing to repair; repaired; dry-run; identity-lost or hopeless: nothing was changed",
        "output": "The repaired file", "set_aside": "Where the damaged file is kept",
        "id": "The damaged file's identifier",
        "new_id": "The repaired file's identifier", "kept": "Rows", "lost": "Rows",
        "loses_end": "Whether rows after the last readable one may be lost",
    ]

    package init(_ report: RepairReport) {
        path = report.path
        file = report.kind.rawValue
        outcome = report.outcome.rawValue
        output = report.output
        set_aside = report.setAside
        id = report.id
        new_id = report.newID
        kept = report.kept
        lost = report.lost
        loses_end = report.losesEnd
        tables = report.tables
        losses = report.losses.map {
            Loss(
                stream: $0.stream.rawValue, first: $0.first, last: $0.last, count: $0.count, from_ms: $0.from,
                to_ms: $0.to, symbols_around: $0.symbolsAround)
        }
        remarks = report.remarks
    }
}

extension RepairReport.Table: WireObject {
    package static let schemaName = "RepairTable"
    package static let meanings = ["kept": "Rows", "unreadable": "Places that can't be read"]
}

import MarketData
package import Store

/// What the collector's files show, and what the running collector reports about itself: `edgetick status`.
package struct FilesJSON: WireObject {
    package struct Stream: WireObject {
        package var rows: Int64
        package var pending: Int64
        package var last_sequence: Int64
        package var acknowledged_sequence: Int64
        package var oldest_pending_ms: Int64?
        package var newest_ms: Int64?

        package static let meanings = [
            "rows": "In the file",
            "pending": "Rows that upstream does not have",
            "oldest_pending_ms": "When the first of them was received",
            "newest_ms": "When the last row was received",
        ]
    }

    package var path: String
    package var id: String
    package var collector: String
    package var collector_process: Int32?
    package var command_process: Int32?
    package var schema_version: Int
    package var streams: [String: Stream]
    package var drops: [BufferReport.Drop]
    package var incidents: [String]
    package var set_aside: [String]
    package var gaps: Int64
    package var dead_letters: Int64
    package var file_bytes: Int64
    package var wal_bytes: Int64
    package var instance: StatusJSON?

    package static let meanings = [
        "id": "The file's own identifier",
        "collector": "The collector that made the file",
        "collector_process": "The collector that holds the file; null when none runs, 0 when it is not known",
        "command_process": "Another command that holds the file, such as backfill; null when none does",
        "streams": "By name: \(EventStream.names)",
        "drops": "Events given up, by stream and reason",
        "incidents": "What happened to the file itself, newest first",
        "set_aside": "Paths of damaged files that were set aside and are still there",
        "gaps": "Gaps recorded",
        "dead_letters": "Rows that upstream refused, kept aside",
        "instance": "The response of /api/status; null when no collector runs or it does not respond",
    ]

    /// - Parameter instance: What the running collector reports about itself.
    package init(_ report: BufferReport, instance: StatusJSON?) {
        path = report.path
        id = report.id
        collector = report.collector
        collector_process = report.collectorProcess
        command_process = report.collectorProcess == nil ? report.holder?.processID : nil
        schema_version = report.schemaVersion
        streams = EventStream.byName {
            report.streams[$0].map { counts in
                Stream(
                    rows: counts.rows, pending: counts.pending, last_sequence: counts.marks.last,
                    acknowledged_sequence: counts.marks.acknowledged,
                    oldest_pending_ms: counts.oldestPendingMilliseconds, newest_ms: counts.newestMilliseconds)
            }
        }
        drops = report.drops
        incidents = report.incidents
        set_aside = report.setAside
        gaps = report.gaps
        dead_letters = report.deadLetters
        file_bytes = report.fileBytes
        wal_bytes = report.walBytes
        self.instance = instance
    }
}

extension BufferReport.Drop: WireObject {
    package static let schemaName = "FilesDrop"
    package static let meanings = [
        "count": "Events", "symbols": "How many", "from_ms": "The first event's own time, where known",
        "to_ms": "The last event's own time, where known",
    ]
}

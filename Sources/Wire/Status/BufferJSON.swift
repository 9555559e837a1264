import Collector
import MarketData
import Store

/// The state of the durable queue: a part of ``StatusJSON``.
package struct BufferJSON: WireObject {
    /// Whether events reach the file.
    package enum State: String, Codable, CaseIterable, Sendable {
        case writing
        case full
        case disk_full
        case failing
    }

    package struct Stream: WireObject {
        package var appended: Int64
        package var pending: Int64
        package var last_sequence: Int64
        package var acknowledged_sequence: Int64

        package static let meanings = [
            "appended": "Rows made durable since the start",
            "pending": "Rows that upstream does not have",
            "last_sequence": "The newest durable row",
            "acknowledged_sequence": "Upstream has everything through this row",
        ]
    }

    package var state: State
    package var reason: String?
    package var pending: Int64
    package var streams: [String: Stream]
    package var queued_events: Int
    package var queued_bytes: Int
    package var oldest_pending_seconds: Double?
    package var used_bytes: Int64
    package var file_bytes: Int64
    package var wal_bytes: Int64
    package var maximum_bytes: Int64
    package var disk_free_bytes: Int64?
    package var disk_size_bytes: Int64?
    package var drops: Int64
    package var refused_batches: Int64
    package var last_commit_seconds: Double
    package var gaps: Int64
    package var dead_letters: Int64
    package var set_aside: [String]

    package static let meanings = [
        "reason": "Why commits fail and what to do; null while they don't",
        "pending": "Rows of all streams that upstream does not have",
        "streams": "By name: \(EventStream.names)",
        "queued_events": "In memory, on their way to the file",
        "queued_bytes": "In memory, on their way to the file",
        "oldest_pending_seconds": "The age of the oldest row that upstream does not have; null when it has all",
        "used_bytes": "The part of the file in use; what the cap bounds",
        "maximum_bytes": "The cap: BUFFER_MAX_BYTES",
        "disk_free_bytes": "Free space on the buffer's disk",
        "drops": "Events given up since the file was made",
        "refused_batches": "Batches that did not fit into the queue; their events are in drops",
        "gaps": "Gaps recorded",
        "dead_letters": "Rows that upstream refused, kept aside",
        "set_aside": "Paths of damaged files that were set aside and are still there",
    ]

    init(_ snapshot: CollectorSnapshot) {
        let buffer = snapshot.buffer
        (state, reason) =
            switch buffer.state {
            case .writing: (.writing, nil)
            case .full: (.full, nil)
            case .diskFull: (.disk_full, nil)
            case .failing(let reason): (.failing, reason)
            }
        pending = buffer.pending
        streams = EventStream.byName {
            let counts = buffer[$0]
            return Stream(
                appended: counts.appended, pending: counts.pending, last_sequence: counts.marks.last,
                acknowledged_sequence: counts.marks.acknowledged)
        }
        queued_events = buffer.queuedEvents
        queued_bytes = buffer.queuedBytes
        oldest_pending_seconds = snapshot.oldestPendingAge
        used_bytes = buffer.usedBytes
        file_bytes = buffer.fileBytes
        wal_bytes = buffer.walBytes
        maximum_bytes = snapshot.maximumBytes
        disk_free_bytes = buffer.diskFreeBytes
        disk_size_bytes = buffer.diskSizeBytes
        drops = buffer.drops
        refused_batches = buffer.refusedBatches
        last_commit_seconds = buffer.lastCommit.inSeconds.rounded(to: 6)
        gaps = buffer.gaps
        dead_letters = buffer.deadLetters
        set_aside = buffer.setAside
    }
}

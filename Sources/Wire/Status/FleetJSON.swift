package import Collector
package import Upstream

/// The boxes that share a database, the worst first: `/api/fleet` and `edgetick fleet --json`.
package struct FleetJSON: WireObject {
    package struct Box: WireObject {
        package var id: String
        package var group: String?
        package var host: String
        package var version: String
        package var status: Health.Level
        package var standing: Fleet.Standing
        package var state: FleetReport.State
        package var detail: String?
        package var started_ms: Int64
        package var seen_ms: Int64
        package var seen_age_seconds: Double
        package var symbols: Int
        package var takes_all: Bool
        package var events_per_second: Double
        package var rows_pending: Int64
        package var oldest_pending_seconds: Double
        package var last_event_ms: Int64?
        package var gaps_open: Int64
        package var events_dropped: Int64
        package var dead_letters: Int64
        package var disk_free_bytes: Int64?
        package var file_id: String
        package var clock_offset_ms: Int64?
        package var is_pushed_out: Bool
        package var shares_with: [String]?

        package static let meanings = [
            "id": "COLLECTOR_ID",
            "group": "COLLECTOR_GROUP",
            "status": "Its health, with what the database knows about it",
            "standing":
                "live; gone: its connection has ended; stale: not seen for 60 s; stopped: it has shut down cleanly",
            "state": "What it reported about itself when it was last seen",
            "detail": "What is wrong and what to do; null when nothing is",
            "started_ms": "By the server's clock, as seen_ms is",
            "symbols": "How many it should collect; 0 if it collects all or none: see takes_all",
            "takes_all": "Whether it collects all symbols of the market",
            "events_per_second": "Over about the last minute",
            "oldest_pending_seconds": "The age of the oldest row that is not upstream",
            "last_event_ms": "By the box's own clock",
            "file_id": "The buffer's file; new at every start",
            "clock_offset_ms": "How far the box's clock is ahead of the server's",
            "is_pushed_out": "Whether, in the last hour, another client took its connection to the feed",
            "shares_with": "With SHARD=auto: the boxes among which it has taken its share of the symbols",
        ]

        init(_ box: Fleet.Box) {
            let report = box.row.report
            id = report.id
            group = report.group
            host = report.host
            version = report.version
            status = box.level
            standing = box.standing
            state = report.state
            detail = box.detail
            started_ms = box.row.seen - Int64(report.uptime * 1000)
            seen_ms = box.row.seen
            seen_age_seconds = box.row.age.rounded(to: 1)
            symbols = report.symbols
            takes_all = report.takesAll
            events_per_second = report.eventsPerSecond.rounded(to: 2)
            rows_pending = report.rowsPending
            oldest_pending_seconds = report.oldestPending.rounded(to: 1)
            last_event_ms = report.lastEvent
            gaps_open = report.gapsOpen
            events_dropped = report.eventsDropped
            dead_letters = report.deadLetters
            disk_free_bytes = report.diskFreeBytes
            file_id = report.fileID
            clock_offset_ms = report.clockOffset
            is_pushed_out = report.isPushedOut
            shares_with = report.sharesWith
        }
    }

    package var status: Health.Level
    package var headline: String?
    package var remarks: [String]
    package var boxes: [Box]
    package var collector: String?
    package var age_seconds: Double?
    package var problem: String?

    package static let meanings = [
        "status": "The worst of the boxes; at least degraded while the database can't be read",
        "headline": "What is wrong in one line; null when nothing is",
        "remarks": "Problems of several boxes together",
        "boxes": "The worst first",
        "collector": "The box that read this; null from the command",
        "age_seconds": "How long ago the database was read; null before the first time",
        "problem": "Why the database can't be read now; null when it can",
    ]

    /// The fleet as a box last read it.
    package init(_ view: FleetBoard.View, collector: String) {
        self.init(view.fleet)
        // Before the first read, nothing is known about the boxes.
        (status, headline) = (view.fleet.level, view.fleet.headline)
        self.collector = collector
        age_seconds = view.age?.rounded(to: 1)
        problem = view.problem
        if let problem {
            // What the boxes last reported says nothing about now.
            status = max(status, .degraded)
            headline = headline ?? "the fleet's table can't be read: \(problem)"
        }
    }

    /// A fleet that was read just now.
    package init(_ fleet: Fleet) {
        status = fleet.boxes.isEmpty ? .failing : fleet.level
        headline = fleet.boxes.isEmpty ? "no box has written its row" : fleet.headline
        remarks = fleet.remarks
        boxes = fleet.boxes.map(Box.init)
        age_seconds = 0
    }
}

/// The share of the symbols that a box takes: a part of ``StatusJSON``.
package struct ShardJSON: WireObject {
    package var number: Int
    package var count: Int
    package var replicas: Int
    package var symbols: Int
    package var symbols_total: Int
    package var is_automatic: Bool
    package var members: [String]
    package var is_handing_over: Bool

    package static let meanings = [
        "number": "The box's place among the members, from 1",
        "count": "How many members there are",
        "replicas": "How many members take each symbol (SHARD_REPLICAS)",
        "symbols": "How many symbols the box takes",
        "symbols_total": "How many symbols the settings name",
        "is_automatic": "Whether the members are found in the database (SHARD=auto), or are numbers (SHARD=k/n)",
        "is_handing_over": "Whether it keeps symbols until others have taken them",
    ]

    init(_ shard: ShardState) {
        number = shard.number
        count = shard.share.map.members.count
        replicas = shard.share.map.replicas
        symbols = shard.symbols
        symbols_total = shard.total
        is_automatic = shard.share.isAutomatic
        members = shard.share.map.members
        is_handing_over = !shard.share.older.isEmpty
    }
}

/// The box's own state in the fleet: a part of ``StatusJSON``.
package struct FleetPlaceJSON: WireObject {
    package var problem: String?
    package var clock_offset_ms: Int64?
    package var has_namesake: Bool

    package static let meanings = [
        "problem": "Why the box's row can't be written; null when it can",
        "clock_offset_ms": "How far the box's clock is ahead of the server's; null before it was measured",
        "has_namesake": "Whether another box writes the same row",
    ]

    init(_ fleet: FleetBoard.Status) {
        problem = fleet.problem
        clock_offset_ms = fleet.clockOffset
        has_namesake = fleet.hasNamesake
    }
}

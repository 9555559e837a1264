package import Collector
import Feed
import MarketData
import Universe

/// Everything that is measured: `/api/status`, and `metrics_update` of the event stream.
package struct StatusJSON: WireObject {
    /// How the symbols are spread over the connections.
    package struct Placement: WireObject {
        package var wanted: Int
        package var unplaced: Int
        package var unplaced_tickers: [String]
        package var moving: Int
        package var duplicate_events: Int64
        package var forgotten_events: Int64

        package static let meanings = [
            "wanted": "Symbols to be collected by name",
            "unplaced": "Symbols that no connection has room for; they are not collected",
            "unplaced_tickers": "Their names, a hundred at most",
            "moving": "Symbols on their way from one connection to another",
            "duplicate_events": "Events left out because another connection had brought them",
            "forgotten_events":
                "Events forgotten while a connection still owed its copy; that connection is opened again",
        ]

        init(_ placement: SetSnapshot) {
            wanted = placement.wanted
            unplaced = placement.unplaced.count
            unplaced_tickers = placement.unplaced.prefix(100).map(\.description)
            moving = placement.moving
            duplicate_events = placement.duplicates
            forgotten_events = placement.forgotten
        }
    }

    /// The relationship cache's counts since the start.
    package struct Cache: WireObject {
        package var hits: Int
        package var misses: Int
        package var loads: Int
        package var failures: Int
        package var evictions: Int
        package var hit_rate: Double?
        package var entries: Int
        package var bytes: Int

        package static let meanings = [
            "hit_rate": "0 to 1; null before the first question", "bytes": "Roughly",
            "failures": "Unknown names, and loads that failed",
        ]

        init(_ cache: CacheStatistics) {
            hits = cache.hits
            misses = cache.misses
            loads = cache.loads
            failures = cache.failures
            evictions = cache.evictions
            hit_rate = cache.hitRate
            entries = cache.entries
            bytes = cache.bytes
        }
    }

    /// The resources that the process uses.
    package struct Process: WireObject {
        package var resident_bytes: Int64
        package var cpu_seconds: Double
        package var open_files: Int?
        package var written_bytes: Int64?
        package var event_clients: Int

        package static let meanings = [
            "cpu_seconds": "Of all threads", "written_bytes": "To disks, since the start",
            "event_clients": "Readers of the event stream",
        ]
    }

    package var collector: String
    package var version: String
    package var environment: String
    package var uptime_seconds: Double
    package var market: MarketHours
    package var health: HealthJSON
    package var connections: [ConnectionJSON]
    package var placement: Placement
    package var buffer: BufferJSON
    package var sync: SyncJSON
    package var cache: Cache?
    package var relay: RelayJSON?
    package var reconcile: ReconcileStateJSON?
    package var fleet: FleetPlaceJSON?
    package var shard: ShardJSON?
    package var latency: LatencyJSON
    package var process: Process
    package var point: PointJSON?
    package var timestamp_ms: Int64

    package static let meanings = [
        "collector": "COLLECTOR_ID",
        "environment": "The environment whose groups are used",
        "market": "The state of New York's market",
        "connections": "In the order of their numbers",
        "relay": "The relay and its clients; null without RELAY_PORT",
        "reconcile": "The daily comparison with the tape; null without RECONCILE_AT",
        "fleet": "The box's own state in the fleet; null without DATABASE_URI",
        "shard": "The box's share of the symbols; null without SHARD",
        "latency": "Of all connections",
        "point": "The newest point of the last hour, in the event stream's five-second messages only",
        "timestamp_ms": "The time of this state",
    ]

    /// - Parameter clients: The number of readers of the event stream.
    package init(_ sample: StatusBoard.Sample, clients: Int, point: History.Point? = nil) {
        let snapshot = sample.snapshot
        collector = snapshot.collector
        version = snapshot.version
        environment = snapshot.environment
        uptime_seconds = sample.uptime.rounded(to: 1)
        market = MarketHours(at: sample.time)
        health = HealthJSON(sample.health, at: sample.time)
        connections = snapshot.connections.map { ConnectionJSON($0, in: sample) }
        placement = Placement(snapshot.placement)
        buffer = BufferJSON(snapshot)
        sync = SyncJSON(snapshot)
        cache = snapshot.cache.map(Cache.init)
        relay = snapshot.relay.map(RelayJSON.init)
        reconcile = snapshot.reconcile.map(ReconcileStateJSON.init)
        fleet = snapshot.fleet.map(FleetPlaceJSON.init)
        shard = snapshot.shard.map(ShardJSON.init)
        latency = LatencyJSON(
            last_seconds: nil, p50_seconds: sample.latency(quantile: 0.5)?.rounded(to: 6),
            p99_seconds: sample.latency(quantile: 0.99)?.rounded(to: 6))
        process = Process(
            resident_bytes: sample.usage.residentBytes, cpu_seconds: sample.usage.cpuSeconds,
            open_files: sample.usage.openFiles, written_bytes: sample.usage.writtenBytes, event_clients: clients)
        self.point = point.map(PointJSON.init)
        timestamp_ms = sample.time
    }
}

extension MarketHours: WireObject {
    package static let meanings = [
        "session": "The part of the day; holiday is a weekday without trading",
        "until_ms": "When it ends; for closed and holiday, when trading begins, at 4:00 in New York",
    ]
}

/// The last hour: `/api/history`.
package struct HistoryJSON: WireObject {
    package var interval_seconds: Double
    package var points: [PointJSON]

    package static let meanings = ["points": "Oldest first"]

    package init(_ points: [History.Point]) {
        interval_seconds = History.interval
        self.points = points.map(PointJSON.init)
    }
}

/// One moment of the last hour.
package struct PointJSON: WireObject {
    package var time_ms: Int64
    package var rates: [String: Double]
    package var pending: Int64
    package var lag_seconds: Double
    package var latency_p50_seconds: Double?
    package var latency_p99_seconds: Double?

    package static let meanings = [
        "rates": "Events a second since the previous point, by connection id",
        "pending": "Rows that upstream does not have",
        "lag_seconds": "The age of the oldest such row; 0 when there is none",
        "latency_p50_seconds":
            "Half of the events since the previous point were younger when read; null without events",
        "latency_p99_seconds": "99 of 100 of them were younger when read; null without events",
    ]

    init(_ point: History.Point) {
        time_ms = point.time
        rates = point.rates.mapValues { $0.rounded(to: 2) }
        pending = point.pending
        lag_seconds = point.lag
        latency_p50_seconds = point.latencyMedian?.rounded(to: 6)
        latency_p99_seconds = point.latencyHigh?.rounded(to: 6)
    }
}

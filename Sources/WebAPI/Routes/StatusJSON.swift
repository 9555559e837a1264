import Collector
import MarketData
import Universe

/// The collector's state as it goes out, in the routes and in the event stream alike.
enum StatusJSON {
    /// One connection; the names are those of `/api/admin/websocket-status`.
    static func connection(
        _ connection: ConnectionState, in sample: StatusBoard.Sample, to json: inout JSONText
    ) {
        let rates = sample.rates[connection.id] ?? ConnectionRates()
        let errors = connection.errors + connection.rejectCount
        let messages = connection.messageCount
        json.field("id", connection.id)
        json.field("name", connection.name)
        json.field("status", connection.status.rawValue)
        json.field("takes_all", connection.takesAll)
        json.field("assigned_tickers", connection.assigned)
        json.field("confirmed_tickers", connection.confirmed)
        json.field("refused_tickers", connection.refused)
        json.field("universe_key", connection.assignment?.wish.universeKey)
        json.object("symbols") { symbols(connection.assignment, to: &$0) }
        json.field("priority", connection.priority)
        json.field("message_count", messages)
        json.object("messages") { json in
            for kind in EventKind.allCases { json.member(kind.rawValue, connection.events[kind] ?? 0) }
        }
        json.field("messages_per_second", rates.fiveSeconds.rounded(to: 2))
        json.object("rates") { json in
            json.field("one_second", rates.second.rounded(to: 2))
            json.field("five_seconds", rates.fiveSeconds.rounded(to: 2))
            json.field("one_minute", rates.minute.rounded(to: 2))
        }
        json.field("frame_count", connection.frames)
        json.field("byte_count", connection.bytes)
        json.field("binary_frame_count", connection.binaryFrames)
        json.field("overflow_count", connection.overflowed)
        json.field("error_count", errors)
        json.field("decode_error_count", connection.rejectCount)
        json.object("decode_errors") { json in
            for (kind, count) in connection.rejectedEvents.byWord { json.member(kind, count) }
        }
        json.object("left_out_fields") { json in
            for (kind, count) in connection.leftOutFields.byWord { json.member(kind, count) }
        }
        json.object("decode_samples") { json in
            for (kind, sample) in connection.decodeSamples.byWord { json.member(kind, sample) }
        }
        json.field("error_rate", errors == 0 ? 0.0 : Double(errors) / Double(max(1, errors + messages)))
        json.field("last_message_time", milliseconds: connection.lastMessage)
        json.field("last_event_time", milliseconds: connection.lastEvent)
        json.field("connected_since", milliseconds: connection.connectedSince)
        json.field(
            "uptime_seconds", connection.connectedSince.map { max(0, Double(sample.time - $0) / 1000) } ?? 0)
        json.field("reconnects", connection.reconnects)
        json.field("last_error", connection.lastError)
        json.field("last_error_time", milliseconds: connection.lastErrorTime)
        json.field("is_paused", connection.isPaused)
        json.object("latency") { json in
            json.field("last_seconds", milliseconds: connection.latency)
            json.field("p50_seconds", sample.latency(of: connection, quantile: 0.5)?.rounded(to: 6))
            json.field("p99_seconds", sample.latency(of: connection, quantile: 0.99)?.rounded(to: 6))
        }
    }

    /// Where a connection's symbols come from, and whether that is what was asked for.
    static func symbols(_ assignment: SymbolAssignment?, to json: inout JSONText) {
        json.field("origin", assignment?.wish.origin.rawValue)
        source(assignment?.source ?? SymbolSelection.Origin.none, to: &json)
        json.field("is_as_asked", assignment?.problem == nil)
        json.field("problem", assignment?.problem)
    }

    /// What named symbols.
    static func source(_ source: SymbolSelection.Origin, to json: inout JSONText) {
        let (word, key): (String, String?) =
            switch source {
            case .universeKey(let key): ("universe_key", key)
            case .list: ("list", nil)
            case .defaultList: ("default_list", nil)
            case .none: ("none", nil)
            }
        json.field("from", word)
        json.field("key", key)
    }

    /// The data of `connection_status_update`.
    static func connectionUpdate(
        _ sample: StatusBoard.Sample, connections: [ConnectionState], removed: [String] = []
    ) -> [UInt8] {
        JSONText.object { json in
            write(connections, in: sample, to: &json)
            json.field("removed", strings: removed)
            json.field("timestamp", milliseconds: sample.time)
        }
    }

    /// Everything that is measured: `/api/status`, and with a history point the data of `metrics_update`.
    static func status(
        _ sample: StatusBoard.Sample, clients: EventClients, point: History.Point? = nil
    ) -> [UInt8] {
        let snapshot = sample.snapshot
        return JSONText.object { json in
            json.field("collector", snapshot.collector)
            json.field("version", snapshot.version)
            json.field("environment", snapshot.environment)
            json.field("uptime_seconds", sample.uptime.rounded(to: 1))
            json.object("health") { json in
                let health = sample.health
                json.field("is_live", health.isLive)
                json.field("is_ready", health.isReady)
                json.field("headline", health.headline)
                checks(health.checks, showsDetails: true, to: &json)
            }
            write(snapshot.connections, in: sample, to: &json)
            json.object("placement") { write(snapshot.placement, to: &$0) }
            json.object("buffer") { buffer(snapshot.buffer, to: &$0) }
            json.object("sync") { sync(snapshot, to: &$0) }
            if let cache = snapshot.cache { json.object("cache") { write(cache, to: &$0) } }
            json.object("latency") { json in
                json.field("p50_seconds", sample.latency(quantile: 0.5)?.rounded(to: 6))
                json.field("p99_seconds", sample.latency(quantile: 0.99)?.rounded(to: 6))
            }
            json.object("process") { json in
                json.field("resident_bytes", sample.usage.residentBytes)
                json.field("cpu_seconds", sample.usage.cpuSeconds)
                json.field("open_files", sample.usage.openFiles)
                json.field("event_clients", clients.count)
            }
            if let point { json.object("point") { write(point, to: &$0) } }
            json.field("timestamp", milliseconds: sample.time)
        }
    }

    /// How the upload stands: `/api/sync`.
    static func sync(_ snapshot: CollectorSnapshot, to json: inout JSONText) {
        let sync = snapshot.sync
        let state =
            switch (sync.isConfigured, sync.failure) {
            case (false, _): "off"
            case (true, nil): "ok"
            case (true, let failure?): failure.needsPerson ? "needs_person" : "retrying"
            }
        json.field("state", state)
        json.field("is_configured", sync.isConfigured)
        json.field("rows_uploaded", sync.rows)
        json.field("rows_refused", sync.refused)
        json.field("rows_pending", snapshot.buffer.pending)
        json.field("lag_seconds", snapshot.uploadLag)
        json.field("last_success_age_seconds", sync.lastSuccessAge)
        json.field("stalled_seconds", sync.stalledFor)
        json.field("failure", sync.failure?.description)
        json.field("failure_age_seconds", sync.failure?.age)
        json.field("needs_person", sync.failure?.needsPerson ?? false)
        json.object("streams") { json in
            for stream in EventStream.allCases {
                let state = sync.streams[stream] ?? SyncState.Stream()
                json.member(stream.rawValue) { json in
                    json.field("rows_uploaded", state.rows)
                    json.field("rows_refused", state.refused)
                    json.field("failure", state.failure?.description)
                    json.field("failure_age_seconds", state.failure?.age)
                    json.field("needs_person", state.failure?.needsPerson ?? false)
                }
            }
        }
    }

    /// Checks and the worst of them; `showsDetails` for those who may know what the details name.
    static func checks(_ checks: [Health.Check], showsDetails: Bool, to json: inout JSONText) {
        json.field("status", (checks.map(\.level).max() ?? .ok).word)
        json.object("checks") { json in
            for check in checks {
                json.member(check.name) { json in
                    json.field("status", check.level.word)
                    if showsDetails { json.field("detail", check.detail) }
                }
            }
        }
    }

    /// One moment of the last hour.
    static func write(_ point: History.Point, to json: inout JSONText) {
        json.field("time", milliseconds: point.time)
        json.object("rates") { json in
            for (id, rate) in point.rates.sorted(by: { $0.key < $1.key }) { json.member(id, rate.rounded(to: 2)) }
        }
        json.field("pending", point.pending)
        json.field("lag_seconds", point.lag)
        json.field("latency_p50_seconds", point.latencyMedian?.rounded(to: 6))
        json.field("latency_p99_seconds", point.latencyHigh?.rounded(to: 6))
    }

    private static func write(
        _ connections: [ConnectionState], in sample: StatusBoard.Sample, to json: inout JSONText
    ) {
        json.array("connections") { json in
            for state in connections { json.element { connection(state, in: sample, to: &$0) } }
        }
    }

    /// How the connections share the symbols; at most a hundred symbols without room are named.
    private static func write(_ placement: PlacementState, to json: inout JSONText) {
        json.field("wanted", placement.wanted)
        json.field("unplaced", placement.unplaced.count)
        json.field("unplaced_tickers", symbols: placement.unplaced.prefix(100))
        json.field("moving", placement.moving)
        json.field("duplicate_events", placement.duplicates)
        json.field("forgotten_events", placement.forgotten)
    }

    private static func buffer(_ buffer: BufferState, to json: inout JSONText) {
        switch buffer.condition {
        case .writing: json.field("state", "writing")
        case .full: json.field("state", "full")
        case .diskFull: json.field("state", "disk_full")
        case .failing(let reason):
            json.field("state", "failing")
            json.field("reason", reason)
        }
        json.field("pending", buffer.pending)
        json.object("streams") { json in
            for stream in EventStream.allCases {
                let counts = buffer.streams[stream] ?? BufferState.Stream()
                json.member(stream.rawValue) { json in
                    json.field("appended", counts.appended)
                    json.field("pending", counts.pending)
                    json.field("last_sequence", counts.lastSequence)
                    json.field("acknowledged_sequence", counts.acknowledged)
                }
            }
        }
        json.field("queued_events", buffer.queuedEvents)
        json.field("queued_bytes", buffer.queuedBytes)
        json.field("oldest_pending_seconds", buffer.oldestPendingAge)
        json.field("used_bytes", buffer.usedBytes)
        json.field("file_bytes", buffer.fileBytes)
        json.field("wal_bytes", buffer.walBytes)
        json.field("maximum_bytes", buffer.maximumBytes)
        json.field("disk_free_bytes", buffer.diskFreeBytes)
        json.field("disk_size_bytes", buffer.diskSizeBytes)
        json.field("drops", buffer.drops)
        json.field("refused_batches", buffer.refusedBatches)
        json.field("last_commit_seconds", buffer.lastCommit.rounded(to: 6))
        json.field("gaps", buffer.gaps)
        json.field("dead_letters", buffer.deadLetters)
        json.field("set_aside", strings: buffer.setAside)
    }

    private static func write(_ cache: CacheState, to json: inout JSONText) {
        json.field("hits", cache.hits)
        json.field("misses", cache.misses)
        json.field("loads", cache.loads)
        json.field("evictions", cache.evictions)
        json.field("hit_rate", cache.hitRate)
        json.field("entries", cache.entries)
        json.field("bytes", cache.bytes)
    }
}

extension Dictionary<EventKind?, Int64> {
    /// The counts with the word that goes out for each kind, in one order.
    var byWord: [(kind: String, count: Int64)] {
        map { (kind: $0.key?.rawValue ?? "unknown", count: $0.value) }.sorted { $0.kind < $1.kind }
    }
}

extension Dictionary<EventKind?, String> {
    /// The texts with the word that goes out for each kind, in one order.
    var byWord: [(kind: String, text: String)] {
        map { (kind: $0.key?.rawValue ?? "unknown", text: $0.value) }.sorted { $0.kind < $1.kind }
    }
}

extension Double {
    /// The value with so many decimals: what is estimated needs no sixteen digits.
    fileprivate func rounded(to decimals: Int) -> Double {
        var power = 1.0
        for _ in 0..<decimals { power *= 10 }
        return (self * power).rounded() / power
    }
}

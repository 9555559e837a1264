import Collector
import Feed
import MarketData
import Store
import Universe
import Wire

/// The Prometheus metrics, all taken from the newest sample.
///
/// The values of labels are bounded: `connection` (the configured names), `stream`, `database`, `kind`, `reason`,
/// `found`, `check`, `le`, and the build's `collector` and `version`; never a symbol.
enum CollectorMetrics {
    static func text(
        _ sample: StatusBoard.Sample, clients: Int, dropped: Int64, refusals: [RefusalCounts.Reason: Int64]
    ) -> [UInt8] {
        var text = MetricsText()
        let snapshot = sample.snapshot
        text.metric("edgetick_build_info", .gauge, "Always 1; the labels name the collector and its version.")
        text.sample(1.0, ["collector": snapshot.collector, "version": snapshot.version])
        health(sample.health, &text)
        feed(sample, &text)
        placement(snapshot.placement, &text)
        buffer(snapshot, &text)
        upload(sample, &text)
        if let mirror = snapshot.mirror {
            text.metric(
                "edgetick_universes_age_seconds", .gauge, "Age of the groups pulled from upstream.",
                mirror.mirrorPulledAt.map { max(0, Double(snapshot.time - $0) / 1000) })
            text.metric(
                "edgetick_universes_pull_failing", .gauge, "1 while pulling the groups fails.",
                mirror.failure == nil ? 0 : 1)
        }
        if let cache = snapshot.cache { write(cache, &text) }
        if let relay = snapshot.relay { write(relay, &text) }
        if let reconcile = snapshot.reconcile { write(reconcile, &text) }
        if let fleet = snapshot.fleet { write(fleet, &text) }
        if let shard = snapshot.shard { write(shard, &text) }
        process(sample, &text)
        text.metric("edgetick_http_event_clients", .gauge, "Readers of the event stream now.", Int64(clients))
        text.metric(
            "edgetick_http_event_messages_dropped_total", .counter,
            "Messages of the event stream that slow readers missed.", dropped)
        text.metric("edgetick_http_refused_requests_total", .counter, "Requests answered with a problem, by reason.")
        for reason in RefusalCounts.Reason.allCases { text.sample(refusals[reason] ?? 0, ["reason": reason.rawValue]) }
        return text.bytes
    }

    private static func write(_ fleet: FleetBoard.Status, _ text: inout MetricsText) {
        text.metric(
            "edgetick_fleet_row_failing", .gauge, "1 while the box's row in the fleet's table can't be written.",
            fleet.problem == nil ? 0 : 1)
        text.metric(
            "edgetick_clock_offset_seconds", .gauge, "How far the box's clock is ahead of the database's.",
            fleet.clockOffset.map { Double($0) / 1000 })
    }

    private static func write(_ shard: ShardState, _ text: inout MetricsText) {
        text.metric(
            "edgetick_shard_symbols", .gauge, "Symbols that the box takes, of those named.", Int64(shard.symbols))
        text.metric("edgetick_shard_named_symbols", .gauge, "Symbols that the settings name.", Int64(shard.total))
        text.metric(
            "edgetick_shard_members", .gauge, "Members that share the symbols, by SHARD.",
            Int64(shard.share.map.members.count))
    }

    private static func write(_ reconcile: ReconcileState, _ text: inout MetricsText) {
        text.metric(
            "edgetick_reconcile_open_days", .gauge,
            "Of the last days that were compared with the tape, those that are not complete.",
            Int64(reconcile.open.count))
        guard let last = reconcile.days.first else { return }
        text.metric(
            "edgetick_reconcile_timestamp_seconds", .gauge, "When the newest of them was compared, in Unix time.",
            Double(last.at) / 1000)
        text.metric("edgetick_reconcile_bars", .gauge, "The newest day's minute bars, by what was found.")
        text.sample(Int64(last.totals.tape), ["found": "tape"])
        text.sample(Int64(last.totals.added), ["found": "added"])
        text.sample(Int64(last.totals.corrected), ["found": "corrected"])
        text.sample(Int64(last.totals.extra), ["found": "not_on_tape"])
        text.sample(Int64(last.totals.missing), ["found": "open"])
        text.metric(
            "edgetick_reconcile_failed_symbols", .gauge, "Symbols of the newest day that could not be compared.",
            Int64(last.failures))
    }

    private static func write(_ relay: RelayState, _ text: inout MetricsText) {
        text.metric("edgetick_relay_clients", .gauge, "Clients of the relay now.", Int64(relay.readers.count))
        text.metric("edgetick_relay_connections_total", .counter, "Clients that connected.", relay.connections)
        text.metric("edgetick_relay_events_total", .counter, "Live events sent, over all clients.", relay.events)
        text.metric("edgetick_relay_sent_bytes_total", .counter, "Bytes of events sent.", relay.bytes)
        text.metric("edgetick_relay_replays_total", .counter, "Replays asked for.", relay.replays)
        text.metric("edgetick_relay_replayed_events_total", .counter, "Events sent out of the buffer.", relay.replayed)
        text.metric(
            "edgetick_relay_bar_requests_total", .counter, "Requests for bars of the REST aggregates answered.",
            relay.barRequests)
        text.metric(
            "edgetick_relay_on_demand_symbols", .gauge, "Symbols collected because clients of the relay ask for them.",
            Int64(relay.onDemand.symbols.count))
        text.metric(
            "edgetick_relay_refused_channels_total", .counter, "Channels that a client asked for and was refused.",
            relay.channelsRefused)
        text.metric("edgetick_relay_closed_clients_total", .counter, "Clients refused or closed, by reason.")
        text.sample(relay.loginsRefused, ["reason": "key"])
        text.sample(relay.turnedAway, ["reason": "too_many"])
        text.sample(relay.crowdedOut, ["reason": "no_login"])
        text.sample(relay.slowReaders, ["reason": "slow"])
        text.metric(
            "edgetick_relay_waiting_bytes", .gauge, "Bytes that wait for the client that is furthest behind.",
            Int64(relay.readers.map(\.waitingBytes).max() ?? 0))
        text.metric(
            "edgetick_relay_queue_bytes", .gauge, "Bytes of events that wait for the relay's thread.",
            Int64(relay.queuedBytes))
        text.metric(
            "edgetick_relay_overflow_events_total", .counter,
            "Events thrown away because the relay fell behind; its clients were closed.", relay.overflowed)
    }

    private static func health(_ health: Health, _ text: inout MetricsText) {
        text.metric(
            "edgetick_ready", .gauge, "1 while the collector collects, as /health/ready says.", health.isReady ? 1 : 0)
        text.metric(
            "edgetick_live", .gauge, "1 while all loops make progress, as /health/live says.", health.isLive ? 1 : 0)
        text.metric(
            "edgetick_problems", .gauge, "How many things are wrong, as the checks of /health/ready name them.",
            Int64(health.checks.reduce(0) { $0 + $1.problems.count }))
        text.metric("edgetick_health_level", .gauge, "0 ok, 1 degraded, 2 failing, by check.")
        for check in health.checks { text.sample(Int64(check.level.severity), ["check": check.name]) }
    }

    private static func feed(_ sample: StatusBoard.Sample, _ text: inout MetricsText) {
        let connections = sample.snapshot.connections
        text.counts("edgetick_connection_up", .gauge, "1 while logged in and subscribed.", of: connections) {
            $0.status == .connected ? 1 : 0
        }
        text.counts(
            "edgetick_connection_error", .gauge, "1 while the connection keeps failing or needs manual action.",
            of: connections
        ) { $0.status == .error ? 1 : 0 }
        text.counts(
            "edgetick_connection_symbols_assigned", .gauge, "Symbols assigned to the connection.", of: connections
        ) { Int64($0.feed.assigned.count) }
        text.counts(
            "edgetick_connection_symbols_confirmed", .gauge, "Symbols whose subscription is confirmed.", of: connections
        ) { Int64($0.feed.confirmed.count) }
        text.counts(
            "edgetick_connection_symbols_refused", .gauge, "Symbols the feed's plan does not cover.", of: connections
        ) { Int64($0.feed.refused.count) }
        text.counts(
            "edgetick_connection_symbols_not_as_set", .gauge,
            "1 while the connection collects something else than its settings name.", of: connections
        ) { $0.assignment?.problem == nil ? 0 : 1 }
        text.metric("edgetick_feed_events_total", .counter, "Events taken from the feed.")
        for connection in connections {
            for stream in EventStream.allCases {
                let count = connection.feed.events.reduce(0) { $0 + ($1.key.stream == stream ? $1.value : 0) }
                text.sample(count, ["connection": connection.name, "stream": stream.rawValue])
            }
        }
        text.counts("edgetick_feed_frames_total", .counter, "Text messages read.", of: connections, \.feed.frames)
        text.counts(
            "edgetick_feed_received_bytes_total", .counter, "Bytes of text messages read.", of: connections,
            \.feed.bytes)
        text.counts(
            "edgetick_feed_reconnects_total", .counter, "Connections opened again.", of: connections, \.feed.reconnects)
        text.counts(
            "edgetick_feed_errors_total", .counter, "Connections lost or refused, and errors the feed reported.",
            of: connections, \.feed.errors)
        text.counts(
            "edgetick_feed_binary_frames_total", .counter, "Binary messages skipped.", of: connections,
            \.feed.binaryFrames)
        text.counts(
            "edgetick_feed_overflow_events_total", .counter, "Events lost because the buffer had no room.",
            of: connections, \.feed.overflowed)
        decoding(connections, &text)
        text.metric(
            "edgetick_feed_last_message_timestamp_seconds", .gauge, "When anything was last read, in Unix seconds.",
            of: connections
        ) { $0.feed.lastMessage.map { Double($0) / 1000 } }
        text.metric(
            "edgetick_feed_last_event_timestamp_seconds", .gauge, "When events were last taken, in Unix seconds.",
            of: connections
        ) { $0.feed.lastEvent.map { Double($0) / 1000 } }
        text.metric(
            "edgetick_feed_quiet_seconds", .gauge,
            "Time without an event while subscribed; only during New York's regular session.", of: connections,
            \.quietFor)
        latency(sample, &text)
    }

    private static func decoding(_ connections: [ConnectionState], _ text: inout MetricsText) {
        text.metric("edgetick_feed_decode_errors_total", .counter, "Events that could not be decoded, by reason.")
        for connection in connections {
            for reason in DecodeRejects.Reason.allCases where connection.feed.rejects[reason] > 0 {
                text.sample(
                    Int64(connection.feed.rejects[reason]),
                    ["connection": connection.name, "reason": reason.rawValue])
            }
        }
        func byKind(_ tally: (DecodeRejects) -> DecodeRejects.Tally, _ text: inout MetricsText) {
            for connection in connections {
                for (kind, count) in tally(connection.feed.rejects).byWord.sorted(by: { $0.key < $1.key }) {
                    text.sample(Int64(count), ["connection": connection.name, "kind": kind])
                }
            }
        }
        text.metric("edgetick_feed_rejected_events_total", .counter, "Events that could not be decoded, by kind.")
        byKind(\.events, &text)
        text.metric(
            "edgetick_feed_left_out_fields_total", .counter,
            "Optional fields left out of events because of their form, by the event's kind.")
        byKind(\.fields, &text)
    }

    private static func placement(_ placement: SetSnapshot, _ text: inout MetricsText) {
        text.metric("edgetick_symbols_wanted", .gauge, "Symbols to be collected by name.", Int64(placement.wanted))
        text.metric(
            "edgetick_symbols_unplaced", .gauge, "Symbols that no connection has room for, and that are not collected.",
            Int64(placement.unplaced.count))
        text.metric(
            "edgetick_symbols_moving", .gauge, "Symbols on their way from one connection to another.",
            Int64(placement.moving))
        text.metric(
            "edgetick_feed_duplicate_events_total", .counter,
            "Events left out because another connection had brought them.", placement.duplicates)
        text.metric(
            "edgetick_feed_forgotten_events_total", .counter,
            "Events forgotten while a connection still owed its copy; it is opened again.", placement.forgotten)
    }

    private static func latency(_ sample: StatusBoard.Sample, _ text: inout MetricsText) {
        text.metric(
            "edgetick_feed_delay_seconds", .gauge, "How late events come by the feed's plan; 900 on a delayed feed.")
        text.sample(sample.snapshot.feedDelay)
        text.metric(
            "edgetick_feed_latency_seconds", .histogram, "Age of events when read; a bar's age counts from its end.")
        for connection in sample.snapshot.connections {
            let histogram = sample.latency[connection.name] ?? LatencyHistogram()
            var count: Int64 = 0
            for (bound, events) in zip(LatencyHistogram.bounds + [.infinity], histogram.counts) {
                count += events
                text.sample(
                    Double(count),
                    ["connection": connection.name, "le": bound.isFinite ? DecimalText.string(bound) : "+Inf"],
                    suffix: "_bucket")
            }
            text.sample(histogram.sum, ["connection": connection.name], suffix: "_sum")
            text.sample(Double(count), ["connection": connection.name], suffix: "_count")
        }
        text.metric(
            "edgetick_feed_latency_p99_seconds", .gauge,
            "Age that 99 of 100 events of the last minute stayed below when read; exact to a thirty-second.",
            of: sample.snapshot.connections
        ) { sample.latency(of: $0, quantile: 0.99) }
    }

    private static func buffer(_ snapshot: CollectorSnapshot, _ text: inout MetricsText) {
        let buffer = snapshot.buffer
        text.metric("edgetick_buffer_pending_rows", .gauge, "Durable rows that upstream does not have.")
        for stream in EventStream.allCases {
            text.sample(buffer[stream].pending, ["stream": stream.rawValue])
        }
        text.metric("edgetick_buffer_appended_rows_total", .counter, "Rows made durable.")
        for stream in EventStream.allCases {
            text.sample(buffer[stream].appended, ["stream": stream.rawValue])
        }
        text.metric(
            "edgetick_buffer_queued_events", .gauge, "Events on their way to the file.", Int64(buffer.queuedEvents))
        text.metric(
            "edgetick_buffer_queued_bytes", .gauge, "Bytes on their way to the file.", Int64(buffer.queuedBytes))
        text.metric(
            "edgetick_buffer_oldest_pending_seconds", .gauge, "Age of the oldest row that upstream does not have.",
            snapshot.oldestPendingAge ?? 0)
        text.metric(
            "edgetick_buffer_used_bytes", .gauge, "Part of the buffer's file in use; what the cap bounds.",
            buffer.usedBytes)
        text.metric("edgetick_buffer_file_bytes", .gauge, "Size of the buffer's file.", buffer.fileBytes)
        text.metric("edgetick_buffer_wal_bytes", .gauge, "Size of the buffer's write-ahead log.", buffer.walBytes)
        text.metric(
            "edgetick_buffer_limit_bytes", .gauge, "Cap of the buffer's file (BUFFER_MAX_BYTES).",
            snapshot.maximumBytes)
        text.metric(
            "edgetick_buffer_full", .gauge, "1 while the cap or the disk is reached.",
            buffer.state == .full || buffer.state == .diskFull ? 1 : 0)
        text.metric(
            "edgetick_disk_free_bytes", .gauge, "Free space on the buffer's disk.",
            buffer.diskFreeBytes.map(Double.init))
        text.metric(
            "edgetick_disk_size_bytes", .gauge, "Size of the buffer's disk.", buffer.diskSizeBytes.map(Double.init))
        var isFailing = 0.0
        if case .failing = buffer.state { isFailing = 1 }
        text.metric("edgetick_buffer_failing", .gauge, "1 while commits fail.", isFailing)
        text.metric(
            "edgetick_buffer_dropped_events_total", .counter,
            "Events given up since the file was made, for any reason; those that a person discarded too.", buffer.drops)
        text.metric(
            "edgetick_buffer_no_room_events_total", .counter,
            "Events dropped since the start because the cap, the disk or the queue had no room.", buffer.noRoom)
        text.metric(
            "edgetick_buffer_refused_batches_total", .counter, "Batches that did not fit into the queue.",
            buffer.refusedBatches)
        text.metric(
            "edgetick_buffer_last_commit_seconds", .gauge, "How long the last commit took.",
            buffer.lastCommit.inSeconds)
        text.metric(
            "edgetick_buffer_gaps_total", .counter, "Spans in which events may have been missed.", buffer.recordedGaps)
        text.metric("edgetick_gaps_open", .gauge, "Gaps that are over and not filled yet.", buffer.openGaps)
        text.metric(
            "edgetick_buffer_dead_letters", .gauge, "Rows that upstream refused, kept aside.", buffer.deadLetters)
        text.metric(
            "edgetick_files_set_aside", .gauge, "Damaged files set aside that still lie in the data directory.",
            Int64(buffer.setAside.count))
    }

    private static func upload(_ sample: StatusBoard.Sample, _ text: inout MetricsText) {
        let sync = sample.snapshot.sync
        text.metric("edgetick_upload_configured", .gauge, "1 when there is an upstream.", sync == nil ? 0 : 1)
        text.metric(
            "edgetick_upload_interval_seconds", .gauge,
            "Time between two uploads (SYNC_INTERVAL), which rows wait anyway.",
            sample.snapshot.uploads.map(\.interval).max() ?? 0)
        text.metric("edgetick_upload_rows_total", .counter, "Rows that are upstream.", Int64(sync?.rows ?? 0))
        text.metric(
            "edgetick_upload_refused_rows_total", .counter, "Rows that upstream refused.",
            Int64(sync?.refused ?? 0))
        text.metric(
            "edgetick_upload_kept_out_rows_total", .counter,
            "Rows that upstream took and a trigger on their table discarded or redirected.",
            Int64(sync?.totals.keptOut ?? 0))
        text.metric(
            "edgetick_upload_lag_seconds", .gauge, "How far upstream is behind; 0 when it has everything.",
            sample.snapshot.uploadLag)
        text.metric(
            "edgetick_upload_last_success_timestamp_seconds", .gauge,
            "When a pass last found everything upstream, in Unix seconds.",
            sync?.lastSuccess.map { Double(sample.time) / 1000 - sample.snapshot.age(of: $0) })
        text.metric(
            "edgetick_upload_stalled_seconds", .gauge, "Time without a row settled upstream while rows wait.",
            sample.snapshot.stalledFor)
        text.metric("edgetick_upload_failing", .gauge, "1 while a failure lasts.", sync?.failure == nil ? 0 : 1)
        text.metric(
            "edgetick_upload_needs_person", .gauge, "1 while a failure lasts that a person must fix.",
            sync?.failure?.needsPerson == true ? 1 : 0)
        text.metric(
            "edgetick_upload_stream_failing", .gauge, "1 while a failure keeps this stream, and not all, from upstream."
        )
        for stream in EventStream.allCases {
            text.sample(Int64(sync?.failures[stream] == nil ? 0 : 1), ["stream": stream.rawValue])
        }
        let uploads = sample.snapshot.uploads
        text.metric("edgetick_upload_database_rows_total", .counter, "Rows that are upstream, by database.")
        for upload in uploads { text.sample(Int64(upload.status.rows), ["database": upload.name]) }
        text.metric("edgetick_upload_database_pending_rows", .gauge, "Rows that wait, by database.")
        for upload in uploads {
            text.sample(upload.pending(in: sample.snapshot.buffer), ["database": upload.name])
        }
        text.metric("edgetick_upload_database_lag_seconds", .gauge, "How far the database is behind.")
        for upload in uploads { text.sample(upload.lag(in: sample.snapshot), ["database": upload.name]) }
        text.metric("edgetick_upload_database_failing", .gauge, "1 while a failure lasts, by database.")
        for upload in uploads {
            text.sample(Int64(upload.status.failure == nil ? 0 : 1), ["database": upload.name])
        }
    }

    private static func write(_ cache: CacheStatistics, _ text: inout MetricsText) {
        text.metric("edgetick_cache_hits_total", .counter, "Questions answered from memory.", Int64(cache.hits))
        text.metric("edgetick_cache_misses_total", .counter, "Questions that had to be loaded.", Int64(cache.misses))
        text.metric("edgetick_cache_loads_total", .counter, "Loads from the mirror's file.", Int64(cache.loads))
        text.metric(
            "edgetick_cache_failures_total", .counter, "Unknown names, and loads that failed.", Int64(cache.failures))
        text.metric("edgetick_cache_evictions_total", .counter, "Entries that made room.", Int64(cache.evictions))
        text.metric("edgetick_cache_entries", .gauge, "Entries held.", Int64(cache.entries))
        text.metric("edgetick_cache_size_bytes", .gauge, "Bytes held, roughly.", Int64(cache.bytes))
    }

    private static func process(_ sample: StatusBoard.Sample, _ text: inout MetricsText) {
        text.metric("edgetick_process_resident_memory_bytes", .gauge, "Resident memory.", sample.usage.residentBytes)
        text.metric(
            "edgetick_process_cpu_seconds_total", .counter, "Processor time of all threads.", sample.usage.cpuSeconds)
        text.metric(
            "edgetick_process_open_fds", .gauge, "Open file descriptors.", sample.usage.openFiles.map(Double.init))
        text.metric(
            "edgetick_bytes_written_total", .counter, "Bytes written to disks, the files' logs and all.",
            sample.usage.writtenBytes.map(Double.init))
        text.metric("edgetick_process_uptime_seconds", .gauge, "Time since the API started.", sample.uptime)
    }
}

extension MetricsText {
    /// A metric with a sample for each connection that has a value.
    fileprivate mutating func metric(
        _ name: String, _ kind: Kind, _ help: String, of connections: [ConnectionState],
        _ value: (ConnectionState) -> Double?
    ) {
        metric(name, kind, help)
        for connection in connections {
            if let value = value(connection) { sample(value, ["connection": connection.name]) }
        }
    }

    /// A metric with one count for each connection.
    fileprivate mutating func counts(
        _ name: String, _ kind: Kind, _ help: String, of connections: [ConnectionState],
        _ value: (ConnectionState) -> Int64
    ) {
        metric(name, kind, help, of: connections) { Double(value($0)) }
    }
}

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
        _ state: StatusBoard.Sample, clients: Int, dropped: Int64, refusals: [RefusalCounts.Reason: Int64]
    ) -> [UInt8] {
        var text = MetricsText()
        let snapshot = state.snapshot
        text.metric("edgetick_build_info", "Always 1; the labels name the collector and its version.")
        text.sample(1, ["collector": snapshot.collector, "version": snapshot.version])
        text.write(state.health)
        text.writeFeed(state)
        text.write(snapshot.placement)
        text.writeBuffer(snapshot)
        text.writeUpload(state)
        if let mirror = snapshot.mirror {
            text.metric(
                "edgetick_universes_age_seconds", "Age of the groups pulled from upstream.",
                mirror.mirrorPulledAt.map { max(0, Double(snapshot.time - $0) / 1000) })
            text.metric(
                "edgetick_universes_pull_failing", "1 while pulling the groups fails.", mirror.failure == nil ? 0 : 1)
            text.metric(
                "edgetick_universes_pulls_total", "Successful pulls of the groups, with and without changes.",
                mirror.pulls)
        }
        if let cache = snapshot.cache { text.write(cache) }
        if let relay = snapshot.relay { text.write(relay) }
        if let reconcile = snapshot.reconcile { text.write(reconcile) }
        if let fleet = snapshot.fleet { text.write(fleet) }
        if let shard = snapshot.shard { text.write(shard) }
        text.writeProcess(state)
        text.metric("edgetick_http_event_clients", "Readers of the event stream now.", clients)
        text.metric(
            "edgetick_http_event_messages_dropped_total", "Messages of the event stream that slow readers missed.",
            dropped)
        text.metric("edgetick_http_refused_requests_total", "Requests answered with a problem, by reason.")
        for reason in RefusalCounts.Reason.allCases { text.sample(refusals[reason] ?? 0, ["reason": reason.rawValue]) }
        return text.bytes
    }
}

extension MetricsText {
    fileprivate mutating func write(_ fleet: FleetBoard.Status) {
        metric(
            "edgetick_fleet_row_failing", "1 while the box's row in the fleet's table can't be written.",
            fleet.problem == nil ? 0 : 1)
        metric(
            "edgetick_clock_offset_seconds", "How far the box's clock is ahead of the database's.",
            fleet.clockOffset.map { Double($0) / 1000 })
    }

    fileprivate mutating func write(_ shard: ShardState) {
        metric("edgetick_shard_symbols", "Symbols that the box takes, of those named.", shard.symbols)
        metric("edgetick_shard_named_symbols", "Symbols that the settings name.", shard.total)
        metric("edgetick_shard_members", "Members that share the symbols, by SHARD.", shard.share.map.members.count)
    }

    fileprivate mutating func write(_ reconcile: ReconcileState) {
        metric(
            "edgetick_reconcile_open_days",
            "Of the last days that were compared with the tape, those that are not complete.", reconcile.open.count)
        guard let last = reconcile.days.first else { return }
        metric(
            "edgetick_reconcile_timestamp_seconds", "When the newest of them was compared, in Unix time.",
            Double(last.at) / 1000)
        metric("edgetick_reconcile_bars", "The newest day's minute bars, by what was found.")
        sample(last.totals.tape, ["found": "tape"])
        sample(last.totals.added, ["found": "added"])
        sample(last.totals.corrected, ["found": "corrected"])
        sample(last.totals.extra, ["found": "not_on_tape"])
        sample(last.totals.missing, ["found": "open"])
        metric(
            "edgetick_reconcile_failed_symbols", "Symbols of the newest day that could not be compared.", last.failures)
    }

    fileprivate mutating func write(_ relay: RelayState) {
        metric("edgetick_relay_clients", "Clients of the relay now.", relay.readers.count)
        metric("edgetick_relay_connections_total", "Clients that connected.", relay.connections)
        metric("edgetick_relay_events_total", "Live events sent, over all clients.", relay.events)
        metric("edgetick_relay_sent_bytes_total", "Bytes of events sent.", relay.bytes)
        metric("edgetick_relay_replays_total", "Replays asked for.", relay.replays)
        metric("edgetick_relay_replayed_events_total", "Events sent out of the buffer.", relay.replayed)
        metric(
            "edgetick_relay_bar_requests_total", "Requests for bars of the REST aggregates answered.",
            relay.barRequests)
        metric(
            "edgetick_relay_on_demand_symbols", "Symbols collected because clients of the relay ask for them.",
            relay.onDemand.symbols.count)
        metric(
            "edgetick_relay_refused_channels_total", "Channels that a client asked for and was refused.",
            relay.channelsRefused)
        metric("edgetick_relay_closed_clients_total", "Clients refused or closed, by reason.")
        sample(relay.loginsRefused, ["reason": "key"])
        sample(relay.turnedAway, ["reason": "too_many"])
        sample(relay.crowdedOut, ["reason": "no_login"])
        sample(relay.slowReaders, ["reason": "slow"])
        metric(
            "edgetick_relay_waiting_bytes", "Bytes that wait for the client that is furthest behind.",
            relay.readers.map(\.waitingBytes).max() ?? 0)
        metric("edgetick_relay_queue_bytes", "Bytes of events that wait for the relay's thread.", relay.queuedBytes)
        metric(
            "edgetick_relay_overflow_events_total",
            "Events thrown away because the relay fell behind; its clients were closed.", relay.overflowed)
    }

    fileprivate mutating func write(_ health: Health) {
        metric("edgetick_ready", "1 while the collector collects, as /health/ready says.", health.isReady ? 1 : 0)
        metric("edgetick_live", "1 while all loops make progress, as /health/live says.", health.isLive ? 1 : 0)
        let problems = health.checks.reduce(0) { $0 + $1.problems.count }
        metric("edgetick_problems", "How many things are wrong, as the checks of /health/ready name them.", problems)
        metric("edgetick_health_level", "0 ok, 1 degraded, 2 failing, by check.")
        for check in health.checks { sample(check.level.severity, ["check": check.name]) }
    }

    fileprivate mutating func writeFeed(_ state: StatusBoard.Sample) {
        let connections = state.snapshot.connections
        metric("edgetick_connection_up", "1 while logged in and subscribed.", of: connections) {
            $0.status == .connected ? 1 : 0
        }
        metric(
            "edgetick_connection_error", "1 while the connection keeps failing or needs manual action.", of: connections
        ) { $0.status == .error ? 1 : 0 }
        metric("edgetick_connection_symbols_assigned", "Symbols assigned to the connection.", of: connections) {
            Double($0.feed.assigned.count)
        }
        metric("edgetick_connection_symbols_confirmed", "Symbols whose subscription is confirmed.", of: connections) {
            Double($0.feed.confirmed.count)
        }
        metric("edgetick_connection_symbols_refused", "Symbols the feed's plan does not cover.", of: connections) {
            Double($0.feed.refused.count)
        }
        metric(
            "edgetick_connection_symbols_not_as_set",
            "1 while the connection collects other symbols than its settings name.", of: connections
        ) { $0.assignment?.problem == nil ? 0 : 1 }
        metric("edgetick_feed_events_total", "Events taken from the feed.")
        for connection in connections {
            for stream in EventStream.allCases {
                let count = connection.feed.events.reduce(0) { $0 + ($1.key.stream == stream ? $1.value : 0) }
                sample(count, ["connection": connection.name, "stream": stream.rawValue])
            }
        }
        metric("edgetick_feed_frames_total", "Text messages read.", of: connections) { Double($0.feed.frames) }
        metric("edgetick_feed_received_bytes_total", "Bytes of text messages read.", of: connections) {
            Double($0.feed.bytes)
        }
        metric("edgetick_feed_reconnects_total", "Connections opened again.", of: connections) {
            Double($0.feed.reconnects)
        }
        metric(
            "edgetick_feed_errors_total", "Connections lost or refused, and errors the feed reported.", of: connections
        ) { Double($0.feed.errors) }
        metric("edgetick_feed_binary_frames_total", "Binary messages skipped.", of: connections) {
            Double($0.feed.binaryFrames)
        }
        metric("edgetick_feed_overflow_events_total", "Events lost because the buffer had no room.", of: connections) {
            Double($0.feed.overflowed)
        }
        writeRejects(of: connections)
        metric(
            "edgetick_feed_last_message_timestamp_seconds", "When anything was last read, in Unix seconds.",
            of: connections
        ) { $0.feed.lastMessage.map { Double($0) / 1000 } }
        metric(
            "edgetick_feed_last_event_timestamp_seconds", "When events were last taken, in Unix seconds.",
            of: connections
        ) { $0.feed.lastEvent.map { Double($0) / 1000 } }
        metric(
            "edgetick_feed_quiet_seconds",
            "Time without an event while subscribed; only during New York's regular session.", of: connections,
            \.quietFor)
        metric(
            "edgetick_feed_silent_kinds",
            "Kinds of events of which nothing arrives although other events prove that there must be some.",
            of: connections
        ) { Double($0.silentKinds.count) }
        writeLatency(state)
    }

    /// Every counter is there from the start, since Prometheus sees no increase in a counter's first value.
    private mutating func writeRejects(of connections: [ConnectionState]) {
        metric("edgetick_feed_decode_errors_total", "Events that could not be decoded, by reason.")
        for connection in connections {
            for reason in DecodeRejects.Reason.allCases {
                sample(connection.feed.rejects[reason], ["connection": connection.name, "reason": reason.rawValue])
            }
        }
        metric("edgetick_feed_rejected_events_total", "Events that could not be decoded, by kind.")
        writeKinds(of: connections, \.events)
        metric(
            "edgetick_feed_left_out_fields_total",
            "Optional fields left out of events because of their form, by the event's kind.")
        writeKinds(of: connections, \.fields)
    }

    private mutating func writeKinds(
        of connections: [ConnectionState], _ tally: (DecodeRejects) -> DecodeRejects.Tally
    ) {
        for connection in connections {
            let counts = tally(connection.feed.rejects)
            for kind in DecodeRejects.kinds {
                sample(counts[kind], ["connection": connection.name, "kind": kind.word])
            }
        }
    }

    fileprivate mutating func write(_ placement: SetSnapshot) {
        metric("edgetick_symbols_wanted", "Symbols to be collected by name.", placement.wanted)
        metric(
            "edgetick_symbols_unplaced", "Symbols that no connection has room for, and that are not collected.",
            placement.unplaced.count)
        metric("edgetick_symbols_moving", "Symbols on their way from one connection to another.", placement.moving)
        metric(
            "edgetick_feed_duplicate_events_total", "Events left out because another connection had delivered them.",
            placement.duplicates)
        metric(
            "edgetick_feed_forgotten_events_total",
            "Events forgotten while a connection still owed its copy; it is opened again.", placement.forgotten)
    }

    private mutating func writeLatency(_ state: StatusBoard.Sample) {
        metric(
            "edgetick_feed_delay_seconds", "Delay of the feed's events under its plan; 900 on a delayed feed.",
            state.snapshot.feedDelay)
        metric(
            "edgetick_feed_latency_seconds", "Age of events when read; a bar's age counts from its end.",
            isHistogram: true)
        for connection in state.snapshot.connections {
            let histogram = state.latency[connection.name] ?? LatencyHistogram()
            var count: Int64 = 0
            for (bound, events) in zip(LatencyHistogram.bounds + [.infinity], histogram.counts) {
                count += events
                sample(
                    Double(count),
                    ["connection": connection.name, "le": bound.isFinite ? DecimalText.string(bound) : "+Inf"],
                    suffix: "_bucket")
            }
            sample(histogram.sum, ["connection": connection.name], suffix: "_sum")
            sample(Double(count), ["connection": connection.name], suffix: "_count")
        }
        metric(
            "edgetick_feed_latency_p99_seconds",
            "99th percentile of the age of the last minute's events when read, exact to 1/32.",
            of: state.snapshot.connections
        ) { state.latency(of: $0, quantile: 0.99) }
    }

    fileprivate mutating func writeBuffer(_ snapshot: CollectorSnapshot) {
        let buffer = snapshot.buffer
        metric("edgetick_buffer_pending_rows", "Durable rows that upstream does not have.")
        for stream in EventStream.allCases { sample(buffer[stream].pending, ["stream": stream.rawValue]) }
        metric("edgetick_buffer_appended_rows_total", "Rows made durable.")
        for stream in EventStream.allCases { sample(buffer[stream].appended, ["stream": stream.rawValue]) }
        metric("edgetick_buffer_queued_events", "Events on their way to the file.", buffer.queuedEvents)
        metric("edgetick_buffer_queued_bytes", "Bytes on their way to the file.", buffer.queuedBytes)
        metric(
            "edgetick_buffer_oldest_pending_seconds", "Age of the oldest row that upstream does not have.",
            snapshot.oldestPendingAge ?? 0)
        metric("edgetick_buffer_used_bytes", "Used part of the buffer's file, which its cap limits.", buffer.usedBytes)
        metric("edgetick_buffer_file_bytes", "Size of the buffer's file.", buffer.fileBytes)
        metric("edgetick_buffer_wal_bytes", "Size of the buffer's write-ahead log.", buffer.walBytes)
        metric("edgetick_buffer_limit_bytes", "Cap of the buffer's file (BUFFER_MAX_BYTES).", snapshot.maximumBytes)
        metric(
            "edgetick_buffer_full", "1 while the cap or the disk is reached.",
            buffer.state == .full || buffer.state == .diskFull ? 1 : 0)
        metric("edgetick_disk_free_bytes", "Free space on the buffer's disk.", buffer.diskFreeBytes.map(Double.init))
        metric("edgetick_disk_size_bytes", "Size of the buffer's disk.", buffer.diskSizeBytes.map(Double.init))
        let isFailing = if case .failing = buffer.state { true } else { false }
        metric("edgetick_buffer_failing", "1 while commits fail.", isFailing ? 1 : 0)
        metric(
            "edgetick_buffer_dropped_events_total",
            "Events given up since the file was made, for any reason, including those that a person discarded.",
            buffer.drops)
        metric(
            "edgetick_buffer_no_room_events_total",
            "Events dropped since the start because the cap, the disk or the queue had no room.", buffer.noRoom)
        metric(
            "edgetick_buffer_refused_batches_total", "Batches that did not fit into the queue.", buffer.refusedBatches)
        metric("edgetick_buffer_last_commit_seconds", "How long the last commit took.", buffer.lastCommit.inSeconds)
        metric("edgetick_buffer_gaps_total", "Spans in which events may have been missed.", buffer.recordedGaps)
        metric("edgetick_gaps_open", "Gaps that are over and not filled yet.", buffer.openGaps)
        metric("edgetick_buffer_dead_letters", "Rows that upstream refused, kept aside.", buffer.deadLetters)
        metric(
            "edgetick_files_set_aside", "Damaged files set aside that are still in the data directory.",
            buffer.setAside.count)
    }

    fileprivate mutating func writeUpload(_ state: StatusBoard.Sample) {
        let snapshot = state.snapshot
        let sync = snapshot.sync
        metric("edgetick_upload_configured", "1 when there is an upstream.", sync == nil ? 0 : 1)
        metric(
            "edgetick_upload_interval_seconds", "Time between two uploads (SYNC_INTERVAL), which rows wait anyway.",
            snapshot.uploads.map(\.interval).max() ?? 0)
        metric("edgetick_upload_rows_total", "Rows that are upstream.", sync?.totals.rows ?? 0)
        metric("edgetick_upload_refused_rows_total", "Rows that upstream refused.", sync?.totals.refused ?? 0)
        metric(
            "edgetick_upload_kept_out_rows_total",
            "Rows that upstream took and a trigger on their table discarded or redirected.", sync?.totals.keptOut ?? 0)
        metric(
            "edgetick_upload_lag_seconds", "How far upstream is behind; 0 when it has everything.", snapshot.uploadLag)
        metric(
            "edgetick_upload_last_success_timestamp_seconds",
            "When a pass last found everything upstream, in Unix seconds.",
            sync?.lastSuccess.map { Double(state.time) / 1000 - snapshot.age(of: $0) })
        metric(
            "edgetick_upload_stalled_seconds", "Time without a row settled upstream while rows wait.",
            snapshot.stalledFor)
        metric("edgetick_upload_failing", "1 while a failure lasts.", sync?.failure == nil ? 0 : 1)
        metric(
            "edgetick_upload_needs_person", "1 while a failure lasts that a person must fix.",
            sync?.failure?.needsPerson == true ? 1 : 0)
        metric(
            "edgetick_upload_stream_failing",
            "1 while a failure stops the upload of this stream, but not of all streams.")
        for stream in EventStream.allCases {
            sample(sync?.failures[stream] == nil ? 0 : 1, ["stream": stream.rawValue])
        }
        metric("edgetick_upload_database_rows_total", "Rows that are upstream, by database.")
        for upload in snapshot.uploads { sample(upload.status.totals.rows, ["database": upload.name]) }
        metric("edgetick_upload_database_pending_rows", "Rows that wait, by database.")
        for upload in snapshot.uploads { sample(upload.pending(in: snapshot.buffer), ["database": upload.name]) }
        metric("edgetick_upload_database_lag_seconds", "How far the database is behind.")
        for upload in snapshot.uploads { sample(upload.lag(in: snapshot), ["database": upload.name]) }
        metric("edgetick_upload_database_failing", "1 while a failure lasts, by database.")
        for upload in snapshot.uploads { sample(upload.status.failure == nil ? 0 : 1, ["database": upload.name]) }
    }

    fileprivate mutating func write(_ cache: CacheStatistics) {
        metric("edgetick_cache_hits_total", "Lookups answered from memory.", cache.hits)
        metric("edgetick_cache_misses_total", "Lookups whose answer had to be loaded.", cache.misses)
        metric("edgetick_cache_loads_total", "Loads from the mirror's file.", cache.loads)
        metric("edgetick_cache_failures_total", "Unknown names, and loads that failed.", cache.failures)
        metric("edgetick_cache_evictions_total", "Entries removed to make room.", cache.evictions)
        metric("edgetick_cache_entries", "Entries held.", cache.entries)
        metric("edgetick_cache_size_bytes", "Bytes held, roughly.", cache.bytes)
    }

    fileprivate mutating func writeProcess(_ state: StatusBoard.Sample) {
        let usage = state.usage
        metric("edgetick_process_resident_memory_bytes", "Resident memory.", usage.residentBytes)
        metric("edgetick_process_cpu_seconds_total", "Processor time of all threads.", usage.cpuSeconds)
        metric("edgetick_process_open_fds", "Open file descriptors.", usage.openFiles.map(Double.init))
        metric(
            "edgetick_bytes_written_total", "Bytes written to disks, including the files' logs.",
            usage.writtenBytes.map(Double.init))
        metric("edgetick_process_uptime_seconds", "Time since the collector started.", state.uptime)
    }

    /// A metric with a sample for each connection that has a value.
    private mutating func metric(
        _ name: String, _ help: String, of connections: [ConnectionState], _ value: (ConnectionState) -> Double?
    ) {
        metric(name, help)
        for connection in connections {
            if let value = value(connection) { sample(value, ["connection": connection.name]) }
        }
    }
}

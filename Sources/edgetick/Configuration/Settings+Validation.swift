import MarketData
import Universe
import Upstream

extension Settings {
    /// Checks everything that was set and returns the settings in effect. Pure, except that libpq reads the environment
    /// and its own files for DATABASE_URI.
    ///
    /// - Parameter needs: What the command can't do without. The rest may be absent, but what is set must be valid.
    /// - Returns: The settings, and warnings and notes for the log.
    /// - Throws: All faults at once.
    static func validate(
        _ snapshot: SettingsSnapshot, host: HostFacts, needs: Needs = []
    ) throws(SettingFaults) -> (settings: Settings, remarks: [SettingFinding]) {
        let (settings, findings) = examine(snapshot, host: host, needs: needs)
        let faults = findings.filter { $0.severity == .fault }
        let remarks = findings.filter { $0.severity != .fault }
        guard faults.isEmpty else { throw SettingFaults(faults: faults, remarks: remarks) }
        return (settings, remarks)
    }

    /// Like ``validate(_:host:needs:)``, for callers that continue despite faults: a faulty setting has its default.
    static func examine(
        _ snapshot: SettingsSnapshot, host: HostFacts, needs: Needs = []
    ) -> (settings: Settings, findings: [SettingFinding]) {
        var reader = SettingReader(snapshot, host: host)
        var settings = Settings()
        reader.findings = snapshot.findings
        settings.hasFile = snapshot.hasFile
        reader.read(all, into: &settings)
        settings.checkFeed(&reader, needs)
        settings.connections.readNumbered(&reader, needs, fallback: settings.universe.fallback)
        settings.checkDatabase(&reader, needs)
        settings.checkHTTP(&reader)
        settings.checkRelay(&reader)
        settings.checkShard(&reader)
        if settings.dataDirectory.isEmpty, !reader.isSet(\.dataDirectory) {
            reader.fault(\.dataDirectory, "must be set: there is neither a home directory (HOME) nor STATE_DIRECTORY")
        }
        settings.keepSyntheticApart(&reader, needs)
        reader.findings += UnknownKeys.findings(in: snapshot)
        return (settings, reader.findings)
    }

    private mutating func checkFeed(_ reader: inout SettingReader, _ needs: Needs) {
        if needs.contains(.feed), feed.source == .feed, !reader.isSet(\.feed.apiKey) {
            reader.fault(
                \.feed.apiKey,
                "is needed to collect from the feed: set it, or set USE_SYNTHETIC_DATA=true to try without a key")
        }
        if needs.contains(.feed), feed.source == .none {
            reader.add(.warning, \.feed.isUsed, "there is no feed to collect from; buffered events are still uploaded")
        }
        if feed.isSynthetic, feed.isUsed, reader.isSet(\.feed.isUsed) {
            reader.add(.note, \.feed.isSynthetic, "the built-in simulator takes the feed's place")
        }
        for (path, url) in [(\Settings.feed.url, feed.url), (\.feed.restURL, feed.restURL)] {
            guard let address = ServerAddress(url), ["ws", "http"].contains(address.scheme), !address.isLoopback,
                !feed.allowsPlaintext
            else { continue }
            reader.fault(
                path,
                "\(address.scheme):// to another machine sends the key unencrypted: use "
                    + "\(address.scheme == "ws" ? "wss" : "https")://, or set MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT=true")
        }
        // The REST server gets the key: never send it to one that was not named for it.
        let isProviders = ServerAddress(feed.url)?.host.hasSuffix(".massive.com") == true
        backfill.mayAsk = isProviders || reader.isSet(\.feed.restURL)
    }

    /// Keeps made-up events apart from real ones: they have their own data directory and are never uploaded.
    private mutating func keepSyntheticApart(_ reader: inout SettingReader, _ needs: Needs) {
        guard feed.source == .simulator, !dataDirectory.isEmpty else { return }
        dataDirectory += "/synthetic"
        guard !needs.isEmpty else { return }
        reader.add(
            .note, \.feed.isSynthetic, "synthetic events are kept in a separate data directory: \(dataDirectory)")
        if reader.isSet(\.upload.databaseURI) {
            reader.fault(
                \.feed.isSynthetic,
                "synthetic events must not be uploaded to DATABASE_URI: unset one of the two; edgetick demo shows an upload"
            )
        }
    }

    private mutating func checkDatabase(_ reader: inout SettingReader, _ needs: Needs) {
        if needs.contains(.database), !reader.isSet(\.upload.databaseURI) {
            reader.fault(
                \.upload.databaseURI,
                "is needed for this command: set it, such as postgresql://user:password@host:5432/database")
        }
        upload.mostBatchRows = reader.isSet(\.upload.batchRows) ? upload.batchRows : 100_000
        if reader.isSet(\.upload.ticksURI), !reader.isSet(\.upload.databaseURI) {
            reader.fault(
                \.upload.ticksURI,
                "needs DATABASE_URI, which has the bars and the groups: set both, or only DATABASE_URI for everything")
            upload.ticksURI = nil
        }
        upload.displayedURI = upload.databaseURI.map { reader.masking.show($0.reveal(), .databaseURI) }
        upload.displayedTicksURI = upload.ticksURI.map { reader.masking.show($0.reveal(), .databaseURI) }
        for (role, path) in [(UpstreamRole.main, \Settings.upload.databaseURI), (.ticks, \.upload.ticksURI)] {
            if case .secretFile(let file)? = reader.snapshot[path]?.origin { upload.uriFiles[role] = file }
            do throws(UpstreamError) {
                for warning in try upstream(role)?.warnings ?? [] { reader.add(.warning, path, warning) }
            } catch {
                reader.fault(path, error.text)
                self[keyPath: path] = nil
            }
        }
    }

    private func checkRelay(_ reader: inout SettingReader) {
        if reader.isSet(\.relay.certificate) != reader.isSet(\.relay.privateKey) {
            reader.fault(
                reader.isSet(\.relay.certificate) ? \Settings.relay.certificate : \.relay.privateKey,
                "RELAY_TLS_CERTIFICATE and RELAY_TLS_KEY go together: set both, or neither")
        }
        if relay.isOnDemand, relay.port == nil {
            reader.add(.warning, \.relay.isOnDemand, "collects nothing without RELAY_PORT")
        }
        if let port = relay.port, port == http.port, port != 0 {
            reader.fault(\.relay.port, "HTTP_PORT is \(port) too: give the relay a port of its own")
        }
        guard !HostName.isLoopback(relay.host) else { return }
        if relay.keys.isEmpty, !reader.isFaulty(\.relay.keys) {
            reader.fault(\.relay.host, "other machines could connect: set RELAY_KEYS as well, or use 127.0.0.1")
        }
        if relay.port != nil, !reader.isSet(\.relay.certificate) {
            reader.add(
                .warning, \.relay.host,
                "other machines send their keys unencrypted: set RELAY_TLS_CERTIFICATE and RELAY_TLS_KEY")
        }
    }

    private func checkShard(_ reader: inout SettingReader) {
        guard let shard else {
            if reader.isSet(\.shardReplicas) { reader.add(.note, \.shardReplicas, "has an effect only with SHARD") }
            return
        }
        switch shard {
        case .fixed(_, let count):
            if shardReplicas > count {
                reader.fault(
                    \.shardReplicas, "SHARD has fewer boxes than that: set this to 1, or raise the number in SHARD")
            }
            let ticks = EventKind.allCases.filter { $0.stream != .bars && feed.events.contains($0) }
            if shardReplicas > 1, collectorGroup == nil, reader.isSet(\.upload.databaseURI), !ticks.isEmpty {
                reader.fault(
                    \.shardReplicas,
                    "needs COLLECTOR_GROUP, the same on all boxes: without it, the database would store the "
                        + "\(ticks.map(\.plural).joined(separator: " and ")) of both boxes")
            }
        case .auto:
            if collectorGroup == nil {
                reader.fault(\.shard, "auto needs COLLECTOR_GROUP: the boxes of one group share the symbols")
            }
            if !reader.isSet(\.upload.databaseURI) {
                reader.fault(\.shard, "auto needs DATABASE_URI: the boxes find each other in the database")
            }
        }
        if connections.list.contains(where: { SymbolList($0.symbols ?? "").isWildcard }) {
            reader.fault(\.shard, "* can't be shared among boxes: name the symbols, or a universe key")
        }
    }

    private func checkHTTP(_ reader: inout SettingReader) {
        if !HostName.isLoopback(http.host), !reader.isSet(\.http.token) {
            reader.fault(\.http.host, "other machines could connect: set HTTP_TOKEN as well, or use 127.0.0.1")
        }
    }
}

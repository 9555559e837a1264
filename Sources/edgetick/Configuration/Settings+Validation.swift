import MarketData

extension Settings {
    /// Checks everything that was set and returns the settings in effect. Pure.
    ///
    /// - Parameters:
    ///   - snapshot: What was set.
    ///   - host: What defaults depend on.
    ///   - needs: What the command cannot do without; the rest may be absent, yet what is set must be right.
    /// - Returns: The settings, with warnings and notes for the log.
    /// - Throws: Every fault at once.
    static func validate(
        _ snapshot: SettingsSnapshot, host: HostFacts, needs: Needs = []
    ) throws(SettingFaults) -> (settings: Settings, remarks: [SettingFinding]) {
        var reader = SettingReader(snapshot, host: host)
        var settings = Settings()
        reader.read(all, into: &settings)
        settings.checkFeed(&reader, needs)
        settings.connections.readNumbered(&reader, needs)
        settings.checkDatabase(&reader, needs)
        settings.checkHTTP(&reader)
        if settings.dataDirectory.isEmpty, !reader.isSet(\.dataDirectory) {
            reader.fault(
                \.dataDirectory, "must be set: there is neither a home directory (HOME) nor STATE_DIRECTORY")
        }
        for finding in UnknownKeys.findings(in: snapshot) { reader.add(finding) }
        let faults = reader.findings.filter { $0.severity == .fault }
        let remarks = reader.findings.filter { $0.severity != .fault }
        guard faults.isEmpty else { throw SettingFaults(faults: faults, remarks: remarks) }
        return (settings, remarks)
    }

    private mutating func checkFeed(_ reader: inout SettingReader, _ needs: Needs) {
        if needs.contains(.feed), feed.source == .feed, !reader.isSet(\.feed.apiKey) {
            reader.fault(
                \.feed.apiKey,
                "is needed to collect from the feed: set it, or set USE_SYNTHETIC_DATA=true to try without")
        }
        if needs.contains(.feed), feed.source == .none {
            reader.add(
                .warning, \.feed.isUsed, "there is no feed to collect from; buffered events are still uploaded")
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
        // The key goes to the REST server: never to one that was not named for it.
        let isProviders = ServerAddress(feed.url)?.host.hasSuffix(".massive.com") == true
        backfill.isAutomatic = backfill.isEnabled && (isProviders || reader.isSet(\.feed.restURL))
    }

    private mutating func checkDatabase(_ reader: inout SettingReader, _ needs: Needs) {
        if needs.contains(.database), !reader.isSet(\.upload.databaseURI) {
            reader.fault(
                \.upload.databaseURI,
                "is needed for this command: set it, such as postgresql://user:password@host:5432/database")
        }
        upload.displayedURI = upload.databaseURI.map { reader.masking.show($0.reveal(), .databaseURI) }
    }

    private func checkHTTP(_ reader: inout SettingReader) {
        if !ServerAddress.isLoopback(http.host), !reader.isSet(\.http.token) {
            reader.fault(\.http.host, "other machines could connect: set HTTP_TOKEN as well, or use 127.0.0.1")
        }
    }
}

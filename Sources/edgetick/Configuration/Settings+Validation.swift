import Collector
import Logging
import MarketData

extension Settings {
    /// Checks everything that was set and gives the settings in effect. Pure.
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
        var reader = SettingReader(snapshot)
        let settings = Settings(
            feed: readFeed(&reader, host, needs),
            connections: readConnections(&reader, needs),
            universe: readUniverse(&reader),
            dataDirectory: readDataDirectory(&reader, host),
            collectorID: readCollectorID(&reader, host),
            buffer: readBuffer(&reader),
            backfill: readBackfill(&reader),
            upload: readUpload(&reader, needs),
            http: readHTTP(&reader),
            logLevel: reader.choice(.logLevel, otherwise: .info),
            logFormat: reader.choice(.logFormat, otherwise: .text))
        for finding in UnknownKeys.findings(in: snapshot) { reader.add(finding) }
        let faults = reader.findings.filter { $0.severity == .fault }
        let remarks = reader.findings.filter { $0.severity != .fault }
        guard faults.isEmpty else { throw SettingFaults(faults: faults, remarks: remarks) }
        return (settings, remarks)
    }

    private static func readFeed(_ reader: inout SettingReader, _ host: HostFacts, _ needs: Needs) -> Feed {
        let isUsed = reader.bool(.useMassiveAPI)
        let isSynthetic = reader.bool(.useSyntheticData)
        let apiKey = reader.secret(.apiKey)
        let allowsPlaintext = reader.bool(.allowPlaintext)
        if needs.contains(.feed), isUsed, !isSynthetic, reader.snapshot[.apiKey] == nil {
            reader.fault(
                .apiKey, "is needed to collect from the feed: set it, or set USE_SYNTHETIC_DATA=true to try without")
        }
        if needs.contains(.feed), !isUsed, !isSynthetic {
            reader.add(.warning, .useMassiveAPI, "there is no feed to collect from; buffered events are still uploaded")
        }
        if isSynthetic, reader.snapshot[.useMassiveAPI] != nil, isUsed {
            reader.add(.note, .useSyntheticData, "the built-in simulator takes the feed's place")
        }
        checkURL(.feedURL, secure: "wss", plain: "ws", allowsPlaintext, &reader)
        checkURL(.restURL, secure: "https", plain: "http", allowsPlaintext, &reader)
        return Feed(
            source: isSynthetic ? .simulator : isUsed ? .feed : .none, apiKey: apiKey,
            url: reader.text(.feedURL) ?? "", restURL: reader.text(.restURL) ?? "", allowsPlaintext: allowsPlaintext,
            caFile: reader.path(.caFile, host), events: readEvents(&reader),
            maxRetries: reader.integer(.maxRetries, in: 0...1_000_000),
            reconnectDelay: reader.duration(
                .reconnectDelay, unit: .seconds(1), in: .milliseconds(100) ... .seconds(3600)))
    }

    private static func checkURL(
        _ key: SettingKey, secure: String, plain: String, _ allowsPlaintext: Bool, _ reader: inout SettingReader
    ) {
        guard let text = reader.text(key) else { return }
        guard let address = ServerAddress(text), [secure, plain].contains(address.scheme) else {
            return reader.fault(key, "allowed: a URL such as \(secure)://host:port/path, without a user name")
        }
        if address.scheme == plain, !address.isLoopback, !allowsPlaintext {
            reader.fault(
                key,
                "\(plain):// to another machine sends the key unencrypted: use \(secure)://, "
                    + "or set MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT=true")
        }
    }

    private static func readEvents(_ reader: inout SettingReader) -> Set<EventKind> {
        let names = (reader.text(.feedEvents) ?? "").split(separator: ",").map { $0.trimmingBlanks() }
            .filter { !$0.isEmpty }
        let kinds = names.compactMap { EventKind(rawValue: $0.uppercased()) }
        if kinds.isEmpty || kinds.count < names.count {
            reader.fault(.feedEvents, "allowed: any of AM, A, T, Q, separated by commas")
        }
        return Set(kinds)
    }

    private static func readUniverse(_ reader: inout SettingReader) -> Universe {
        let day = Duration.seconds(86_400)
        let environment = reader.choice(.environment, otherwise: GroupEnvironment.default)
        let fallback = reader.choice(.universeFallback, otherwise: UniverseFallback.default)
        let ttl = reader.duration(.universeCacheTTL, unit: .seconds(1), in: .seconds(1)...day * 30)
        let pull = reader.duration(
            .universePullInterval, unit: .seconds(1), in: .seconds(10)...day * 30, zero: "by hand only")
        return Universe(
            environment: environment, fallback: fallback, cacheTTL: ttl, pullInterval: pull == .zero ? nil : pull)
    }

    private static func readDataDirectory(_ reader: inout SettingReader, _ host: HostFacts) -> String {
        if let path = reader.path(.dataDirectory, host) { return path }
        if let directory = host.defaultDataDirectory { return directory }
        reader.fault(.dataDirectory, "must be set: there is neither a home directory (HOME) nor STATE_DIRECTORY")
        return ""
    }

    private static func readCollectorID(_ reader: inout SettingReader, _ host: HostFacts) -> String {
        guard let text = reader.text(.collectorID) else { return host.defaultCollectorID }
        if !CollectorName.isName(text) {
            reader.fault(
                .collectorID,
                "allowed: up to \(CollectorName.maximumLength) letters, digits, dots, hyphens, underscores")
        }
        return text
    }

    private static func readBuffer(_ reader: inout SettingReader) -> Buffer {
        Buffer(
            maximumBytes: reader.bytes(
                .bufferMaxBytes, in: (1 << 20)...(1 << 50), shown: "from 1MiB to 1024TiB"),
            fullPolicy: reader.choice(.bufferFullPolicy, otherwise: .dropOldest),
            retention: reader.duration(
                .bufferRetention, unit: .seconds(3600), in: .seconds(0) ... .seconds(3600 * 24 * 365)),
            commitInterval: reader.duration(
                .bufferCommitInterval, unit: .milliseconds(1), in: .milliseconds(1) ... .seconds(10)),
            synchronous: reader.choice(.bufferSynchronous, otherwise: .full))
    }

    private static func readBackfill(_ reader: inout SettingReader) -> Backfill {
        let isOn = reader.bool(.backfillEnabled)
        // The key goes to the REST server: never to one that was not named for it.
        let feedHost = reader.text(.feedURL).flatMap { ServerAddress($0) }?.host ?? ""
        let isProviders = feedHost.hasSuffix(".massive.com") || reader.snapshot[.restURL] != nil
        return Backfill(
            isAutomatic: isOn && isProviders,
            requestsPerMinute: reader.integer(.backfillRequestsPerMinute, in: 0...100_000))
    }

    private static func readUpload(_ reader: inout SettingReader, _ needs: Needs) -> Upload {
        let uri = reader.snapshot[.databaseURI]?.text
        if let uri {
            let scheme = uri.prefix { $0 != ":" }
            if !uri.dropFirst(scheme.count).hasPrefix("://") || !["postgresql", "postgres"].contains(scheme) {
                reader.fault(.databaseURI, "allowed: a URI such as postgresql://user:password@host:5432/database")
            } else if !uri.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
                reader.fault(
                    .databaseURI, "holds spaces or characters beyond ASCII: write them percent-encoded, a space as %20")
            }
        } else if needs.contains(.database) {
            reader.fault(
                .databaseURI,
                "is needed for this command: set it, such as postgresql://user:password@host:5432/database")
        }
        return Upload(
            databaseURI: uri.map { Secret($0) },
            displayedURI: uri.map { reader.masking.display($0, of: .databaseURI) },
            interval: reader.duration(.syncInterval, unit: .seconds(1), in: .milliseconds(100) ... .seconds(86_400)),
            batchRows: reader.integer(.syncBatchRows, in: 1...1_000_000),
            statementTimeout: reader.duration(
                .syncStatementTimeout, unit: .seconds(1), in: .milliseconds(100) ... .seconds(3600)),
            barTimestamp: reader.choice(.barTimestamp, otherwise: .start))
    }

    private static func readHTTP(_ reader: inout SettingReader) -> HTTP {
        let token = reader.secret(.httpToken)
        let host = reader.text(.httpHost) ?? ""
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        if !ServerAddress.isHost(bare) {
            reader.fault(.httpHost, "allowed: an address or a host name, such as 127.0.0.1, 0.0.0.0 or ::1")
        } else if !ServerAddress.isLoopback(bare), reader.snapshot[.httpToken] == nil {
            reader.fault(.httpHost, "other machines could connect: set HTTP_TOKEN as well, or use 127.0.0.1")
        }
        if let token, token.reveal().utf8.count < 16 || !token.reveal().utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            reader.fault(
                .httpToken,
                "allowed: 16 printable ASCII characters or more, without spaces; `openssl rand -hex 24` makes one")
        }
        let names = (reader.text(.httpAllowedHosts) ?? "").split(separator: ",").map { String($0.trimmingBlanks()) }
            .filter { !$0.isEmpty }
        if !names.allSatisfy({ ServerAddress.isHost($0) }) {
            reader.fault(.httpAllowedHosts, "allowed: host names separated by commas, such as dashboard.example.com")
        }
        return HTTP(
            host: bare, port: reader.integer(.httpPort, in: 0...65535), token: token, allowedHosts: names)
    }
}

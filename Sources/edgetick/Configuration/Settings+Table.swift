import Collector
import Feed
import MarketData
import Store
import WebAPI

extension Settings {
    /// Keys that belong together.
    struct Section: Sendable {
        let title: String
        let settings: [Setting<Settings>]
        /// Whether the numbered connections' keys follow.
        var hasConnections = false
    }

    /// The keys, in the order in which they are shown.
    static let sections = [
        Section(title: "The feed", settings: feedKeys),
        Section(title: "Symbols and connections", settings: connectionKeys, hasConnections: true),
        Section(title: "Universes", settings: universeKeys),
        Section(title: "The buffer", settings: bufferKeys),
        Section(title: "Gaps", settings: gapKeys),
        Section(title: "The database", settings: databaseKeys),
        Section(title: "The relay", settings: relayKeys),
        Section(title: "HTTP and the log", settings: outputKeys),
    ]

    private static let feedKeys: [Setting<Settings>] = [
        Setting("USE_MASSIVE_API", \.feed.isUsed, .flag, "true", "collect from the feed"),
        Setting("MASSIVE_API_KEY", \.feed.apiKey, .secret(), "the feed's key"),
        Setting(
            "MASSIVE_WEBSOCKET_URL", \.feed.url, .url("wss", orPlain: "ws"), "wss://socket.massive.com/stocks",
            "the feed's address; ws:// only to this machine unless plaintext is allowed"),
        Setting(
            "MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT", \.feed.allowsPlaintext, .flag, "false",
            "allow ws:// and http:// to other machines; the key is then sent unencrypted"),
        Setting(
            "MASSIVE_WEBSOCKET_CA_FILE", \.feed.caFile, .path,
            "PEM file with the certificate authorities to trust for the feed, in addition to the system's"),
        Setting(
            "MASSIVE_WEBSOCKET_MAX_RETRIES", \.feed.reconnect.maximumFailures, .number(0...1_000_000), "0",
            "consecutive failures before a connection is shown as in error; 0 = never; it keeps retrying in any case"),
        Setting(
            "MASSIVE_WEBSOCKET_RECONNECT_DELAY", \.feed.reconnect.firstDelay,
            .duration(.milliseconds(100) ... .seconds(3600)), "5s",
            "longest wait after a first failed attempt to connect; it doubles with each further failure (seconds)"),
        Setting(
            "MASSIVE_WEBSOCKET_MAX_RECONNECT_DELAY", \.feed.reconnect.cap, .duration(.seconds(1) ... .seconds(3600)),
            "60s", "longest wait after any number of failed attempts (seconds)"),
        Setting(
            "MASSIVE_REST_URL", \.feed.restURL, .url("https", orPlain: "http"), "https://api.massive.com",
            "address of the REST API, for backfill"),
        Setting("HTTPS_PROXY", \.feed.proxy, .proxy, "proxy for the feed and the REST API, not for this machine"),
        Setting(
            "ALL_PROXY", \.feed.generalProxy, .proxy,
            "proxy if HTTPS_PROXY is not set, and for ws:// and http://"),
        Setting(
            "NO_PROXY", \.feed.unproxied, .noProxy, .none,
            "hosts and domains, separated by commas, to reach without the proxy; * = all"),
        Setting("FEED_EVENTS", \.feed.events, .events, "AM", "kinds of events to collect"),
        Setting(
            "USE_SYNTHETIC_DATA", \.feed.isSynthetic, .flag, "false",
            "use the built-in simulator as the feed; events go to the directory synthetic and to no database"),
    ]

    private static let connectionKeys: [Setting<Settings>] = [
        Setting(
            "USE_MULTI_CONNECTION", \.connections.isMulti, .flag, "false",
            "use several connections, each with its own symbols"),
        Setting("SYMBOL_UNIVERSE_KEY", \.connections.universeKey, .text, "universe key of the single connection"),
        Setting(
            "SYMBOLS", \.connections.symbols, .text,
            "symbols of the single connection if no universe key is set or it resolves to none; * = all"),
        Setting(
            "WEBSOCKET_CONNECTIONS_MAX", \.connections.maximum, .number(1...ConnectionKey.highestNumber), "3",
            "the most connections; an account usually allows 1 to 3"),
        Setting(
            "WEBSOCKET_ROUTING_STRATEGY", \.connections.rules.strategy, .choice, "manual",
            "how symbols are spread over connections"),
        Setting(
            "WEBSOCKET_HEALTH_CHECK_INTERVAL", \.connections.rules.healthInterval,
            .duration(.seconds(1) ... .seconds(3600)), "30s", "time between health checks of the connections (seconds)"),
        Setting(
            "WEBSOCKET_AUTO_REBALANCE", \.connections.rules.rebalances, .flag, "true",
            "move symbols when the load is uneven, with the strategy load-balanced"),
        Setting(
            "WEBSOCKET_FAILOVER_ENABLED", \.connections.rules.failsOver, .flag, "true",
            "give a broken connection's symbols to the others"),
        Setting(
            "WEBSOCKET_FAILOVER_GRACE", \.connections.rules.failover.grace, .duration(.seconds(1) ... .seconds(3600)),
            "10s", "how long a connection may be down before it gives its symbols away (seconds)"),
        Setting(
            "WEBSOCKET_FAILOVER_RECOVERY", \.connections.rules.failover.recovery,
            .duration(.seconds(1) ... .seconds(3600)), "30s",
            "how long it must be up again before it gets them back (seconds)"),
        Setting(
            "WEBSOCKET_REDUNDANT_SYMBOLS", \.connections.redundantSymbols, .symbols,
            "symbols to take from two connections at once, separated by commas; * = all"),
    ]

    private static let universeKeys: [Setting<Settings>] = [
        Setting("ENVIRONMENT", \.universe.environment, .choice, "DEFAULT", "the environment whose groups are used"),
        Setting(
            "UNIVERSE_FALLBACK", \.universe.fallback, .choice, "default",
            "if the universe key resolves to no symbols: collect the default list, or refuse to start"),
        Setting(
            "UNIVERSE_CACHE_TTL", \.universe.cacheTTL, .duration(.seconds(1)...day * 30), "3600s",
            "how long resolved relationships stay fresh (seconds)"),
        Setting(
            "UNIVERSE_PULL_INTERVAL", \.universe.pullInterval, .duration(.seconds(10)...day * 30, zero: "by hand only"),
            "3600s", "time between pulls of groups from the database (seconds); 0 = by hand"),
    ]

    private static let bufferKeys: [Setting<Settings>] = [
        Setting(
            "EDGETICK_DATA_DIR", \.dataDirectory, .path,
            .host(\.defaultDataDirectory, "~/.local/share/edgetick; a service's state directory"),
            "directory of universe.sqlite and ticks.sqlite"),
        Setting(
            "BUFFER_MAX_BYTES", \.buffer.maximumBytes, .size((1 << 20)...(1 << 50), shown: "from 1MiB to 1024TiB"),
            "8GiB", "the largest size of ticks.sqlite"),
        Setting(
            "BUFFER_FULL_POLICY", \.buffer.fullPolicy, .choice, "drop-oldest", "what to do when that size is reached"),
        Setting(
            "BUFFER_RETENTION_HOURS", \.buffer.retention, .duration(per: .seconds(3600), .zero...day * 365), "24h",
            "how long uploaded rows stay for local queries (hours)"),
        Setting(
            "BUFFER_COMMIT_INTERVAL_MS", \.buffer.commitInterval, .commitInterval(.milliseconds(1) ... .seconds(10)),
            "50ms",
            "time between commits (milliseconds); auto = 50ms after a quiet second, up to 1s in a steady stream"),
        Setting(
            "BUFFER_SYNCHRONOUS", \.buffer.synchronous, .choice, "full",
            "full = durable at commit; normal = consistent only"),
    ]

    private static let gapKeys: [Setting<Settings>] = [
        Setting(
            "BACKFILL_ENABLED", \.backfill.isEnabled, .flag, "true",
            "fill gaps from the REST API soon after they occur"),
        Setting(
            "BACKFILL_REQUESTS_PER_MINUTE", \.backfill.requestsPerMinute, .number(0...100_000), "300",
            "the most requests a minute to the REST API; 0 = no limit"),
        Setting(
            "BACKFILL_REACH", \.backfill.reach, .duration(per: day, .seconds(60)...day * 3650), "7d",
            "how far back gaps are filled automatically (days)"),
        Setting(
            "RECONCILE_AT", \.backfill.reconcileMinute, .timeOfDay,
            "time of day in New York at which the last finished day is compared with the tape and corrected; off "
                + "unless set"),
    ]

    private static let databaseKeys: [Setting<Settings>] = [
        Setting(
            "DATABASE_URI", \.upload.databaseURI, .databaseURI,
            "the database; without it, events are collected but not uploaded"),
        Setting(
            "DATABASE_URI_TICKS", \.upload.ticksURI, .databaseURI,
            "another database for trades, quotes and everything else but bars; without it, all go to DATABASE_URI"),
        Setting(
            "SYNC_INTERVAL", \.upload.interval, .duration(.milliseconds(100)...day), "5s",
            "time between uploads (seconds)"),
        Setting(
            "SYNC_BATCH_ROWS", \.upload.batchRows, .number(1...1_000_000), "20000",
            "the most rows in one upload transaction; if not set, it rises by itself to 100000 while the database takes "
                + "long for each"),
        Setting(
            "SYNC_STATEMENT_TIMEOUT", \.upload.statementTimeout, .duration(.milliseconds(100) ... .seconds(3600)),
            "60s", "the longest that one statement may take (seconds)"),
        Setting(
            "SYNC_KEPT_OUT_INTENDED", \.upload.keepsOutOnPurpose, .flag, "false",
            "whether a trigger that discards or redirects rows is there on purpose; if not, health reports it"),
        Setting(
            "BAR_TIMESTAMP", \.upload.barTimestamp, .choice, "start", "what a bar's timestamp means in the database"),
        Setting(
            "BAR_CONFLICT", \.upload.barConflict, .choice,
            "which bar wins if the stored one was written by another program and has no received_at; default: newest if the "
                + "table has that column, otherwise replace"),
        Setting(
            "BAR_COLUMNS", \.upload.barColumns, .barColumns,
            "the column names of the bar tables, where they differ from EdgeTick's"),
        Setting(
            "COLLECTOR_ID", \.collectorID, .name, .host(\.defaultCollectorID, "the host's name"),
            "this collector's name in the database"),
        Setting(
            "COLLECTOR_GROUP", \.collectorGroup, .name,
            "the group that this box belongs to; the boxes of a group cover each other's gaps"),
        Setting(
            "SHARD", \.shard, .shard,
            "the share of the symbols that this box collects; auto: shared with the live boxes of COLLECTOR_GROUP"),
        Setting(
            "SHARD_REPLICAS", \.shardReplicas, .number(1...2), "1", "how many boxes collect each symbol, with SHARD"),
    ]

    private static let relayKeys: [Setting<Settings>] = [
        Setting(
            "RELAY_PORT", \.relay.port, .number(0...65535),
            "relay the feed to other programs on this port; 0 = any free one; without it there is no relay"),
        Setting("RELAY_HOST", \.relay.host, .host, "127.0.0.1", "address that the relay listens on"),
        Setting(
            "RELAY_KEYS", \.relay.keys, .secrets(least: 16), .none,
            "keys that the relay's clients may log in with, separated by commas; without any, every key is accepted; "
                + "required if other machines can connect"),
        Setting(
            "RELAY_TLS_CERTIFICATE", \.relay.certificate, .path,
            "PEM file with the relay's certificate chain, for wss"),
        Setting("RELAY_TLS_KEY", \.relay.privateKey, .path, "PEM file with the certificate's private key"),
        Setting("RELAY_MAX_CLIENTS", \.relay.maximumClients, .number(1...10_000), "64", "the most clients at once"),
        Setting(
            "RELAY_CLIENT_BUFFER", \.relay.clientBuffer, .size((64 << 10)...(1 << 30), shown: "from 64KiB to 1GiB"),
            "16MiB",
            "how much may wait for one client before it is disconnected as too slow; for all together 256MiB, or this "
                + "if it is more"),
        Setting(
            "RELAY_ON_DEMAND", \.relay.isOnDemand, .flag, "false",
            "collect a symbol that nothing else asks for while a client of the relay reads it, and for a minute after"),
        Setting(
            "RELAY_ON_DEMAND_MAX", \.relay.maximumOnDemand, .number(1...10_000), "100",
            "the most symbols that are collected on demand"),
    ]

    private static let outputKeys: [Setting<Settings>] = [
        Setting("HTTP_HOST", \.http.host, .host, "127.0.0.1", "address that the HTTP API listens on"),
        Setting("HTTP_PORT", \.http.port, .number(0...65535), "8080", "port of the HTTP API; 0 = any free one"),
        Setting(
            "HTTP_TOKEN", \.http.token, .secret(least: WebConfiguration.shortestToken),
            "token that HTTP requests must carry; required if other machines can connect"),
        Setting(
            "HTTP_ALLOWED_HOSTS", \.http.allowedHosts, .hosts, .none,
            "further host names, separated by commas, under which clients may reach the API, as behind a proxy"),
        Setting("LOG_LEVEL", \.logLevel, .choice, "info", "the lowest level of messages to log"),
        Setting("LOG_FORMAT", \.logFormat, .choice, "text", "the format of log messages"),
    ]

    private static let day = Duration.seconds(86_400)

    /// Every key apart from those of the numbered connections.
    static let all: [Setting<Settings>] = sections.flatMap(\.settings)

    static func setting(_ path: PartialKeyPath<Settings>) -> Setting<Settings> {
        guard let setting = all.first(where: { $0.path == path }) else { preconditionFailure("\(path) has no key") }
        return setting
    }
}

extension Settings.Connection {
    /// The fields that name a connection's symbols.
    static let naming: Set = ["UNIVERSE_KEY", "SYMBOLS"]

    static func settings(_ number: Int) -> [Setting<Settings.Connection>] {
        let names = ["primary", "secondary", "tertiary"]
        let key = ConnectionKey.prefix + "\(number)_"
        return [
            Setting("\(key)ENABLED", \.isEnabled, .flag, number == 1 ? "true" : "false", "use connection \(number)"),
            Setting(
                "\(key)NAME", \.name, .connectionName, .text(number <= 3 ? names[number - 1] : "connection_\(number)"),
                "name of connection \(number)"),
            Setting("\(key)UNIVERSE_KEY", \.universeKey, .text, "universe key of connection \(number)"),
            Setting(
                "\(key)SYMBOLS", \.symbols, .text,
                "symbols of connection \(number) if no universe key is set or it resolves to none; * = all"),
            Setting(
                "\(key)PRIORITY", \.priority, .number(ConnectionRequest.priorities), .text("\(number)"),
                "rank of connection \(number) for the routing strategy priority; 1 comes first"),
            Setting("\(key)CAPACITY", \.capacity, .limit(1_000_000), "0", "the most symbols of connection \(number)"),
        ]
    }
}

/// The name of a numbered connection's key, split into its parts: `WEBSOCKET_CONNECTION_2_SYMBOLS`.
struct ConnectionKey: Hashable, Sendable {
    /// The most connections that may be configured, whatever the account allows.
    static let highestNumber = 16

    /// From 1.
    let number: Int
    /// What follows the number: `SYMBOLS`.
    let field: String

    /// `nil` if the name is not a connection's key.
    init?(name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        let rest = name.dropFirst(Self.prefix.count)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), number >= 1, digits.first != "0" else { return nil }
        self.number = number
        field = String(rest.dropFirst(digits.count + 1))
        guard self.name == name, Self.fields.contains(field) else { return nil }
    }

    var name: String { "\(Self.prefix)\(number)_\(field)" }

    fileprivate static let prefix = "WEBSOCKET_CONNECTION_"
    private static let fields = Set(
        Settings.Connection.settings(1).map { String($0.name.dropFirst("\(prefix)1_".count)) })
}

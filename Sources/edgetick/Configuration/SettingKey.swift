/// The keys that configure EdgeTick, apart from those of the numbered connections (``ConnectionKey``).
enum SettingKey: String, CaseIterable, Sendable {
    case useMassiveAPI = "USE_MASSIVE_API"
    case apiKey = "MASSIVE_API_KEY"
    case feedURL = "MASSIVE_WEBSOCKET_URL"
    case allowPlaintext = "MASSIVE_WEBSOCKET_ALLOW_PLAINTEXT"
    case caFile = "MASSIVE_WEBSOCKET_CA_FILE"
    case maxRetries = "MASSIVE_WEBSOCKET_MAX_RETRIES"
    case reconnectDelay = "MASSIVE_WEBSOCKET_RECONNECT_DELAY"
    case restURL = "MASSIVE_REST_URL"
    case feedEvents = "FEED_EVENTS"
    case useSyntheticData = "USE_SYNTHETIC_DATA"

    case useMultiConnection = "USE_MULTI_CONNECTION"
    case symbolUniverseKey = "SYMBOL_UNIVERSE_KEY"
    case symbols = "SYMBOLS"
    case connectionsMax = "WEBSOCKET_CONNECTIONS_MAX"
    case routingStrategy = "WEBSOCKET_ROUTING_STRATEGY"
    case healthCheckInterval = "WEBSOCKET_HEALTH_CHECK_INTERVAL"
    case autoRebalance = "WEBSOCKET_AUTO_REBALANCE"
    case failoverEnabled = "WEBSOCKET_FAILOVER_ENABLED"
    case failoverGrace = "WEBSOCKET_FAILOVER_GRACE"
    case failoverRecovery = "WEBSOCKET_FAILOVER_RECOVERY"
    case redundantSymbols = "WEBSOCKET_REDUNDANT_SYMBOLS"

    case environment = "ENVIRONMENT"
    case universeFallback = "UNIVERSE_FALLBACK"
    case universeCacheTTL = "UNIVERSE_CACHE_TTL"
    case universePullInterval = "UNIVERSE_PULL_INTERVAL"

    case dataDirectory = "EDGETICK_DATA_DIR"
    case bufferMaxBytes = "BUFFER_MAX_BYTES"
    case bufferFullPolicy = "BUFFER_FULL_POLICY"
    case bufferRetention = "BUFFER_RETENTION_HOURS"
    case bufferCommitInterval = "BUFFER_COMMIT_INTERVAL_MS"
    case bufferSynchronous = "BUFFER_SYNCHRONOUS"

    case backfillEnabled = "BACKFILL_ENABLED"
    case backfillRequestsPerMinute = "BACKFILL_REQUESTS_PER_MINUTE"

    case databaseURI = "DATABASE_URI"
    case syncInterval = "SYNC_INTERVAL"
    case syncBatchRows = "SYNC_BATCH_ROWS"
    case syncStatementTimeout = "SYNC_STATEMENT_TIMEOUT"
    case barTimestamp = "BAR_TIMESTAMP"
    case collectorID = "COLLECTOR_ID"

    case httpHost = "HTTP_HOST"
    case httpPort = "HTTP_PORT"
    case httpToken = "HTTP_TOKEN"
    case httpAllowedHosts = "HTTP_ALLOWED_HOSTS"
    case logLevel = "LOG_LEVEL"
    case logFormat = "LOG_FORMAT"

    /// Whether the value must never be shown.
    var isSecret: Bool {
        switch self {
        case .apiKey, .databaseURI, .httpToken: true
        default: false
        }
    }

    /// The value when none is set; `nil` when there is none, or when it depends on the machine.
    var defaultText: String? {
        switch self {
        case .useMassiveAPI, .autoRebalance, .failoverEnabled, .backfillEnabled: "true"
        case .backfillRequestsPerMinute: "300"
        case .useSyntheticData, .useMultiConnection, .allowPlaintext: "false"
        case .feedURL: "wss://socket.massive.com/stocks"
        case .restURL: "https://api.massive.com"
        case .maxRetries: "0"
        case .reconnectDelay: "5s"
        case .feedEvents: "AM"
        case .connectionsMax: "3"
        case .routingStrategy: "manual"
        case .healthCheckInterval, .failoverRecovery: "30s"
        case .failoverGrace: "10s"
        case .environment: "DEFAULT"
        case .universeFallback: "default"
        case .universeCacheTTL, .universePullInterval: "3600s"
        case .bufferMaxBytes: "8GiB"
        case .bufferFullPolicy: "drop-oldest"
        case .bufferRetention: "24h"
        case .bufferCommitInterval: "50ms"
        case .bufferSynchronous: "full"
        case .syncInterval: "5s"
        case .syncBatchRows: "20000"
        case .syncStatementTimeout: "60s"
        case .barTimestamp: "start"
        case .httpHost: "127.0.0.1"
        case .httpPort: "8080"
        case .logLevel: "info"
        case .logFormat: "text"
        case .apiKey, .caFile, .symbolUniverseKey, .symbols, .dataDirectory, .databaseURI, .collectorID, .httpToken,
            .redundantSymbols, .httpAllowedHosts:
            nil
        }
    }

    /// What the key means, in a few words, for `edgetick config`.
    var meaning: String {
        switch self {
        case .useMassiveAPI: "collect from the feed"
        case .apiKey: "the feed's key"
        case .feedURL: "the feed's address; ws:// only to this machine unless plaintext is allowed"
        case .allowPlaintext: "allow ws:// and http:// to other machines; the key is then sent unencrypted"
        case .caFile: "PEM file with the certificate authorities to trust for the feed, in place of the system's"
        case .maxRetries:
            "failed tries in a row before a connection counts as in error; 0 = never; it tries on all the same"
        case .reconnectDelay: "first wait before a new try (seconds)"
        case .restURL: "address of the REST API, for backfill"
        case .feedEvents: "kinds of events: any of AM, A, T, Q"
        case .useSyntheticData: "use the built-in simulator as the feed"
        case .useMultiConnection: "several connections, each with symbols of its own"
        case .symbolUniverseKey: "universe key of the single connection"
        case .symbols: "symbols of the single connection when no universe key is set or it gives none; * = all"
        case .connectionsMax: "the most connections; the account's limit is 1 to 3 as a rule"
        case .routingStrategy: "how symbols are spread over connections"
        case .healthCheckInterval: "how often connections are looked at (seconds)"
        case .autoRebalance: "move symbols when the load is uneven, with the strategy load-balanced"
        case .failoverEnabled: "give a broken connection's symbols to the others"
        case .failoverGrace: "how long a connection may be down before it gives its symbols away (seconds)"
        case .failoverRecovery: "how long it must stand again before it gets them back (seconds)"
        case .redundantSymbols: "symbols to take from two connections at once, separated by commas; * = all"
        case .environment: "which groups count"
        case .universeFallback: "when the universe key gives nothing: collect the default list, or refuse to start"
        case .universeCacheTTL: "how long resolved relationships stay fresh (seconds)"
        case .universePullInterval: "time between pulls of groups from the database (seconds); 0 = by hand"
        case .dataDirectory: "directory of universe.sqlite and ticks.sqlite"
        case .bufferMaxBytes: "the most that ticks.sqlite may take"
        case .bufferFullPolicy: "what to do at that size"
        case .bufferRetention: "how long uploaded rows stay for local queries (hours)"
        case .bufferCommitInterval: "time between commits (milliseconds)"
        case .bufferSynchronous: "full = durable at commit; normal = consistent only"
        case .backfillEnabled: "fill gaps from the REST API soon after they happened"
        case .backfillRequestsPerMinute: "the most requests a minute to the REST API; 0 = no limit"
        case .databaseURI: "the database; without it events are collected and not uploaded"
        case .syncInterval: "time between uploads (seconds)"
        case .syncBatchRows: "the most rows in one upload transaction"
        case .syncStatementTimeout: "the longest that one statement may take (seconds)"
        case .barTimestamp: "what a bar's timestamp means in the database"
        case .collectorID: "this collector's name in the database"
        case .httpHost: "address that the HTTP API listens on"
        case .httpPort: "port of the HTTP API; 0 = any free one"
        case .httpAllowedHosts:
            "further names, separated by commas, by which clients may ask for the API, as behind a proxy"
        case .httpToken: "token that HTTP requests must bring; needed when others than this machine can connect"
        case .logLevel: "the least important messages to log"
        case .logFormat: "how messages are written"
        }
    }
}

/// A key of one of the numbered connections: `WEBSOCKET_CONNECTION_2_SYMBOLS`.
struct ConnectionKey: Hashable, Sendable {
    enum Field: String, CaseIterable, Sendable {
        case enabled = "ENABLED"
        case name = "NAME"
        case universeKey = "UNIVERSE_KEY"
        case symbols = "SYMBOLS"
        case priority = "PRIORITY"
        case capacity = "CAPACITY"
    }

    /// The most connections that may be configured, whatever the account allows.
    static let highestNumber = 16

    /// From 1.
    let number: Int
    let field: Field

    init(_ number: Int, _ field: Field) {
        self.number = number
        self.field = field
    }

    /// Takes a key's name apart; `nil` when it is none of these keys.
    init?(name: String) {
        guard name.hasPrefix("WEBSOCKET_CONNECTION_") else { return nil }
        let rest = name.dropFirst("WEBSOCKET_CONNECTION_".count)
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), number >= 1, digits.first != "0", rest.dropFirst(digits.count).first == "_",
            let field = Field(rawValue: String(rest.dropFirst(digits.count + 1)))
        else { return nil }
        self.init(number, field)
    }

    var name: String { "WEBSOCKET_CONNECTION_\(number)_\(field.rawValue)" }

    /// The value when none is set.
    var defaultText: String? {
        switch field {
        case .enabled: number == 1 ? "true" : "false"
        case .name: number <= 3 ? ["primary", "secondary", "tertiary"][number - 1] : "connection_\(number)"
        case .priority: "\(number)"
        case .capacity: "0"
        case .universeKey, .symbols: nil
        }
    }

    var meaning: String {
        switch field {
        case .enabled: "use connection \(number)"
        case .name: "name of connection \(number)"
        case .universeKey: "universe key of connection \(number)"
        case .symbols: "symbols of connection \(number) when no universe key is set or it gives none; * = all"
        case .priority: "rank of connection \(number) for the routing strategy priority; 1 comes first"
        case .capacity: "the most symbols of connection \(number); 0 = no limit"
        }
    }
}

import MarketData

/// Other names for EdgeTick's keys: those of the platform beside which it runs, and common ones.
///
/// Both programs must be able to start with the same settings file, so none of these keys is a fault.
enum PlatformKeys {
    /// Keys with the same meaning as one of ours. Ours takes precedence; of the others, the first that is set counts.
    static let renamed: [(name: String, key: String)] = [
        ("MASSIVE_WEBSOCKET_MAX_RECONNECT_ATTEMPTS", "MASSIVE_WEBSOCKET_MAX_RETRIES"),
        ("MASSIVE_WEBSOCKET_RECONNECT_INTERVAL", "MASSIVE_WEBSOCKET_RECONNECT_DELAY"),
        ("POLYGON_API_KEY", "MASSIVE_API_KEY"),
        ("https_proxy", "HTTPS_PROXY"), ("all_proxy", "ALL_PROXY"), ("no_proxy", "NO_PROXY"),
    ]

    /// Keys that each switch on one kind of event.
    static let kinds: [(name: String, kind: EventKind)] = [
        ("WEBSOCKET_PER_MINUTE_ENABLED", .minuteBar), ("WEBSOCKET_PER_SECOND_ENABLED", .secondBar),
        ("WEBSOCKET_FAIR_VALUE_ENABLED", .fairValue),
    ]

    /// Keys that begin like ours but have nothing to do with collecting.
    static let ignored: Set<String> = [
        "WEBSOCKET_CORS_ALLOWED_ORIGINS", "WEBSOCKET_CORS_ORIGINS", "WEBSOCKET_PING_INTERVAL", "WEBSOCKET_PING_TIMEOUT",
        "WEBSOCKET_MAX_CONNECTIONS", "WEBSOCKET_CONNECTION_POOL_SIZE", "WEBSOCKET_CONNECTION_TIMEOUT",
        "WEBSOCKET_SUBSCRIPTION_BATCH_SIZE", "WEBSOCKET_SUBSCRIPTIONS_FILE", "MASSIVE_API_BASE_URL",
        "MASSIVE_API_URL", "MASSIVE_API_TIMEOUT",
    ]

    /// Whether a name is one of these keys.
    static func contains(_ name: String) -> Bool { names.contains(name) }

    private static let names = ignored.union(renamed.map(\.name)).union(kinds.map(\.name))
}

import Logging
import MarketData

/// The checked configuration. Made by ``Settings/validate(_:host:needs:)`` and never changed after.
struct Settings: Sendable {
    /// What a command cannot do without.
    struct Needs: OptionSet, Sendable {
        let rawValue: Int

        /// A feed to collect from, with its key.
        static let feed = Needs(rawValue: 1 << 0)
        /// A database to upload to.
        static let database = Needs(rawValue: 1 << 1)
    }

    /// Where events come from.
    enum FeedSource: Sendable, Equatable {
        /// The feed at ``Feed/url``.
        case feed
        /// The built-in simulator.
        case simulator
        /// Nothing: only what is buffered is served and uploaded.
        case none
    }

    struct Feed: Sendable {
        var source: FeedSource
        var apiKey: Secret?
        var url: String
        var restURL: String
        var allowsPlaintext: Bool
        /// Absolute; `nil` for the system's authorities.
        var caFile: String?
        var events: Set<EventKind>
        /// 0 = for ever.
        var maxRetries: Int
        var reconnectDelay: Duration
    }

    /// One connection and what names its symbols, as written.
    struct Connection: Sendable, Equatable {
        /// From 1.
        var number: Int
        /// What the API calls it.
        var id: String { "connection_\(number)" }
        var name: String
        var universeKey: String?
        /// Separated by commas; `*` for every symbol.
        var symbols: String?
        /// 1 comes first.
        var priority: Int
        /// The most symbols; `nil` sets no limit.
        var capacity: Int?
    }

    enum RoutingStrategy: String, CaseIterable, Sendable {
        case manual
        case roundRobin = "round-robin"
        case loadBalanced = "load-balanced"
        case priority
    }

    struct Connections: Sendable {
        /// Whether there may be several; one alone is in `list` otherwise.
        var isMulti: Bool
        /// The enabled connections, by number; never empty.
        var list: [Connection]
        /// The connection of single mode, for when several can't be used; `nil` without SYMBOL_UNIVERSE_KEY.
        var single: Connection?
        var maximum: Int
        var routing: RoutingStrategy
        var healthCheckInterval: Duration
        var autoRebalance: Bool
        var failover: Bool
        var failoverGrace: Duration
        var failoverRecovery: Duration
        /// Symbols to take from two connections, separated by commas; `*` for every symbol.
        var redundantSymbols: String?
    }

    enum GroupEnvironment: String, CaseIterable, Sendable {
        case `default` = "DEFAULT"
        case test = "TEST"
        case uat = "UAT"
        case prod = "PROD"
    }

    enum UniverseFallback: String, CaseIterable, Sendable {
        case `default`
        case error
    }

    struct Universe: Sendable {
        var environment: GroupEnvironment
        var fallback: UniverseFallback
        var cacheTTL: Duration
        /// `nil` = pulled by hand only.
        var pullInterval: Duration?
    }

    enum FullPolicy: String, CaseIterable, Sendable {
        case dropOldest = "drop-oldest"
        case rejectNew = "reject-new"
    }

    enum Synchronous: String, CaseIterable, Sendable {
        case full
        case normal
    }

    struct Buffer: Sendable {
        var maximumBytes: Int64
        var fullPolicy: FullPolicy
        var retention: Duration
        var commitInterval: Duration
        var synchronous: Synchronous
    }

    struct Backfill: Sendable {
        /// Whether gaps are filled without being asked to.
        var isAutomatic: Bool
        /// 0 = no limit.
        var requestsPerMinute: Int
    }

    enum BarTimestamp: String, CaseIterable, Sendable {
        case start
        case end
    }

    struct Upload: Sendable {
        /// A libpq URI; `nil` = collect only.
        var databaseURI: Secret?
        /// The URI without its password, for people's eyes.
        var displayedURI: String?
        var interval: Duration
        var batchRows: Int
        var statementTimeout: Duration
        var barTimestamp: BarTimestamp
    }

    struct HTTP: Sendable {
        var host: String
        /// 0 = any free one.
        var port: Int
        var token: Secret?
        /// Names besides ``host`` and the loopback's by which clients may address the API.
        var allowedHosts: [String]
    }

    enum LogFormat: String, CaseIterable, Sendable {
        case text
        case json
    }

    var feed: Feed
    var connections: Connections
    var universe: Universe
    /// Absolute.
    var dataDirectory: String
    var collectorID: String
    var buffer: Buffer
    var backfill: Backfill
    var upload: Upload
    var http: HTTP
    var logLevel: Logger.Level
    var logFormat: LogFormat
}

import Feed
import Logging
import MarketData
import Store
import Upstream

/// The checked configuration. Made by ``Settings/validate(_:host:needs:)`` and never changed after.
///
/// Each property that has a key is written by the key's line in ``Settings/sections``; what it holds before is a
/// placeholder that nobody sees. The default is the key's too.
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
        var isUsed = false
        var isSynthetic = false
        var apiKey: Secret?
        var url = ""
        var restURL = ""
        var allowsPlaintext = false
        /// Absolute; `nil` for the system's authorities.
        var caFile: String?
        var events: Set<EventKind> = []
        /// 0 = for ever.
        var maxRetries = 0
        var reconnectDelay = Duration.zero
        var reconnectCap = Duration.zero
        /// For `wss` and `https`; `nil`: ``generalProxy``.
        var proxy: HTTPProxy?
        var generalProxy: HTTPProxy?
        var unproxied: [String] = []

        var source: FeedSource { isSynthetic ? .simulator : isUsed ? .feed : .none }
    }

    /// One connection and what names its symbols, as written.
    struct Connection: Sendable, Equatable {
        /// From 1.
        var number: Int
        /// What the API calls it.
        var id: String { "connection_\(number)" }
        var name = ""
        var universeKey: String?
        /// Separated by commas; `*` for every symbol.
        var symbols: String?
        /// 1 comes first.
        var priority = 1
        /// The most symbols; `nil` sets no limit.
        var capacity: Int?
        var isEnabled = true
    }

    struct Connections: Sendable {
        /// Whether there may be several; one alone is in `list` otherwise.
        var isMulti = false
        /// Single mode's universe key and symbols, as written.
        var universeKey: String?
        var symbols: String?
        /// The enabled connections, by number; never empty.
        var list: [Connection] = []
        /// The connection of single mode, for when several can't be used; `nil` without SYMBOL_UNIVERSE_KEY.
        var single: Connection?
        var maximum = 0
        var routing = RoutingStrategy.manual
        var healthCheckInterval = Duration.zero
        var autoRebalance = false
        var failover = false
        var failoverGrace = Duration.zero
        var failoverRecovery = Duration.zero
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
        var environment = GroupEnvironment.default
        var fallback = UniverseFallback.default
        var cacheTTL = Duration.zero
        /// `nil` = pulled by hand only.
        var pullInterval: Duration?
    }

    struct Buffer: Sendable {
        var maximumBytes: Int64 = 0
        var fullPolicy = TickBuffer.FullPolicy.dropOldest
        var retention = Duration.zero
        var commitInterval = CommitInterval.fixed(.zero)
        var synchronous = TickBuffer.Synchronous.full
    }

    struct Backfill: Sendable {
        var isEnabled = false
        /// Whether gaps are filled without being asked to: only where the key may go to the REST server.
        var isAutomatic = false
        /// 0 = no limit.
        var requestsPerMinute = 0
        /// Whether the key may go to the REST server: it was named, or is the provider's own.
        var mayAsk = false
        /// When a day is compared with the tape, as a minute of New York's day; `nil` = never.
        var reconcileMinute: Int?
        /// What is older is filled by `edgetick backfill` alone.
        var reach = Duration.zero
    }

    struct Upload: Sendable {
        /// A libpq URI; `nil` = collect only.
        var databaseURI: Secret?
        /// The same for the streams without bars; `nil` = they go where the bars go.
        var ticksURI: Secret?
        /// The files that the URIs were read from, where they were.
        var uriFiles: [UpstreamRole: String] = [:]
        /// The URIs without their passwords, for people's eyes.
        var displayedURI: String?
        var displayedTicksURI: String?
        var interval = Duration.zero
        var batchRows = 0
        /// Where SYNC_BATCH_ROWS is not set and the database takes long for each batch.
        var mostBatchRows = 0
        var statementTimeout = Duration.zero
        var barTimestamp = BarTimestamp.start
        /// `nil`: what fits the table.
        var barConflict: BarConflict?
        /// `nil`: the usual names.
        var barColumns: BarColumns?

        func uri(of role: UpstreamRole) -> Secret? { role == .main ? databaseURI : ticksURI }

        func displayedURI(of role: UpstreamRole) -> String { (role == .main ? displayedURI : displayedTicksURI) ?? "" }
    }

    struct HTTP: Sendable {
        var host = ""
        /// 0 = any free one.
        var port = 0
        var token: Secret?
        /// Names besides ``host`` and the loopback's by which clients may address the API.
        var allowedHosts: [String] = []
    }

    struct Relay: Sendable {
        /// `nil` = no relay; 0 = any free one.
        var port: Int?
        var host = ""
        /// None lets every key in.
        var keys: [Secret] = []
        /// Absolute paths of PEM files.
        var certificate: String?
        var privateKey: String?
        var maximumClients = 0
        var clientBuffer: Int64 = 0
        /// Whether a symbol that clients ask for and nobody else does is collected for them.
        var isOnDemand = false
        var maximumOnDemand = 0
        /// How many symbols may be collected on demand; `nil` where none may.
        var onDemand: Int? { port != nil && isOnDemand ? maximumOnDemand : nil }
    }

    /// Which of the symbols this box takes.
    enum Shard: Sendable, Equatable {
        /// The share of a number among so many, from 1.
        case fixed(Int, of: Int)
        /// As many shares as there are live boxes in the group.
        case auto
    }

    var feed = Feed()
    var connections = Connections()
    var universe = Universe()
    /// Absolute.
    var dataDirectory = ""
    var collectorID = ""
    /// `nil` = a box by itself.
    var collectorGroup: String?
    /// `nil` = all symbols.
    var shard: Shard?
    /// How many boxes take each symbol.
    var shardReplicas = 0
    var buffer = Buffer()
    var backfill = Backfill()
    var upload = Upload()
    var http = HTTP()
    var relay = Relay()
    var logLevel = Logger.Level.info
    var logFormat = LineLogHandler.Format.text
}

import Feed
import Logging
import MarketData
import Store
import Upstream

/// The checked configuration, made by ``Settings/validate(_:host:needs:)``.
///
/// Each property with a key is set through the key's line in ``Settings/sections``, which also has the default. The
/// initial values here are placeholders that are never used.
struct Settings: Sendable {
    /// What a command cannot do without.
    struct Needs: OptionSet, Sendable {
        let rawValue: Int

        /// A feed to collect from, with its key.
        static let feed = Needs(rawValue: 1 << 0)
        /// A database to upload to.
        static let database = Needs(rawValue: 1 << 1)
        /// Nothing; but what is in the file goes to the database if one is set.
        static let upload = Needs(rawValue: 1 << 2)
    }

    /// Where events come from.
    enum FeedSource: Sendable, Equatable {
        case feed
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
        var reconnect = ReconnectRules()
        /// For `wss` and `https`; `nil` = ``generalProxy``.
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
        /// Whether there may be several connections; otherwise `list` has a single one.
        var isMulti = false
        /// Single mode's universe key and symbols, as written.
        var universeKey: String?
        var symbols: String?
        /// The enabled connections, by number; never empty.
        var list: [Connection] = []
        /// The single connection, to fall back on if several can't be used; `nil` without SYMBOL_UNIVERSE_KEY.
        var single: Connection?
        /// Whether `list` has the single connection only because the settings of several can't be used.
        var isFallback = false
        var maximum = 0
        /// How they share the symbols; without what depends on other settings.
        var rules = SetConfiguration()
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

    struct Backfill: Sendable {
        var isEnabled = false
        /// 0 = no limit.
        var requestsPerMinute = 0
        /// Whether the key may be sent to the REST server: its URL was set, or the feed is the provider's own.
        var mayAsk = false
        /// Whether gaps are filled automatically.
        var isAutomatic: Bool { isEnabled && mayAsk }
        /// When a day is compared with the tape, in minutes since midnight in New York; `nil` = never.
        var reconcileMinute: Int?
        /// The age up to which gaps are filled automatically; `edgetick backfill` also fills older ones.
        var reach = Duration.zero
    }

    struct Upload: Sendable {
        /// A libpq URI; `nil` = collect only.
        var databaseURI: Secret?
        /// The same for every stream but the bars; `nil` = they go where the bars go.
        var ticksURI: Secret?
        /// The files from which the URIs were read, if any.
        var uriFiles: [UpstreamRole: String] = [:]
        /// The URIs without their passwords, for display.
        var displayedURI: String?
        var displayedTicksURI: String?
        var interval = Duration.zero
        var batchRows = 0
        /// The size to which batches may grow if the database takes long for each; ``batchRows`` if SYNC_BATCH_ROWS is
        /// set.
        var mostBatchRows = 0
        var statementTimeout = Duration.zero
        /// Whether triggers that keep rows out of their tables are no problem.
        var keepsOutOnPurpose = false
        var barTimestamp = BarTimestamp.start
        /// `nil` = whatever fits the table.
        var barConflict: BarConflict?
        /// `nil` = the usual names.
        var barColumns: BarColumns?

        func uri(of role: UpstreamRole) -> Secret? { role == .main ? databaseURI : ticksURI }

        func displayedURI(of role: UpstreamRole) -> String { (role == .main ? displayedURI : displayedTicksURI) ?? "" }
    }

    struct HTTP: Sendable {
        var host = ""
        /// 0 = any free one.
        var port = 0
        var token: Secret?
        /// The names, besides ``host`` and those of the loopback, by which clients may address the API.
        var allowedHosts: [String] = []
    }

    struct Relay: Sendable {
        /// `nil` = no relay; 0 = any free one.
        var port: Int?
        var host = ""
        /// Empty = every key is accepted.
        var keys: [Secret] = []
        /// Absolute paths of PEM files.
        var certificate: String?
        var privateKey: String?
        var maximumClients = 0
        var clientBuffer: Int64 = 0
        /// Whether a symbol that only relay clients ask for is collected for them.
        var isOnDemand = false
        var maximumOnDemand = 0
        /// The most symbols to collect on demand; `nil` if none may be.
        var onDemand: Int? { port != nil && isOnDemand ? maximumOnDemand : nil }
    }

    /// The part of the symbols that this box takes.
    enum Shard: Sendable, Equatable {
        /// The share with this number, from 1, among a fixed number of shares.
        case fixed(Int, of: Int)
        /// One share for each live box of the group.
        case auto
    }

    /// Whether a settings file set anything.
    var hasFile = false
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
    var shardReplicas = 0
    var buffer = TickBuffer.Options(collector: "")
    var backfill = Backfill()
    var upload = Upload()
    var http = HTTP()
    var relay = Relay()
    var logLevel = Logger.Level.info
    var logFormat = LineLogHandler.Format.text
}

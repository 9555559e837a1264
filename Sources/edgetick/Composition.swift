import Feed
import Logging
import MarketData
import Store
import Universe
import Upstream

/// The modules' own settings, made from what the user set.
extension Settings {
    /// The database to upload to; `nil` when none is set.
    func upstream() throws(UpstreamError) -> UpstreamConfiguration? {
        guard let uri = upload.databaseURI else { return nil }
        return try UpstreamConfiguration(
            uri: uri.reveal(), collector: collectorID, statementTimeout: upload.statementTimeout,
            barTimestamp: upload.barTimestamp == .start ? .start : .end)
    }

    /// How the buffer file is written.
    var bufferOptions: TickBuffer.Options {
        TickBuffer.Options(
            collector: collectorID, commitInterval: buffer.commitInterval,
            synchronous: buffer.synchronous == .full ? .full : .normal, maximumBytes: buffer.maximumBytes,
            fullPolicy: buffer.fullPolicy == .dropOldest ? .dropOldest : .rejectNew, retention: buffer.retention)
    }

    /// How a connection of this name reaches the feed at `url`.
    func feedConfiguration(named name: String, url: String) throws(FeedError) -> FeedConfiguration {
        var configuration = FeedConfiguration(
            name: name, endpoint: try FeedEndpoint(url: url, allowsPlaintext: feed.allowsPlaintext),
            apiKey: feed.apiKey ?? Secret("synthetic"), events: feed.events, caFile: feed.caFile)
        configuration.maxRetries = feed.maxRetries
        configuration.reconnectDelay = feed.reconnectDelay
        configuration.reconnectCap = max(configuration.reconnectCap, feed.reconnectDelay)
        return configuration
    }

    /// The symbols of a connection, with a log line about where they came from.
    ///
    /// - Throws: `UniverseError` when they can't be resolved and the settings refuse to go on without.
    func interest(of connection: Connection, in mirror: UniverseMirror, logger: Logger) throws -> Interest? {
        let resolver = UniverseResolver(mirror: mirror, environment: universe.environment.rawValue)
        let selection = try SymbolSelection(
            universeKey: connection.universeKey, list: connection.symbols, fallback: symbolFallback,
            resolve: { key throws(UniverseError) in try resolver.resolve(key) })
        for remark in selection.remarks {
            let level: Logger.Level =
                switch remark.level {
                case .info: .info
                case .warning: .warning
                case .error: .error
                }
            logger.log(level: level, "\(remark.text)", metadata: ["connection": "\(connection.name)"])
        }
        logger.info("symbols: \(selection.summary)", metadata: ["connection": "\(connection.name)"])
        switch selection.target {
        case .everything: return .all
        case .symbols(let symbols): return .symbols(symbols)
        case .nothing: return nil
        }
    }
}

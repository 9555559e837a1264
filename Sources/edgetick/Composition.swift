import Feed
import MarketData
import Store
import Upstream

/// The modules' own settings, made from what the user set.
extension Settings {
    /// The database to upload to; `nil` when none is set.
    func upstream() throws(UpstreamError) -> UpstreamConfiguration? {
        guard let uri = upload.databaseURI else { return nil }
        return try UpstreamConfiguration(
            uri: uri.reveal(), collector: collectorID, statementTimeout: upload.statementTimeout,
            barTimestamp: upload.barTimestamp, barConflict: upload.barConflict, barColumns: upload.barColumns ?? .usual)
    }

    /// How a command that collects nothing keeps the buffer.
    var toolBufferOptions: TickBuffer.Options {
        var options = bufferOptions
        options.isCollecting = false
        return options
    }

    /// How the buffer file is written.
    var bufferOptions: TickBuffer.Options {
        TickBuffer.Options(
            collector: collectorID, commitInterval: buffer.commitInterval,
            synchronous: buffer.synchronous, maximumBytes: buffer.maximumBytes, fullPolicy: buffer.fullPolicy,
            retention: buffer.retention)
    }

    /// How a connection of this name reaches the feed at `url`.
    func feedConfiguration(named name: String, url: String) throws(FeedError) -> FeedConfiguration {
        var configuration = FeedConfiguration(
            name: name, endpoint: try FeedEndpoint(url: url, allowsPlaintext: feed.allowsPlaintext),
            apiKey: feed.apiKey ?? Secret("synthetic"), events: feed.events, caFile: feed.caFile)
        configuration.proxy = feed.proxy(for: url)
        configuration.companions = connections.isMulti ? connections.list.count : 1
        configuration.maxRetries = feed.maxRetries
        configuration.reconnectDelay = feed.reconnectDelay
        configuration.reconnectCap = max(feed.reconnectCap, feed.reconnectDelay)
        return configuration
    }
}

import Feed
import MarketData
import Store
import Upstream

/// The modules' own settings, made from what the user set.
extension Settings {
    /// The databases to upload to; none when none is set.
    func upstreams(statementTimeout: Duration? = nil) throws(UpstreamError) -> [UpstreamConfiguration] {
        var found: [UpstreamConfiguration] = []
        for role in UpstreamRole.allCases {
            if let configuration = try upstream(role, statementTimeout: statementTimeout) {
                found.append(configuration)
            }
        }
        return found
    }

    /// The database of a role, the one with the groups as a rule; `nil` when it isn't set.
    ///
    /// - Parameters:
    ///   - statementTimeout: How long one statement may take; as the settings say unless given.
    ///   - limit: How long connecting and one statement may take.
    func upstream(
        _ role: UpstreamRole = .main, statementTimeout: Duration? = nil, answeringWithin limit: Duration? = nil
    ) throws(UpstreamError) -> UpstreamConfiguration? {
        guard let uri = upload.uri(of: role) else { return nil }
        let reread = upload.uriFiles[role].map { file in { @Sendable in EnvironmentFile.secret(in: file).secret } }
        return try UpstreamConfiguration(
            uri: uri.reveal(), reread: reread, collector: collectorID, connectTimeout: limit ?? .seconds(10),
            statementTimeout: limit ?? statementTimeout ?? upload.statementTimeout, barTimestamp: upload.barTimestamp,
            barConflict: upload.barConflict, barColumns: upload.barColumns ?? .usual,
            needsIdentity: collectorGroup != nil, role: role, isAlone: upload.ticksURI == nil)
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
        configuration.reconnect.maximumFailures = feed.maxRetries
        configuration.reconnect.firstDelay = feed.reconnectDelay
        configuration.reconnect.cap = feed.reconnectCap
        return configuration
    }
}

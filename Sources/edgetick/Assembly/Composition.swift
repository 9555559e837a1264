import Feed
import MarketData
import Store
import Upstream

/// Builds the modules' configurations from the settings.
extension Settings {
    /// The databases to upload to; empty if none is set.
    func upstreams(statementTimeout: Duration? = nil) throws(UpstreamError) -> [UpstreamConfiguration] {
        var found: [UpstreamConfiguration] = []
        for role in UpstreamRole.allCases {
            if let configuration = try upstream(role, statementTimeout: statementTimeout) {
                found.append(configuration)
            }
        }
        return found
    }

    /// The database of a role, by default the one with the groups; `nil` if it isn't set.
    ///
    /// - Parameters:
    ///   - statementTimeout: The longest that one statement may take; `nil` for the setting's value.
    ///   - limit: The longest that connecting, and one statement, may take; overrides the other limits.
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

    /// The buffer's options for the collector.
    var bufferOptions: TickBuffer.Options {
        var options = buffer
        options.collector = collectorID
        return options
    }

    /// The configuration of a connection with this name to the feed at `url`.
    func feedConfiguration(named name: String, url: String) throws(FeedError) -> FeedConfiguration {
        var configuration = FeedConfiguration(
            name: name, endpoint: try FeedEndpoint(url: url, allowsPlaintext: feed.allowsPlaintext),
            apiKey: feed.apiKey ?? Secret("synthetic"), events: feed.events, caFile: feed.caFile)
        configuration.proxy = feed.proxy(for: url)
        configuration.feedDelay = feedDelay
        configuration.companions = connections.isMulti ? connections.list.count : 1
        configuration.reconnect = feed.reconnect
        return configuration
    }
}

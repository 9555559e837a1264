import Backfill
import MarketData
import Store
import Testing

@testable import Feed
@testable import Relay
@testable import Universe
@testable import Upstream
@testable import WebAPI
@testable import edgetick

/// A module's own defaults are those of the settings.
@Suite(.timeLimit(.minutes(1))) struct ModuleDefaultsTests {
    private func settings(_ environment: [String: String] = [:]) throws -> Settings {
        try validate(environment).settings
    }

    @Test func `the feed's connections try again and fail over as the settings say`() throws {
        let settings = try settings()
        let reconnect = ReconnectRules()
        #expect(settings.feed.reconnectDelay == reconnect.firstDelay && settings.feed.reconnectCap == reconnect.cap)
        #expect(settings.feed.maxRetries == reconnect.maximumFailures)
        let set = SetConfiguration()
        #expect(settings.connections.routing == set.strategy)
        #expect(settings.connections.healthCheckInterval == set.healthInterval)
        #expect(settings.connections.autoRebalance == set.rebalances && settings.connections.failover == set.failsOver)
        #expect(settings.connections.failoverGrace == set.failover.grace)
        #expect(settings.connections.failoverRecovery == set.failover.recovery)
    }

    @Test func `the buffer keeps as much for as long as the settings say`() throws {
        let buffer = try settings().buffer
        let options = TickBuffer.Options(collector: "box")
        #expect(buffer.maximumBytes == options.maximumBytes && buffer.fullPolicy == options.fullPolicy)
        #expect(buffer.retention == options.retention && buffer.commitInterval == options.commitInterval)
    }

    @Test func `the REST server is asked as often as the settings say`() throws {
        let usual = AggregatesClient.Configuration(url: "https://127.0.0.1", apiKey: Secret("key"))
        #expect(try settings().backfill.requestsPerMinute == usual.requestsPerMinute)
    }

    @Test func `groups stay in memory, and statements may take, as long as the settings say`() throws {
        let uri = "postgresql://127.0.0.1/db"
        let settings = try settings()
        #expect(settings.universe.cacheTTL == RelationshipCache.Options(environment: "DEFAULT").timeToLive)
        let upstream = try UpstreamConfiguration(uri: uri, collector: "box")
        #expect(settings.upload.statementTimeout == upstream.statementTimeout)
        #expect(settings.upload.barTimestamp == upstream.barTimestamp)
    }

    @Test func `the servers listen and limit as the settings say`() throws {
        let settings = try settings()
        let web = try WebConfiguration()
        #expect(settings.http.host == web.host && settings.http.port == web.port)
        let relay = RelayConfiguration()
        #expect(settings.relay.host == relay.host && settings.relay.maximumClients == relay.maximumClients)
        #expect(settings.relay.clientBuffer == Int64(relay.clientBufferBytes))
        let meaning = Settings.setting(\.relay.clientBuffer).meaning
        #expect(meaning.contains("for all together \(relay.allClientsBufferBytes >> 20)MiB"))
    }
}

import Backfill
import FeedServer
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
        let (reconnect, usual) = (settings.feed.reconnect, ReconnectRules())
        #expect(reconnect.firstDelay == usual.firstDelay && reconnect.cap == usual.cap)
        #expect(reconnect.maximumFailures == usual.maximumFailures)
        let (rules, set) = (settings.connections.rules, SetConfiguration())
        #expect(rules.strategy == set.strategy && rules.healthInterval == set.healthInterval)
        #expect(rules.rebalances == set.rebalances && rules.failsOver == set.failsOver)
        #expect(rules.failover.grace == set.failover.grace)
        #expect(rules.failover.recovery == set.failover.recovery)
    }

    @Test func `the buffer keeps as much for as long as the settings say`() throws {
        let buffer = try settings().buffer
        let options = TickBuffer.Options(collector: "box")
        #expect(buffer.maximumBytes == options.maximumBytes && buffer.fullPolicy == options.fullPolicy)
        #expect(buffer.retention == options.retention && buffer.commitInterval == options.commitInterval)
    }

    @Test func `the REST server is asked as often as the settings say`() throws {
        let usual = AggregatesClient.Configuration(url: "https://127.0.0.1", apiKey: Secret("key"))
        #expect(try settings().backfill.requestsPerMinute == usual.limit.requestsPerMinute)
    }

    @Test func `groups stay in memory, and statements may take, as long as the settings say`() throws {
        let uri = "postgresql://127.0.0.1/db"
        let settings = try settings()
        #expect(settings.universe.cacheTTL == RelationshipCache.timeToLive)
        let upstream = try UpstreamConfiguration(uri: uri, collector: "box")
        #expect(settings.upload.statementTimeout == upstream.statementTimeout)
        #expect(settings.upload.barTimestamp == upstream.barTimestamp)
    }

    @Test func `the servers listen and limit as the settings say`() throws {
        let settings = try settings()
        let web = try WebConfiguration()
        #expect(settings.http.host == web.host && settings.http.port == web.port)
        let relay = RelayConfiguration()
        #expect(settings.relay.host == relay.server.host && settings.relay.maximumClients == relay.maximumClients)
        #expect(settings.relay.clientBuffer == Int64(relay.clientBufferBytes))
        let meaning = Settings.setting(\.relay.clientBuffer).meaning
        #expect(meaning.contains("for all together \(relay.allClientsBufferBytes >> 20)MiB"))
    }
}

import Feed
import MarketData
import Testing

@testable import edgetick

/// A settings file that a platform and EdgeTick share.
@Suite(.timeLimit(.minutes(1))) struct PlatformKeysTests {
    private func validated(_ file: String, needs: Settings.Needs = []) throws -> (Settings, [SettingFinding]) {
        let file = EnvironmentFile(path: ".env", bytes: Array(file.utf8))
        let (settings, remarks) = try Settings.validate(
            SettingsSnapshot(environment: [:], file: file), host: sampleHost, needs: needs)
        return (settings, remarks)
    }

    @Test func `a platform's own file starts the collector, with notes for what says nothing here`() throws {
        let (settings, remarks) = try validated(
            """
            DATABASE_URI=postgresql://app:secret-of-app@localhost:5432/market
            DB_USER=app
            MASSIVE_API_KEY=key-1
            MASSIVE_WEBSOCKET_URL=wss://delayed.massive.com/stocks
            MASSIVE_WEBSOCKET_RECONNECT_INTERVAL=7
            MASSIVE_WEBSOCKET_MAX_RECONNECT_ATTEMPTS=10
            MASSIVE_WEBSOCKET_MAX_RECONNECT_DELAY=90
            USE_MULTI_CONNECTION=false
            WEBSOCKET_CONNECTION_1_ENABLED=false
            WEBSOCKET_CONNECTION_1_UNIVERSE_KEY=leaders:top_20
            WEBSOCKET_CORS_ALLOWED_ORIGINS=http://localhost:5001
            WEBSOCKET_PING_INTERVAL=25
            WEBSOCKET_PING_TIMEOUT=10
            WEBSOCKET_CONNECTION_POOL_SIZE=3
            WEBSOCKET_CONNECTION_TIMEOUT=15
            WEBSOCKET_SUBSCRIPTION_BATCH_SIZE=50
            WEBSOCKET_SUBSCRIPTIONS_FILE=config/subscriptions.json
            REDIS_HOST=localhost
            LOG_LEVEL=INFO
            HEALTH_CHECK_INTERVAL=30
            """, needs: .feed)
        #expect(settings.feed.reconnect.maximumFailures == 10)
        #expect(settings.feed.reconnect.firstDelay == .seconds(7) && settings.feed.reconnect.cap == .seconds(90))
        let notes = remarks.filter { $0.severity == .note }.map(\.key)
        #expect(notes.contains("WEBSOCKET_PING_INTERVAL") && notes.contains("WEBSOCKET_SUBSCRIPTIONS_FILE"))
        #expect(notes.contains("MASSIVE_WEBSOCKET_RECONNECT_INTERVAL"))
        #expect(remarks.filter { $0.severity == .warning }.map(\.key) == ["SYMBOL_UNIVERSE_KEY"])
    }

    @Test(arguments: PlatformKeys.ignored.sorted())
    func `a key of the platform is a note, and a typing error in it a fault`(name: String) throws {
        let (_, remarks) = try validated("\(name)=1")
        #expect(remarks.map(\.key) == [name] && remarks[0].severity == .note)
        #expect(throws: SettingFaults.self) { try validated("\(name)X=1") }
    }

    @Test func `a key's own name counts more than another's`() throws {
        let (settings, remarks) = try validated(
            "MASSIVE_WEBSOCKET_MAX_RETRIES=3\nMASSIVE_WEBSOCKET_MAX_RECONNECT_ATTEMPTS=10")
        #expect(settings.feed.reconnect.maximumFailures == 3)
        #expect(remarks.map(\.text) == ["is ignored: MASSIVE_WEBSOCKET_MAX_RETRIES is set"])
        #expect(try validated("POLYGON_API_KEY=key-2").0.feed.apiKey?.reveal() == "key-2")
    }

    @Test(arguments: [
        ("WEBSOCKET_PER_SECOND_ENABLED=true", "AM,A"), ("WEBSOCKET_PER_SECOND_ENABLED=false", "AM"),
        ("WEBSOCKET_PER_SECOND_ENABLED=true\nWEBSOCKET_PER_MINUTE_ENABLED=false", "A"),
        ("WEBSOCKET_PER_MINUTE_ENABLED=false", "AM"), ("FEED_EVENTS=T\nWEBSOCKET_PER_SECOND_ENABLED=true", "T"),
    ])
    func `its switches choose the kinds of events`(file: String, kinds: String) throws {
        let wanted = Set(kinds.split(separator: ",").compactMap { EventKind(rawValue: String($0)) })
        #expect(try validated(file).0.feed.events == wanted)
    }
}

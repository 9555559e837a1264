import Collector
import Feed
import MarketData
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct SetSettingsTests {
    @Test func `capacity, redundancy and the failover's patience`() throws {
        let connections = try validate([
            "USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_SYMBOLS": "AAPL",
            "WEBSOCKET_CONNECTION_1_CAPACITY": "500", "WEBSOCKET_REDUNDANT_SYMBOLS": "SPY, QQQ",
            "WEBSOCKET_FAILOVER_GRACE": "3", "WEBSOCKET_FAILOVER_RECOVERY": "2m",
        ]).settings.connections
        #expect(connections.list.map(\.capacity) == [500])
        #expect(connections.redundantSymbols == "SPY, QQQ")
        #expect(connections.rules.failover.grace == .seconds(3) && connections.rules.failover.recovery == .seconds(120))
        let plain = try validate(["SYMBOLS": "A"]).settings.connections
        #expect(plain.list.map(\.capacity) == [nil] && plain.redundantSymbols == nil)
        #expect(plain.rules.failover.grace == .seconds(10) && plain.rules.failover.recovery == .seconds(30))
        #expect(
            faults(["WEBSOCKET_REDUNDANT_SYMBOLS": "SPY,A*B"]).map(\.key) == ["WEBSOCKET_REDUNDANT_SYMBOLS"])
    }

    @Test func `several connections that can't be used give way to the universe key, and only to that`() throws {
        let broken = ["USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_ENABLED": "false"]
        #expect(faults(broken).map(\.key) == ["WEBSOCKET_CONNECTION_1_ENABLED"])
        #expect(faults(broken.merging(["SYMBOLS": "A"]) { $1 }).map(\.key) == ["WEBSOCKET_CONNECTION_1_ENABLED"])
        let (settings, remarks) = try validate(broken.merging(["SYMBOL_UNIVERSE_KEY": "sp500"]) { $1 })
        #expect(!settings.connections.isMulti && settings.connections.list.map(\.universeKey) == ["sp500"])
        #expect(
            remarks.filter { $0.severity == .warning }.map(\.key) == [
                "WEBSOCKET_CONNECTION_1_ENABLED", "USE_MULTI_CONNECTION",
            ])
        #expect(remarks.contains { $0.text.contains("no connection is enabled") })
        #expect(settings.wishes.map { $0.replacesBecause != nil } == [true] && settings.singleWish == nil)
        let idle = try validate(["USE_MULTI_CONNECTION": "true", "SYMBOL_UNIVERSE_KEY": "sp500"]).settings
        #expect(!idle.connections.isMulti)
        let good = try validate([
            "USE_MULTI_CONNECTION": "true", "SYMBOL_UNIVERSE_KEY": "sp500", "WEBSOCKET_CONNECTION_1_SYMBOLS": "A",
        ]).settings
        #expect(good.connections.isMulti && good.connections.single?.universeKey == "sp500")
        #expect(good.wishes.map(\.replacesBecause) == [nil] && good.singleWish?.replacesBecause != nil)
    }

    @Test func `the key goes to a REST server only when that is the provider's or was named`() throws {
        #expect(try validate([:]).settings.backfill.isAutomatic)
        let own = ["MASSIVE_WEBSOCKET_URL": "wss://feed.example.com/stocks"]
        #expect(try !validate(own).settings.backfill.isAutomatic)
        let named = own.merging(["MASSIVE_REST_URL": "https://rest.example.com"]) { $1 }
        #expect(try validate(named).settings.backfill.isAutomatic)
        #expect(try !validate(["BACKFILL_ENABLED": "false"]).settings.backfill.isAutomatic)
        #expect(try validate([:]).settings.backfill.requestsPerMinute == 300)
        #expect(try validate([:]).settings.backfill.reach == .seconds(7 * 86_400))
        #expect(try validate(["BACKFILL_REACH": "30"]).settings.backfill.reach == .seconds(30 * 86_400))
    }

    @Test(arguments: [
        ("delayed.massive.com", 900_000), ("delayed-business.massive.com", 900_000),
        ("Delayed-Edgx-Business.massive.com", 900_000), ("socket.massive.com", 0), ("business.massive.com", 0),
        ("delayedness.massive.com", 0), ("not-delayed.massive.com", 0),
    ])
    func `a host whose name begins with delayed sends events that are 15 minutes old`(host: String, delay: Int) throws {
        let settings = try validate(["MASSIVE_WEBSOCKET_URL": "wss://\(host)/stocks"]).settings
        #expect(settings.feedDelay == Int64(delay))
        // Gaps are in event time, and the REST server of a delayed plan is as late as the feed.
        #expect(settings.restDelay == (delay == 0 ? 0 : Int64(delay) + 60_000))
        // The stream's last bars come within half a minute.
        #expect(settings.gapSettleTime == .milliseconds(settings.restDelay) + .seconds(30))
        // A connection that the API adds is as late as those of the settings.
        let added = try settings.symbolRules(url: settings.feed.url).configuration("added")
        #expect(added.feedDelay == Int64(delay))
    }
}

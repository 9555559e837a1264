import Feed
import MarketData
import Store
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct ConnectionSettingsTests {
    @Test func `several connections have their own names, keys and ranks`() throws {
        let connections = try validate([
            "USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_UNIVERSE_KEY": "sp500",
            "WEBSOCKET_CONNECTION_2_ENABLED": "true", "WEBSOCKET_CONNECTION_2_SYMBOLS": "AAPL",
            "WEBSOCKET_CONNECTION_3_ENABLED": "true", "WEBSOCKET_CONNECTION_3_NAME": "rest",
            "WEBSOCKET_CONNECTION_3_SYMBOLS": "*", "WEBSOCKET_CONNECTION_3_PRIORITY": "9",
        ]).settings.connections
        #expect(connections.isMulti)
        #expect(
            connections.list == [
                .init(number: 1, name: "primary", universeKey: "sp500", symbols: nil, priority: 1),
                .init(number: 2, name: "secondary", universeKey: nil, symbols: "AAPL", priority: 2),
                .init(number: 3, name: "rest", universeKey: nil, symbols: "*", priority: 9),
            ])
    }

    @Test func `only the first connection is on by default, and it can be off`() throws {
        #expect(try validate(["USE_MULTI_CONNECTION": "true"]).settings.connections.list.map(\.number) == [1])
        let settings = try validate([
            "USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_ENABLED": "false",
            "WEBSOCKET_CONNECTION_2_ENABLED": "true",
        ]).settings
        #expect(settings.connections.list.map(\.name) == ["secondary"])
        let found = faults(["USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_ENABLED": "false"])
        #expect(found.map(\.key) == ["WEBSOCKET_CONNECTION_1_ENABLED"])
    }

    @Test func `symbols of a connection that nobody switched on are warned of`() throws {
        let base = ["USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_SYMBOLS": "A"]
        func remarks(_ further: [String: String]) throws -> [String] {
            try validate(base.merging(further) { $1 }).remarks.map { "\($0.severity) \($0.key)" }
        }
        #expect(
            try remarks(["WEBSOCKET_CONNECTION_2_SYMBOLS": "B"]) == ["warning WEBSOCKET_CONNECTION_2_ENABLED"])
        #expect(
            try remarks(["WEBSOCKET_CONNECTION_3_UNIVERSE_KEY": "b"]) == ["warning WEBSOCKET_CONNECTION_3_ENABLED"])
        #expect(try remarks(["WEBSOCKET_CONNECTION_2_NAME": "b"]) == [])
        for value in ["true", "false"] {
            #expect(
                try remarks(["WEBSOCKET_CONNECTION_2_SYMBOLS": "B", "WEBSOCKET_CONNECTION_2_ENABLED": value]) == [])
        }
    }

    @Test func `the other mode's keys are ignored and named`() throws {
        let single = try validate(["SYMBOLS": "AAPL", "WEBSOCKET_CONNECTION_2_SYMBOLS": "MSFT"])
        #expect(single.settings.connections.list.map(\.symbols) == ["AAPL"])
        #expect(single.remarks.contains { $0.severity == .note && $0.text.contains("WEBSOCKET_CONNECTION_2_SYMBOLS") })
        let multi = try validate([
            "USE_MULTI_CONNECTION": "true", "SYMBOL_UNIVERSE_KEY": "sp500", "WEBSOCKET_CONNECTION_1_SYMBOLS": "MSFT",
        ])
        #expect(multi.settings.connections.list.map(\.universeKey) == [nil])
        #expect(multi.remarks.map(\.key) == ["SYMBOL_UNIVERSE_KEY"])
        #expect(multi.remarks[0].text.contains("ignored"))
    }

    @Test func `wrong values of the ignored mode do not stop the start`() throws {
        #expect(faults(["WEBSOCKET_CONNECTION_2_ENABLED": "perhaps"]).isEmpty)
    }

    @Test func `a connection beyond the limit is refused when it is on, and noted when it is not`() throws {
        let base = ["USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_SYMBOLS": "A"]
        let found = faults(base.merging(["WEBSOCKET_CONNECTION_4_ENABLED": "true"]) { $1 })
        #expect(found.map(\.key) == ["WEBSOCKET_CONNECTION_4_ENABLED"])
        #expect(found[0].text.contains("WEBSOCKET_CONNECTIONS_MAX"))
        let remarks = try validate(base.merging(["WEBSOCKET_CONNECTION_4_NAME": "x"]) { $1 }).remarks
        #expect(remarks.map(\.severity) == [.note])
        let raised = try validate(
            base.merging([
                "WEBSOCKET_CONNECTION_4_ENABLED": "true", "WEBSOCKET_CONNECTION_4_SYMBOLS": "B",
                "WEBSOCKET_CONNECTIONS_MAX": "4",
            ]) { $1 })
        #expect(raised.settings.connections.list.map(\.name) == ["primary", "connection_4"])
        #expect(raised.remarks.map(\.key) == ["WEBSOCKET_CONNECTIONS_MAX"])
    }

    @Test(arguments: [
        ("WEBSOCKET_CONNECTION_1_NAME", "my/feed", "letters"), ("WEBSOCKET_CONNECTION_1_PRIORITY", "0", "1 to 100"),
        ("WEBSOCKET_CONNECTION_2_ENABLED", "ja", "true or false"),
        ("WEBSOCKET_CONNECTION_4_ENABLED", "ja", "true or false"),
    ])
    func `a connection's wrong value is refused`(key: String, value: String, words: String) throws {
        let fault = try #require(faults(["USE_MULTI_CONNECTION": "true", key: value]).first)
        #expect(fault.key == key)
        #expect(fault.text.contains(words))
    }

    @Test(arguments: ["round_robin", "Round Robin", "ROUND-ROBIN"])
    func `a strategy may be written with underscores or blanks`(name: String) throws {
        #expect(try validate(["WEBSOCKET_ROUTING_STRATEGY": name]).settings.connections.rules.strategy == .roundRobin)
        #expect(try validate(["BUFFER_FULL_POLICY": "drop_oldest"]).settings.buffer.fullPolicy == .dropOldest)
    }

    @Test func `a name may have blanks between words`() throws {
        let environment = ["USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_NAME": "Tech Leaders 1"]
        #expect(try validate(environment).settings.connections.list.map(\.name) == ["Tech Leaders 1"])
        #expect(faults(["USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_NAME": "a  b"]).count == 1)
    }

    @Test func `symbols of a numbered connection without several connections are refused, naming what is missing`()
        throws
    {
        let key = ["MASSIVE_API_KEY": "k", "WEBSOCKET_CONNECTION_1_UNIVERSE_KEY": "nasdaq100"]
        let found = faults(key, needs: .feed)
        #expect(found.map(\.key) == ["USE_MULTI_CONNECTION"])
        #expect(found[0].text.contains("set USE_MULTI_CONNECTION=true"))
        // Whoever sets it to false means it, and is only warned.
        let single = try validate(key.merging(["USE_MULTI_CONNECTION": "false"]) { $1 }, needs: .feed)
        let warning = try #require(single.remarks.first { $0.key == "SYMBOL_UNIVERSE_KEY" })
        #expect(warning.severity == .warning && warning.text.contains("the default list is collected"))
        #expect(warning.text.contains("WEBSOCKET_CONNECTION_1_UNIVERSE_KEY"))
        #expect(
            faults(["MASSIVE_API_KEY": "k", "UNIVERSE_FALLBACK": "error"], needs: .feed).map(\.key) == [
                "SYMBOL_UNIVERSE_KEY"
            ])
    }

    @Test func `two connections cannot share a name`() {
        let found = faults([
            "USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_2_ENABLED": "true",
            "WEBSOCKET_CONNECTION_2_NAME": "primary",
        ])
        #expect(found.map(\.key) == ["WEBSOCKET_CONNECTION_2_NAME"])
    }

    @Test func `a connection without symbols gets a warning`() throws {
        #expect(try validate(["MASSIVE_API_KEY": "k"], needs: .feed).remarks.map(\.key) == ["SYMBOL_UNIVERSE_KEY"])
        let remarks = try validate(["USE_MULTI_CONNECTION": "true"]).remarks
        #expect(remarks.map(\.key) == ["WEBSOCKET_CONNECTION_1_ENABLED"])
    }
}

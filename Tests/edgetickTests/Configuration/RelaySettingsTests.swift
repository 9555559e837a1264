import Collector
import MarketData
import Relay
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct RelaySettingsTests {
    @Test func `symbols are collected on demand where there is a relay and the settings say so`() throws {
        #expect(try validate(["RELAY_PORT": "0"]).settings.relay.onDemand == nil)
        #expect(try validate(["RELAY_PORT": "0", "RELAY_ON_DEMAND": "true"]).settings.relay.onDemand == 100)
        let few = try validate(["RELAY_PORT": "0", "RELAY_ON_DEMAND": "true", "RELAY_ON_DEMAND_MAX": "7"])
        #expect(few.settings.relayConfiguration?.maximumOnDemand == 7)
        #expect(few.settings.symbolRules(url: "ws://127.0.0.1:1").maximumOnDemand == 7)
        #expect(few.remarks.isEmpty)
    }

    @Test func `relay and API have a port each`() throws {
        let found = faults(["RELAY_PORT": "8080"])
        #expect(found.map(\.key) == ["RELAY_PORT"] && found[0].text.contains("HTTP_PORT"))
        #expect(faults(["RELAY_PORT": "8080", "HTTP_PORT": "8081"]).isEmpty)
        #expect(faults(["RELAY_PORT": "0", "HTTP_PORT": "0"]).isEmpty)
    }

    @Test func `an address that other machines reach needs keys, and wrong ones are the only fault`() throws {
        let open = ["RELAY_PORT": "0", "RELAY_HOST": "0.0.0.0"]
        for keys in [nil, ","] {
            let found = faults(open.merging(["RELAY_KEYS": keys].compactMapValues(\.self)) { $1 })
            #expect(found.map(\.key) == ["RELAY_HOST"] && found[0].text.contains("set RELAY_KEYS"), "\(found)")
        }
        #expect(faults(open.merging(["RELAY_KEYS": "short"]) { $1 }).map(\.key) == ["RELAY_KEYS"])
        #expect(faults(open.merging(["RELAY_KEYS": "sixteen-letters-or-more"]) { $1 }).isEmpty)
    }

    @Test func `demand without a relay is warned of`() throws {
        let (settings, remarks) = try validate(["RELAY_ON_DEMAND": "true"])
        #expect(settings.relay.onDemand == nil)
        #expect(remarks.contains { $0.severity == .warning && $0.key == "RELAY_ON_DEMAND" })
        #expect(faults(["RELAY_ON_DEMAND_MAX": "0"]).map(\.key) == ["RELAY_ON_DEMAND_MAX"])
    }
}

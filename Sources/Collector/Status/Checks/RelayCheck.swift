import MarketData

extension Health.Check {
    /// Whether the relay keeps up with what is collected.
    static func relay(_ snapshot: CollectorSnapshot) -> Self {
        guard let relay = snapshot.relay else { return Self("relay", ok: "off: RELAY_PORT is not set") }
        if let age = relay.secondsSinceOverflow, age < RelayState.overflowMemory {
            return Self(
                "relay", .degraded,
                "it fell behind \(Int(age)) s ago and disconnected its clients, since the machine was too busy to serve them: "
                    + "reduce the clients or their subscriptions")
        }
        let demand =
            relay.maximumOnDemand.map { ", \(relay.onDemand.symbols.count) of \($0.counted("symbol")) on demand" } ?? ""
        return Self("relay", ok: "\(relay.readers.count) of at most \(relay.maximumReaders.counted("client"))\(demand)")
    }
}

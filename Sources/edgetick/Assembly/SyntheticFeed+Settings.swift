import FeedSimulator
import Logging
import MarketData
import Universe

extension Settings {
    /// Starts listening with the built-in feed of USE_SYNTHETIC_DATA on a free loopback port; returns `nil` if the
    /// settings name a real feed or none.
    func builtInSimulator() async throws -> (feed: FeedSimulator, url: String)? {
        guard feed.source == .simulator else { return nil }
        let listed = connections.list.flatMap { SymbolList($0.symbols ?? "").symbols }
        let symbols = listed.isEmpty ? SymbolSelection.defaultSymbols : listed
        var market = SyntheticFeed(symbols: symbols)
        market.kinds = feed.events
        var configuration = SimulatorConfiguration(source: .synthetic(market))
        configuration.pace = .speed(1)
        let simulator = FeedSimulator(configuration: configuration, logger: Logger(label: "simulator"))
        let port = try await simulator.bind()
        return (simulator, "ws://127.0.0.1:\(port)/stocks")
    }
}

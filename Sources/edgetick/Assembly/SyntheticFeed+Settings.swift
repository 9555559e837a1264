import FeedSimulator
import FoundationEssentials
import Logging
import MarketData
import Universe

extension Settings {
    /// The feed inside this process that USE_SYNTHETIC_DATA asks for, listening on a free port of the loopback;
    /// `nil` when the settings name a real one.
    func builtInSimulator() async throws -> (feed: FeedSimulator, url: String)? {
        guard feed.source == .simulator else { return nil }
        let listed = connections.list.flatMap { SymbolList($0.symbols ?? "").symbols }
        let symbols = listed.isEmpty ? SymbolSelection.defaultSymbols : listed
        var configuration = SimulatorConfiguration(
            source: .synthetic(SyntheticFeed(symbols: symbols, kinds: self.feed.events)))
        configuration.pace = .speed(1)
        let simulator = FeedSimulator(configuration: configuration, logger: Logger(label: "simulator"))
        let port = try await simulator.bind()
        return (simulator, "ws://127.0.0.1:\(port)/stocks")
    }
}

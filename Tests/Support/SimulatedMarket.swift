import Foundation

/// The simulator as a separate process.
public final class SimulatedMarket: Sendable {
    /// The running simulator.
    public let process: ChildProcess
    /// The URL of the feed.
    public let url: String

    /// Starts the simulator; without a `key` it accepts every key.
    public init(_ arguments: [String], port: Int = 0, key: String? = nil) async throws {
        process = try ChildProcess(
            Places.edgetick, ["simulate", "--port", "\(port)"] + arguments,
            environment: key.map { ["SIMULATOR_API_KEY": $0] } ?? [:])
        url = try await process.line(containing: "listening on", within: .seconds(60))
            .replacing("listening on ", with: "")
    }

    /// Starts the simulator with a synthetic market; port 0 means any free port.
    public convenience init(
        symbols: String = "AAPL,MSFT,NVDA", rate: Double = 5, port: Int = 0, key: String? = nil
    ) async throws {
        try await self.init(["--synthetic", symbols, "--rate", "\(rate)"], port: port, key: key)
    }

    /// The port it listens on.
    public var port: Int { URL(string: url)?.port ?? 0 }

    /// Kills the simulator, as when its host fails.
    public func kill() async throws {
        process.send(SIGKILL)
        try await process.exit()
    }
}

import Foundation
import Synchronization

/// A collector's box with its HTTP API: settings, data directory, and the real program run in it.
public final class CollectorBox: Sendable {
    /// The directory of the box; the data directory is `data` in it where no other is named.
    public let workspace: Workspace
    /// The data directory.
    public let data: String
    private let settings: [String: String]

    /// A box whose feed is at `feed`; `settings` are environment variables beside the usual ones of a test.
    public init(feed: String, dataDirectory: String? = nil, settings: [String: String] = [:]) throws {
        workspace = try Workspace()
        data = dataDirectory ?? workspace.file("data")
        let usual = [
            "MASSIVE_API_KEY": "box-key", "MASSIVE_WEBSOCKET_URL": feed, "SYMBOLS": "AAPL,MSFT,NVDA",
            "FEED_EVENTS": "AM,A,T,Q", "EDGETICK_DATA_DIR": data, "COLLECTOR_ID": "box", "SYNC_INTERVAL": "1",
            "HTTP_PORT": "0", "MASSIVE_WEBSOCKET_RECONNECT_DELAY": "1", "LOG_LEVEL": "info",
        ]
        self.settings = usual.merging(settings) { $1 }
    }

    /// Starts a command of `edgetick` with the box's settings and these beside.
    public func start(_ arguments: String..., settings more: [String: String] = [:]) throws -> ChildProcess {
        try ChildProcess(
            Places.edgetick, arguments, environment: settings.merging(more) { $1 }, directory: workspace.path)
    }

    /// Starts a line of shell with the box's settings, for redirections.
    public func start(shell line: String) throws -> ChildProcess {
        try ChildProcess("/bin/sh", ["-c", line], environment: settings, directory: workspace.path)
    }

    /// Starts a command of `edgetick` as the argument of another program, such as strace.
    public func start(
        under program: [String], _ arguments: String..., settings more: [String: String] = [:]
    ) throws -> ChildProcess {
        try ChildProcess(
            program[0], program.dropFirst() + [Places.edgetick] + arguments, environment: settings.merging(more) { $1 },
            directory: workspace.path)
    }

    /// Runs a command of `edgetick` to its end.
    public func run(
        _ arguments: String..., settings more: [String: String] = [:]
    ) async throws -> (status: Int32, output: [String]) {
        try await run(arguments, settings: more)
    }

    /// Runs a command of `edgetick`, given as an array, to its end.
    public func run(
        _ arguments: [String], settings more: [String: String] = [:]
    ) async throws -> (status: Int32, output: [String]) {
        let process = try ChildProcess(
            Places.edgetick, arguments, environment: settings.merging(more) { $1 }, directory: workspace.path)
        return (try await process.exit(within: .seconds(60)), process.output)
    }

    /// Starts `edgetick run` and waits until its API answers; with the port of the API.
    public func collect(settings more: [String: String] = [:]) async throws -> (process: ChildProcess, port: Int) {
        try? FileManager.default.removeItem(atPath: data + "/http.address")
        let process = try ChildProcess(
            Places.edgetick, ["run"], environment: settings.merging(more) { $1 }, directory: workspace.path)
        let line = try await process.line(containing: "HTTP is ready", within: .seconds(60))
        guard let match = line.firstMatch(of: /port"?[=:]"?([0-9]+)/), let port = Int(match.1) else {
            throw Command.Failure(description: "no port in: \(line)")
        }
        return (process, port)
    }
}

/// The simulator as a process of its own.
public final class SimulatedMarket: Sendable {
    /// The running simulator.
    public let process: ChildProcess
    /// Where it listens.
    public let url: String

    /// Starts the simulator; without a `key` every key is let in.
    public init(_ arguments: [String], port: Int = 0, key: String? = nil) async throws {
        process = try ChildProcess(
            Places.edgetick, ["simulate", "--port", "\(port)"] + arguments,
            environment: key.map { ["SIMULATOR_API_KEY": $0] } ?? [:])
        url = try await process.line(containing: "listening on", within: .seconds(60))
            .replacing("listening on ", with: "")
    }

    /// Starts it with a made-up market; port 0 takes any free one.
    public convenience init(
        symbols: String = "AAPL,MSFT,NVDA", rate: Double = 5, port: Int = 0, key: String? = nil
    ) async throws {
        try await self.init(["--synthetic", symbols, "--rate", "\(rate)"], port: port, key: key)
    }

    /// The port it listens on.
    public var port: Int { URL(string: url)?.port ?? 0 }

    /// Ends it at once, as a failing host would.
    public func kill() async throws {
        process.send(SIGKILL)
        try await process.exit()
    }
}

import Foundation

/// A collector's box: its settings, its data directory, and the real program running in it, with its HTTP API.
public final class CollectorBox: Sendable {
    /// The directory of the box; unless another is named, the data directory is `data` in it.
    public let workspace: Workspace
    /// The data directory.
    public let data: String
    private let settings: [String: String]

    /// Makes a box whose feed is at `feed`; `settings` are environment variables that add to or replace the tests'
    /// defaults.
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

    /// Starts a command of `edgetick` with the box's settings and those given.
    public func start(_ arguments: String..., settings more: [String: String] = [:]) throws -> ChildProcess {
        try ChildProcess(
            Places.edgetick, arguments, environment: settings.merging(more) { $1 }, directory: workspace.path)
    }

    /// Starts a shell command line with the box's settings, for redirections.
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

    /// Runs a command of `edgetick` and waits for it to end.
    public func run(
        _ arguments: String..., settings more: [String: String] = [:]
    ) async throws -> (status: Int32, output: [String]) {
        try await run(arguments, settings: more)
    }

    /// Runs a command of `edgetick`, given as an array, and waits for it to end.
    public func run(
        _ arguments: [String], settings more: [String: String] = [:]
    ) async throws -> (status: Int32, output: [String]) {
        let process = try ChildProcess(
            Places.edgetick, arguments, environment: settings.merging(more) { $1 }, directory: workspace.path)
        return (try await process.exit(within: .seconds(60)), process.output)
    }

    /// Starts `edgetick run` and waits until its API is ready; also returns the port of the API.
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

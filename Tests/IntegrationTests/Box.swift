import Foundation
import TestSupport

/// A collector's box: its data directory, its settings, and the real commands run with them.
struct Box {
    let workspace: Workspace
    let environment: [String: String]

    init(feed: String, events: String = "AM,A,T,Q", database: String? = nil, more: [String: String] = [:]) throws {
        workspace = try Workspace()
        var environment = [
            "MASSIVE_API_KEY": "integration-test-key", "MASSIVE_WEBSOCKET_URL": feed, "SYMBOLS": "*",
            "FEED_EVENTS": events, "EDGETICK_DATA_DIR": workspace.file("data"), "COLLECTOR_ID": "box",
            "SYNC_INTERVAL": "1", "HTTP_PORT": "0", "MASSIVE_WEBSOCKET_RECONNECT_DELAY": "1",
        ]
        environment["DATABASE_URI"] = database
        self.environment = environment.merging(more) { $1 }
    }

    /// Makes a box whose file has two minute bars, a second bar, a trade, and one event of each later stream, all of
    /// 2013-09-24.
    static func known() throws -> Box {
        let box = try Box(feed: "ws://127.0.0.1:9/stocks")
        try FileManager.default.createDirectory(
            atPath: box.workspace.file("data"), withIntermediateDirectories: true)
        let schema = Places.repository + "/Tests/StoreTests/Schemas/ticks_v7.sql"
        try Command.sqlite(box.ticks, ".read \(schema)", "PRAGMA journal_mode = WAL")
        return box
    }

    /// Starts `edgetick` with the box's settings.
    func start(_ arguments: String..., environment extra: [String: String] = [:]) throws -> ChildProcess {
        try ChildProcess(
            Places.edgetick, arguments, environment: environment.merging(extra) { $1 }, directory: workspace.path)
    }

    /// Runs `edgetick` and waits for it to end; returns its exit status and output.
    func edgetick(_ arguments: String..., environment extra: [String: String] = [:]) async throws -> (Int32, [String]) {
        let process = try ChildProcess(
            Places.edgetick, arguments, environment: environment.merging(extra) { $1 }, directory: workspace.path)
        let status = try await process.exit(within: .seconds(300))
        return (status, process.output)
    }

    /// The buffer file.
    var ticks: String { workspace.file("data/ticks.sqlite") }

    /// Returns the number of bars in the buffer file; 0 if it can't be read yet.
    func bars() async throws -> Int {
        guard let rows = try? await sqlite("select count(*) from bars").first else { return 0 }
        return Int(rows) ?? 0
    }

    /// Queries the buffer file as a user would; returns one row per line, with columns separated by `|`.
    func sqlite(_ query: String) async throws -> [String] {
        let process = try ChildProcess("/usr/bin/sqlite3", ["-readonly", ticks, query])
        let status = try await process.exit()
        guard status == 0 else { throw Failed(what: query, output: process.output) }
        return process.output
    }
}

/// A feed that replays captures.
struct SimulatedFeed {
    private let simulator: SimulatedMarket

    var process: ChildProcess { simulator.process }
    var url: String { simulator.url }

    init(captures: [String], options: [String] = [], key: String = "integration-test-key") async throws {
        simulator = try await SimulatedMarket(["--capture"] + captures + options, key: key)
    }

    /// Waits until everything is sent; returns how many events that were.
    func sent(within limit: Duration) async throws -> Int {
        try await process.exit(within: limit)
        let line = try await process.line(containing: "sent ")
        return Int(line.split(separator: " ")[1]) ?? -1
    }
}

/// A database for one test on a server that the tests started.
struct Database {
    let uri: String
    private let name: String
    private let cluster: PostgresCluster

    init(in cluster: PostgresCluster) throws {
        self.init(named: try cluster.makeDatabase(), in: cluster)
    }

    /// Refers to an existing database.
    init(named name: String, in cluster: PostgresCluster) {
        self.cluster = cluster
        self.name = name
        uri = cluster.uri(name)
    }

    /// Returns the output of a query, such as its only value.
    func value(_ query: String) throws -> String { try cluster.value(query, database: name) }
}

/// The error when something that a test needs failed.
struct Failed: Error, CustomStringConvertible {
    let what: String
    let output: [String]

    var description: String { "\(what):\n" + output.joined(separator: "\n") }
}

/// The independent program that compares captures with the buffer file and the database.
enum Oracle {
    /// Compares the captures with the copies given; throws an error with the differences if there are any.
    static func compare(captures: [String], sqlite: String?, postgres: String?) async throws {
        var arguments = [Places.repository + "/Tests/Oracle/compare.py", "--capture"] + captures
        if let sqlite { arguments += ["--sqlite", sqlite] }
        if let postgres { arguments += ["--postgres", postgres] }
        let process = try ChildProcess("/usr/bin/env", ["python3"] + arguments)
        let status = try await process.exit(within: .seconds(600))
        guard status == 0 else { throw Failed(what: "capture and copies differ", output: process.output) }
    }
}

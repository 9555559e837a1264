import FoundationEssentials
import Glibc
import MarketData

/// A PostgreSQL server for the demo alone, reached only through a socket in its own directory, which is removed with
/// it.
struct DemoDatabase {
    let uri: String
    private let binaries: String
    private let directory: String
    private let log: String

    /// The directory of PostgreSQL's server programs; `nil` if none are installed, or if this is root and there is no
    /// user `postgres` to run them as.
    static func installed() -> String? {
        guard geteuid() != 0 || getpwnam("postgres") != nil else { return nil }
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let places = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
        return (places + ["/usr/local/bin", "/usr/bin"]).first { access($0 + "/initdb", X_OK) == 0 }
    }

    init(binaries: String, log: String) async throws {
        self.binaries = binaries
        self.log = log
        directory = try DemoDirectory.fresh("edgetick-demo-database")
        if geteuid() == 0, let user = getpwnam("postgres") {
            chown(directory, user.pointee.pw_uid, user.pointee.pw_gid)
        }
        uri = "postgresql://edgetick@/postgres?host=\(directory)"
        do {
            try await command(
                "initdb", "-D", directory + "/data", "-U", "edgetick", "-E", "UTF8", "--locale=C", "--no-sync",
                "--auth=trust")
            try await start()
        } catch {
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
    }

    /// Starts the server, also again after a stop; returns once it accepts connections.
    func start() async throws {
        try await command(
            "pg_ctl", "start", "-w", "-s", "-D", directory + "/data", "-l", directory + "/log", "-o",
            "-c listen_addresses= -c unix_socket_directories=\(directory)")
    }

    /// Stops the server as a crash would.
    func stop() async throws {
        try await command("pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", directory + "/data")
    }

    func remove() async {
        try? await stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// The number of rows and of distinct events in each stream.
    func counts() async throws -> [EventStream: (rows: Int, events: Int)] {
        let answer = directory + "/counts"
        let sql = """
            SELECT (SELECT count(*) FROM ohlcv_1min) + (SELECT count(*) FROM ohlcv_1sec),
                (SELECT count(*) FROM (SELECT DISTINCT symbol, start_ms FROM ohlcv_1min) AS bars)
                    + (SELECT count(*) FROM (SELECT DISTINCT symbol, start_ms FROM ohlcv_1sec) AS bars),
                (SELECT count(*) FROM trades),
                (SELECT count(*) FROM (SELECT DISTINCT symbol, trade_id FROM trades) AS trades),
                (SELECT count(*) FROM quotes),
                (SELECT count(*) FROM (SELECT DISTINCT symbol, sequence FROM quotes) AS quotes)
            """
        try await command("psql", "-X", "-q", "-A", "-t", "-F", " ", "-d", uri, "-o", answer, "-c", sql)
        let numbers = try String(contentsOfFile: answer, encoding: .utf8).split { $0 == " " || $0 == "\n" }
            .compactMap { Int($0) }
        guard numbers.count == 6 else {
            throw CommandFailure(.unavailable, "psql's row counts can't be read; see \(log)")
        }
        return [.bars: (numbers[0], numbers[1]), .trades: (numbers[2], numbers[3]), .quotes: (numbers[4], numbers[5])]
    }

    private func command(_ name: String, _ arguments: String...) async throws {
        // PostgreSQL refuses to run as root, and root's PATH may lack /usr/sbin.
        let user = geteuid() == 0 ? ["/usr/sbin/runuser", "-u", "postgres", "--"] : []
        let environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": directory]
        let process = try DemoProcess(user + [binaries + "/" + name] + arguments, environment: environment, log: log)
        let status = await process.exit()
        guard status == 0 else {
            throw CommandFailure(.unavailable, "PostgreSQL's \(name) failed with exit code \(status); see \(log)")
        }
    }
}

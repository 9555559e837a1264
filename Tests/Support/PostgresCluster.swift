public import Foundation
import Synchronization

/// A private PostgreSQL server: a fresh data directory, a free port on loopback, a Unix socket.
///
/// It runs as the user `postgres` when the tests run as root, otherwise as the tests' user. A guard process outlives
/// the tests; however they end, it stops the server and removes its files. The server accepts all users on loopback
/// without a password, except members of the role `password_users`, who need one (SCRAM).
public final class PostgresCluster: Sendable {
    /// The error of a step in handling the server.
    public typealias Failure = Command.Failure

    /// How a server is stopped.
    public enum StopMode: String, Sendable {
        /// Ends the sessions and writes the data.
        case fast
        /// Stops as in a crash: nothing is written, and the next start replays the WAL.
        case immediate
    }

    private static let running = Mutex<[String: Result<PostgresCluster, Failure>]>([:])
    private static let counter = Mutex(0)

    /// The port on 127.0.0.1.
    public let port: Int
    /// The directory that holds the data directory, the socket and the log.
    public let directory: String
    /// The server's superuser.
    public let superuser: String
    private let binaries: String
    private let guardPipe: Int32

    /// Returns the server that all tests of the process share, started on first use. Never stop it.
    public static func shared() throws -> PostgresCluster {
        try shared("shared") { () throws(Failure) in try PostgresCluster() }
    }

    /// Like ``shared()``, for another server that some tests share under a name.
    public static func shared(
        _ name: String, start: () throws(Failure) -> PostgresCluster
    ) throws -> PostgresCluster {
        try running.withLock { running in
            if let known = running[name] { return try known.get() }
            let started = Result { () throws(Failure) in try start() }
            running[name] = started
            return try started.get()
        }
    }

    /// Whether a PostgreSQL server is installed on this machine.
    public static let isInstalled = (try? findBinaries()) != nil

    /// Returns whether its servers offer an extension.
    public static func offers(_ name: String) -> Bool {
        let sql = "SELECT count(*) FROM pg_available_extensions WHERE name = '\(name)'"
        return (try? shared().psql(sql, database: "postgres"))?.hasPrefix("1") == true
    }

    /// Whether its servers offer TimescaleDB.
    public static let offersTimescale = isInstalled && offers("timescaledb")

    /// Starts a private server with settings as in postgresql.conf, and with TLS if a certificate is given.
    public init(settings: [String: String] = [:], tls: (certificate: String, key: String)? = nil) throws(Failure) {
        binaries = try Self.findBinaries()
        superuser = geteuid() == 0 ? "postgres" : NSUserName()
        port = try Self.freePort()
        directory = Self.freshDirectory()
        guardPipe = try Self.startGuard(directory)
        try Self.makeDirectory(directory)
        try asServerUser(["cp", "-R", try Self.template(binaries, superuser), directory + "/data"])
        if let tls { try copyCertificate(tls.certificate, tls.key) }
        var all = [
            "port": "\(port)", "listen_addresses": "'127.0.0.1'", "unix_socket_directories": "'\(directory)'",
            "fsync": "off", "max_connections": "60", "shared_buffers": "64MB", "max_wal_size": "1GB",
            "log_min_messages": "warning", "wal_level": "minimal", "max_wal_senders": "0",
            "full_page_writes": "off", "autovacuum": "off",
        ]
        if tls != nil { all["ssl"] = "on" }
        all.merge(settings) { _, new in new }
        try configure(all)
        try start()
    }

    /// Starts a standby of another server from a base backup; it streams the WAL through `port`. Replication is
    /// asynchronous, so the primary waits for nothing. The primary needs `wal_level` replica and `max_wal_senders`.
    public init(standbyOf primary: PostgresCluster, through port: Int) throws(Failure) {
        binaries = primary.binaries
        superuser = primary.superuser
        self.port = try Self.freePort()
        directory = Self.freshDirectory()
        guardPipe = try Self.startGuard(directory)
        try Self.makeDirectory(directory)
        try asServerUser([
            binaries + "/pg_basebackup", "-D", directory + "/data", "-R", "-X", "stream", "--checkpoint=fast",
            "--no-sync",
            "-d", "host=127.0.0.1 port=\(port) user=\(superuser) sslmode=disable",
        ])
        try configure(["port": "\(self.port)", "unix_socket_directories": "'\(directory)'"])
        try start()
    }

    deinit { close(guardPipe) }

    private static func freshDirectory() -> String {
        let base = NSTemporaryDirectory()
        return (base.hasSuffix("/") ? base : base + "/") + "edgetick-pg-\(UUID().uuidString.prefix(8))"
    }

    /// Appends settings to postgresql.conf, where the last one of a name counts.
    private func configure(_ settings: [String: String]) throws(Failure) {
        let text = settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
        do {
            let configuration = try FileHandle(forWritingTo: URL(fileURLWithPath: directory + "/data/postgresql.conf"))
            try configuration.seekToEnd()
            try configuration.write(contentsOf: Data(text.utf8))
            try configuration.close()
        } catch {
            throw Failure(description: String(describing: error))
        }
    }

    // MARK: - Using it

    /// Makes a new database, empty or a copy of another that has no connections, and returns its name.
    public func makeDatabase(copying original: String? = nil) throws -> String {
        let number = Self.counter.withLock { counter in
            counter += 1
            return counter
        }
        let name = "test\(number)"
        try psql("CREATE DATABASE \(name)" + (original.map { " TEMPLATE \($0)" } ?? ""), database: "postgres")
        return name
    }

    /// Returns the URI of a database over TCP; percent-encodes the password.
    public func uri(
        _ database: String, user: String? = nil, password: String? = nil, host: String = "127.0.0.1",
        port: Int? = nil, parameters: String = ""
    ) -> String {
        let secret = password.map { ":" + ($0.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "") }
        return "postgresql://\(user ?? superuser)\(secret ?? "")@\(host):\(port ?? self.port)/\(database)"
            + (parameters.isEmpty ? "" : "?\(parameters)")
    }

    /// Runs SQL through psql as the superuser and returns the output: fields separated by `|`, rows by line feeds.
    @discardableResult
    public func psql(_ sql: String, database: String) throws(Failure) -> String {
        try Command.run(
            [
                binaries + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", directory, "-p", "\(port)",
                "-U", superuser, "-d", database, "-f", "-",
            ], input: sql)
    }

    /// Runs SQL like ``psql(_:database:)``, and returns the output without the end of the last line.
    public func value(_ sql: String, database: String) throws(Failure) -> String {
        try psql(sql, database: database).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Starts a session that runs SQL in a transaction, and returns once it holds its locks. Once another session waits
    /// for them, it goes on for some seconds and commits; if none does within a minute, it exits with an error.
    public func holder(of database: String, _ sql: String, seconds: Int = 0) async throws -> ChildProcess {
        let untilAwaited = """
            DO $$ BEGIN
                FOR look IN 1..6000 LOOP
                    IF EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))
                    THEN RETURN; END IF;
                    PERFORM pg_sleep(0.01);
                END LOOP;
                RAISE 'no session waits';
            END $$
            """
        let commands = ["BEGIN", sql, "SELECT 'held'", untilAwaited, "SELECT pg_sleep(\(seconds))", "COMMIT"]
        let holder = try ChildProcess(
            binaries + "/psql",
            ["-X", "-q", "-t", "-v", "ON_ERROR_STOP=1", uri(database)] + commands.flatMap { ["-c", $0] })
        try await holder.line(containing: "held")
        return holder
    }

    // MARK: - Faults

    /// Starts the server (again) and waits until it accepts connections.
    public func start() throws(Failure) {
        do throws(Failure) {
            try asServerUser([
                binaries + "/pg_ctl", "start", "-w", "-t", "60", "-s", "-D", directory + "/data", "-l",
                directory + "/log",
            ])
        } catch {
            throw Failure(description: "\(error.description)\n\(logEnd())")
        }
    }

    /// Stops the server and waits for its end.
    public func stop(_ mode: StopMode = .fast) throws(Failure) {
        let main = try mainProcess()
        try asServerUser([
            binaries + "/pg_ctl", "stop", "-W", "-s", "-m", mode.rawValue, "-D", directory + "/data",
        ])
        let began = ContinuousClock.now
        while true {
            // The server removes its file, then ends: asked in this order, an orderly end never looks like a crash.
            let isAlive = kill(main, 0) == 0
            guard (try? mainProcess()) == main else { return }
            let waited = ContinuousClock.now - began
            guard isAlive, waited < .seconds(60) else {
                let fault = Waiting.TimedOut("for the server to stop (\(mode.rawValue), \(waited)):\n\(remains())")
                throw Failure(description: fault.description)
            }
            if waited > .seconds(1) { Self.endSilentSessions(of: main) }
            usleep(20_000)
        }
    }

    /// Ends the sessions of a stopping server whose clients haven't said who they are.
    ///
    /// Up to version 17, a connection that comes after the order to stop gets a process that no signal of the server
    /// reaches, not even when it kills the others. The server waits until its client has spoken, or for the minute that
    /// a login may take. A client behind a proxy that holds bytes back doesn't speak.
    private static func endSilentSessions(of main: pid_t) {
        func title(_ process: pid_t) -> String {
            (try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)) ?? ""
        }
        // A process gets a title of its own once it knows the user.
        let own = title(main)
        for child in children(of: main) where !own.isEmpty && title(child) == own { kill(child, SIGTERM) }
    }

    /// What the server's processes are doing, and the end of its log, to find out why it doesn't stop.
    private func remains() -> String {
        guard let main = try? mainProcess() else { return "" }
        func lines(_ path: String) -> [Substring] {
            ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n")
        }
        let processes = ([main] + Self.children(of: main)).map { process in
            let status = lines("/proc/\(process)/status").filter { $0.hasPrefix("State") || $0.hasPrefix("Sig") }
            return "\(lines("/proc/\(process)/cmdline")) \(lines("/proc/\(process)/wchan")) \(status)"
        }
        return (processes + [logEnd()]).joined(separator: "\n")
    }

    private func logEnd() -> String {
        let log = (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? ""
        return log.split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    /// Starts the server (again) as a standby: it replays WAL, answers queries and accepts no writes. Needs `wal_level`
    /// replica.
    public func startAsStandby() throws(Failure) {
        try asServerUser(["touch", directory + "/data/standby.signal"])
        try start()
    }

    /// Promotes the standby to a primary, and waits for that.
    public func promote() throws(Failure) {
        try asServerUser([binaries + "/pg_ctl", "promote", "-w", "-t", "60", "-s", "-D", directory + "/data"])
    }

    /// Freezes all processes of the server (SIGSTOP): sockets stay open, nothing answers.
    public func freeze() throws(Failure) { try sendAll(SIGSTOP) }

    /// Continues the frozen processes (SIGCONT).
    public func thaw() throws(Failure) { try sendAll(SIGCONT) }

    /// Terminates the sessions of a database (pg_terminate_backend) and returns their number.
    @discardableResult
    public func endSessions(of database: String) throws(Failure) -> Int {
        let count = try psql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '\(database)' "
                + "AND pid <> pg_backend_pid()", database: "postgres")
        return Int(count.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    /// Kills one process of the server (SIGKILL); the server then ends all sessions and recovers by itself.
    public func killSession(_ process: pid_t) { kill(process, SIGKILL) }

    /// Kills the server's main process (SIGKILL), as the out-of-memory killer does; ``start()`` recovers.
    public func killServer() throws(Failure) {
        let main = try mainProcess()
        // Halted first, so that it starts no child that is missed here.
        Self.halt(main)
        let children = Self.children(of: main)
        kill(main, SIGKILL)
        // The children would notice by themselves, but a new server can't start until the last one is gone.
        for child in children { kill(child, SIGQUIT) }
        for process in [main] + children {
            Self.wait(within: .seconds(10)) { kill(process, 0) != 0 || Self.state(of: process) == "Z" }
        }
        // Nor can it while a zombie has the old server's number, which its new parent reaps in a moment.
        Self.wait(within: .seconds(2)) { kill(main, 0) != 0 }
    }

    private func mainProcess() throws(Failure) -> pid_t {
        let text = (try? String(contentsOfFile: directory + "/data/postmaster.pid", encoding: .utf8)) ?? ""
        guard let main = text.split(separator: "\n").first.flatMap({ pid_t($0) }) else {
            throw Failure(description: "no server runs in \(directory)")
        }
        return main
    }

    private static func wait(within limit: Duration, for condition: () -> Bool) {
        let deadline = ContinuousClock.now + limit
        while !condition(), ContinuousClock.now < deadline { usleep(2000) }
    }

    /// The process's state as /proc has it: T is stopped, Z is a zombie; `nil` if there is no such process.
    private static func state(of process: pid_t) -> Substring? {
        let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        return status.split(separator: ")").last?.split(separator: " ").first
    }

    /// Halts a process (SIGSTOP), and waits for that.
    private static func halt(_ process: pid_t) {
        kill(process, SIGSTOP)
        Self.wait(within: .seconds(10)) {
            let now = Self.state(of: process)
            return now == nil || now == "T" || now == "Z"
        }
    }

    private func sendAll(_ number: Int32) throws(Failure) {
        let main = try mainProcess()
        // The parent first: what it starts until then is among its children.
        if number == SIGSTOP { Self.halt(main) } else { kill(main, number) }
        for process in Self.children(of: main) { kill(process, number) }
    }

    private static func children(of parent: pid_t) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.filter { process in
            let status = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            // The format is "pid (name) state ppid …", and the name may contain anything.
            let fields = status.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 && pid_t(fields[1]) == parent
        }
    }
}

// MARK: - Making it

extension PostgresCluster {
    /// A data directory made by initdb once per process and copied for every server.
    private static let templates = Mutex<(path: String, guardPipe: Int32)?>(nil)

    private static func template(_ binaries: String, _ superuser: String) throws(Failure) -> String {
        let made = templates.withLock { template -> Result<String, Failure> in
            if let template { return .success(template.path) }
            return Result { () throws(Failure) in
                let directory = freshDirectory()
                let guardPipe = try startGuard(directory)
                try makeDirectory(directory)
                let data = directory + "/data"
                try Command.run(
                    asUser([
                        binaries + "/initdb", "-D", data, "-U", superuser, "-E", "UTF8", "--locale=C", "--no-sync",
                        "--auth=trust",
                    ]))
                let rules = """
                    local all all trust
                    host all +password_users 127.0.0.1/32 scram-sha-256
                    host all all 127.0.0.1/32 trust
                    host replication all 127.0.0.1/32 trust

                    """
                do {
                    try rules.write(toFile: data + "/pg_hba.conf", atomically: false, encoding: .utf8)
                } catch {
                    throw Failure(description: "pg_hba.conf: \(error)")
                }
                // Single-user mode makes it unnecessary to start a server for this.
                try Command.run(
                    asUser([binaries + "/postgres", "--single", "-D", data, "postgres"]),
                    input: "CREATE ROLE password_users;\n")
                template = (data, guardPipe)
                return data
            }
        }
        return try made.get()
    }

    private static func makeDirectory(_ path: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        } catch {
            throw Failure(description: "\(path): \(error)")
        }
        if geteuid() == 0 { try Command.run(["chown", "postgres", path]) }
    }

    /// Starts a process that waits for this one to end, then stops the server in `directory` and removes the directory.
    private static func startGuard(_ directory: String) throws(Failure) -> Int32 {
        let script = """
            trap '' HUP INT TERM
            cat > /dev/null
            if [ -f "$0/data/postmaster.pid" ]; then
                pid=$(head -n 1 "$0/data/postmaster.pid")
                kill -QUIT "$pid"
                for child in $(cat "/proc/$pid/task/$pid/children") "$pid"; do kill -CONT "$child"; done
                for try in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.1; done
                kill -KILL "$pid"
            fi
            rm -rf "$0"
            """
        return try Command.start(["/bin/sh", "-c", script, directory])
    }

    private static func findBinaries() throws(Failure) -> String {
        var places: [String] = []
        if let named = try? Command.run(["pg_config", "--bindir"]) {
            places.append(named.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        places += versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
        for place in places where FileManager.default.isExecutableFile(atPath: place + "/initdb") { return place }
        throw Failure(description: "no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    }

    /// Returns a loopback port that nothing listens on now.
    public static func freePort() throws(Failure) -> Int {
        guard let port = LoopbackListener.freePort() else { throw Failure(description: "no free port") }
        return port
    }

    /// Returns the command to run as the server's user: PostgreSQL refuses to run as root.
    static func asUser(_ command: [String]) -> [String] {
        geteuid() == 0 ? ["runuser", "-u", "postgres", "--"] + command : command
    }

    private func copyCertificate(_ certificate: String, _ key: String) throws(Failure) {
        for (file, name) in [(certificate, "server.crt"), (key, "server.key")] {
            let copy = directory + "/data/" + name
            try Command.run(["cp", file, copy])
            try Command.run(["chmod", "600", copy])
            if geteuid() == 0 { try Command.run(["chown", "postgres", copy]) }
        }
    }

    private func asServerUser(_ command: [String]) throws(Failure) {
        try Command.run(Self.asUser(command))
    }
}

import Foundation

/// A private PgBouncer in transaction mode in front of a cluster: each transaction may get a different session.
public final class PgBouncer: Sendable {
    /// The program; `nil` if it isn't installed.
    public static let program: String? = {
        let named = ProcessInfo.processInfo.environment["PGBOUNCER"].map { [$0] } ?? []
        return (named + ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]).first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    /// The port on 127.0.0.1.
    public let port: Int
    private let process: ChildProcess
    private let workspace: Workspace

    /// Starts PgBouncer in front of `cluster` with this many sessions per database, which all clients share.
    public init(before cluster: PostgresCluster, sessions: Int = 1) async throws {
        guard let program = Self.program else { throw Command.Failure(description: "pgbouncer is not installed") }
        let port = try PostgresCluster.freePort()
        self.port = port
        workspace = try Workspace()
        // With `auth_type = any`, the database entry must name the user.
        let settings = try workspace.write(
            """
            [databases]
            * = host=127.0.0.1 port=\(cluster.port) user=\(cluster.superuser)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = \(sessions)
            max_client_conn = 100

            """, to: "pgbouncer.ini")
        if geteuid() == 0 {
            // PgBouncer refuses to run as root.
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: workspace.path)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: settings)
        }
        let command = PostgresCluster.asUser([program, settings])
        process = try ChildProcess(command[0], Array(command.dropFirst()))
        _ = try await process.line(containing: "process up", within: .seconds(60))
    }

    /// Returns the URI of a database behind PgBouncer.
    public func uri(_ database: String, user: String) -> String {
        "postgresql://\(user)@127.0.0.1:\(port)/\(database)"
    }
}

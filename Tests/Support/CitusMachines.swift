/// Citus on three private servers, a coordinator and two workers, with a database of the same name on each.
public struct CitusMachines: Sendable {
    /// Whether Citus is installed.
    public static let isInstalled = PostgresCluster.isInstalled && PostgresCluster.offers("citus")

    /// The database's name.
    public static let database = "market"

    /// The coordinator first, then the workers.
    public let servers: [PostgresCluster]

    /// Where collectors connect.
    public var coordinator: PostgresCluster { servers[0] }

    /// Starts the servers, without tables.
    public init() throws {
        let settings = [
            "shared_preload_libraries": "citus", "wal_level": "replica", "fsync": "on",
            "citus.node_conninfo": "'sslmode=disable'", "citus.enable_statistics_collection": "off",
            "citus.shard_count": "8", "citus.recover_2pc_interval": "1s", "max_connections": "100",
            "max_prepared_transactions": "100",
        ]
        servers = try (0..<3).map { _ in try PostgresCluster(settings: settings) }
        for server in servers {
            try server.psql("CREATE DATABASE \(Self.database)", database: "postgres")
            try server.psql("CREATE EXTENSION citus", database: Self.database)
        }
        for worker in servers.dropFirst() {
            try coordinator.psql("SELECT citus_add_node('127.0.0.1', \(worker.port))", database: Self.database)
        }
    }
}

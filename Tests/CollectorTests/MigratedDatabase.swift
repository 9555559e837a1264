import TestSupport
import Upstream

extension PostgresCluster {
    /// Makes a database with EdgeTick's tables.
    ///
    /// - Returns: Its name, and the configuration of a collector that uses it.
    func makeMigratedDatabase(
        for collector: String
    ) async throws -> (database: String, configuration: UpstreamConfiguration) {
        let database = try makeDatabase()
        let configuration = try UpstreamConfiguration(
            uri: uri(database), collector: collector, connectTimeout: .seconds(60))
        _ = try await UpstreamSchema.migrate(configuration)
        return (database, configuration)
    }
}

import Logging
import MarketData
import Upstream

extension Settings {
    /// How long the start waits for the database to say whether it recognises events.
    private static let patience: Duration = .seconds(3)

    /// Refuses to start if another box of the group would send the same ticks and the database would store them twice.
    ///
    /// If the database can't be asked, the collector starts anyway: the upload asks again before it sends ticks.
    func refuseDoubledTicks(_ logger: Logger) async throws {
        guard let collectorGroup else { return }
        var (lacking, missing): ([String], [String]) = ([], [])
        do throws(UpstreamError) {
            for upstream in try upstreams() {
                let kinds = feed.events.filter { upstream.streams.contains($0.stream) }
                let found = try await IdentityMaker.lacking(upstream, for: kinds, within: Self.patience)
                lacking += found.identity
                missing += found.table
            }
        } catch {
            logger.warning(
                "the database can't be asked whether it stores an event of two boxes once; no ticks are uploaded before it can",
                metadata: ["group": "\(collectorGroup)", "error": "\(error)"])
            return
        }
        if !missing.isEmpty {
            logger.warning(
                "tables are missing in the database: no ticks are uploaded before `edgetick migrate --tick-identity` has made them",
                metadata: ["group": "\(collectorGroup)", "tables": "\(missing.joined(separator: ", "))"])
        }
        guard lacking.isEmpty else {
            throw CommandFailure(
                .configuration,
                "COLLECTOR_GROUP=\(collectorGroup): the other boxes send the same events, and the database would store them "
                    + "again: no unique key identifies those of \(lacking.joined(separator: ", ")). "
                    + "Run `edgetick migrate --tick-identity`, or leave COLLECTOR_GROUP out")
        }
    }
}

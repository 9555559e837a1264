import Collector
import Universe
import WebAPI

/// The API's own values, made from the universe service's.
extension UniverseState {
    /// `nil` when there is no database to pull from.
    init?(_ service: UniverseService) {
        guard service.isPulling else { return nil }
        let status = service.status
        self.init(
            pulledAge: status.mirrorPulledAt.map { max(0, Double(TimeText.now() - $0) / 1000) },
            failure: status.failure?.description)
    }
}

extension CacheState {
    init(_ statistics: CacheStatistics) {
        self.init()
        hits = Int64(statistics.hits)
        misses = Int64(statistics.misses)
        loads = Int64(statistics.loads)
        evictions = Int64(statistics.evictions)
        entries = statistics.entries
        bytes = statistics.bytes
    }
}

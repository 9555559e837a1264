import Collector
import MarketData
import Store
import Universe

/// What comes from the relationship cache, and where a symbol is placed.
extension RunningCollector {
    func placement(of symbol: Symbol) -> SymbolPlacement? { symbols.placement(of: symbol) }

    func symbols(near symbol: Symbol) -> [String] { symbols.symbols(near: symbol) }

    func universe(key: String) async throws(CollectorProblem) -> Resolution {
        do { return try await symbols.cache.resolution(of: key) } catch { throw CollectorProblem(error) }
    }

    func stock(_ symbol: String) async throws(CollectorProblem) -> StockRelations {
        do { return try await symbols.cache.relations(of: symbol) } catch { throw CollectorProblem(error) }
    }

    func sectors() async throws(CollectorProblem) -> [String: String] {
        do { return try await symbols.cache.sectors() } catch { throw CollectorProblem(error) }
    }

    func group(named name: String, of type: GroupType) async throws(CollectorProblem) -> RelatedGroup {
        let found: RelatedGroup?
        do { found = try await symbols.cache.group(named: name, of: type) } catch { throw CollectorProblem(error) }
        if var found {
            switch type {
            case .etf, .sector, .theme: break
            case .universe, .segment, .custom:
                // The cache resolves these types by key, as a whole; it doesn't list their members.
                let (mirror, id) = (mirror, found.group.id)
                found.members = try await reading { () throws(StoreError) in
                    try mirror.withSnapshot { try $0.members(of: id) }
                }
            }
            return found
        }
        let names = try await groups(of: type).map(\.name)
        throw CollectorProblem(
            .notFound, "There is no \(type.rawValue) of this name in environment \(universeService.environment).",
            nearest: NearestNames.nearest(to: name, among: names))
    }

    func groups(of type: GroupType?) async throws(CollectorProblem) -> [UniverseGroup] {
        do { return try await symbols.cache.groups(of: type) } catch { throw CollectorProblem(error) }
    }

    func refreshUniverses(_ scope: RelationshipCache.Scope) async throws(CollectorProblem) -> Int {
        universeService.invalidate(scope)
    }
}

extension CollectorProblem {
    init(_ error: StoreError) {
        self.init(error.isRetryable || error.reason == .missing ? .unavailable : .failed, "\(error)")
    }
}

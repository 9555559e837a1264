import MarketData
public import Store

extension UniverseImporter {
    /// What deriving the sectors changed.
    public struct SectorReport: Sendable {
        /// The sectors that changed, by name.
        public var sectors: [String]
        /// How many stocks have a sector afterwards.
        public var coverage: SectorDerivation.Coverage
        /// Remarks, one line each.
        public var remarks: [String]
    }

    /// Makes SECTOR groups from the holdings of the eleven sector ETFs in the mirror. Stocks that have a sector keep
    /// it, unless forced. Blocks on the disk.
    ///
    /// - Throws: an error of the mirror's file; nothing is written then.
    public func deriveSectors(
        environment: String, force: Bool = false, isDryRun: Bool = false
    ) throws(StoreError) -> SectorReport {
        let (derivation, changes, groups) = try mirror.withSnapshot { snapshot in
            let groups = try snapshot.contents().groups.filter { $0.record.identity.environment == environment }
            var holdings: [String: [MemberRecord]] = [:]
            for group in groups where group.record.identity.type == GroupType.etf.rawValue {
                holdings[group.record.identity.name.uppercased()] = group.record.members
            }
            let derivation = SectorDerivation(holdings: holdings)
            let sectors = groups.filter { $0.record.identity.type == GroupType.sector.rawValue }
            let note = ImportNote(source: "sector ETFs", format: "derived", checksum: "")
            let changes = derivation.changes(
                over: sectors, environment: environment, replacing: force, note: note)
            return (derivation, changes, groups)
        }
        if !isDryRun { try mirror.apply(changes) }
        var after = groups
        for change in changes { after.replace(by: change) }
        return SectorReport(
            sectors: changes.map(\.definition.name),
            coverage: SectorDerivation.coverage(of: after, environment: environment), remarks: derivation.remarks)
    }
}

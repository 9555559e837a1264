import MarketData
public import Store

/// Derives the sector of each stock: from the holdings of the eleven sector ETFs, or from a list that names sectors and
/// industries. Pure.
public struct SectorDerivation: Sendable, Equatable {
    /// The sector and industry of a stock.
    struct Assignment: Sendable, Equatable {
        var sector: String
        var industry: String?
        /// The stock's share of the sector's ETF in percent.
        var weight: Double?
    }

    /// How many stocks have a sector.
    public struct Coverage: Sendable, Equatable, Codable {
        /// Stocks that are in some universe or ETF.
        public var stocks: Int
        /// Those of them that have a sector.
        public var classified: Int
        /// Those that have none, sorted.
        public var missing: [String]

        /// The share that has a sector, from 0 to 1; 1 when there are no stocks.
        public var share: Double { stocks == 0 ? 1 : Double(classified) / Double(stocks) }
    }

    /// The funds that divide the S&P 500 into the eleven GICS sectors, with those sectors' names.
    public static let sectorETFs: [(etf: String, sector: String)] = [
        ("XLB", "Materials"), ("XLC", "Communication Services"), ("XLE", "Energy"), ("XLF", "Financials"),
        ("XLI", "Industrials"), ("XLK", "Information Technology"), ("XLP", "Consumer Staples"),
        ("XLRE", "Real Estate"), ("XLU", "Utilities"), ("XLV", "Health Care"), ("XLY", "Consumer Discretionary"),
    ]

    /// The sector and industry of each stock, by symbol.
    private(set) var assignments: [String: Assignment] = [:]
    /// Whether there are holdings of any sector ETF.
    private(set) var hasETFs = false
    /// Remarks, one line each.
    private(set) var remarks: [String] = []

    /// Derives from the sector ETFs' holdings, by ETF. A stock in two of them belongs to the one where it weighs more.
    init(holdings: [String: [MemberRecord]]) {
        var conflicts: [String] = []
        for (etf, sector) in Self.sectorETFs {
            for member in holdings[etf] ?? [] {
                if let other = assignments[member.symbol] {
                    conflicts.append(member.symbol)
                    guard (member.weight ?? 0) > (other.weight ?? 0) else { continue }
                }
                assignments[member.symbol] = Assignment(sector: sector, weight: member.weight)
            }
        }
        let missing = Self.sectorETFs.map(\.etf).filter { holdings[$0]?.isEmpty ?? true }
        hasETFs = missing.count < Self.sectorETFs.count
        if !missing.isEmpty {
            remarks.append(
                hasETFs
                    ? "the holdings of \(missing.joined(separator: ", ")) are missing: import them to derive their sectors"
                    : "nothing is derived: there are no holdings of a sector ETF (\(missing.joined(separator: ", "))); "
                        + "import them")
        }
        if !conflicts.isEmpty {
            remarks.append(
                "\(conflicts.count.counted("stock is", "stocks are")) in two sector ETFs and assigned to the one with "
                    + "the higher weight: \(DisplayText.list(conflicts))")
        }
    }

    /// Derives from a list's sector and industry columns.
    init(entries: [HoldingsImport.Entry]) {
        for entry in entries {
            guard let sector = entry.sector else { continue }
            assignments[entry.symbol] = Assignment(sector: sector, industry: entry.industry)
        }
        let without = entries.filter { $0.sector == nil }.map(\.symbol)
        if !assignments.isEmpty, !without.isEmpty {
            remarks.append("\(without.count.counted("row")) with no sector: \(DisplayText.list(without))")
        }
    }

    /// Returns the new members of the sectors that change.
    ///
    /// - Parameters:
    ///   - existing: The groups of type SECTOR of the environment.
    ///   - replacing: Whether a stock that already has a sector moves to the derived one; otherwise it stays.
    func changes(
        over existing: [MirrorContents.Group], environment: String, replacing: Bool, note: ImportNote
    ) -> [GroupChange] {
        var members: [String: [String: MemberRecord]] = [:]
        var current: [String: [String: MemberRecord]] = [:]
        var placed: Set<String> = []
        for group in existing {
            let name = group.record.identity.name
            for member in group.record.members {
                current[name, default: [:]][member.symbol] = member
                if replacing, assignments[member.symbol] != nil { continue }
                placed.insert(member.symbol)
                members[name, default: [:]][member.symbol] = member
            }
        }
        let names = Dictionary(
            existing.map(\.record.identity.name).map { ($0.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
        for (symbol, assignment) in assignments where !placed.contains(symbol) {
            let name = names[assignment.sector.lowercased()] ?? assignment.sector
            let old = current[name]?[symbol]
            // Written as jsonb writes it, so that the document returns unchanged from a database.
            let industry = assignment.industry.map { "{\"industry\": \(JSONString.quoted($0))}" }
            members[name, default: [:]][symbol] = MemberRecord(
                symbol: symbol, weight: assignment.weight ?? old?.weight, metadata: industry ?? old?.metadata,
                createdAt: old?.createdAt)
        }
        return Set(members.keys).union(current.keys).sorted().compactMap { name in
            let new = members[name] ?? [:]
            guard new != current[name] ?? [:] else { return nil }
            return GroupChange(
                definition: .init(name: name, type: .sector, environment: environment),
                members: new.values.sorted { $0.symbol < $1.symbol }, imported: note)
        }
    }

    /// How many of the stocks in universes and ETFs have a sector.
    public static func coverage(of groups: [MirrorContents.Group], environment: String) -> Coverage {
        var stocks: Set<String> = []
        var classified: Set<String> = []
        for group in groups where group.record.identity.environment == environment {
            let symbols = group.record.members.lazy.map(\.symbol)
            switch GroupType(rawValue: group.record.identity.type) {
            case .universe, .etf: stocks.formUnion(symbols)
            case .sector: classified.formUnion(symbols)
            default: break
            }
        }
        let missing = stocks.subtracting(classified).sorted()
        return Coverage(stocks: stocks.count, classified: stocks.count - missing.count, missing: missing)
    }
}

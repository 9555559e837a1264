import MarketData

/// The questions that the relationship cache answers.
public enum RelationshipKind: String, Sendable, CaseIterable, Codable {
    /// The symbols of a universe key.
    case universe
    /// The holdings of an ETF.
    case etfHoldings = "etf_holdings"
    /// The ETFs that hold a stock.
    case stockETFs = "stock_etfs"
    /// The groups other than ETFs that hold a stock.
    case stockGroups = "stock_groups"
    /// The sector and industry of a stock; without a name, the sectors of all.
    case classification
    /// The stocks of a sector.
    case sectorStocks = "sector_stocks"
    /// The members of a theme.
    case themeMembers = "theme_members"
    /// The groups of a type, with their member counts.
    case groups
}

extension GroupType {
    /// The question about the members of a group of this type; `nil` if there is none.
    var memberKind: RelationshipKind? {
        switch self {
        case .etf: .etfHoldings
        case .sector: .sectorStocks
        case .theme: .themeMembers
        case .universe, .segment, .custom: nil
        }
    }
}

/// An ETF that holds a stock.
public struct StockETF: Sendable, Equatable, Codable {
    /// The ETF's name.
    public var name: String
    /// The stock's share of the ETF in percent, when known.
    public var weight: Double?
}

/// A stock's place in the market.
public struct StockClassification: Sendable, Equatable {
    /// The sector; `unknown` for a stock that is in none.
    public var sector: String
    /// The industry; `Unknown` when none is known.
    public var industry: String

    /// The classification of a stock that is in no sector.
    public static let unknown = StockClassification(sector: "unknown", industry: "Unknown")
}

/// What the relationship cache holds, and what it has done since it was made.
public struct CacheStatistics: Sendable, Equatable {
    /// Answers from memory, stale ones included.
    public var hits = 0
    /// Questions that had to wait for the file.
    public var misses = 0
    /// Reads of the file, including reloads of stale answers; many misses may share one.
    public var loads = 0
    /// Reads that failed: unknown names, and a file that could not be read.
    public var failures = 0
    /// Answers dropped to keep within the limits.
    public var evictions = 0
    /// Answers held.
    public var entries = 0
    /// About how much memory the answers take, in bytes.
    public var bytes = 0

    /// The share of questions answered from memory, from 0 to 1; `nil` before the first.
    public var hitRate: Double? { hits + misses == 0 ? nil : Double(hits) / Double(hits + misses) }
}

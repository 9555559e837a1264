/// Which column of a list holds what, as its header says.
struct HoldingsColumns: Equatable {
    var symbol: Int
    var weight: Int?
    var name: Int?
    var assetClass: Int?
    var sector: Int?
    var industry: Int?
    /// The titles, in small letters, single blanks between words.
    let titles: [String]

    private static let symbolTitles: Set = [
        "ticker", "symbol", "holding ticker", "stock ticker", "ticker symbol", "stockticker", "fund ticker symbol",
    ]
    private static let nameTitles: Set = [
        "name", "holding", "holdings", "holding name", "security name", "company", "company name", "description",
        "security",
    ]
    private static let otherTitles: Set = [
        "cusip", "sedol", "isin", "identifier", "security identifier", "shares", "shares held", "shares/par value",
        "quantity", "shares/quantity", "market value", "marketvalue", "notional value", "asset class", "location",
        "exchange", "local currency", "price",
    ]

    /// Reads a row as a header; `nil` when it is none.
    init?(_ row: [[UInt8]]) {
        titles = row.map(HoldingsColumns.title)
        guard let symbol = titles.firstIndex(where: Self.symbolTitles.contains) else { return nil }
        self.symbol = symbol
        weight = titles.firstIndex(where: HoldingsColumns.isWeight)
        name = titles.firstIndex(where: Self.nameTitles.contains)
        assetClass = titles.firstIndex { ["asset class", "security type", "holding type", "type"].contains($0) }
        sector = titles.firstIndex { ["sector", "gics sector"].contains($0) }
        industry = titles.firstIndex {
            ["industry", "gics industry", "sub-industry", "gics sub-industry", "sub industry"].contains($0)
        }
        let isAlone = titles.count > 1 && weight == nil && name == nil && assetClass == nil && sector == nil
        guard !isAlone || titles.contains(where: Self.otherTitles.contains) else { return nil }
    }

    /// Whether the columns are those of a fund's holdings rather than of a plain list.
    var areHoldings: Bool {
        titles.contains { Self.otherTitles.contains($0) || $0.hasPrefix("% of ") || $0.hasSuffix("asset class") }
    }

    func has(_ titles: String...) -> Bool { titles.contains { self.titles.contains($0) } }

    private static func isWeight(_ title: String) -> Bool {
        ["weight", "weight %", "weight (%)", "weight%", "weighting", "portfolio weight", "% weight"].contains(title)
            || title.hasPrefix("% of fund") || title.hasPrefix("% of net asset") || title.hasPrefix("% net asset")
    }

    static func title(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).replacing("\u{A0}", with: " ").split(whereSeparator: \.isWhitespace)
            .joined(separator: " ").lowercased()
    }
}

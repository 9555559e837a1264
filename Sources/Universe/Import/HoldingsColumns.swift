/// What each column of a list holds, according to its header.
struct HoldingsColumns: Equatable {
    var symbol: Int
    /// The symbol as the tape, and so the feed, writes it. Directories of exchanges have this column.
    var tapeSymbol: Int?
    /// The fund that a row belongs to.
    var fund: Int?
    var weight: Int?
    var name: Int?
    var assetClass: Int?
    var sector: Int?
    var industry: Int?
    /// Holds `Y` for symbols that exchanges use for tests.
    var testIssue: Int?
    /// Holds `false` for symbols that are no longer traded.
    var active: Int?
    /// Holds `Y` for cash.
    var moneyMarket: Int?
    /// The currency in which a holding is traded, which is not the fund's own.
    var currency: Int?
    /// The titles in lower case, with single blanks between words.
    let titles: [String]

    private static let nameTitles: Set = [
        "name", "holding", "holdings", "holding name", "security name", "securityname", "company", "company name",
        "description", "security description", "security", "fund holdings", "issuer name",
    ]
    /// Titles that only a fund's holdings have.
    private static let holdingsTitles: Set = [
        "cusip", "sedol", "security identifier", "security sedol", "shares", "shares held", "shares/par value",
        "shares/contracts", "shares / quantity", "shares/quantity", "quantity", "market value", "marketvalue",
        "market value ($)", "market value (us$)", "notional value", "asset class", "exposure weight", "anlageklasse",
        "nominalwert",
    ]
    /// Other titles that distinguish a header from a row.
    private static let otherTitles: Set = [
        "isin", "identifier", "location", "exchange", "local currency", "price", "market", "type", "country", "date",
    ]

    /// Reads a row as a header; `nil` when it is not one.
    ///
    /// - Parameter isFirst: Whether no other row is above it.
    init?(_ row: [[UInt8]], isFirst: Bool) {
        let titles = row.map(HoldingsColumns.title)
        self.titles = titles
        let known: (Set<String>) -> Int? = { titles.firstIndex(where: $0.contains) }
        name = known(Self.nameTitles)
        weight = titles.firstIndex(where: HoldingsColumns.isWeight)
        assetClass = known(["asset class", "security type", "holding type", "type", "classification", "anlageklasse"])
        sector = known(["sector", "gics sector", "classification", "sektor"])
        industry = known(["industry", "gics industry", "sub-industry", "gics sub-industry", "sub industry"])
        tapeSymbol = known(["cqs symbol"])
        testIssue = known(["test issue"])
        active = known(["active", "is active", "is_active"])
        moneyMarket = known(["moneymarketflag", "money market flag"])
        currency = known(["market currency", "local currency", "trading currency", "marktwährung"])
        let others = titles.contains {
            Self.otherTitles.contains($0) || Self.isOfHoldings($0) || Self.isOtherSymbol($0)
        }
        let isKnown = weight != nil || name != nil || assetClass != nil || sector != nil || others
        if let symbol = titles.firstIndex(where: HoldingsColumns.isSymbol) {
            self.symbol = symbol
        } else if let symbol = titles.firstIndex(of: "identifier"), name != nil, titles.contains("cusip") {
            // As First Trust names it.
            self.symbol = symbol
        } else {
            return nil
        }
        fund = known(["fund ticker", "fund ticker symbol", "fund symbol", "fund", "account", "etf ticker"])
        let isPlain = isFirst && ["symbol", "symbols", "ticker", "tickers"].contains(titles[symbol])
        guard titles.count == 1 || isKnown || isPlain else { return nil }
    }

    /// Whether the columns are those of a fund's holdings rather than of a plain list.
    var areHoldings: Bool { titles.contains(where: Self.isOfHoldings) }

    func has(_ titles: String...) -> Bool { titles.contains { self.titles.contains($0) } }

    private static func isOfHoldings(_ title: String) -> Bool {
        holdingsTitles.contains(title) || title.hasPrefix("% of ") || title.hasSuffix("asset class")
    }

    /// Whether a title is that of the symbols: `ticker`, `Issuer Ticker`, `StockTicker`, `ACT Symbol`, but not the
    /// fund's own ticker or a symbol of another system.
    private static func isSymbol(_ title: String) -> Bool {
        guard title.count <= 30, !title.contains(":") else { return false }
        let words = title.split { " _-".contains($0) }
        guard let last = words.last, let first = words.first, words.count <= 3 else { return false }
        let isTicker = ["ticker", "tickers", "symbol", "symbols", "stockticker", "emittententicker"].contains(last)
        return isTicker && !owners.contains(first)
    }

    /// Whether a title is that of a fund's or an index's own symbol, or of a symbol of another system.
    private static func isOtherSymbol(_ title: String) -> Bool {
        let words = title.split { " _-".contains($0) }
        return words.count == 2 && owners.contains(words[0]) && ["ticker", "symbol"].contains(words[1])
    }

    /// What a symbol belongs to that is not a holding's.
    private static let owners: Set<Substring> = ["fund", "etf", "cqs", "nasdaq", "index", "benchmark", "underlying"]

    private static func isWeight(_ title: String) -> Bool {
        let words = title.split { " ()".contains($0) }.filter { $0 != "%" && $0 != "in" }
        let text = words.joined(separator: " ").replacing("%", with: "")
        let named: Set = [
            "weight", "weights", "weighting", "weightings", "portfolio weight", "exposure weight", "fund weight",
            "index weight", "component weight", "constituent weight", "gewichtung",
        ]
        return named.contains(text)
            || ["% of fund", "% of net asset", "% net asset", "% of total net asset", "% of portfolio"]
                .contains(where: title.hasPrefix)
    }

    static func title(_ bytes: [UInt8]) -> String { HoldingsRow.text(bytes).lowercased() }
}

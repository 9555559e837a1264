/// Decides what one row of a list with a header is. Pure.
enum HoldingsRow: Equatable {
    /// A share, with its ticker as written.
    case share(String)
    /// Cash, a future, a currency: nothing that the feed sends.
    case cash
    /// A holding without a ticker.
    case unlisted(String)
    /// A blank row, a total, a footnote or a symbol for tests.
    case remainder

    init(_ fields: [[UInt8]], _ columns: HoldingsColumns) {
        func field(_ column: Int?) -> String { HoldingsRow.cell(column, of: fields) ?? "" }
        let ticker = field(columns.symbol)
        let name = field(columns.name)
        let assetClass = field(columns.assetClass).lowercased()
        // Footnotes fill only the first column.
        guard fields.count > max(1, columns.symbol), fields.count(where: { !HoldingsRow.text($0).isEmpty }) > 1,
            field(columns.testIssue).uppercased() != "Y", !HoldingsRow.isTrailer(fields)
        else {
            self = .remainder
            return
        }
        if field(columns.moneyMarket).uppercased() == "Y"
            || HoldingsRow.isCash(ticker: ticker, name: name, assetClass: assetClass)
        {
            self = .cash
        } else if SymbolSpelling.isMissing(ticker)
            // A company has the ticker NA.
            || ticker.lowercased() == "na" && !name.lowercased().hasPrefix("nano labs")
        {
            let isTotal = name.isEmpty || ["total", "fund balance"].contains(where: name.lowercased().hasPrefix)
            self = isTotal ? .remainder : .unlisted(name)
        } else if ListWord.isSurely(ticker), !ListWord.isMoney(ticker) {
            self = ListWord.isKnown(ticker) ? .remainder : .unlisted(name.isEmpty ? ticker : name)
        } else {
            self = .share(HoldingsRow.withClass(HoldingsRow.withWholeExchange(ticker, name: name), name: name))
        }
    }

    /// A cell's text without the blanks around it and without invisible characters; a spreadsheet's `="AAPL"` is
    /// unwrapped.
    static func text(_ bytes: [UInt8]) -> String {
        var text = SymbolSpelling.visible(String(decoding: bytes, as: UTF8.self))
        if text.hasPrefix("=\""), text.hasSuffix("\""), text.count > 2 {
            text = SymbolSpelling.visible(String(text.dropFirst(2).dropLast()))
        }
        return text
    }

    /// The text in a column; `nil` where the row, or the list, doesn't have it.
    static func cell(_ column: Int?, of fields: [[UInt8]]) -> String? {
        guard let column, column < fields.count else { return nil }
        return text(fields[column])
    }

    /// Whether a row is the last line of an exchange's symbol directory.
    static func isTrailer(_ fields: [[UInt8]]) -> Bool {
        fields.first.map { $0.starts(with: "File Creation Time".utf8) } ?? false
    }

    private static func isCash(ticker: String, name: String, assetClass: String) -> Bool {
        let shares = ["equity", "stock", "receipt", "reit", "share"]
        let others = [
            "cash", "money market", "money mkt", "future", "collateral", "currency", "forward", "swap", "option",
            "derivative", "fixed income", "fixed-income", "bond", "treasury", "short term", "short-term",
        ]
        let isShare = shares.contains(where: assetClass.contains)
        if others.contains(where: assetClass.contains), !isShare { return true }
        let upper = ticker.uppercased().filter { $0 != "$" }
        let saysCash =
            name.isEmpty || ListWord.isMoney(name) || name.uppercased().contains("MONEY MARKET")
            || name.uppercased().split { !$0.isLetter }.contains { ["CASH", "DOLLAR", "DOLLARS"].contains($0) }
        if SymbolSpelling.isMissing(ticker) { return saysCash && !name.isEmpty }
        // CASH is also a company's ticker.
        if upper == "CASH" { return saysCash }
        if !isShare, ListWord.isMoney(upper) || ListWord.isMoney(upper, named: name) || upper.hasSuffix("_USD") {
            return true
        }
        // Tickers of money-market funds end in XX.
        return upper.count == 5 && upper.hasSuffix("XX") && SymbolSpelling.isUsual(upper)
    }

    /// Removes Bloomberg's exchange when it was cut short: `GRMN U` is a unit only when its name says so.
    private static func withWholeExchange(_ ticker: String, name: String) -> String {
        let words = name.uppercased().split { !$0.isLetter }
        guard ticker.hasSuffix(" U"), !words.contains("UNIT"), !words.contains("UNITS"), !name.isEmpty else {
            return ticker
        }
        return String(ticker.dropLast(2))
    }

    /// Share classes that some funds write without a separator; the name must mention the class too.
    private static let compactClasses: [String: String] = [
        "BRKA": "BRK.A", "BRKB": "BRK.B", "BFA": "BF.A", "BFB": "BF.B", "LENB": "LEN.B", "HEIA": "HEI.A",
        "MOGA": "MOG.A", "MOGB": "MOG.B", "UHALB": "UHAL.B", "CRDA": "CRD.A", "CRDB": "CRD.B", "GEFB": "GEF.B",
        "LGFA": "LGF.A", "LGFB": "LGF.B", "AKOB": "AKO.B",
    ]

    private static func withClass(_ ticker: String, name: String) -> String {
        guard let dotted = compactClasses[ticker], let letter = ticker.last else { return ticker }
        let words = name.uppercased().split { !$0.isLetter }
        let isNamed = zip(words, words.dropFirst()).contains { pair in
            ["CLASS", "CL", "SERIES"].contains(pair.0) && pair.1 == String(letter)
        }
        return isNamed ? dotted : ticker
    }
}

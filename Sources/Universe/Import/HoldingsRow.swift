/// Decides what one row of a fund's holdings is. Pure.
enum HoldingsRow: Equatable {
    /// A share, as its ticker is written.
    case share(String)
    /// Cash, a future, a currency: nothing that the feed sends.
    case cash
    /// A holding without a ticker.
    case unlisted(String)
    /// A blank row, a total or a footnote.
    case remainder

    init(_ fields: [[UInt8]], _ columns: HoldingsColumns) {
        func field(_ column: Int?) -> String {
            guard let column, column < fields.count else { return "" }
            return HoldingsRow.text(fields[column])
        }
        let ticker = field(columns.symbol)
        let name = field(columns.name)
        let assetClass = field(columns.assetClass).lowercased()
        // Footnotes stand in the first column alone.
        guard fields.count > max(1, columns.symbol), fields.count(where: { !HoldingsRow.text($0).isEmpty }) > 1 else {
            self = .remainder
            return
        }
        if HoldingsRow.isCash(ticker: ticker, name: name, assetClass: assetClass) {
            self = .cash
        } else if HoldingsRow.isMissing(ticker) {
            let isTotal = name.isEmpty || name.lowercased().hasPrefix("total")
            self = isTotal ? .remainder : .unlisted(name)
        } else {
            self = .share(HoldingsRow.withClass(ticker, name: name))
        }
    }

    static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).replacing("\u{A0}", with: " ").split(whereSeparator: \.isWhitespace)
            .joined(separator: " ")
    }

    private static func isMissing(_ ticker: String) -> Bool {
        ["", "-", "--", "—", "n/a", "na", "none", "null"].contains(ticker.lowercased())
    }

    private static let currencies: Set = [
        "USD", "EUR", "GBP", "JPY", "CAD", "CHF", "AUD", "HKD", "SEK", "NOK", "DKK", "XTSLA", "MARGIN_USD",
    ]

    private static func isCash(ticker: String, name: String, assetClass: String) -> Bool {
        let shares = ["equity", "stock", "receipt", "reit", "share"]
        let others = [
            "cash", "money", "future", "collateral", "currency", "forward", "swap", "option", "derivative", "fixed",
            "bond", "treasury", "short term", "short-term",
        ]
        if others.contains(where: assetClass.contains), !shares.contains(where: assetClass.contains) { return true }
        let upper = ticker.uppercased()
        if currencies.contains(upper) && !shares.contains(where: assetClass.contains) || upper.hasPrefix("CASH_")
            || upper.hasSuffix("_USD")
        {
            return true
        }
        let words = name.uppercased().split { !$0.isLetter }
        let saysCash = words.contains("CASH") || words.contains("DOLLAR") || words.contains("DOLLARS")
        // CASH is a company's ticker too.
        return (isMissing(ticker) || upper == "CASH") && (saysCash || name.uppercased().contains("MONEY MARKET"))
    }

    /// Share classes that some funds write without a separator; the name must speak of the class too.
    private static let compactClasses: [String: String] = [
        "BRKA": "BRK.A", "BRKB": "BRK.B", "BFA": "BF.A", "BFB": "BF.B", "LENB": "LEN.B", "HEIA": "HEI.A",
        "MOGA": "MOG.A", "MOGB": "MOG.B", "UHALB": "UHAL.B", "CRDA": "CRD.A", "CRDB": "CRD.B", "GEFB": "GEF.B",
        "HUBB": "HUBB", "LGFA": "LGF.A", "LGFB": "LGF.B", "AKOB": "AKO.B",
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

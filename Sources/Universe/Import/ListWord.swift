import MarketData

/// The words that people and funds write where symbols belong: titles, totals, cash. Pure.
///
/// Short ones can also be tickers (`CASH`, `CODE`, `USD`). In capitals, they are words only if the rows around them say
/// so.
enum ListWord {
    /// Whether a text is a word wherever it is. That is a known word that is longer than any ticker, or is written as a
    /// capital and small letters, and any text that is longer than a symbol's root.
    static func isSurely(_ text: String) -> Bool {
        if isKnown(text) { return letters(text).count > 4 || SymbolSpelling.isBegunWord(text) }
        if isMoney(text) { return letters(text).count > 5 || SymbolSpelling.isBegunWord(text) }
        guard text.count > 5, text.allSatisfy({ $0.isASCII && $0.isLetter }),
            case .symbol(let symbol, _) = SymbolSpelling(reading: text)
        else { return false }
        return !SymbolSpelling.isUsual(symbol.description)
    }

    /// Whether a text is a known title or end mark. Above the first symbol and below the last, it can be nothing else.
    static func isKnown(_ text: String) -> Bool { known.contains(letters(text)) }

    /// Whether a text means only money: `CASH`, `USD`, `CASH_USD`, `-EUR CASH-`, `USD Curncy`, `Cash&Other`.
    static func isMoney(_ text: String) -> Bool {
        let words = text.uppercased().split { !$0.isLetter }
        return words.contains { money.contains($0) }
            && words.allSatisfy { money.contains($0) || besideMoney.contains($0) || moreCurrencies.contains($0) }
    }

    /// Whether a text is a currency's code and its name is about money: `KRW`, a Korean won. Some codes are also
    /// companies' tickers, such as `COP` and `PEN`.
    static func isMoney(_ text: String, named name: String) -> Bool {
        guard text.count == 3, moreCurrencies.contains(text[...]) else { return false }
        return name.uppercased().split { !$0.isLetter }.contains { moneyNames.contains($0) }
    }

    /// Whether a fund's ticker may be taken from a sentence or a file's name. Words that funds write there about
    /// themselves, currencies and indices are not tickers.
    static func canNameFund(_ ticker: String) -> Bool {
        !isKnown(ticker) && !isMoney(ticker) && !moreCurrencies.contains(ticker[...])
            && !besideFunds.contains(ticker[...])
    }

    private static func letters(_ text: String) -> String { text.lowercased().filter(\.isLetter) }

    private static let known: Set = [
        // Titles.
        "symbol", "symbols", "ticker", "tickers", "code", "codes", "ric", "isin", "cusip", "sedol", "figi", "wkn",
        "stock", "stocks", "share", "shares", "equity", "name", "names", "company", "issuer", "security", "asset",
        "assets", "member", "members", "holding", "holdings", "position", "list", "index", "rank", "type", "date",
        "title", "weight", "weights", "price", "value", "market", "sector", "aktie", "aktien", "titel", "gewicht",
        "action", "titre",
        // Ends.
        "total", "totals", "subtotal", "grandtotal", "totalassets", "netassets", "sum", "end", "eof", "other", "others",
        "rest", "remainder", "fundbalance", "summe", "gesamt", "totale", "totaal", "source", "notes",
    ]

    /// Words that mean money wherever a fund lists its holdings.
    private static let money: Set<Substring> = [
        "CASH", "CURNCY", "USD", "EUR", "GBP", "JPY", "CAD", "CHF", "AUD", "HKD", "SEK", "NOK", "DKK", "XTSLA",
    ]

    private static let moreCurrencies: Set<Substring> = [
        "AED", "ARS", "BRL", "CLP", "CNH", "CNY", "COP", "CZK", "EGP", "GBX", "HUF", "IDR", "ILS", "INR", "KRW", "KWD",
        "MXN", "MYR", "NZD", "PEN", "PHP", "PKR", "PLN", "QAR", "RON", "RUB", "SAR", "SGD", "THB", "TRY", "TWD", "VND",
        "ZAR",
    ]

    private static let moneyNames: Set<Substring> = [
        "CASH", "CURRENCY", "BAHT", "DINAR", "DIRHAM", "DOLLAR", "DOLLARS", "DONG", "FORINT", "KORUNA", "LEU", "LIRA",
        "PENCE", "PESO", "POUND", "RAND", "REAL", "RENMINBI", "RINGGIT", "RIYAL", "ROUBLE", "RUBLE", "RUPEE", "RUPIAH",
        "SHEKEL", "SOL", "WON", "YUAN", "ZLOTY",
    ]

    private static let besideMoney: Set<Substring> = [
        "AND", "BALANCE", "COLLATERAL", "CURRENCY", "EQUIVALENT", "EQUIVALENTS", "MARGIN", "NET", "OFFSET",
        "OTHER", "OTHERS", "POSITION",
    ]

    private static let besideFunds: Set<Substring> = [
        "ACC", "ADR", "AUM", "DIST", "DJIA", "ESG", "ETC", "ETF", "ETFS", "ETN", "ETP", "EU", "FTSE", "GICS", "ICAV",
        "INC", "LTD", "MSCI", "NASDAQ", "NAV", "NDX", "NR", "NTR", "NYSE", "PLC", "REIT", "RUT", "SPX", "TR", "UCITS",
        "UK", "US", "USA", "VIX",
    ]
}

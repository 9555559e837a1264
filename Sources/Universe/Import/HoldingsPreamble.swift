import MarketData

/// What stands above the rows of a list: lines about a fund, and the header.
struct HoldingsPreamble {
    let columns: HoldingsColumns
    let headerLine: Int
    let separator: UInt8
    let format: HoldingsImport.Format
    let fund: String?
    let title: String?
    private let hasLines: Bool

    /// Whether the rows below are a fund's holdings.
    var isFund: Bool { hasLines || columns.areHoldings }

    /// A header comes within this many rows, or not at all.
    private static let limit = 60

    /// Looks for a header; `nil` when there is none, so that the file is a plain list.
    init?(_ csv: [UInt8]) {
        // The first line of a fund's file need not have the separator of its rows.
        for separator in [SeparatedRows.separator(of: csv), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")] {
            var rows = SeparatedRows(csv, separator: separator)
            var lines: [[String]] = []
            while lines.count < Self.limit, let (line, row) = rows.next() {
                guard case .fields(let fields) = row else {
                    lines.append([])
                    continue
                }
                if fields.count > 1 || lines.isEmpty, let columns = HoldingsColumns(fields) {
                    self.init(columns, line: line, separator, lines)
                    return
                }
                lines.append(fields.map(HoldingsRow.text))
            }
        }
        return nil
    }

    private init(_ columns: HoldingsColumns, line: Int, _ separator: UInt8, _ lines: [[String]]) {
        self.columns = columns
        self.separator = separator
        headerLine = line
        hasLines = !lines.isEmpty
        let text = lines.joined().joined(separator: "\n").lowercased()
        func value(_ keys: String...) -> String? {
            for fields in lines where fields.count > 1 && !fields[1].isEmpty {
                let key = fields[0].lowercased().prefix { $0 != ":" }
                if keys.contains(String(key)) { return fields[1] }
            }
            return nil
        }
        let named = lines.joined().lazy.compactMap(Self.tickerInParentheses).first
        let ticker = value("ticker symbol", "fund ticker", "ticker", "fund ticker symbol") ?? named
        fund = ticker.flatMap { SymbolSpelling(reading: $0).symbolText }
        title = value("fund name", "fund", "name") ?? lines.first { $0.count(where: { !$0.isEmpty }) == 1 }?.first
        if text.contains("ishares") || text.contains("fund holdings as of")
            || columns.has("asset class") && columns.has("notional value", "market currency", "fx rate")
        {
            format = .ishares
        } else if text.contains("vanguard") || columns.titles.contains(where: { $0.hasPrefix("% of fund") }) {
            format = .vanguard
        } else if text.contains("spdr") || text.contains("ticker symbol") || columns.has("shares held") {
            format = .spdr
        } else {
            format = .holdings
        }
    }

    /// `VOO` of `Vanguard S&P 500 ETF (VOO)`.
    private static func tickerInParentheses(_ text: String) -> String? {
        guard let open = text.lastIndex(of: "("), let close = text[open...].firstIndex(of: ")") else { return nil }
        let inside = text[text.index(after: open)..<close]
        return (2...5).contains(inside.count) && inside.allSatisfy { ("A"..."Z").contains($0) } ? String(inside) : nil
    }
}

extension SymbolSpelling {
    /// The symbol as text; `nil` when what was written is none.
    fileprivate var symbolText: String? {
        guard case .symbol(let symbol, _) = self else { return nil }
        return symbol.description
    }
}

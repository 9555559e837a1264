import MarketData

/// What precedes the rows of a list: lines about a fund, and the header.
struct HoldingsPreamble {
    let columns: HoldingsColumns
    let headerLine: Int
    let separator: UInt8
    let format: HoldingsImport.Format
    let fund: String?
    let title: String?
    private let mentionsFund: Bool

    /// Whether the rows below are a fund's holdings.
    var isFund: Bool { mentionsFund || columns.areHoldings }

    /// Whether a comma is the decimal point, as it is when it does not separate the columns.
    var hasDecimalCommas: Bool { separator != UInt8(ascii: ",") }

    /// Where the symbols are, in words.
    var place: String {
        "in the column \(quoted(columns.titles[columns.symbol])), which the header on line \(headerLine) names"
    }

    /// The number of rows in which a header is looked for.
    private static let limit = 60

    /// Looks for a header; `nil` when there is none, and the file is a plain list.
    init?(_ csv: [UInt8]) {
        // The first line of a fund's file may have another separator than its rows.
        for separator in [SeparatedRows.separator(of: csv)] + SeparatedRows.separators {
            var lines: [[String]] = []
            for (line, row) in SeparatedRows(csv, separator: separator).prefix(Self.limit) {
                guard case .fields(let fields) = row else {
                    lines.append([])
                    continue
                }
                if fields.count > 1 || lines.isEmpty,
                    let columns = HoldingsColumns(fields, isFirst: lines.isEmpty)
                {
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
        let text = lines.joined().joined(separator: "\n").lowercased()
        func value(_ keys: String...) -> String? {
            for fields in lines where fields.count > 1 && !fields[1].isEmpty {
                let key = fields[0].lowercased().prefix { $0 != ":" }
                if keys.contains(String(key)) { return fields[1] }
            }
            return nil
        }
        // A line for spreadsheets (`sep=;`) may be above the title.
        let alone = lines.compactMap { fields in
            fields.count(where: { !$0.isEmpty }) == 1 ? fields.first { !$0.isEmpty } : nil
        }
        title = value("fund name", "fund", "name") ?? alone.first { !$0.hasPrefix("sep=") }
        let ticker =
            value("ticker symbol", "fund ticker", "ticker", "fund ticker symbol")
            ?? title.flatMap(Self.tickerInParentheses)
        fund = ticker.flatMap { Symbol(spelled: $0)?.description }
        mentionsFund = fund != nil || ["fund", "holding", "etf", "trust"].contains(where: text.contains)
        if text.contains("ishares") || text.contains("fund holdings as of")
            || columns.has("asset class") && columns.has("notional value", "market currency", "fx rate")
                && !columns.has("identifier (figi)")
        {
            format = .ishares
        } else if text.contains("vanguard") || columns.titles.contains(where: { $0.hasPrefix("% of fund") }) {
            format = .vanguard
        } else if text.contains("spdr") || text.contains("ticker symbol")
            || columns.has("shares held") && columns.has("local currency")
        {
            format = .spdr
        } else {
            format = .holdings
        }
    }

    /// Reads a row's weight; one that is not a number is left out, with a remark.
    func weight(
        in fields: [[UInt8]], _ line: Int, of symbol: String, _ problems: inout [HoldingsImport.Problem]
    ) -> Double? {
        guard let text = HoldingsRow.cell(columns.weight, of: fields) else { return nil }
        switch WeightText(text, decimalComma: hasDecimalCommas) {
        case .none: return nil
        case .value(let value): return value
        case .malformed:
            problems.addWrongWeight(text, line, of: symbol)
            return nil
        }
    }

    /// The last ticker in parentheses: `VOO` in `Vanguard S&P 500 ETF (VOO)`.
    private static func tickerInParentheses(_ title: String) -> String? {
        title.split(separator: "(").dropFirst().compactMap { part -> String? in
            guard let end = part.firstIndex(of: ")") else { return nil }
            let inside = String(part[..<end])
            return isFundTicker(inside) && ListWord.canNameFund(inside) ? inside : nil
        }.last
    }

    /// Whether a text has the form of a fund's ticker.
    static func isFundTicker(_ text: String) -> Bool {
        (2...5).contains(text.count) && text.allSatisfy { ("A"..."Z").contains($0) }
    }
}

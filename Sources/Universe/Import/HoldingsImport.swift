import MarketData
import Store

/// Reads the members of a group from a file: a plain list of symbols, or the holdings that a fund company publishes.
/// The content decides which it is, not the file's name. Pure: the caller reads the file.
///
/// A fund's file begins with lines about the fund and ends with footnotes. Between them are shares, but also cash,
/// futures and holdings without a ticker, which are counted and left out.
public struct HoldingsImport: Sendable, Equatable {
    /// What kind of file it is.
    public enum Format: String, Sendable, CaseIterable {
        /// One symbol per row.
        case symbols
        /// Symbols with weights.
        case weighted
        /// Holdings as SPDR funds publish them.
        case spdr
        /// Holdings as iShares funds publish them.
        case ishares
        /// Holdings as Vanguard funds publish them.
        case vanguard
        /// Holdings of some other fund.
        case holdings

        /// Whether the file is about a fund.
        var isFund: Bool { self != .symbols && self != .weighted }
    }

    /// A member and what the file says about it.
    public struct Entry: Sendable, Equatable {
        /// The ticker as the feed writes it.
        public var symbol: String
        /// Its share of the group in percent.
        public var weight: Double?
        /// Its sector.
        public var sector: String?
        /// Its industry.
        public var industry: String?
        /// The row's line, from 1.
        public var line: Int
    }

    /// A remark on a row.
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// What it means for the row.
        public enum Consequence: Sendable, Equatable {
            /// The row is wrong and left out.
            case leftOut
            /// The row's weight is wrong and left out; its symbol is taken.
            case weightLeftOut
            /// The symbol was named by an earlier row.
            case repeated
            /// The row is taken; its spelling was changed, or is unusual.
            case remarked
            /// The row is taken, but it is a guess that its word is a symbol.
            case guessed
        }

        /// The row's line, from 1.
        public var line: Int
        /// What it means for the row.
        public var consequence: Consequence
        /// What is wrong, in a few words.
        public var text: String

        /// Whether the row is wrong.
        public var isFault: Bool { consequence == .leftOut || consequence == .weightLeftOut }

        /// Whether a strict import fails because of it.
        var isDoubt: Bool { isFault || consequence == .guessed }

        /// The remark on one line, with the row's line number.
        public var description: String { "line \(line): \(text)" }
    }

    /// What kind of file it is.
    public private(set) var format: Format
    /// The fund's own ticker, when the file names it.
    private(set) var fund: String?
    /// The fund's name, when the file gives it.
    private(set) var title: String?
    /// The members, each symbol once, in the order of the file; never empty.
    public private(set) var entries: [Entry] = []
    /// Remarks on rows, in the order of the file.
    private(set) var problems: [Problem] = []
    /// Remarks on the whole list, one line each.
    private(set) var remarks: [String] = []
    /// The number of rows of cash, futures and the like that were left out.
    private(set) var cashRows = 0
    /// The number of rows of holdings that were left out because a feed of US stocks doesn't have them.
    private(set) var elsewhereRows = 0

    /// The index of each symbol in ``entries``.
    private var places: [String: Int] = [:]

    /// Reads a file: a plain list, or the holdings of one fund or several.
    ///
    /// - Parameter strict: Whether one wrong row makes the whole file invalid.
    /// - Returns: the funds in the order of the file, at least one. Those without any share are left out, with a remark
    ///   on the first.
    /// - Throws: ``SymbolListError`` when the bytes are not text, no symbol is found, most rows lack one where it is
    ///   expected, or a strict file has a wrong row or one whose reading is a guess.
    public static func read(_ bytes: [UInt8], strict: Bool = false) throws(SymbolListError) -> [HoldingsImport] {
        var otherSheets: [String] = []
        let text = try ListText.separated(bytes, otherSheets: &otherSheets)
        let preamble = HoldingsPreamble(text)
        var lists: [HoldingsImport]
        if let preamble, preamble.isFund {
            lists = try funds(text, preamble, strict: strict)
        } else {
            lists = [try HoldingsImport(list: text, preamble, strict: strict)]
        }
        if !otherSheets.isEmpty {
            lists[0].remarks.append(
                "only the first list of the workbook is read, not those of the other sheets: "
                    + "\(DisplayText.list(otherSheets.map(quoted))); save each as a file of its own")
        }
        return lists
    }

    // MARK: - A list

    private init(list text: [UInt8], _ preamble: HoldingsPreamble?, strict: Bool) throws(SymbolListError) {
        let list = try SymbolListImport(text: text, preamble, strict: strict)
        problems = list.problems
        format = list.entries.contains { $0.weight != nil } ? .weighted : .symbols
        entries = list.entries
        if list.testRows > 0 { remarks.append("\(list.testRows.counted("exchange test symbol")) left out") }
        if list.inactiveRows > 0 {
            remarks.append(
                list.inactiveRows.counted("symbol that is not active", "symbols that are not active") + " left out")
        }
        judgeWeights()
    }

    // MARK: - Funds

    private init(_ preamble: HoldingsPreamble, fund: String?) {
        format = preamble.format
        self.fund = fund
        title = preamble.title
    }

    private static func funds(
        _ text: [UInt8], _ preamble: HoldingsPreamble, strict: Bool
    ) throws(SymbolListError) -> [HoldingsImport] {
        var rows = SeparatedRows(text, separator: preamble.separator)
        // Rows that name no fund belong to the fund above.
        var funds = [HoldingsImport(preamble, fund: preamble.fund)]
        var indices: [String: Int] = [:]
        var current = 0
        while let (line, row) = rows.next() {
            guard line > preamble.headerLine else { continue }
            guard case .fields(let fields) = row else {
                // Footnotes use quotes freely. A holding that can't be read has more than one column.
                if case .malformed(let text) = row, rows.lastLineHasSeparator {
                    funds[current].problems.add(line, .leftOut, text)
                }
                continue
            }
            if let name = HoldingsRow.cell(preamble.columns.fund, of: fields)?.uppercased(),
                HoldingsPreamble.isFundTicker(name), !ListWord.isSurely(name)
            {
                if indices.isEmpty { funds[0].fund = name }
                current = indices[name] ?? (indices.isEmpty ? 0 : funds.count)
                indices[name] = current
                if current == funds.count { funds.append(HoldingsImport(preamble, fund: name)) }
            }
            funds[current].take(fields, line, preamble)
        }
        var taken: [HoldingsImport] = []
        for fund in funds {
            try SymbolListError.judge(
                fund.problems, taken: fund.entries.count + fund.cashRows + fund.elsewhereRows, strict: strict,
                header: preamble.place)
            if !fund.entries.isEmpty { taken.append(fund) }
        }
        guard !taken.isEmpty else {
            let elsewhere = funds.reduce(0) { $0 + $1.elsewhereRows }
            throw SymbolListError(
                "no share was found among the holdings"
                    + (elsewhere > 0 ? ": \(elsewhere.counted("is not a US stock", "are not US stocks"))" : ""),
                problems: funds[0].problems)
        }
        let empty = funds.filter(\.entries.isEmpty).compactMap(\.fund)
        if !empty.isEmpty {
            taken[0].remarks.append("no share among the holdings of \(empty.joined(separator: ", ")), left out")
        }
        for index in taken.indices {
            if taken.count > 1 { taken[index].title = nil }
            taken[index].places = [:]
            taken[index].judgeWeights()
        }
        return taken
    }

    private mutating func take(_ fields: [[UInt8]], _ line: Int, _ preamble: HoldingsPreamble) {
        switch HoldingsRow(fields, preamble.columns) {
        case .remainder: break
        case .cash: cashRows += 1
        case .unlisted(let name): problems.add(line, .remarked, "\(quoted(name)) has no ticker and is left out")
        case .share(let ticker): take(ticker, fields, line, preamble)
        }
    }

    private mutating func take(_ ticker: String, _ fields: [[UInt8]], _ line: Int, _ preamble: HoldingsPreamble) {
        let columns = preamble.columns
        if let currency = HoldingsRow.cell(columns.currency, of: fields), Self.isForeign(currency) {
            // Abroad, the ticker may be that of another company here: LVMH is MC in Paris.
            elsewhereRows += 1
            return problems.add(
                line, .remarked,
                "\(quoted(ticker)) is listed abroad (in \(currency)), which a feed of US stocks doesn't have, "
                    + "and is left out")
        }
        let symbol: String
        switch SymbolSpelling(reading: ticker) {
        case .refused(let reason): return problems.add(line, .leftOut, reason)
        case .elsewhere(let reason):
            elsewhereRows += 1
            return problems.add(line, .remarked, "\(reason), and is left out")
        case .symbol(let read, let remark):
            symbol = read.description
            if let remark { problems.add(line, .init(reading: ticker), remark) }
        }
        let weight = preamble.weight(in: fields, line, of: symbol, &problems)
        if let place = places[symbol] {
            let first = entries[place]
            problems.add(line, .repeated, "\(symbol) is already on line \(first.line); the weights are added")
            if let weight { entries[place].weight = (first.weight ?? 0) + weight }
            return
        }
        places[symbol] = entries.count
        entries.append(
            Entry(
                symbol: symbol, weight: weight, sector: Self.name(in: fields, columns.sector),
                industry: Self.name(in: fields, columns.industry), line: line))
    }

    /// Whether a text is the code of a currency in which no share is traded in the United States.
    private static func isForeign(_ currency: String) -> Bool {
        currency.count == 3 && currency != "USD" && currency.allSatisfy { ("A"..."Z").contains($0) }
    }

    /// A sector or an industry; `nil` when the row has none.
    static func name(in fields: [[UInt8]], _ column: Int?) -> String? {
        guard let text = HoldingsRow.cell(column, of: fields) else { return nil }
        return SymbolSpelling.isMissing(text) || text.lowercased() == "unassigned" ? nil : text
    }

    /// Checks the sum: a fund's weights add up to about 100 percent.
    private mutating func judgeWeights() {
        let weights = entries.compactMap(\.weight)
        guard !weights.isEmpty else { return }
        let sum = weights.reduce(0, +)
        // Five or more weights of at most 1 that sum to about 1 can't be percent, nor can fewer that sum to exactly 1.
        let areFractions =
            weights.allSatisfy { $0 <= 1 }
            && (weights.count >= 5 && (0.5...1.5).contains(sum) || weights.count > 1 && (0.999...1.001).contains(sum))
        if areFractions {
            for index in entries.indices { entries[index].weight = entries[index].weight.map { $0 * 100 } }
            remarks.append("the weights are fractions of 1 and were multiplied by 100 to make them percent")
        } else if format.isFund || weights.count == entries.count, !(90...110).contains(sum) {
            remarks.append("the weights sum to \(Self.rounded(sum)) percent instead of about 100")
        }
        let negative = entries.filter { ($0.weight ?? 0) < 0 }
        if !negative.isEmpty {
            remarks.append(
                "\(negative.count.counted("weight is", "weights are")) below 0: "
                    + DisplayText.list(negative.map(\.symbol)))
        }
    }

    static func rounded(_ value: Double) -> String {
        let hundredths = (value * 100).rounded() / 100
        return hundredths == hundredths.rounded() && hundredths.magnitude < 1e15
            ? "\(Int(hundredths))" : "\(hundredths)"
    }
}

extension [HoldingsImport.Problem] {
    mutating func add(_ line: Int, _ consequence: HoldingsImport.Problem.Consequence, _ text: String) {
        append(.init(line: line, consequence: consequence, text: text))
    }

    mutating func addWrongWeight(_ text: String, _ line: Int, of symbol: String) {
        add(
            line, .weightLeftOut, "the weight \(quoted(text)) is not a number; \(symbol) is taken without a weight")
    }
}

extension HoldingsImport.Problem.Consequence {
    /// The consequence of reading a text as a symbol with another spelling.
    init(reading text: String) { self = SymbolSpelling.isBegunWord(text) ? .guessed : .remarked }
}

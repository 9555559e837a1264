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
        var weight: Double?
        /// Its sector.
        public var sector: String?
        /// Its industry.
        public var industry: String?
        /// The row's line, from 1.
        public var line: Int
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
    private(set) var problems: [SymbolListImport.Problem] = []
    /// Remarks on the whole list, one line each.
    private(set) var remarks: [String] = []
    /// The number of rows of cash, futures and the like that were left out.
    private(set) var cashRows = 0
    /// The number of rows of holdings without a ticker that were left out.
    private(set) var unlistedRows = 0
    /// The number of rows of holdings that were left out because a feed of US stocks doesn't have them.
    private(set) var elsewhereRows = 0

    /// The index of each symbol in ``entries``.
    private var places: [String: Int] = [:]

    /// The sum of the weights in percent; `nil` when there are none.
    var weightSum: Double? {
        let weights = entries.compactMap(\.weight)
        return weights.isEmpty ? nil : weights.reduce(0, +)
    }

    /// Reads a file: a plain list, or the holdings of one fund or several.
    ///
    /// - Parameter strict: Whether one wrong row refuses the whole file.
    /// - Returns: the funds in the order of the file, at least one. Those without any share are left out, with a remark
    ///   on the first.
    /// - Throws: ``SymbolListError`` when the bytes are not text, no symbol is found, most rows lack one where it is
    ///   expected, or a strict file has a wrong row or one whose reading is a guess.
    public static func read(_ bytes: [UInt8], strict: Bool = false) throws(SymbolListError) -> [HoldingsImport] {
        let text = try ListText.separated(bytes)
        let preamble = HoldingsPreamble(text)
        if let preamble, preamble.isFund { return try funds(text, preamble, strict: strict) }
        return [try HoldingsImport(list: text, preamble, strict: strict)]
    }

    // MARK: - A list

    private init(list text: [UInt8], _ preamble: HoldingsPreamble?, strict: Bool) throws(SymbolListError) {
        let list = try SymbolListImport(text: text, preamble, strict: strict)
        problems = list.problems
        format = list.entries.contains { $0.weight != nil } ? .weighted : .symbols
        entries = list.entries.map {
            Entry(symbol: $0.symbol.description, weight: $0.weight, sector: nil, industry: nil, line: $0.line)
        }
        if list.testRows > 0 { remarks.append("\(list.testRows.counted("exchange test symbol")) left out") }
        if let preamble { readSectors(text, preamble) }
        judgeWeights()
    }

    private mutating func readSectors(_ text: [UInt8], _ preamble: HoldingsPreamble) {
        let columns = preamble.columns
        guard columns.sector != nil || columns.industry != nil else { return }
        let places = Dictionary(entries.enumerated().map { ($1.line, $0) }, uniquingKeysWith: { first, _ in first })
        var rows = SeparatedRows(text, separator: preamble.separator)
        while let (line, row) = rows.next() {
            guard let place = places[line], case .fields(let fields) = row else { continue }
            entries[place].sector = Self.name(in: fields, columns.sector)
            entries[place].industry = Self.name(in: fields, columns.industry)
        }
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
                    funds[current].add(line, .leftOut, text)
                }
                continue
            }
            if let column = preamble.columns.fund, column < fields.count {
                let name = HoldingsRow.text(fields[column]).uppercased()
                if HoldingsPreamble.isFundTicker(name), !ListWord.isSurely(name) {
                    if indices.isEmpty { funds[0].fund = name }
                    current = indices[name] ?? (indices.isEmpty ? 0 : funds.count)
                    indices[name] = current
                    if current == funds.count { funds.append(HoldingsImport(preamble, fund: name)) }
                }
            }
            funds[current].take(fields, line, preamble)
        }
        let header =
            "in the column \(quoted(preamble.columns.titles[preamble.columns.symbol])), which the header on line "
            + "\(preamble.headerLine) names"
        var taken: [HoldingsImport] = []
        for fund in funds {
            if let error = SymbolListError(
                judging: fund.problems, taken: fund.entries.count + fund.cashRows + fund.elsewhereRows, strict: strict,
                header: header)
            {
                throw error
            }
            if !fund.entries.isEmpty { taken.append(fund) }
        }
        guard !taken.isEmpty else {
            let elsewhere = funds.reduce(0) { $0 + $1.elsewhereRows }
            throw SymbolListError(
                .empty,
                text: "no share was found among the holdings"
                    + (elsewhere > 0 ? ": \(elsewhere.counted("is not a US stock", "are not US stocks"))" : ""),
                problems: funds[0].problems)
        }
        let empty = funds.filter(\.entries.isEmpty).compactMap(\.fund)
        if !empty.isEmpty {
            taken[0].remarks.append("no share among the holdings of \(empty.joined(separator: ", ")), left out")
        }
        for index in taken.indices {
            if taken.count > 1 { taken[index].title = nil }
            taken[index].finish()
        }
        return taken
    }

    private mutating func finish() {
        places = [:]
        judgeWeights()
    }

    private mutating func take(_ fields: [[UInt8]], _ line: Int, _ preamble: HoldingsPreamble) {
        switch HoldingsRow(fields, preamble.columns) {
        case .remainder: break
        case .cash: cashRows += 1
        case .unlisted(let name):
            unlistedRows += 1
            add(line, .remarked, "\(quoted(name)) has no ticker and is left out")
        case .share(let ticker): take(ticker, fields, line, preamble)
        }
    }

    private mutating func take(_ ticker: String, _ fields: [[UInt8]], _ line: Int, _ preamble: HoldingsPreamble) {
        let columns = preamble.columns
        let symbol: String
        switch SymbolSpelling(reading: ticker) {
        case .refused(let reason): return add(line, .leftOut, reason)
        case .elsewhere(let reason):
            elsewhereRows += 1
            return add(line, .remarked, "\(reason), and is left out")
        case .symbol(let read, let remark):
            symbol = read.description
            if let remark { add(line, .init(reading: ticker), remark) }
        }
        let weight = weight(in: fields, line, preamble, of: symbol)
        if let place = places[symbol] {
            let first = entries[place]
            add(line, .repeated, "\(symbol) is on line \(first.line) already; the weights are added")
            if let weight { entries[place].weight = (first.weight ?? 0) + weight }
            return
        }
        places[symbol] = entries.count
        entries.append(
            Entry(
                symbol: symbol, weight: weight, sector: Self.name(in: fields, columns.sector),
                industry: Self.name(in: fields, columns.industry), line: line))
    }

    private mutating func weight(
        in fields: [[UInt8]], _ line: Int, _ preamble: HoldingsPreamble, of symbol: String
    ) -> Double? {
        guard let column = preamble.columns.weight, column < fields.count else { return nil }
        let text = HoldingsRow.text(fields[column])
        switch WeightText(text, decimalComma: preamble.hasDecimalCommas) {
        case .none: return nil
        case .value(let value): return value
        case .malformed:
            add(
                line, .weightLeftOut,
                "the weight \(quoted(text)) is not a number; \(symbol) is taken without a weight")
            return nil
        }
    }

    private static func name(in fields: [[UInt8]], _ column: Int?) -> String? {
        guard let column, column < fields.count else { return nil }
        let text = HoldingsRow.text(fields[column])
        return SymbolSpelling.isMissing(text) || text.lowercased() == "unassigned" ? nil : text
    }

    /// Checks the sum: a fund's weights add up to about 100 percent.
    private mutating func judgeWeights() {
        guard let sum = weightSum else { return }
        let weights = entries.compactMap(\.weight)
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

    private mutating func add(_ line: Int, _ consequence: SymbolListImport.Problem.Consequence, _ text: String) {
        problems.append(.init(line: line, consequence: consequence, text: text))
    }
}

public import MarketData
public import Store

/// Reads a group's members from a plain list: one symbol per row, with or without a header.
///
/// With a header, the columns for symbol and weight are read and all others ignored. Without one, the first column is
/// the symbol and the second, when it is a number, the weight, unless the rows hold only symbols. Commas, semicolons,
/// tabs or bars separate columns; blank lines and lines that begin with `#` are skipped. A bad row is reported with its
/// line, and the others are still read. Pure: the caller reads the file.
public struct SymbolListImport: Sendable, Equatable {
    /// A member, with the line that named it.
    public struct Entry: Sendable, Equatable {
        /// The symbol as the feed writes it.
        public var symbol: Symbol
        /// The weight as written, usually in percent; `nil` when the row has none.
        public var weight: Double?
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

    /// The members, each symbol once, in the order of the file; never empty.
    public private(set) var entries: [Entry] = []
    /// Remarks on rows, in the order of the file.
    public private(set) var problems: [Problem] = []

    /// The members as the mirror keeps them.
    public var members: [GroupMember] {
        entries.map { GroupMember(symbol: $0.symbol.description, weight: $0.weight) }
    }

    /// The number of rows that were left out because exchanges use their symbols for tests.
    public private(set) var testRows = 0

    /// Reads a list.
    ///
    /// - Parameters:
    ///   - csv: The file's bytes.
    ///   - strict: Whether one wrong row refuses the whole list.
    /// - Throws: ``SymbolListError`` when the bytes are not text, a header names no symbol column, no symbol is found,
    ///   most rows have none, or a strict list has a wrong row or one whose reading is a guess.
    public init(csv: [UInt8], strict: Bool = false) throws(SymbolListError) {
        let text = try ListText.separated(csv)
        try self.init(text: text, HoldingsPreamble(text), strict: strict)
    }

    /// Reads separated text whose header is known.
    init(text: [UInt8], _ preamble: HoldingsPreamble?, strict: Bool) throws(SymbolListError) {
        var firstLines: [Symbol: Int] = [:]
        var header: String
        if let preamble {
            header =
                "in the column \(quoted(preamble.columns.titles[preamble.columns.symbol])), which the header on line "
                + "\(preamble.headerLine) names"
            readRows(text, preamble, &firstLines)
        } else {
            let hasDecimalCommas = SeparatedRows.separator(of: text) != UInt8(ascii: ",")
            header = try readPlainRows(SeparatedRows.all(of: text), hasDecimalCommas, &firstLines)
        }
        if let error = SymbolListError(judging: problems, taken: entries.count, strict: strict, header: header) {
            throw error
        }
        guard !entries.isEmpty else {
            throw SymbolListError(.empty, text: "no symbol was found in the file", problems: problems)
        }
    }

    // MARK: - With a header

    private mutating func readRows(_ text: [UInt8], _ preamble: HoldingsPreamble, _ firstLines: inout [Symbol: Int]) {
        let columns = preamble.columns
        var rows = SeparatedRows(text, separator: preamble.separator)
        var ahead = rows
        var last = 0
        while let (line, row) = ahead.next() {
            guard case .fields(let fields) = row, columns.symbol < fields.count else { continue }
            if Self.canBeSymbol(HoldingsRow.text(fields[columns.symbol])) { last = line }
        }
        while let (line, row) = rows.next() {
            guard line > preamble.headerLine else { continue }
            guard case .fields(let fields) = row else {
                if case .malformed(let text) = row { add(line, .leftOut, text) }
                continue
            }
            func field(_ column: Int?) -> String? {
                column.flatMap { $0 < fields.count ? HoldingsRow.text(fields[$0]) : nil }
            }
            if HoldingsRow.isTrailer(fields) { continue }
            if field(columns.testIssue)?.uppercased() == "Y" {
                testRows += 1
                continue
            }
            let written = field(columns.tapeSymbol).flatMap { $0.isEmpty ? nil : $0 } ?? field(columns.symbol) ?? ""
            let others = fields.indices.filter { $0 != columns.symbol }.compactMap(field)
            if line > last, Self.isEnd(written, beside: others) {
                leaveOut(written, line, isEnd: true)
                continue
            }
            if line > last, written.isEmpty, let total = others.first(where: ListWord.isKnown) {
                leaveOut(total, line, isEnd: true)
                continue
            }
            guard let symbol = take(written, line, &firstLines), let text = field(columns.weight) else { continue }
            switch WeightText(text, decimalComma: preamble.hasDecimalCommas) {
            case .none: break
            case .value(let value): entries[entries.count - 1].weight = value
            case .malformed:
                add(
                    line, .weightLeftOut,
                    "the weight \(quoted(text)) is not a number; \(symbol) is taken without a weight")
            }
        }
    }

    // MARK: - Without one

    /// Reads rows that no header explains; returns what to say about the first row when most rows are wrong.
    private mutating func readPlainRows(
        _ rows: [(line: Int, row: SeparatedRows.Row)], _ hasDecimalCommas: Bool, _ firstLines: inout [Symbol: Int]
    ) throws(SymbolListError) -> String {
        let texts = rows.compactMap { item -> (line: Int, cells: [String])? in
            guard case .fields(let fields) = item.row else { return nil }
            return (item.line, fields.map(HoldingsRow.text))
        }
        if let first = texts.first {
            let names = first.cells.map { $0.lowercased() }
            let known: Set = ["name", "company", "security", "sector", "industry", "weight", "shares", "price"]
            guard names.count(where: known.contains) < 2 else {
                throw SymbolListError(
                    .noSymbolColumn,
                    text: "the header on line \(first.line) has no column `symbol` or `ticker`: rename the column that "
                        + "holds the symbols")
            }
        }
        let symbols = texts.filter { Self.canBeSymbol($0.cells[0]) }.map(\.line)
        let isSpread = Self.holdNothingButSymbols(texts.map(\.cells))
        let isWatchList = texts.allSatisfy { $0.cells.count > 3 && ["DES", "SYM"].contains($0.cells[0]) }
        var next = texts.startIndex
        for (line, row) in rows {
            guard case .fields = row else {
                if case .malformed(let text) = row { add(line, .leftOut, text) }
                continue
            }
            let cells = texts[next].cells
            next += 1
            if isSpread {
                for cell in cells where !cell.isEmpty && !cell.hasPrefix("###") { _ = take(cell, line, &firstLines) }
            } else if isWatchList {
                _ = take(cells[1], line, &firstLines)
            } else if let words = Self.words(of: cells) {
                for word in words { _ = take(word, line, &firstLines) }
            } else if line > symbols.last ?? 0, Self.isEnd(cells[0], beside: cells.dropFirst()) {
                leaveOut(cells[0], line, isEnd: true)
            } else if line < symbols.first ?? 0, ListWord.isKnown(cells[0]) {
                leaveOut(cells[0], line, isEnd: false)
            } else if take(cells[0], line, &firstLines) != nil, cells.count > 1,
                case .value(let weight) = WeightText(cells[1], decimalComma: hasDecimalCommas)
            {
                entries[entries.count - 1].weight = weight
            }
        }
        let first = (texts.first?.cells ?? []).joined(separator: ", ")
        return "where one is expected; the first row, \(quoted(first)), is not a known header: rename the column that "
            + "holds the symbols to `symbol`"
    }

    /// Whether the rows are symbols side by side, rather than a symbol and its data.
    private static func holdNothingButSymbols(_ rows: [[String]]) -> Bool {
        guard let first = rows.first, first.count > (rows.count == 1 ? 1 : 2) else { return false }
        return rows.allSatisfy { row in
            row.count > 2 || rows.count == 1 || row == rows[rows.count - 1]
        } && rows.allSatisfy { $0.allSatisfy { $0.isEmpty || $0.hasPrefix("###") || isSurelySymbol($0) } }
    }

    /// The symbols of a row that holds only symbols, with blanks between them; `nil` for any other row.
    private static func words(of cells: [String]) -> [String]? {
        guard cells.dropFirst().allSatisfy(\.isEmpty), case .refused = SymbolSpelling(reading: cells[0]) else {
            return nil
        }
        let words = cells[0].split(separator: " ").map(String.init)
        return words.count > 1 && words.allSatisfy(isSurelySymbol) ? words : nil
    }

    private static func isSurelySymbol(_ text: String) -> Bool {
        guard !SymbolSpelling.isMissing(text) else { return true }
        let isOneCase = !text.contains(where: \.isLowercase) || !text.contains(where: \.isUppercase)
        guard isOneCase || SymbolSpelling.isUsual(text) else { return false }
        return switch SymbolSpelling(reading: text) {
        case .symbol(let symbol, _): SymbolSpelling.isUsual(symbol.description) && symbol.count <= 8
        case .elsewhere: !text.allSatisfy(\.isNumber)
        case .refused: false
        }
    }

    // MARK: - Titles and ends

    /// Whether a cell is not one of the words for titles, totals and cash.
    private static func canBeSymbol(_ text: String) -> Bool {
        !SymbolSpelling.isMissing(text) && !ListWord.isKnown(text) && !ListWord.isMoney(text)
    }

    /// Whether a text after the last symbol ends the list: a total, or cash with only numbers beside it.
    private static func isEnd(_ text: String, beside others: some Collection<String>) -> Bool {
        if ListWord.isKnown(text) { return true }
        let cells = others.filter { !$0.isEmpty }
        return ListWord.isMoney(text) && !cells.isEmpty
            && cells.allSatisfy { cell in
                if case .value = WeightText(cell) { true } else { false }
            }
    }

    /// Leaves out a word. A total is normal; a title that was not recognised as a header must be corrected.
    private mutating func leaveOut(_ text: String, _ line: Int, isEnd: Bool) {
        add(
            line, isEnd ? .remarked : .leftOut,
            isEnd
                ? "\(quoted(text)) after the last symbol is taken for a total or cash and is left out"
                : "\(quoted(text)) is a word, not a symbol; if it is the column's title, rename it to `symbol`")
    }

    // MARK: - One symbol

    /// Takes a symbol; returns it when it is a new member.
    private mutating func take(_ text: String, _ line: Int, _ firstLines: inout [Symbol: Int]) -> Symbol? {
        if !text.isEmpty, SymbolSpelling.isMissing(text) {
            add(line, .remarked, "\(quoted(text)) is not a symbol and is left out")
            return nil
        }
        if ListWord.isSurely(text) {
            add(line, .leftOut, "\(quoted(text)) is a word, not a symbol")
            return nil
        }
        let symbol: Symbol
        switch SymbolSpelling(reading: text) {
        case .refused(let reason), .elsewhere(let reason):
            add(line, .leftOut, reason)
            return nil
        case .symbol(let read, let remark):
            symbol = read
            if let remark { add(line, .init(reading: text), remark) }
        }
        if let first = firstLines[symbol] {
            add(line, .repeated, "\(symbol) is on line \(first) already; the first row counts")
            return nil
        }
        firstLines[symbol] = line
        entries.append(Entry(symbol: symbol, weight: nil, line: line))
        return symbol
    }

    private mutating func add(_ line: Int, _ consequence: Problem.Consequence, _ text: String) {
        problems.append(Problem(line: line, consequence: consequence, text: text))
    }
}

extension SymbolListImport.Problem.Consequence {
    /// The consequence of reading a text as a symbol with another spelling.
    init(reading text: String) { self = SymbolSpelling.isBegunWord(text) ? .guessed : .remarked }
}

extension SeparatedRows {
    /// All rows of a text.
    fileprivate static func all(of text: [UInt8]) -> [(line: Int, row: Row)] {
        var rows = SeparatedRows(text)
        var all: [(line: Int, row: Row)] = []
        while let row = rows.next() { all.append(row) }
        return all
    }
}

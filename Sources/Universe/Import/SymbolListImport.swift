import MarketData

/// Reads a group's members from a plain list: one symbol per row, with or without a header.
///
/// With a header, the columns for symbol and weight are read and all others ignored. Without one, the first column is
/// the symbol and the second, when it is a number, the weight, unless the rows hold only symbols. Where it is a number in
/// most rows, another text in it is a wrong weight. Commas, semicolons, tabs or bars separate columns; blank lines and
/// lines that begin with `#` are skipped. A bad row is reported with its line, and the others are still read. Pure: the
/// caller reads the file.
struct SymbolListImport {
    /// The members, each symbol once, in the order of the file; never empty.
    private(set) var entries: [HoldingsImport.Entry] = []
    /// Remarks on rows, in the order of the file.
    private(set) var problems: [HoldingsImport.Problem] = []
    /// The number of rows that were left out because exchanges use their symbols for tests.
    private(set) var testRows = 0
    /// The number of rows that were left out because the list says that their symbols are not active.
    private(set) var inactiveRows = 0
    /// The line that first named each symbol.
    private var firstLines: [Symbol: Int] = [:]

    /// Reads separated text with a header, or without one.
    ///
    /// - Throws: when a header names no symbol column, no symbol is found, most rows have none, or a strict list has a
    ///   wrong row or one whose reading is a guess.
    init(text: [UInt8], _ preamble: HoldingsPreamble?, strict: Bool) throws(SymbolListError) {
        let header: String
        if let preamble {
            header = preamble.place
            readRows(text, preamble)
        } else {
            header = try readPlainRows(text)
        }
        try SymbolListError.judge(problems, taken: entries.count, strict: strict, header: header)
        guard !entries.isEmpty else { throw SymbolListError("no symbol was found in the file", problems: problems) }
    }

    // MARK: - With a header

    private mutating func readRows(_ text: [UInt8], _ preamble: HoldingsPreamble) {
        let columns = preamble.columns
        let rows = SeparatedRows(text, separator: preamble.separator)
        var lastLine = 0
        // An active weight may be 0 too, but not all of them are 0 or 1.
        var saysActive = true
        for (line, row) in rows {
            guard case .fields(let fields) = row else { continue }
            if let symbol = HoldingsRow.cell(columns.symbol, of: fields), Self.canBeSymbol(symbol) { lastLine = line }
            if let active = HoldingsRow.cell(columns.active, of: fields), case .value(let value) = WeightText(active),
                value != 0, value != 1
            {
                saysActive = false
            }
        }
        for (line, row) in rows {
            guard line > preamble.headerLine else { continue }
            guard case .fields(let fields) = row else {
                if case .malformed(let text) = row { problems.add(line, .leftOut, text) }
                continue
            }
            func field(_ column: Int?) -> String? { HoldingsRow.cell(column, of: fields) }
            if HoldingsRow.isTrailer(fields) { continue }
            if field(columns.testIssue)?.uppercased() == "Y" {
                testRows += 1
                continue
            }
            if saysActive, let active = field(columns.active)?.lowercased(),
                ["false", "no", "n", "0"].contains(active)
            {
                inactiveRows += 1
                continue
            }
            let written = field(columns.tapeSymbol).flatMap { $0.isEmpty ? nil : $0 } ?? field(columns.symbol) ?? ""
            let others = fields.indices.filter { $0 != columns.symbol }.compactMap(field)
            if line > lastLine, Self.isEnd(written, beside: others) {
                leaveOut(written, line, isEnd: true)
                continue
            }
            if line > lastLine, written.isEmpty, let total = others.first(where: ListWord.isKnown) {
                leaveOut(total, line, isEnd: true)
                continue
            }
            if let symbol = take(written, line) {
                let last = entries.count - 1
                entries[last].weight = preamble.weight(in: fields, line, of: symbol, &problems)
                entries[last].sector = HoldingsImport.name(in: fields, columns.sector)
                entries[last].industry = HoldingsImport.name(in: fields, columns.industry)
            }
        }
    }

    // MARK: - Without one

    /// Reads rows that no header explains; returns the text about the first row for when most rows are wrong.
    private mutating func readPlainRows(_ text: [UInt8]) throws(SymbolListError) -> String {
        let hasDecimalCommas = SeparatedRows.separator(of: text) != UInt8(ascii: ",")
        let rows = Array(SeparatedRows(text))
        let texts = rows.compactMap { item -> (line: Int, cells: [String])? in
            guard case .fields(let fields) = item.row else { return nil }
            return (item.line, fields.map(HoldingsRow.text))
        }
        if let first = texts.first {
            let names = first.cells.map { $0.lowercased() }
            let known: Set = ["name", "company", "security", "sector", "industry", "weight", "shares", "price"]
            guard names.count(where: known.contains) < 2 else {
                throw SymbolListError(
                    "the header on line \(first.line) has no column `symbol` or `ticker`: rename the column that holds "
                        + "the symbols")
            }
        }
        let symbols = texts.filter { Self.canBeSymbol($0.cells[0]) }.map(\.line)
        let weights: [WeightText] = texts.map { row in
            row.cells.count > 1 ? WeightText(row.cells[1], decimalComma: hasDecimalCommas) : .none
        }
        let haveWeights = weights.count { if case .value = $0 { true } else { false } } * 2 > weights.count
        let isSpread = Self.holdNothingButSymbols(texts.map(\.cells))
        let isWatchList = texts.allSatisfy { $0.cells.count > 3 && ["DES", "SYM"].contains($0.cells[0]) }
        var next = texts.startIndex
        for (line, row) in rows {
            guard case .fields = row else {
                if case .malformed(let text) = row { problems.add(line, .leftOut, text) }
                continue
            }
            let (cells, weight) = (texts[next].cells, weights[next])
            next += 1
            if isSpread {
                for cell in cells where !cell.isEmpty && !cell.hasPrefix("###") { take(cell, line) }
            } else if isWatchList {
                take(cells[1], line)
            } else if let words = Self.words(of: cells) {
                for word in words { take(word, line) }
            } else if line > symbols.last ?? 0, Self.isEnd(cells[0], beside: cells.dropFirst()) {
                leaveOut(cells[0], line, isEnd: true)
            } else if line < symbols.first ?? 0, ListWord.isKnown(cells[0]) {
                leaveOut(cells[0], line, isEnd: false)
            } else if let symbol = take(cells[0], line) {
                if case .value(let value) = weight { entries[entries.count - 1].weight = value }
                if haveWeights, weight == .malformed { problems.addWrongWeight(cells[1], line, of: symbol) }
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
        problems.add(
            line, isEnd ? .remarked : .leftOut,
            isEnd
                ? "\(quoted(text)) after the last symbol is taken for a total or cash and is left out"
                : "\(quoted(text)) is a word, not a symbol; if it is the column's title, rename it to `symbol`")
    }

    // MARK: - One symbol

    /// Takes a symbol; returns it when it is a new member.
    @discardableResult
    private mutating func take(_ text: String, _ line: Int) -> String? {
        if !text.isEmpty, SymbolSpelling.isMissing(text) {
            problems.add(line, .remarked, "\(quoted(text)) is not a symbol and is left out")
            return nil
        }
        if ListWord.isSurely(text) {
            problems.add(line, .leftOut, "\(quoted(text)) is a word, not a symbol")
            return nil
        }
        let symbol: Symbol
        switch SymbolSpelling(reading: text) {
        case .refused(let reason), .elsewhere(let reason):
            problems.add(line, .leftOut, reason)
            return nil
        case .symbol(let read, let remark):
            symbol = read
            if let remark { problems.add(line, .init(reading: text), remark) }
        }
        if let first = firstLines[symbol] {
            problems.add(line, .repeated, "\(symbol) is already on line \(first); the first row counts")
            return nil
        }
        firstLines[symbol] = line
        entries.append(.init(symbol: symbol.description, line: line))
        return symbol.description
    }
}

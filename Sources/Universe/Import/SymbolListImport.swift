public import MarketData
public import Store

/// Reads a group's members from a plain list: one symbol a row, with or without a header.
///
/// With a header, the columns `symbol` (or `ticker`) and `weight` are read and all others ignored; without one, the
/// first column is the symbol and the second, where it is a number, the weight. Commas, or semicolons or tabs,
/// separate columns; blank lines and lines that begin with `#` are skipped. A bad row is reported with its line and
/// the others are read all the same. Pure: the caller reads the file.
public struct SymbolListImport: Sendable, Equatable {
    /// A member, with the line that named it.
    public struct Entry: Sendable, Equatable {
        /// The symbol as the feed writes it.
        public var symbol: Symbol
        /// The weight as written, in percent as a rule; `nil` when the row has none.
        public var weight: Double?
        /// The row's line, from 1.
        public var line: Int
    }

    /// Something worth telling about a row.
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// What it means for the row.
        public enum Consequence: Sendable, Equatable {
            /// The row is wrong and left out.
            case leftOut
            /// The row's weight is wrong and left out; its symbol is taken.
            case weightLeftOut
            /// The symbol was named before; the row says nothing new.
            case repeated
            /// The row is taken; its spelling was changed, or is unusual.
            case remarked
        }

        /// The row's line, from 1.
        public var line: Int
        /// What it means for the row.
        public var consequence: Consequence
        /// What is the matter, in a few words.
        public var text: String

        /// Whether the row is wrong, so that a strict import is refused.
        public var isFault: Bool { consequence == .leftOut || consequence == .weightLeftOut }

        /// One line with the line's number.
        public var description: String { "line \(line): \(text)" }
    }

    /// The members, each symbol once, in the order of the file; never empty.
    public private(set) var entries: [Entry] = []
    /// What is worth telling, in the order of the file.
    public private(set) var problems: [Problem] = []

    /// The members as the mirror keeps them.
    public var members: [GroupMember] {
        entries.map { GroupMember(symbol: $0.symbol.description, weight: $0.weight) }
    }

    /// Reads a list.
    ///
    /// - Parameters:
    ///   - csv: The file's bytes.
    ///   - strict: Whether one wrong row refuses the whole list.
    /// - Throws: ``SymbolListError`` when the bytes are no text, a header names no symbol column, no symbol is found,
    ///   or a strict list has a wrong row.
    public init(csv: [UInt8], strict: Bool = false) throws(SymbolListError) {
        guard !csv.starts(with: [0xFF, 0xFE]), !csv.starts(with: [0xFE, 0xFF]), !csv.prefix(64).contains(0) else {
            throw SymbolListError(.notText, text: "the file is no UTF-8 text: save it as CSV in UTF-8")
        }
        var rows = SeparatedRows(csv)
        var columns: Columns?
        var firstLines: [Symbol: Int] = [:]
        while let (line, row) = rows.next() {
            guard case .fields(let fields) = row else {
                if case .malformed(let text) = row { add(line, .leftOut, text) }
                continue
            }
            guard let known = columns else {
                let found = try Columns(firstRow: fields, line: line)
                columns = found
                if !found.isHeader { take(fields, line, found, &firstLines) }
                continue
            }
            take(fields, line, known, &firstLines)
        }
        if strict, problems.contains(where: \.isFault) {
            throw SymbolListError(.wrongRows, text: summary(of: problems.filter(\.isFault)), problems: problems)
        }
        guard !entries.isEmpty else {
            throw SymbolListError(.empty, text: "no symbol was found in the file", problems: problems)
        }
    }

    private mutating func take(_ fields: [[UInt8]], _ line: Int, _ columns: Columns, _ firstLines: inout [Symbol: Int])
    {
        let text = columns.symbol < fields.count ? String(decoding: fields[columns.symbol], as: UTF8.self) : ""
        let symbol: Symbol
        switch SymbolSpelling(reading: text) {
        case .refused(let reason):
            return add(line, .leftOut, reason)
        case .symbol(let read, let remark):
            symbol = read
            if let remark { add(line, .remarked, remark) }
        }
        if let first = firstLines[symbol] {
            return add(line, .repeated, "\(symbol) stands on line \(first) already; the first row counts")
        }
        firstLines[symbol] = line
        entries.append(Entry(symbol: symbol, weight: weight(in: fields, line, columns, of: symbol), line: line))
    }

    private mutating func weight(in fields: [[UInt8]], _ line: Int, _ columns: Columns, of symbol: Symbol) -> Double? {
        guard let column = columns.weight, column < fields.count else { return nil }
        var text = String(decoding: fields[column], as: UTF8.self)
        if text.last == "%" { text.removeLast() }
        while text.last == " " { text.removeLast() }
        if ["", "-", "--", "n/a"].contains(text.lowercased()) { return nil }
        if text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }), let value = Double(text), value.isFinite {
            return value
        }
        if columns.isHeader {
            add(line, .weightLeftOut, "the weight \(quoted(text)) is no number; \(symbol) is taken without a weight")
        }
        return nil
    }

    private mutating func add(_ line: Int, _ consequence: Problem.Consequence, _ text: String) {
        problems.append(Problem(line: line, consequence: consequence, text: text))
    }

    private func summary(of faults: [Problem]) -> String {
        let rest = faults.count > 1 ? " (and \(faults.count - 1) more)" : ""
        return "\(faults[0])\(rest): correct it, or import without strictness to leave wrong rows out"
    }

    /// Where symbol and weight stand in a row.
    private struct Columns {
        var isHeader: Bool
        var symbol: Int
        var weight: Int?

        init(firstRow: [[UInt8]], line: Int) throws(SymbolListError) {
            let names = firstRow.map { String(decoding: $0, as: UTF8.self).lowercased() }
            if let symbol = names.firstIndex(of: "symbol") ?? names.firstIndex(of: "ticker") {
                self.symbol = symbol
                isHeader = true
                weight = names.firstIndex { ["weight", "weight %", "weight (%)", "weight%"].contains($0) }
                return
            }
            let known: Set = ["name", "company", "security", "sector", "industry", "weight", "shares", "price"]
            guard names.count(where: known.contains) < 2 else {
                throw SymbolListError(
                    .noSymbolColumn,
                    text: "the header on line \(line) has no column `symbol` or `ticker`: name one of its columns so")
            }
            (isHeader, symbol, weight) = (false, 0, 1)
        }
    }
}

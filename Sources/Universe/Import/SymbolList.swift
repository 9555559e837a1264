public import MarketData

/// Symbols in one line of text, separated by commas: trimmed, each once, in the order written.
///
/// Other ways to write such a line are understood as well: semicolons, blanks or line ends between the symbols, and
/// the brackets and quotes of a list in a programming language.
public struct SymbolList: Sendable, Equatable {
    /// The symbols; empty when the list is the wildcard alone.
    public var symbols: [Symbol] = []
    /// Whether `*` is among the entries: every symbol of the feed.
    public var isWildcard = false
    /// Entries that are not symbols, as written.
    public var refused: [String] = []
    /// Remarks on the entries, each fit for a log line.
    var remarks: [String] = []

    /// Reads a list. Entries that are not symbols are left out, with a remark.
    public init(_ text: String) {
        var seen: Set<Symbol> = []
        func take(_ piece: String, _ spelling: SymbolSpelling) {
            switch spelling {
            case .symbol(let symbol, let remark):
                if let remark { remarks.append(remark) }
                if seen.insert(symbol).inserted { symbols.append(symbol) }
            case .refused(let reason), .elsewhere(let reason):
                refused.append(piece)
                remarks.append("\(reason); it is left out")
            }
        }
        for piece in SymbolList.pieces(of: text) {
            let visible = SymbolSpelling.visible(piece)
            if visible == "*" || FeedChannel(visible).map({ $0.symbol == nil }) == true {
                isWildcard = true
                continue
            }
            let whole = SymbolSpelling(reading: piece)
            let words = piece.split(whereSeparator: \.isWhitespace)
            // `BRK B` is one symbol, `AAPL MSFT` are two.
            if case .refused = whole, words.count > 1 {
                for word in words { take(String(word), SymbolSpelling(reading: String(word))) }
            } else {
                take(piece, whole)
            }
        }
        if isWildcard, !symbols.isEmpty {
            remarks.append("* means every symbol, so the other entries have no effect")
        }
    }

    /// The entries that are not blank.
    private static func pieces(of text: String) -> [String] {
        text.split { ",;\n\r\t".contains($0) || $0 == "\r\n" }.map { piece in
            String(piece.filter { !"[](){}\"'`“”‘’".contains($0) })
        }.filter { !$0.allSatisfy(\.isWhitespace) }
    }
}

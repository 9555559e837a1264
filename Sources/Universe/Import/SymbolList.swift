public import MarketData

/// Symbols in one line of text, separated by commas: trimmed, each once, in the order written.
public struct SymbolList: Sendable, Equatable {
    /// The symbols; empty when the list is the wildcard alone.
    public var symbols: [Symbol] = []
    /// Whether `*` is among the entries: every symbol of the feed.
    public var isWildcard = false
    /// What is worth telling about the entries, each fit for a log line.
    public var remarks: [String] = []

    /// Reads a list. Entries that are no symbols are left out, with a remark.
    public init(_ text: String) {
        var seen: Set<Symbol> = []
        for piece in text.split(separator: ",") where !piece.allSatisfy(\.isWhitespace) {
            if piece.filter({ !$0.isWhitespace }) == "*" {
                isWildcard = true
                continue
            }
            switch SymbolSpelling(reading: String(piece)) {
            case .symbol(let symbol, let remark):
                if let remark { remarks.append(remark) }
                if seen.insert(symbol).inserted { symbols.append(symbol) }
            case .refused(let reason):
                remarks.append("\(reason); it is left out")
            }
        }
        if isWildcard, !symbols.isEmpty {
            remarks.append("* stands for every symbol, so the others in the list say nothing more")
        }
    }
}

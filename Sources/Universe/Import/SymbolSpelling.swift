import MarketData

/// Reads symbols as people and other programs write them. Pure.
///
/// The feed writes share classes with a dot (`BRK.B`) and tells upper from lower case (`BACpL` is a preferred share).
/// Anything that is surely another way to write such a symbol is read as the feed writes it, with a remark; whatever
/// merely looks unusual is kept as written, with a remark.
enum SymbolSpelling: Equatable {
    case symbol(Symbol, remark: String?)
    case refused(String)

    init(reading text: String) {
        let written = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard !written.isEmpty else {
            self = .refused("there is no symbol")
            return
        }
        var spelling = written
        if spelling.contains(where: \.isLowercase), !spelling.contains(where: \.isUppercase) {
            spelling = spelling.uppercased()
        }
        if let dotted = SymbolSpelling.withDot(spelling) { spelling = dotted }
        guard let symbol = Symbol(spelling) else {
            self = .refused(SymbolSpelling.fault(in: spelling, written: written))
            return
        }
        if spelling != written {
            self = .symbol(symbol, remark: "\(quoted(written)) is read as \(spelling)")
        } else if !SymbolSpelling.isUsual(spelling) {
            self = .symbol(
                symbol, remark: "\(quoted(written)) is an unusual spelling, kept as written; the feed may refuse it")
        } else {
            self = .symbol(symbol, remark: nil)
        }
    }

    /// `BRK/B`, `BRK B` and `BRK-B` with a dot; `nil` for anything else.
    private static func withDot(_ text: String) -> String? {
        guard let separator = text.firstIndex(where: { "/ -".contains($0) }) else { return nil }
        let root = text[..<separator]
        let share = text[text.index(after: separator)...]
        let longest = text[separator] == "-" ? 1 : 2
        guard (1...5).contains(root.count), (1...longest).contains(share.count) else { return nil }
        guard root.allSatisfy(isCapital), share.allSatisfy(isCapital) else { return nil }
        return "\(root).\(share)"
    }

    /// Capitals, a lower-case letter for preferred shares, rights or when-issued, a dot and a share class.
    private static func isUsual(_ text: String) -> Bool {
        var rest = text[...]
        func take(_ limit: Int, _ accept: (Character) -> Bool) -> Int {
            let taken = rest.prefix(limit).prefix(while: accept)
            rest = rest.dropFirst(taken.count)
            return taken.count
        }
        guard take(6, isCapital) > 0 else { return false }
        if take(1, { "prw".contains($0) }) > 0 { _ = take(2, isCapital) }
        if rest.first == "." {
            rest = rest.dropFirst()
            guard take(3, isCapital) > 0 else { return false }
        }
        return rest.isEmpty
    }

    private static func isCapital(_ character: Character) -> Bool { ("A"..."Z").contains(character) }

    private static func fault(in spelling: String, written: String) -> String {
        if spelling.utf8.count > Symbol.maximumLength {
            return "\(quoted(written)) is no symbol: longer than \(Symbol.maximumLength) characters"
        }
        return "\(quoted(written)) is no symbol: spaces, commas, quotes, * and letters beyond ASCII cannot stand in one"
    }
}

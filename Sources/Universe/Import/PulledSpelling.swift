public import MarketData

extension UniverseRecords {
    /// Spells the members as the feed spells them, as an import does: the feed would not know another program's
    /// `BRK-B`. Members that are not symbols stay as they are.
    ///
    /// - Returns: what was changed, one line per group.
    public mutating func spellAsFeed() -> [String] {
        var remarks: [String] = []
        for index in groups.indices {
            var changes: [String] = []
            for place in groups[index].members.indices {
                let written = groups[index].members[place].symbol
                if Self.isSurelySpelt(written) { continue }
                guard let symbol = Symbol(spelled: written)?.description, symbol != written else { continue }
                groups[index].members[place].symbol = symbol
                changes.append("\(quoted(written)) is read as \(symbol)")
            }
            guard !changes.isEmpty else { continue }
            groups[index].members.sort { $0.symbol < $1.symbol }
            // Of two spellings of one symbol, the first is kept.
            var last: String?
            groups[index].members.removeAll { member in
                defer { last = member.symbol }
                return member.symbol == last
            }
            let identity = groups[index].identity
            remarks.append(
                "\(identity.type) \(identity.name) (\(identity.environment)): "
                    + DisplayText.list(changes, showing: 3))
        }
        return remarks
    }

    /// Whether a symbol can't be spelt another way. The check is cheap, because there may be a million.
    private static func isSurelySpelt(_ text: String) -> Bool {
        var hasDigits = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): break
            case UInt8(ascii: "0")...UInt8(ascii: "9"): hasDigits = true
            default: return false
            }
        }
        return hasDigits || text.utf8.count <= 5 && SymbolSpelling.undotted[text] == nil
    }
}

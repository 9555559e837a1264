public import MarketData

extension UniverseRecords {
    /// Spells the members as the feed spells them, as an import does: another program's `BRK-B` would be asked for in
    /// vain. Members that are no symbols stay as they are.
    ///
    /// - Returns: what was changed, a line a group.
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
            // Of two spellings of one symbol the first counts.
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

    /// Whether there is no other way to spell a symbol, seen without looking closely: there may be a million.
    private static func isSurelySpelt(_ text: String) -> Bool {
        var hasDigits = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): break
            case UInt8(ascii: "0")...UInt8(ascii: "9"): hasDigits = true
            default: return false
            }
        }
        return hasDigits || text.utf8.count <= 5
    }
}

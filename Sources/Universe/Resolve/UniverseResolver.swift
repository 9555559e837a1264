import MarketData
public import Store

/// Turns universe keys into symbols, using only the local groups: neither database nor network is needed.
///
/// A key that is a group's whole name means that group. Otherwise each part names a group, and the result is their
/// union. Names are matched as written first, then regardless of case. Only groups of type UNIVERSE and ETF in the
/// given environment count.
public enum UniverseResolver {
    /// Resolves a key as written. Reads the disk; blocks.
    ///
    /// - Returns: a failure when the key has no name in it, names no group, or brings no symbol. A success always has
    ///   at least one symbol.
    /// - Throws: when the mirror can't be read.
    public static func resolve(
        _ text: String, in snapshot: UniverseMirror.Snapshot, environment: String
    ) throws(StoreError) -> Result<Resolution, UniverseError> {
        guard let key = UniverseKey(text) else { return .failure(nameless(text)) }
        let catalogue = GroupCatalogue(try snapshot.headings(), environment: environment)
        let choice = catalogue.choose(key)
        var warnings = choice.warnings
        var symbols: [Symbol] = []
        var parts: [Resolution.Part] = []
        var refused: [String] = []
        for match in choice.matches {
            for group in match.groups {
                let own = try snapshot.symbols(of: group.id)
                refused += own.refused.map { "\(quoted($0)) of \(quoted(group.name))" }
                parts.append(.init(part: match.part, group: group.name, type: group.type, count: own.symbols.count))
                symbols = united(symbols, own.symbols)
                if own.symbols.isEmpty, own.refused.isEmpty {
                    warnings.append("group \(quoted(group.name)) (\(group.type.rawValue)) has no members")
                }
            }
        }
        var leftOut: String?
        if !refused.isEmpty {
            let text =
                "left out \(refused.count.counted("member")) that the feed has no symbol for: "
                + DisplayText.list(refused)
            warnings.append(text)
            leftOut = text
        }
        guard !symbols.isEmpty else {
            return .failure(failure(key, choice, catalogue, environment: environment, warnings: warnings))
        }
        return .success(
            Resolution(
                symbols: symbols, parts: parts, unknown: choice.unknown, warnings: warnings, leftOut: leftOut))
    }

    static func nameless(_ key: String) -> UniverseError {
        UniverseError(
            .emptyKey,
            text: "universe key \(quoted(key)) names no group: write names joined by colons, such as sp500:nasdaq100")
    }

    static func unreadable(_ key: String, _ error: StoreError) -> UniverseError {
        UniverseError(
            .mirror(error),
            text:
                "universe key \(quoted(UniverseKey(key)?.text ?? key)) cannot be resolved, because the mirror cannot be "
                + "read: \(error)")
    }

    /// Merges two sorted lists of distinct symbols.
    static func united(_ left: [Symbol], _ right: [Symbol]) -> [Symbol] {
        guard !left.isEmpty else { return right }
        var union: [Symbol] = []
        union.reserveCapacity(left.count + right.count)
        // The sort finds that each half is sorted already.
        for symbol in (left + right).sorted() where symbol != union.last { union.append(symbol) }
        return union
    }

    private static func failure(
        _ key: UniverseKey, _ choice: GroupCatalogue.Choice, _ catalogue: GroupCatalogue, environment: String,
        warnings: [String]
    ) -> UniverseError {
        guard choice.matches.isEmpty else {
            return UniverseError(
                .noSymbols,
                text: "universe key \(quoted(key.text)) gives no symbol: its groups have no members that the feed "
                    + "could send; import or pull some",
                warnings: warnings)
        }
        var text = "universe key \(quoted(key.text)) names no universe or ETF of environment \(environment)"
        let nearest = choice.unknown.flatMap(\.nearest)
        if catalogue.isEmpty {
            text += ", which has no groups at all: import or pull some first"
        } else if nearest.isEmpty {
            text += ": `edgetick universe list` shows those that exist"
        } else {
            text += "; nearest: \(nearest.map(quoted).joined(separator: ", "))"
        }
        return UniverseError(.unknownKey, text: text, warnings: warnings, nearest: nearest)
    }
}

public import MarketData
public import Store

/// Turns universe keys into symbols, from the local groups alone: neither database nor network is needed.
///
/// A key that is a group's whole name stands for that group; otherwise each part names one and the result is the
/// union. Names are taken as written first and regardless of case after that. Only groups of type UNIVERSE and ETF in
/// the resolver's environment count.
public struct UniverseResolver: Sendable {
    /// The environment whose groups count, such as `DEFAULT` or `PROD`.
    public let environment: String

    private let source: any GroupSource

    /// Makes a resolver over the mirror file.
    public init(mirror: UniverseMirror, environment: String) {
        self.init(source: mirror, environment: environment)
    }

    /// Makes a resolver over any source of groups.
    public init(source: any GroupSource, environment: String) {
        self.source = source
        self.environment = environment
    }

    /// Resolves a key as written. Reads the disk; blocks.
    ///
    /// - Throws: ``UniverseError`` when the key has no name in it, names no group, or brings no symbol, and when the
    ///   mirror cannot be read. A success always has at least one symbol.
    public func resolve(_ key: String) throws(UniverseError) -> Resolution {
        guard let parsed = UniverseKey(key) else {
            throw UniverseError(
                .emptyKey, key: key,
                text:
                    "universe key \(quoted(key)) names no group: write names joined by colons, such as sp500:nasdaq100")
        }
        return try resolve(parsed)
    }

    /// Resolves a key; see ``resolve(_:)``.
    public func resolve(_ key: UniverseKey) throws(UniverseError) -> Resolution {
        let all = try read(key) { () throws(StoreError) in try source.groups(environment: nil) }
        let catalogue = GroupCatalogue(all, environment: environment)
        let choice = catalogue.choose(key)
        var warnings = choice.warnings
        var symbols: Set<Symbol> = []
        var parts: [Resolution.Part] = []
        var refused: [Resolution.RefusedMember] = []
        for match in choice.matches {
            for group in match.groups {
                let members = try read(key) { () throws(StoreError) in try source.members(of: group.id) }
                var own: Set<Symbol> = []
                for member in members {
                    if let symbol = Symbol(member.symbol) {
                        own.insert(symbol)
                    } else {
                        refused.append(.init(text: member.symbol, group: group.name))
                    }
                }
                parts.append(.init(part: match.part, group: group.name, type: group.type, count: own.count))
                symbols.formUnion(own)
                if members.isEmpty {
                    warnings.append("group \(quoted(group.name)) (\(group.type.rawValue)) has no members")
                }
            }
        }
        if !refused.isEmpty { warnings.append(describe(refused)) }
        guard !symbols.isEmpty else { throw failure(key, choice, catalogue, warnings: warnings) }
        return Resolution(
            symbols: symbols.sorted(), parts: parts, unknown: choice.unknown, refused: refused, warnings: warnings)
    }

    private func read<Value>(
        _ key: UniverseKey, _ body: () throws(StoreError) -> Value
    ) throws(UniverseError) -> Value {
        do {
            return try body()
        } catch {
            throw UniverseError(
                .mirror(error), key: key.text,
                text: "universe key \(quoted(key.text)) cannot be resolved, the mirror cannot be read: \(error)")
        }
    }

    private func describe(_ refused: [Resolution.RefusedMember]) -> String {
        let samples = refused.prefix(5).map { "\(quoted($0.text)) of \(quoted($0.group))" }.joined(separator: ", ")
        let rest = refused.count > 5 ? ", …" : ""
        return "\(refused.count) members are no symbols the feed knows how to send and are left out: \(samples)\(rest)"
    }

    private func failure(
        _ key: UniverseKey, _ choice: GroupCatalogue.Choice, _ catalogue: GroupCatalogue, warnings: [String]
    ) -> UniverseError {
        guard choice.matches.isEmpty else {
            return UniverseError(
                .noSymbols, key: key.text,
                text:
                    "universe key \(quoted(key.text)) brings no symbol: its groups are empty; import or pull members",
                warnings: warnings)
        }
        var text = "universe key \(quoted(key.text)) names no group of environment \(environment)"
        let nearest = choice.unknown.flatMap(\.nearest)
        if catalogue.isEmpty {
            text += ", which has no groups at all: import or pull some first"
        } else if nearest.isEmpty {
            text += ": `edgetick universe list` shows those that exist"
        } else {
            text += "; nearest: \(nearest.map(quoted).joined(separator: ", "))"
        }
        return UniverseError(.unknownKey, key: key.text, text: text, warnings: warnings)
    }
}

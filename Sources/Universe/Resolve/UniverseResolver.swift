public import MarketData
public import Store

/// Turns universe keys into symbols, using only the local groups: neither database nor network is needed.
///
/// A key that is a group's whole name means that group. Otherwise each part names a group, and the result is their
/// union. Names are matched as written first, then regardless of case. Only groups of type UNIVERSE and ETF in the
/// resolver's environment count.
public struct UniverseResolver: Sendable {
    /// The environment whose groups count, such as `DEFAULT` or `PROD`.
    public let environment: String

    private let mirror: UniverseMirror

    /// Makes a resolver over the mirror file.
    public init(mirror: UniverseMirror, environment: String) {
        self.mirror = mirror
        self.environment = environment
    }

    /// Resolves a key as written. Reads the disk; blocks.
    ///
    /// - Throws: ``UniverseError`` when the key has no name in it, names no group, or brings no symbol, and when the
    ///   mirror cannot be read. A success always has at least one symbol.
    public func resolve(_ key: String) throws(UniverseError) -> Resolution {
        try resolve(try UniverseResolver.parse(key))
    }

    /// Resolves a key in one snapshot of the mirror; see ``resolve(_:)``.
    public func resolve(_ key: UniverseKey) throws(UniverseError) -> Resolution {
        let result: Result<Resolution, UniverseError>
        do {
            result = try mirror.withSnapshot { snapshot in
                Result { () throws(UniverseError) in
                    try UniverseResolver.resolve(key, in: snapshot, environment: environment)
                }
            }
        } catch {
            throw UniverseResolver.unreadable(key.text, error)
        }
        return try result.get()
    }

    /// Resolves a key in a given state of the groups; see ``resolve(_:)``.
    static func resolve(
        _ key: UniverseKey, in snapshot: UniverseMirror.Snapshot, environment: String
    ) throws(UniverseError) -> Resolution {
        let all = try read(key) { () throws(StoreError) in try snapshot.headings() }
        let catalogue = GroupCatalogue(all, environment: environment)
        let choice = catalogue.choose(key)
        var warnings = choice.warnings
        var symbols: [Symbol] = []
        var parts: [Resolution.Part] = []
        var refused: [Resolution.RefusedMember] = []
        for match in choice.matches {
            for group in match.groups {
                let own = try read(key) { () throws(StoreError) in try snapshot.symbols(of: group.id) }
                refused += own.refused.map { .init(text: $0, group: group.name) }
                parts.append(.init(part: match.part, group: group.name, type: group.type, count: own.symbols.count))
                symbols = united(symbols, own.symbols)
                if own.symbols.isEmpty, own.refused.isEmpty {
                    warnings.append("group \(quoted(group.name)) (\(group.type.rawValue)) has no members")
                }
            }
        }
        if !refused.isEmpty { warnings.append(describe(refused)) }
        guard !symbols.isEmpty else {
            throw failure(key, choice, catalogue, environment: environment, warnings: warnings)
        }
        return Resolution(
            symbols: symbols, parts: parts, unknown: choice.unknown, refused: refused, warnings: warnings)
    }

    /// Reads a key as written.
    static func parse(_ key: String) throws(UniverseError) -> UniverseKey {
        guard let parsed = UniverseKey(key) else {
            throw UniverseError(
                .emptyKey,
                text:
                    "universe key \(quoted(key)) names no group: write names joined by colons, such as sp500:nasdaq100")
        }
        return parsed
    }

    static func unreadable(_ key: String, _ error: StoreError) -> UniverseError {
        UniverseError(
            .mirror(error),
            text: "universe key \(quoted(key)) cannot be resolved, the mirror cannot be read: \(error)")
    }

    /// Merges two sorted lists of distinct symbols.
    static func united(_ left: [Symbol], _ right: [Symbol]) -> [Symbol] {
        guard !left.isEmpty else { return right }
        guard !right.isEmpty else { return left }
        var union: [Symbol] = []
        union.reserveCapacity(left.count + right.count)
        var (a, b) = (0, 0)
        while a < left.count, b < right.count {
            if left[a] < right[b] {
                union.append(left[a])
                a += 1
            } else {
                if left[a] == right[b] { a += 1 }
                union.append(right[b])
                b += 1
            }
        }
        union.append(contentsOf: left[a...])
        union.append(contentsOf: right[b...])
        return union
    }

    private static func read<Value>(
        _ key: UniverseKey, _ body: () throws(StoreError) -> Value
    ) throws(UniverseError) -> Value {
        do {
            return try body()
        } catch {
            throw unreadable(key.text, error)
        }
    }

    private static func describe(_ refused: [Resolution.RefusedMember]) -> String {
        let names = DisplayText.list(refused.lazy.map { "\(quoted($0.text)) of \(quoted($0.group))" })
        return "left out \(refused.count.counted("member")) that the feed has no symbol for: \(names)"
    }

    private static func failure(
        _ key: UniverseKey, _ choice: GroupCatalogue.Choice, _ catalogue: GroupCatalogue, environment: String,
        warnings: [String]
    ) -> UniverseError {
        guard choice.matches.isEmpty else {
            return UniverseError(
                .noSymbols,
                text:
                    "universe key \(quoted(key.text)) gives no symbol: its groups have no members that the feed could "
                    + "send; import or pull some",
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

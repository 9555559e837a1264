public import MarketData
public import Store

/// Turns the lists of stocks that older set-ups keep in `cache_entries` into groups. Pure.
///
/// Such a row has the type `stock_universe`, `etf_universe` or `stock_etf_combo`. Its value is a JSON array of tickers,
/// or of objects that name one. Every list becomes a universe under the keys by which it was found, so that a setting
/// with such a key means the same as before. The key's prefix says what else a list of stocks is: `index_`,
/// `sector_`, `theme_`. Rows with the same key make one universe, with the members of all.
public struct LegacyMigration: Sendable {
    /// A group that rows become.
    public struct Group: Sendable, Equatable {
        /// What happens to it.
        public enum Outcome: String, Sendable {
            /// It is created, or would be.
            case made = "new"
            /// An earlier migration made it, or overwriting is forced; it gets other members.
            case updated
            /// It has these members already.
            case unchanged
            /// A group of this name exists that no migration made; it is left alone.
            case kept
        }

        /// The group.
        public var definition: UniverseGroup.Definition
        /// How many symbols it has.
        public var symbols: Int
        /// What happens to it.
        public var outcome: Outcome
    }

    /// What became of one row.
    public struct Row: Sendable, Equatable {
        /// The row, as `type/name/key`.
        public var source: String
        /// The groups that have its symbols.
        public var groups: [Group] = []
        /// How many symbols it has.
        public var symbols = 0
        /// Entries of the list that are not symbols.
        public var refused: [String] = []
        /// Why it can't be read, in one line; `nil` when it can.
        public var fault: String?
    }

    /// What became of each row, in the order given.
    public private(set) var rows: [Row] = []
    /// The groups to write.
    public private(set) var changes: [GroupChange] = []

    /// A group while rows are added to it.
    private struct Draft {
        var definition: UniverseGroup.Definition
        /// The first row.
        var source: String
        var values: [String] = []
        var members: [MemberRecord] = []
        var known: Set<String> = []

        mutating func add(_ list: LegacyList, _ value: String) {
            values.append(value)
            for member in list.members where known.insert(member.symbol).inserted { members.append(member) }
        }
    }

    /// Decides what becomes of the rows.
    ///
    /// - Parameters:
    ///   - entries: The legacy rows; others are skipped.
    ///   - existing: The mirror's groups.
    ///   - force: Whether groups that no migration made are overwritten.
    public init(entries: [CacheEntryRecord], existing: [MirrorContents.Group], force: Bool = false) {
        var drafts: [Draft] = []
        var places: [GroupRecord.Identity: Int] = [:]
        /// Which drafts each row went into.
        var uses: [[Int]] = []
        for entry in entries where CacheEntryRecord.legacyTypes.contains(entry.type) {
            let source = "\(entry.type)/\(entry.name)/\(entry.key)"
            var row = Row(source: source)
            var used: [Int] = []
            do throws(LegacyList.Fault) {
                let value = entry.value ?? ""
                let list = try LegacyList(value)
                row.symbols = list.members.count
                row.refused = list.refused
                if list.members.isEmpty { throw LegacyList.Fault(text: "it has no symbol") }
                for definition in Self.groups(of: entry) {
                    let place = places[definition.identity] ?? drafts.count
                    if place == drafts.count { drafts.append(Draft(definition: definition, source: source)) }
                    places[definition.identity] = place
                    drafts[place].add(list, value)
                    used.append(place)
                }
            } catch {
                row.fault = error.text
            }
            rows.append(row)
            uses.append(used)
        }
        let known = Dictionary(existing.map { ($0.record.identity, $0) }, uniquingKeysWith: { first, _ in first })
        let groups = drafts.map { draft in
            let outcome = Self.outcome(of: draft, over: known[draft.definition.identity], force: force)
            return Group(definition: draft.definition, symbols: draft.members.count, outcome: outcome)
        }
        for (index, used) in uses.enumerated() { rows[index].groups = used.map { groups[$0] } }
        for (draft, group) in zip(drafts, groups) where group.outcome == .made || group.outcome == .updated {
            let checksum = ContentDigest.hex(of: draft.values.joined(separator: "\n").utf8)
            changes.append(
                GroupChange(
                    definition: draft.definition, members: draft.members,
                    imported: ImportNote(source: draft.source, format: Self.format, checksum: checksum)))
        }
    }

    private static func outcome(of draft: Draft, over old: MirrorContents.Group?, force: Bool) -> Group.Outcome {
        guard let old else { return .made }
        if MembershipDifference(from: old.record.members, to: draft.members).isEmpty { return .unchanged }
        return old.imported?.format == format || force ? .updated : .kept
    }

    static let format = "legacy"

    /// The keys by which a legacy row is found: `name:key`, and the key alone.
    public static func keys(of entry: CacheEntryRecord) -> [String] {
        guard !entry.key.isEmpty else { return [entry.name.isEmpty ? entry.type : entry.name] }
        guard !entry.name.isEmpty, entry.name != entry.key else { return [entry.key] }
        return ["\(entry.name):\(entry.key)", entry.key]
    }

    /// The groups that a legacy row becomes: universes under its keys, and the group that its key's prefix indicates.
    static func groups(of entry: CacheEntryRecord) -> [UniverseGroup.Definition] {
        func group(_ name: String, _ type: GroupType) -> UniverseGroup.Definition {
            UniverseGroup.Definition(
                name: name, type: type, description: "From \(entry.type) \(entry.name) \(entry.key)",
                environment: entry.environment)
        }
        var groups = keys(of: entry).map { group($0, .universe) }
        // A list of funds is neither a sector nor a theme of stocks.
        guard entry.type != "etf_universe" else { return groups }
        let prefixes: [(String, GroupType)] = [("index_", .universe), ("sector_", .sector), ("theme_", .theme)]
        for (prefix, type) in prefixes where entry.key.lowercased().hasPrefix(prefix) {
            let rest = String(entry.key.dropFirst(prefix.count))
            if !rest.isEmpty { groups.append(group(rest, type)) }
        }
        return groups
    }
}

/// The symbols in a legacy row's value.
struct LegacyList {
    struct Fault: Error {
        var text: String
    }

    private(set) var members: [MemberRecord] = []
    private(set) var refused: [String] = []

    init(_ value: String) throws(Fault) {
        guard !value.isEmpty else { throw Fault(text: "it has no value") }
        guard var document = JSONValue(parsing: value) else {
            throw Fault(text: "its value is not JSON: \(quoted(value))")
        }
        // Some writers encoded the list twice.
        if case .string(let inner) = document, let parsed = JSONValue(parsing: inner) { document = parsed }
        if case .object(let fields) = document {
            let keys = ["stocks", "symbols", "tickers", "etfs", "members", "constituents"]
            guard let key = keys.first(where: { if case .array? = fields[$0] { true } else { false } }),
                let list = fields[key]
            else { throw Fault(text: "its value is an object without a list of stocks") }
            document = list
        }
        guard case .array(let items) = document else { throw Fault(text: "its value is not a list") }
        var seen: Set<String> = []
        for item in items {
            var weight: Double?
            var text: String?
            switch item {
            case .string(let ticker): text = ticker
            case .object(let fields):
                for key in ["ticker", "symbol"] {
                    if text == nil, case .string(let ticker)? = fields[key] { text = ticker }
                }
                if case .number(let number)? = fields["weight"] { weight = number }
            default: break
            }
            guard let text, case .symbol(let symbol, _) = SymbolSpelling(reading: text) else {
                refused.append(text ?? item.text)
                continue
            }
            let ticker = symbol.description
            if seen.insert(ticker).inserted { members.append(MemberRecord(symbol: ticker, weight: weight)) }
        }
    }
}

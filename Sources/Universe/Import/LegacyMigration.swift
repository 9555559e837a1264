public import MarketData
public import Store

/// Turns the lists of stocks that older set-ups keep in `cache_entries` into groups. Pure.
///
/// Such a row has the type `stock_universe`, `etf_universe` or `stock_etf_combo`, and as its value a JSON array of
/// tickers, or of objects that name one. The key's beginning says what the list is: `index_`, `sector_`, `theme_`,
/// `master_`.
public struct LegacyMigration: Sendable {
    /// What became of one row.
    public struct Row: Sendable, Equatable {
        /// How it ended.
        public enum Outcome: Sendable, Equatable {
            /// A group is made, or would be.
            case made
            /// A group that an earlier migration made gets other members.
            case updated
            /// The group has these members already.
            case unchanged
            /// There is a group of this name that no migration made; it is left alone.
            case kept
            /// The row can't be read; one line says why.
            case unreadable(String)
        }

        /// The row, as `type/name/key`.
        public var source: String
        /// The group.
        public var group: UniverseGroup.Definition?
        /// How many symbols it has.
        public var symbols = 0
        /// Entries of the list that are no symbols.
        public var refused: [String] = []
        /// How it ended.
        public var outcome: Outcome
    }

    /// What became of each row, in the order given.
    public private(set) var rows: [Row] = []
    /// The groups to write.
    public private(set) var changes: [GroupChange] = []

    /// Decides.
    ///
    /// - Parameters:
    ///   - entries: The legacy rows; others are passed over.
    ///   - existing: The mirror's groups.
    ///   - force: Whether groups that no migration made are overwritten.
    public init(entries: [CacheEntryRecord], existing: [MirrorContents.Group], force: Bool = false) {
        var known: [GroupRecord.Identity: MirrorContents.Group] = [:]
        for group in existing { known[group.record.identity] = group }
        var taken: [GroupRecord.Identity: String] = [:]
        for entry in entries where CacheEntryRecord.legacyTypes.contains(entry.type) {
            let source = "\(entry.type)/\(entry.name)/\(entry.key)"
            guard let value = entry.value, !value.isEmpty else {
                rows.append(Row(source: source, outcome: .unreadable("it has no value")))
                continue
            }
            let list: LegacyList
            do {
                list = try LegacyList(value)
            } catch {
                rows.append(Row(source: source, outcome: .unreadable(error.text)))
                continue
            }
            let group = LegacyMigration.group(of: entry)
            let identity = GroupRecord.Identity(
                name: group.name, type: group.type.rawValue, environment: group.environment)
            if let other = taken.updateValue(source, forKey: identity) {
                taken[identity] = other
                let text = "\(other) makes the \(group.type.rawValue) group \(quoted(group.name)) already"
                rows.append(Row(source: source, group: group, outcome: .unreadable(text)))
                continue
            }
            guard !list.members.isEmpty else {
                rows.append(
                    Row(source: source, group: group, refused: list.refused, outcome: .unreadable("it has no symbol")))
                continue
            }
            var row = Row(
                source: source, group: group, symbols: list.members.count, refused: list.refused, outcome: .made)
            if let old = known[identity] {
                let isSame = MembershipDifference(from: old.record.members, to: list.members).isEmpty
                let isOurs = old.imported?.format == LegacyMigration.format
                row.outcome = isSame ? .unchanged : isOurs || force ? .updated : .kept
            }
            rows.append(row)
            guard row.outcome == .made || row.outcome == .updated else { continue }
            changes.append(
                GroupChange(
                    definition: group, members: list.members,
                    imported: ImportNote(
                        source: source, format: LegacyMigration.format, checksum: ContentDigest.hex(of: value.utf8))))
        }
    }

    static let format = "legacy"

    /// The group that a legacy row stands for.
    public static func group(of entry: CacheEntryRecord) -> UniverseGroup.Definition {
        let prefixes: [(String, GroupType, isPartOfName: Bool)] = [
            ("index_", .universe, false), ("sector_", .sector, false), ("theme_", .theme, false),
            ("master_", .universe, true),
        ]
        var name = entry.name.isEmpty || entry.name == entry.key ? entry.key : "\(entry.name):\(entry.key)"
        if entry.key.isEmpty { name = entry.name.isEmpty ? entry.type : entry.name }
        var type = GroupType.universe
        for (prefix, kind, isPartOfName) in prefixes where entry.key.lowercased().hasPrefix(prefix) {
            let rest = entry.key.dropFirst(prefix.count)
            guard !rest.isEmpty else { continue }
            name = isPartOfName ? entry.key : String(rest)
            type = kind
        }
        return UniverseGroup.Definition(
            name: name, type: type, description: "From \(entry.type) \(entry.name) \(entry.key)",
            environment: entry.environment)
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
        guard var document = JSONValue(parsing: value) else {
            throw Fault(text: "its value is no JSON: \(quoted(value))")
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
        guard case .array(let items) = document else { throw Fault(text: "its value is no list") }
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

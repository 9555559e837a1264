public import MarketData
public import Store

/// Checks the whole mirror for what is wrong, odd or old, and offers the fixes that are safe. Pure.
public struct UniverseValidation: Sendable {
    /// What the checks need to know besides the mirror.
    public struct Context: Sendable {
        /// The environment that the collector uses.
        public var environment: String
        /// Now, in milliseconds since the Unix epoch.
        public var now: Int64
        /// How often the mirror is pulled; `nil` when it is pulled by hand, and then a pull is old after a day.
        var pullInterval: Duration?
        /// The symbols that exist; `nil` without a list of them.
        public var known: Set<String>?

        /// Makes a context.
        public init(environment: String, now: Int64, pullInterval: Duration? = nil, known: Set<String>? = nil) {
            self.environment = environment
            self.now = now
            self.pullInterval = pullInterval
            self.known = known
        }
    }

    /// What was found, the worst first.
    public private(set) var findings: [UniverseFinding] = []
    /// The fixes that are safe: spellings that certainly mean another symbol, in local groups.
    public private(set) var fixes: [GroupChange] = []

    /// Checks everything.
    public init(_ contents: MirrorContents, _ context: Context) {
        for group in contents.groups {
            checkMembers(of: group)
            checkWeights(of: group.record)
        }
        let identities = contents.groups.map(\.record.identity)
        checkNames(identities)
        checkEnvironments(identities)
        checkSectors(contents.groups, context)
        checkKnown(contents.groups, context)
        checkPull(contents.pull, context)
        findings.sort { ($0.severity, $1.group ?? "", $1.text) > ($1.severity, $0.group ?? "", $0.text) }
    }

    /// How many findings there are of a severity.
    public func count(_ severity: Severity) -> Int { findings.count { $0.severity == severity } }

    // MARK: - One group

    private mutating func checkMembers(of group: MirrorContents.Group) {
        let (record, identity) = (group.record, group.record.identity)
        let type = GroupType(rawValue: identity.type)
        if type == nil {
            add(.warning, .type, identity, "unknown group type: the group is treated as CUSTOM")
        }
        if record.members.isEmpty {
            let isKey = identity.isUniverse
            add(
                isKey ? .fault : .warning, .empty, identity,
                "it has no members" + (isKey ? ": a universe key that names it alone resolves to nothing" : ""))
        }
        var malformed: [String] = []
        var unusual: [String] = []
        var respelled: [String: String] = [:]
        var spellings: [String: [String]] = [:]
        for member in record.members {
            switch SymbolSpelling(reading: member.symbol) {
            case .refused: malformed.append(member.symbol)
            case .elsewhere:
                if Symbol(member.symbol) == nil {
                    malformed.append(member.symbol)
                } else {
                    unusual.append(member.symbol)
                }
            case .symbol(let symbol, let remark):
                let text = symbol.description
                spellings[text, default: []].append(member.symbol)
                if text != member.symbol {
                    respelled[member.symbol] = text
                } else if remark != nil {
                    unusual.append(text)
                }
            }
        }
        add(
            .fault, .malformed, identity, malformed, "member is not a symbol", "members are not symbols",
            "that the feed could send", advice: "; correct them")
        // A change names a known type, and would make a second group beside one of another type.
        let isFixable = group.origin == .local && type != nil
        let advice =
            if isFixable {
                ""
            } else if group.origin == .local {
                "; import it again with a known type"
            } else {
                "; correct it in the database, and the next pull brings the correction"
            }
        let pairs = respelled.sorted { $0.key < $1.key }.map { "\(quoted($0.key)) for \($0.value)" }
        add(
            .fault, .malformed, identity, pairs, "member is", "members are", "not spelt as the feed spells them",
            advice: advice, isFixable: isFixable)
        add(.note, .unusual, identity, unusual, "member has", "members have", "an unusual spelling")
        let doubled = spellings.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
        if !doubled.isEmpty {
            let texts = doubled.map { $0.value.map(quoted).joined(separator: " and ") }
            add(
                .warning, .duplicate, identity, "one symbol appears twice: \(DisplayText.list(texts))\(advice)",
                isFixable: isFixable)
        }
        if isFixable, let type, !respelled.isEmpty { fixes.append(fix(record, type, respelled, group.imported)) }
    }

    /// Returns the group with its members spelt as the feed spells them. Of two rows for one symbol, the correctly
    /// spelt one is kept.
    private func fix(
        _ record: GroupRecord, _ type: GroupType, _ respelled: [String: String], _ note: ImportNote?
    ) -> GroupChange {
        var members: [String: MemberRecord] = [:]
        for member in record.members where respelled[member.symbol] == nil { members[member.symbol] = member }
        for member in record.members {
            guard let right = respelled[member.symbol] else { continue }
            var moved = member
            moved.symbol = right
            if members[right] == nil { members[right] = moved }
        }
        return GroupChange(
            definition: .init(name: record.identity.name, type: type, environment: record.identity.environment),
            members: members.values.sorted { $0.symbol < $1.symbol }, imported: note)
    }

    private mutating func checkWeights(of record: GroupRecord) {
        let identity = record.identity
        let weighted = record.members.filter { $0.weight != nil }
        guard !weighted.isEmpty else { return }
        let negative = weighted.filter { ($0.weight ?? 0) < 0 }.map(\.symbol)
        add(.warning, .weights, identity, negative, "weight is", "weights are", "below 0")
        let large = weighted.filter { ($0.weight ?? 0) > 100 }.map(\.symbol)
        add(.warning, .weights, identity, large, "weight is", "weights are", "above 100")
        guard identity.type == GroupType.etf.rawValue else { return }
        let sum = weighted.reduce(0) { $0 + ($1.weight ?? 0) }
        if weighted.count < record.members.count {
            add(
                .note, .weights, identity,
                "\(record.members.count - weighted.count) of \(record.members.count) holdings have no weight")
        }
        if !(90...110).contains(sum) {
            add(
                .warning, .weights, identity,
                "the weights sum to \(HoldingsImport.rounded(sum)) percent instead of about 100: import its holdings "
                    + "again")
        }
    }

    // MARK: - All groups

    private mutating func checkNames(_ identities: [GroupRecord.Identity]) {
        let keyed = Dictionary(grouping: identities.filter(\.isUniverse), by: \.environment)
        for (environment, own) in keyed.sorted(by: { $0.key < $1.key }) {
            let folded = Dictionary(grouping: Set(own.map(\.name))) { $0.lowercased() }
            for identity in own.sorted() where identity.name.contains(":") {
                let parts = UniverseKey(identity.name)?.parts ?? []
                let all = parts.allSatisfy { folded[$0.lowercased()] != nil }
                add(
                    all ? .warning : .note, .name, identity,
                    all
                        ? "the name also reads as a union of \(parts.map(quoted).joined(separator: " and ")); a key "
                            + "with this text always means this group, never the union"
                        : "the name contains a colon: a key with this text means this group, and a longer key can't "
                            + "include it")
            }
            for names in folded.values.map({ $0.sorted() }).filter({ $0.count > 1 }).sorted(by: { $0[0] < $1[0] }) {
                add(
                    .warning, .name, nil,
                    "\(names.map(quoted).joined(separator: " and ")) (\(environment)) differ in case only; write keys "
                        + "exactly")
            }
            let both = Dictionary(grouping: own, by: \.name).filter { $0.value.count > 1 }.keys.sorted()
            for name in both {
                add(
                    .note, .name, nil,
                    "\(quoted(name)) (\(environment)) is a UNIVERSE and an ETF; a key means the members of both")
            }
        }
        for identity in identities.sorted() {
            guard !UniverseKey.canMean(identity.name) else { continue }
            add(
                .warning, .name, identity,
                "the name has spaces around it or contains a comma, so no universe key can name this group: rename it")
        }
    }

    private mutating func checkEnvironments(_ identities: [GroupRecord.Identity]) {
        guard Set(identities.map(\.environment)).count > 1 else { return }
        var lonely: [String: [String]] = [:]
        for (name, same) in Dictionary(grouping: identities, by: { "\($0.type) \($0.name)" }) where same.count == 1 {
            lonely[same[0].environment, default: []].append(name)
        }
        for (environment, names) in lonely.sorted(by: { $0.key < $1.key }) {
            add(.note, .environment, nil, names.sorted(), "group exists", "groups exist", "in \(environment) only")
        }
    }

    private mutating func checkSectors(_ groups: [MirrorContents.Group], _ context: Context) {
        let own = groups.filter { $0.record.identity.environment == context.environment }
        var sectors: [String: [String]] = [:]
        for group in own where group.record.identity.type == GroupType.sector.rawValue {
            for member in group.record.members {
                sectors[member.symbol, default: []].append(group.record.identity.name)
            }
        }
        let doubled = sectors.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
        let texts = doubled.map { "\($0.key) (\($0.value.sorted().joined(separator: ", ")))" }
        add(.warning, .sector, nil, texts, "stock is", "stocks are", "in several sectors")
        let coverage = SectorDerivation.coverage(of: own, environment: context.environment)
        if !coverage.missing.isEmpty {
            add(
                .note, .sector, nil,
                "\(coverage.missing.count) of \(coverage.stocks.counted("stock")) without a sector: "
                    + DisplayText.list(coverage.missing)
                    + "; derive them with edgetick universe import FILE --sectors, or --sector-etfs")
        }
    }

    private mutating func checkKnown(_ groups: [MirrorContents.Group], _ context: Context) {
        if let known = context.known {
            for group in groups {
                let unknown = group.record.members.map(\.symbol).filter { !known.contains($0) }
                add(
                    .warning, .unknown, group.record.identity, unknown, "member is", "members are",
                    "not in the list of known symbols")
            }
            return
        }
        for (environment, own) in Dictionary(grouping: groups, by: \.record.identity.environment) {
            var traded: Set<String> = []
            for group in own where group.record.identity.isUniverse {
                traded.formUnion(group.record.members.lazy.map(\.symbol))
            }
            guard !traded.isEmpty else { continue }
            for group in own where !group.record.identity.isUniverse {
                let unknown = group.record.members.map(\.symbol).filter { !traded.contains($0) }
                add(
                    .note, .unknown, group.record.identity, unknown, "member is", "members are",
                    "in no universe and no ETF of \(environment)")
            }
        }
    }

    private mutating func checkPull(_ pull: PullNote?, _ context: Context) {
        guard let pull else { return }
        let age = Duration.milliseconds(context.now - pull.checkedAt)
        let limit = max(context.pullInterval.map { $0 * 3 } ?? .seconds(86_400), .seconds(600))
        guard age > limit else { return }
        add(
            .warning, .stale, nil,
            "the last pull from \(pull.source) is \(age.spoken) old: run edgetick universe pull")
    }

    // MARK: - Words

    /// Adds a finding that counts items and names the first of them.
    private mutating func add(
        _ severity: Severity, _ check: UniverseFinding.Check, _ group: GroupRecord.Identity?,
        _ items: [String], _ one: String, _ many: String, _ what: String, advice: String = "", isFixable: Bool = false
    ) {
        guard !items.isEmpty else { return }
        add(
            severity, check, group,
            "\(items.count.counted(one, many)) \(what): \(DisplayText.list(items))\(advice)", isFixable: isFixable)
    }

    private mutating func add(
        _ severity: Severity, _ check: UniverseFinding.Check, _ group: GroupRecord.Identity?,
        _ text: String, isFixable: Bool = false
    ) {
        findings.append(
            UniverseFinding(
                severity: severity, check: check,
                group: group.map { "\($0.type) \($0.name) (\($0.environment))" }, text: text, isFixable: isFixable))
    }
}

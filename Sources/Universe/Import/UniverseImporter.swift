public import MarketData
public import Store

/// Makes the mirror's groups from files of symbols and holdings, any number of them in one transaction.
public struct UniverseImporter: Sendable {
    /// A file, read by the caller.
    public struct File: Sendable {
        /// The file's name, without its directory.
        public var name: String
        /// Its content.
        public var bytes: [UInt8]
        /// Why the content could not be read.
        var fault: String?

        /// Makes a file.
        public init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }

        /// Makes a file that could not be read. It is reported among the others and does not stop them.
        public init(name: String, fault: String) {
            self.init(name: name, bytes: [])
            self.fault = fault
        }
    }

    /// How files that were imported before are treated.
    public enum Mode: String, Sendable, CaseIterable {
        /// Every group is written.
        case full
        /// A group whose file is the same as last time is left alone; for the others, the difference is reported.
        case incremental
    }

    /// What the user asked for.
    public struct Options: Sendable {
        /// The groups' type; `nil` takes it from the content.
        public var type: GroupType?
        /// The group's name; `nil` takes it from the content and the file's name. Makes sense for one file only.
        public var name: String?
        /// A sentence about the group.
        public var description: String?
        /// The groups' environment.
        public var environment: String
        /// How files that were imported before are treated.
        public var mode = Mode.full
        /// Whether one wrong row makes its file invalid.
        public var isStrict = false
        /// Whether a group may change by more than half.
        public var force = false
        /// Whether nothing is written.
        public var isDryRun = false
        /// Whether the sector and industry columns make SECTOR groups as well.
        public var derivesSectors = false

        /// Makes options for an environment.
        public init(environment: String) { self.environment = environment }
    }

    /// What became of one file.
    public struct Report: Sendable {
        /// How it ended.
        public enum Outcome: Sendable, Equatable {
            /// The group was written, or would have been.
            case written
            /// The group has these members already.
            case unchanged
            /// Nothing was written, because too much would change; one line says what.
            case refused(String)
            /// The file can't be imported; one line says why.
            case failed(String)
        }

        /// The file's name.
        public var file: String
        /// The group; `nil` when the file can't be imported.
        public var group: UniverseGroup.Definition?
        /// What kind of file it is.
        public var format: HoldingsImport.Format?
        /// How many symbols it has.
        public var symbols = 0
        /// How it ended.
        public var outcome: Outcome
        /// How the members change.
        public var difference: MembershipDifference?
        /// Remarks on rows.
        public var problems: [HoldingsImport.Problem] = []
        /// Remarks on the whole list.
        public var remarks: [String] = []
        /// How many SECTOR groups changed.
        public var sectors = 0
        /// Whether the group is new.
        public var isNew = false
    }

    /// What deriving the sectors changed.
    public struct SectorReport: Sendable {
        /// The sectors that changed, by name.
        public var sectors: [String]
        /// Whether the mirror has the holdings of any sector ETF; without them, nothing can be derived.
        public var hasETFs: Bool
        /// How many stocks have a sector afterwards.
        public var coverage: SectorDerivation.Coverage
        /// Remarks, one line each.
        public var remarks: [String]
    }

    private let mirror: UniverseMirror

    /// An importer into `mirror`.
    public init(mirror: UniverseMirror) { self.mirror = mirror }

    /// Imports files. Blocks on the disk.
    ///
    /// A file that can't be imported does not stop the others.
    ///
    /// - Parameter progress: is called with the number of files read so far.
    /// - Throws: an error of the mirror's file; nothing is written then.
    public func run(
        _ files: [File], _ options: Options, progress: (Int) -> Void = { _ in }
    ) throws(StoreError) -> [Report] {
        let (reports, changes) = try mirror.withSnapshot { snapshot in
            var plan = ImportPlan(options: options, snapshot: snapshot)
            for (index, file) in files.enumerated() {
                try plan.add(file)
                progress(index + 1)
            }
            if options.derivesSectors { try plan.addSectors() }
            return (plan.reports, plan.changes)
        }
        if !options.isDryRun { try mirror.apply(changes) }
        return reports
    }

    /// Makes SECTOR groups from the holdings of the eleven sector ETFs in the mirror. Stocks that have a sector keep
    /// it, unless forced. Blocks on the disk.
    ///
    /// - Throws: an error of the mirror's file; nothing is written then.
    public func deriveSectors(
        environment: String, force: Bool = false, isDryRun: Bool = false
    ) throws(StoreError) -> SectorReport {
        let (derivation, changes, groups) = try mirror.withSnapshot { snapshot in
            let groups = try snapshot.contents().groups.filter { $0.record.identity.environment == environment }
            var holdings: [String: [MemberRecord]] = [:]
            for group in groups where group.record.identity.type == GroupType.etf.rawValue {
                holdings[group.record.identity.name.uppercased()] = group.record.members
            }
            let derivation = SectorDerivation(holdings: holdings)
            let sectors = groups.filter { $0.record.identity.type == GroupType.sector.rawValue }
            let note = ImportNote(source: "sector ETFs", format: "derived", checksum: "")
            let changes = derivation.changes(
                over: sectors, environment: environment, replacing: force, note: note)
            return (derivation, changes, groups)
        }
        if !isDryRun { try mirror.apply(changes) }
        var after = groups
        for change in changes { after.replace(by: change) }
        return SectorReport(
            sectors: changes.map(\.definition.name), hasETFs: derivation.hasETFs,
            coverage: SectorDerivation.coverage(of: after, environment: environment), remarks: derivation.remarks)
    }
}

/// What an import of some files does.
private struct ImportPlan {
    let options: UniverseImporter.Options
    let snapshot: UniverseMirror.Snapshot
    var reports: [UniverseImporter.Report] = []
    var changes: [GroupChange] = []
    /// The file that defines each group.
    var taken: [GroupRecord.Identity: String] = [:]
    var sectors = SectorTally()

    mutating func add(_ file: UniverseImporter.File) throws(StoreError) {
        if let fault = file.fault { return reports.append(.init(file: file.name, outcome: .failed(fault))) }
        let lists: [HoldingsImport]
        do {
            lists = try HoldingsImport.read(file.bytes, strict: options.isStrict)
        } catch {
            return reports.append(
                .init(file: file.name, outcome: .failed(error.description), problems: error.problems))
        }
        if lists.count > 1, options.name != nil {
            let funds = lists.compactMap(\.fund).joined(separator: ", ")
            return reports.append(
                .init(
                    file: file.name,
                    outcome: .failed("it has the holdings of several funds, \(funds): import it without --name")))
        }
        for list in lists {
            let report = try self.report(on: list, of: file)
            reports.append(report)
        }
    }

    /// Adds the sectors that the lists name.
    mutating func addSectors() throws(StoreError) {
        let existing = try snapshot.contents().groups.filter {
            $0.record.identity.type == GroupType.sector.rawValue
                && $0.record.identity.environment == options.environment
        }
        changes += sectors.changes(over: existing, &reports, options)
    }

    /// The group that a list defines.
    private func group(
        of list: HoldingsImport, in file: UniverseImporter.File
    ) throws(StoreError) -> UniverseGroup.Definition {
        let guess = GroupGuess(file: file.name, list)
        var group = UniverseGroup.Definition(
            name: options.name ?? guess.name, type: options.type ?? guess.type,
            description: options.description ?? guess.description, environment: options.environment)
        // An accented letter may be one character or two, as in file names of macOS. The names are equal, but not their
        // bytes, by which the mirror tells groups apart.
        if !group.name.utf8.allSatisfy({ $0 < 0x80 }),
            let stored = try snapshot.headings().first(where: {
                $0.name == group.name && $0.type == group.type && $0.environment == group.environment
            })
        {
            group.name = stored.name
        }
        return group
    }

    private mutating func report(
        on list: HoldingsImport, of file: UniverseImporter.File
    ) throws(StoreError) -> UniverseImporter.Report {
        let group = try group(of: list, in: file)
        var report = UniverseImporter.Report(
            file: file.name, group: group, format: list.format, symbols: list.entries.count, outcome: .written,
            problems: list.problems, remarks: list.remarks)
        if list.cashRows > 0 {
            report.remarks.append("\(list.cashRows.counted("row")) of cash, futures and the like left out")
        }
        if list.elsewhereRows > 0 {
            report.remarks.append(
                list.elsewhereRows.counted("holding that is not a US stock", "holdings that are not US stocks")
                    + " left out")
        }
        guard UniverseKey(group.name) != nil else {
            report.outcome = .failed("the file's name gives no name for a group: give one with --name")
            return report
        }
        if let other = taken[group.identity] {
            report.outcome = .failed(
                "\(other) also defines the \(group.type.rawValue) group \(quoted(group.name)): import only one of the "
                    + "two files, or give one another name with --name")
            return report
        }
        taken[group.identity] = file.name
        let members = list.entries.map { MemberRecord(symbol: $0.symbol, weight: $0.weight) }
        let old = try snapshot.group(group.identity)
        let note = ImportNote(
            source: file.name, format: list.format.rawValue, checksum: ContentDigest.hex(of: file.bytes))
        let difference = MembershipDifference(from: old?.record.members ?? [], to: members)
        report.difference = difference
        if difference.isDrastic, !options.force {
            report.outcome = .refused(
                "\(difference.added.count.counted("symbol")) would join and \(difference.removed.count) of "
                    + "\(difference.before) leave \(quoted(group.name)): more than half; add --force if that is right")
            return report
        }
        if options.derivesSectors { sectors.add(list, note, report: &report) }
        let isSameText = group.description == nil || group.description == old?.record.description
        if options.mode == .incremental, let old, old.origin == .local, difference.isEmpty, isSameText,
            old.imported?.checksum == note.checksum
        {
            report.outcome = .unchanged
            return report
        }
        if old?.origin == .pulled {
            report.remarks.append(
                "the group came from the database and is local now: it hides the database's group, and pulls do not "
                    + "change it; to undo this, run edgetick universe give-back \(DisplayText.argument(group.name))")
        } else if old == nil {
            report.isNew = true
        }
        changes.append(GroupChange(definition: group, members: members, imported: note))
        return report
    }
}

/// What the sector columns of several files say together.
private struct SectorTally {
    private var parts: [(derivation: SectorDerivation, note: ImportNote, file: String, group: String?)] = []

    mutating func add(_ list: HoldingsImport, _ note: ImportNote, report: inout UniverseImporter.Report) {
        let derivation = SectorDerivation(entries: list.entries)
        report.remarks += derivation.remarks
        if derivation.assignments.isEmpty {
            report.remarks.append("the file has no sector column, so no sectors are derived from it")
        } else {
            parts.append((derivation, note, report.file, report.group?.name))
        }
    }

    func changes(
        over existing: [MirrorContents.Group], _ reports: inout [UniverseImporter.Report],
        _ options: UniverseImporter.Options
    ) -> [GroupChange] {
        var groups = existing
        var changes: [String: GroupChange] = [:]
        for part in parts {
            let own = part.derivation.changes(
                over: groups, environment: options.environment, replacing: true, note: part.note)
            // A file may hold several funds, each with a report.
            let index = reports.firstIndex { $0.file == part.file && $0.group?.name == part.group }
            if let index { reports[index].sectors = own.count }
            for change in own {
                changes[change.definition.name] = change
                groups.replace(by: change)
            }
        }
        return changes.values.sorted { $0.definition.name < $1.definition.name }
    }
}

/// The group that a file is probably meant for.
private struct GroupGuess {
    var name: String
    var type: GroupType
    var description: String?

    init(file: String, _ list: HoldingsImport) {
        var stem = file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
        if stem.isEmpty { stem = file }
        // Browsers append a number to the name of a file that already exists.
        if let open = stem.lastIndex(of: "("), stem.hasSuffix(")"), open > stem.startIndex,
            stem[stem.index(after: open)...].dropLast().allSatisfy(\.isNumber)
        {
            stem = String(stem[..<open])
            while stem.last == " " { stem.removeLast() }
        }
        // A universe key can't mean a name with a comma.
        stem = SymbolSpelling.visible(stem).split { $0 == "," || $0.isWhitespace }.joined(separator: " ")
        let fund = list.fund ?? Self.fund(in: stem)
        let isFund = list.format.isFund || (list.format == .weighted && fund != nil)
        name = isFund ? fund ?? stem : stem
        type = isFund ? .etf : .universe
        description = list.title
    }

    /// Words that occur beside a fund's ticker in file names.
    private static let words: Set = [
        "fund", "funds", "etf", "full", "daily", "all", "top", "my", "us", "en", "raw", "data", "csv", "xlsx", "list",
        "export", "detail", "the", "of", "as", "best", "copy", "final", "month", "new", "old", "test", "today", "week",
        "year", "jan", "feb", "mar", "march", "apr", "april", "may", "jun", "june", "jul", "july", "aug", "sep", "sept",
        "oct", "nov", "dec",
    ]

    /// The ticker in the name of a file of holdings: the word before `holdings`, or else one after it:
    /// `IVV_holdings (1)`, `copx_full-holdings_20260612`, `holdings-daily-us-en-spy`.
    private static func fund(in stem: String) -> String? {
        let words = stem.split { !$0.isLetter && !$0.isNumber }
        guard let place = words.lastIndex(where: { $0.lowercased().hasSuffix("holdings") }) else { return nil }
        func isTicker(_ word: Substring) -> Bool {
            (2...5).contains(word.count) && word.allSatisfy { $0.isLetter && $0.isASCII }
                && !Self.words.contains(word.lowercased()) && ListWord.canNameFund(word.uppercased())
        }
        let before = words[..<place].last { !Self.words.contains($0.lowercased()) }
        let after = words[words.index(after: place)...].first(where: isTicker)
        return (before.flatMap { isTicker($0) ? $0 : nil } ?? after)?.uppercased()
    }
}

extension UniverseGroup.Definition {
    /// What identifies the group.
    var identity: GroupRecord.Identity { .init(name: name, type: type.rawValue, environment: environment) }
}

extension [MirrorContents.Group] {
    /// Puts a changed group in the place of the one that it changes.
    mutating func replace(by change: GroupChange) {
        let identity = change.definition.identity
        removeAll { $0.record.identity == identity }
        append(.init(record: .init(identity: identity, members: change.members), origin: .local))
    }
}

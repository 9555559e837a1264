import MarketData

/// Looks up rows in their table by their values.
struct RowLookup<Field: RowField> {
    private let table: TableDescription
    private let columns: [PlannedColumn<Field>]
    private let types: [String]
    /// Whether all rows are looked up with one join. Citus can't run a subquery for each row, and without an index each
    /// subquery would read the whole table.
    private let joins: Bool
    /// Whether a row can't be mistaken for another collector's, or need not be distinguished from it.
    private let isCertain: Bool
    /// The places of the columns in which a row may have nothing.
    private let younger: Set<Int>

    /// - Parameter whose: whose rows count; anybody's do only if a key distinguishes their events.
    /// - Throws: reason `schema` if the table can't be read.
    init(_ target: UploadTarget<Field>, of whose: RowOwner, in catalog: Catalog) throws(UpstreamError) {
        let isOnce = whose == .anybody && target.identity?.isWhole == true
        let columns = isOnce ? target.told : Self.columns(of: target)
        let isCertain = isOnce || Field.self == BarField.self || columns.contains(where: Self.isReceipt)
        try self.init(target, by: columns, isCertain: isCertain, in: catalog)
    }

    /// Looks for rows that were sent before the table had all its columns: these have nothing in the younger ones.
    /// `nil` if no row can be without a value, or if the user may not read all columns.
    ///
    /// - Parameter withoutReceipt: whether the time of receipt may be missing too. What is found only then may be
    ///   another collector's.
    /// - Throws: reason `schema` if the table can't be read.
    init?(
        olderThanColumnsOf target: UploadTarget<Field>, of whose: RowOwner, withoutReceipt: Bool, in catalog: Catalog
    ) throws(UpstreamError) {
        let columns = Self.columns(of: target)
        let found = columns.map { target.table.column($0.field.rawValue) }
        // The table could never be used without the required ones.
        let younger = columns.indices.filter { place in
            !columns[place].roles.contains(.required) && found[place]?.isRequired == false
                && (withoutReceipt || !Self.isReceipt(columns[place]))
        }
        guard withoutReceipt ? younger.contains(where: { Self.isReceipt(columns[$0]) }) : !younger.isEmpty,
            found.allSatisfy({ $0?.canSelect == true })
        else { return nil }
        let isOnce = whose == .anybody && target.identity?.isWhole == true
        let isCertain = isOnce || !withoutReceipt && columns.contains(where: Self.isReceipt)
        try self.init(target, by: columns, isCertain: isCertain, younger: Set(younger), in: catalog)
    }

    /// Looks ticks up by what identifies their events and by their collector alone, since a trigger may change other
    /// values; `nil` if no trigger can, if anybody's rows count by their identity anyway, or if the table lacks columns
    /// of the identity: the remaining ones would match other events too.
    ///
    /// - Throws: reason `schema` if the table can't be read.
    init?(despiteTriggersOf target: UploadTarget<Field>, in catalog: Catalog) throws(UpstreamError) {
        guard target.table.mayKeepOutInserts, target.tellsEvents, target.identity?.isWhole != true else { return nil }
        let collector = target.columns.filter {
            $0.field.rawValue == "collector" && target.table.column("collector")?.canSelect == true
        }
        try self.init(target, by: target.told + collector, isCertain: !collector.isEmpty, in: catalog)
    }

    private init(
        _ target: UploadTarget<Field>, by columns: [PlannedColumn<Field>], isCertain: Bool, younger: Set<Int> = [],
        in catalog: Catalog
    ) throws(UpstreamError) {
        table = target.table
        joins = catalog.citus != nil || !TableShape.isFound(by: table.indexed)
        self.columns = columns
        self.isCertain = isCertain
        self.younger = younger
        let found = columns.compactMap { target.table.column($0.field.rawValue) }
        guard found.count == columns.count, found.allSatisfy(\.canSelect) else {
            throw UpstreamError(
                .schema, "look rows up in \(table.displayName)",
                "the right SELECT is missing: GRANT SELECT ON \(table.displayName)", sqlState: "42501",
                object: "table \(table.name)")
        }
        types = found.map(\.typeText)
    }

    /// The columns by which rows are looked up where no key tells their events apart.
    private static func columns(of target: UploadTarget<Field>) -> [PlannedColumn<Field>] {
        target.columns.filter { !$0.roles.isDisjoint(with: [.key, .identity, .lookedUp]) }
    }

    private static func isReceipt(_ column: PlannedColumn<Field>) -> Bool { column.field.rawValue == "received_at" }

    func copies(
        _ rows: [Buffered<Field.Event>], _ context: RowContext, over connection: PostgresConnection
    ) throws(UpstreamError) -> [RowCopies] {
        let fields = rows.map { row in columns.map { literal($0, row, context) }.joined(separator: ", ") }
        let alike = Dictionary(grouping: fields, by: \.self).mapValues(\.count)
        var found = zip(rows, fields).map {
            RowCopies(sequence: $0.sequence, alike: alike[$1] ?? 1, isCertain: isCertain)
        }
        for part in fields.indices.parts(of: 1000) { try count(fields, part, &found, over: connection) }
        return found
    }

    /// Counts some of the rows. The server refuses to look for a value that its column can't hold; then the rows are
    /// halved, and a row that is refused on its own is not there.
    private func count(
        _ fields: [String], _ part: Range<Int>, _ found: inout [RowCopies], over connection: PostgresConnection
    ) throws(UpstreamError) {
        let operation = "look rows up in \(table.displayName)"
        let (before, after) =
            connection.isInTransaction ? ("SAVEPOINT edgetick; ", "; RELEASE SAVEPOINT edgetick") : ("", "")
        do throws(UpstreamError) {
            let results = try connection.ask(before + sql(fields, part) + after, operation)
            for row in results.lazy.flatMap(\.rows) {
                guard row.count == 2, let place: Int = row.number(0), let count: Int = row.number(1),
                    found.indices.contains(place)
                else { continue }
                found[place].upstream = count
            }
        } catch {
            if error.sqlState == UpstreamError.canceled, !TableShape.isFound(by: table.indexed) {
                throw UpstreamError(
                    error.reason, operation, "\(error.text), and no index begins with symbol or time: create one",
                    sqlState: error.sqlState, object: "table \(table.name)")
            }
            // Class 22: a data exception.
            guard error.sqlState?.hasPrefix("22") == true else { throw error }
            if !before.isEmpty { try connection.run("ROLLBACK TO SAVEPOINT edgetick\(after)", operation) }
            guard part.count > 1 else { return }
            let middle = part.lowerBound + part.count / 2
            try count(fields, part.lowerBound..<middle, &found, over: connection)
            try count(fields, middle..<part.upperBound, &found, over: connection)
        }
    }

    private func sql(_ fields: [String], _ part: Range<Int>) -> String {
        let values = part.map { "(\($0), \(fields[$0]))" }
        let names = columns.indices.map { "c\($0)" }.joined(separator: ", ")
        let conditions = columns.indices.map { index in
            let name = columns[index].name
            // Symbol and time come first; = lets the server use their index.
            let sign = columns[index].roles.contains(.required) && index < 2 ? "=" : "IS NOT DISTINCT FROM"
            let text = table.column(columns[index].field.rawValue)?.comparedAs ?? ""
            let condition = "t.\(name)\(text) \(sign) v.c\(index)::\(types[index])\(text)"
            return younger.contains(index) ? "(\(condition) OR t.\(name) IS NULL)" : condition
        }
        let condition = conditions.joined(separator: " AND ")
        let asked = "(VALUES \(values.joined(separator: ", "))) AS v(place, \(names))"
        if joins {
            return "SELECT v.place, count(*) FROM \(asked) JOIN \(table.sqlName) t ON \(condition) GROUP BY v.place"
        }
        // Row by row, so that the index is used whatever the planner assumes about the table's size.
        return "SELECT v.place, (SELECT count(*) FROM \(table.sqlName) t WHERE \(condition)) FROM \(asked)"
    }

    /// A value as a constant, in the text of COPY, whose escapes are also those of an escape string.
    private func literal(
        _ column: PlannedColumn<Field>, _ row: Buffered<Field.Event>, _ context: RowContext
    ) -> String {
        var copy = CopyText()
        column.field.write(row, as: column.form, in: context, to: &copy)
        let text = String(decoding: copy.bytes, as: UTF8.self)
        guard text != "\\N" else { return "NULL" }
        return "E'" + text.escaping("'", with: "'") + "'"
    }
}

/// Whose rows count when an event is looked up.
enum RowOwner {
    /// This collector's own, by their time of receipt.
    case own
    /// Anybody's, if the table has each event once, so that another box may have sent it.
    case anybody
}

/// How often a row of the file is upstream.
public struct RowCopies: Sendable, Equatable {
    /// The row's number in its stream of the buffer.
    public let sequence: Int64
    /// The number of equal rows in the batch, including this one.
    public let alike: Int
    /// The number of equal rows upstream.
    public internal(set) var upstream = 0
    /// Whether these can't be another collector's: the time of receipt tells rows apart, or a key tells events apart.
    public internal(set) var isCertain = true
}

/// The result of looking up a batch's rows upstream.
public struct RowsUpstream: Sendable {
    /// The rows, each with its copies.
    public internal(set) var rows: [RowCopies] = []
    /// Whether a trigger has changed values of rows, which were found by what identifies their events.
    public internal(set) var areChanged = false

    /// Whether no row can be mistaken for another collector's.
    public var isCertain: Bool { rows.allSatisfy(\.isCertain) }

    /// The sequences of the rows that are upstream.
    public var present: Set<Int64> { Set(rows.lazy.filter { $0.upstream > 0 }.map(\.sequence)) }

    /// Those of them that can't be another collector's.
    var certain: Set<Int64> { Set(rows.lazy.filter { $0.upstream > 0 && $0.isCertain }.map(\.sequence)) }
}

extension RowsUpstream {
    /// Looks up which rows of a batch are in their table, and how often.
    ///
    /// - Throws: any ``UpstreamError/Reason``; `schema` when the table can't be read.
    init(
        _ batch: BufferedBatch, of whose: RowOwner = .anybody, by configuration: UpstreamConfiguration,
        over connection: PostgresConnection, in catalog: Catalog
    ) throws(UpstreamError) {
        let context = RowContext(of: batch, configuration)
        func find<Field: RowField>(
            _ rows: [Buffered<Field.Event>], _ shape: TableShape, _: Field.Type
        ) throws(UpstreamError) {
            guard !rows.isEmpty else { return }
            let target = try UploadTarget<Field>(shape, in: catalog)
            let lookup = try RowLookup(target, of: whose, in: catalog)
            var found = try lookup.copies(rows, context, over: connection)
            for withoutReceipt in [false, true] {
                let absent = found.indices.filter { found[$0].upstream == 0 }
                guard !absent.isEmpty,
                    let older = try RowLookup(
                        olderThanColumnsOf: target, of: whose, withoutReceipt: withoutReceipt, in: catalog)
                else { continue }
                let copies = try older.copies(absent.map { rows[$0] }, context, over: connection)
                for (place, copy) in zip(absent, copies) where copy.upstream >= copy.alike {
                    found[place].upstream = found[place].alike
                    found[place].isCertain = found[place].isCertain && copy.isCertain
                }
            }
            if whose == .anybody, found.contains(where: { $0.upstream == 0 }),
                let other = try RowLookup(despiteTriggersOf: target, in: catalog)
            {
                let copies = try other.copies(rows, context, over: connection)
                for place in found.indices
                where found[place].upstream == 0 && copies[place].upstream >= copies[place].alike {
                    // Rows of events that came more than once look alike here, so copies prove nothing.
                    found[place].upstream = found[place].alike
                    found[place].isCertain = found[place].isCertain && copies[place].isCertain
                    areChanged = true
                }
            }
            self.rows += found
        }
        switch batch.stream {
        case .trades: try find(batch.trades, .trades, TradeField.self)
        case .quotes: try find(batch.quotes, .quotes, QuoteField.self)
        case .luld: try find(batch.limitBands, .luld, LimitBandField.self)
        case .imbalances: try find(batch.imbalances, .imbalances, ImbalanceField.self)
        case .fairValues: try find(batch.fairValues, .fairValues, FairValueField.self)
        case .bars:
            try find(batch.bars.filter { $0.event.interval == .minute }, .minuteBars, BarField.self)
            try find(batch.bars.filter { $0.event.interval == .second }, .secondBars, BarField.self)
        }
    }
}

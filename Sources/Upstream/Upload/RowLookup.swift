import MarketData

/// Looks up rows in their table by their values.
struct RowLookup<Field: RowField> {
    private let table: TableDescription
    private let columns: [PlannedColumn<Field>]
    private let types: [String]
    /// Whether all rows are looked up with one join: see ``Catalog/needsJoin(with:)``.
    private let joins: Bool
    /// Whether a row can't be mistaken for another collector's, or need not be distinguished from it.
    private let isCertain: Bool
    /// The places of the columns that the table may not have had yet when a row was sent.
    private let younger: Set<Int>
    /// Whether values may be another's than were sent, because a trigger has changed them.
    let allowsChanges: Bool

    /// The ways to look rows up, the strictest first. Each of the others is for rows that those before it didn't find.
    ///
    /// - Parameter whose: whose rows count; anybody's do only if a key distinguishes their events.
    /// - Throws: reason `schema` if the table can't be read.
    static func ways(
        to target: UploadTarget<Field>, of whose: RowOwner, in catalog: Catalog
    ) throws(UpstreamError) -> [RowLookup] {
        func found(_ column: PlannedColumn<Field>) -> TableDescription.Column? {
            target.table.column(column.field.rawValue)
        }
        let isOnce = whose == .anybody && target.identity?.isWhole == true
        let columns = target.columns.filter { !$0.roles.isDisjoint(with: [.key, .identity, .lookedUp]) }
        let receipt = columns.firstIndex { $0.field.rawValue == "received_at" }
        let isCertain = isOnce || Field.self == BarField.self || receipt != nil
        var ways = [try RowLookup(target, by: isOnce ? target.told : columns, isCertain: isCertain, in: catalog)]

        // Rows that were sent before the table had all its columns. It could never be used without the required ones.
        var younger = Set(
            columns.indices.filter {
                !columns[$0].roles.contains(.required) && found(columns[$0])?.mayBeYounger == true
            })
        if columns.allSatisfy({ found($0)?.canSelect == true }) {
            let hadReceipt = receipt.map { younger.remove($0) == nil } ?? true
            if !younger.isEmpty {
                ways.append(
                    try RowLookup(
                        target, by: columns, isCertain: isOnce || receipt != nil, younger: younger, in: catalog))
            }
            if let receipt, !hadReceipt {
                younger.insert(receipt)
                ways.append(try RowLookup(target, by: columns, isCertain: isOnce, younger: younger, in: catalog))
            }
        }

        // A trigger may change values, but hardly those that identify the event. If columns of the identity are missing,
        // the remaining ones match other events too.
        guard whose == .anybody, target.table.mayKeepOutInserts, target.tellsEvents, !isOnce else { return ways }
        let collector = target.columns.filter { $0.field.rawValue == "collector" && found($0)?.canSelect == true }
        ways.append(
            try RowLookup(
                target, by: target.told + collector, isCertain: !collector.isEmpty, allowsChanges: true, in: catalog))
        return ways
    }

    private init(
        _ target: UploadTarget<Field>, by columns: [PlannedColumn<Field>], isCertain: Bool, younger: Set<Int> = [],
        allowsChanges: Bool = false, in catalog: Catalog
    ) throws(UpstreamError) {
        table = target.table
        joins = catalog.needsJoin(with: table)
        self.columns = columns
        self.isCertain = isCertain
        self.younger = younger
        self.allowsChanges = allowsChanges
        let found = columns.compactMap { target.table.column($0.field.rawValue) }
        guard found.count == columns.count, found.allSatisfy(\.canSelect) else {
            throw UpstreamError(
                .schema, "look rows up in \(table.displayName)",
                "the right SELECT is missing: \(catalog.grant(["SELECT"], on: table))",
                sqlState: UpstreamError.insufficientPrivilege, object: "table \(table.name)")
        }
        types = found.map(\.typeText)
    }

    func copies(
        _ rows: [Buffered<Field.Event>], _ context: RowContext, over connection: PostgresConnection
    ) throws(UpstreamError) -> [RowCopies] {
        let values = rows.map { row in columns.map { $0.literal(row, context) } }
        let fields = values.map { $0.joined(separator: ", ") }
        // A row without a value in a younger column looks like any that differs only there.
        let compared = columns.indices.filter { !younger.contains($0) }
        let keys = younger.isEmpty ? fields : values.map { row in compared.map { row[$0] }.joined(separator: ", ") }
        let alike = Dictionary(grouping: keys, by: \.self).mapValues(\.count)
        var found = zip(rows, keys).map {
            RowCopies(sequence: $0.sequence, alike: alike[$1] ?? 1, isCertain: isCertain)
        }
        let spans = rows.map { min($0.event.time, $0.event.end)...max($0.event.time, $0.event.end) }
        for part in fields.indices.parts(of: 1000) { try count(fields, spans, part, &found, over: connection) }
        return found
    }

    /// Counts some of the rows. The server refuses to look for a value that its column can't hold; then the rows are
    /// halved, and a row that is refused on its own is not there.
    private func count(
        _ fields: [String], _ spans: [ClosedRange<Int64>], _ part: Range<Int>, _ found: inout [RowCopies],
        over connection: PostgresConnection
    ) throws(UpstreamError) {
        let operation = "look rows up in \(table.displayName)"
        let isInTransaction = connection.isInTransaction
        let after = isInTransaction ? "; RELEASE SAVEPOINT edgetick" : ""
        // By itself: if the server can't read a constant, it runs no statement of the exchange.
        if isInTransaction { try connection.run("SAVEPOINT edgetick", operation) }
        do throws(UpstreamError) {
            let results = try connection.ask(sql(fields, spans, part) + after, operation)
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
            if isInTransaction { try connection.run("ROLLBACK TO SAVEPOINT edgetick\(after)", operation) }
            guard part.count > 1 else { return }
            let middle = part.lowerBound + part.count / 2
            try count(fields, spans, part.lowerBound..<middle, &found, over: connection)
            try count(fields, spans, middle..<part.upperBound, &found, over: connection)
        }
    }

    private func sql(_ fields: [String], _ spans: [ClosedRange<Int64>], _ part: Range<Int>) -> String {
        let values = part.map { "(\($0), \(fields[$0]))" }
        let names = columns.indices.map { "c\($0)" }.joined(separator: ", ")
        var conditions = columns.indices.map { index in
            let name = columns[index].name
            // Symbol and time come first; = lets the server use their index.
            let sign = columns[index].roles.contains(.required) && index < 2 ? "=" : "IS NOT DISTINCT FROM"
            let found = table.column(columns[index].field.rawValue)
            let text = found?.comparedAs ?? ""
            let condition = "t.\(name)\(text) \(sign) v.c\(index)::\(types[index])\(text)"
            guard younger.contains(index) else { return condition }
            let initial = found?.initial.map { " OR t.\(name)\(text) = (\($0))::\(types[index])\(text)" } ?? ""
            return "(\(condition) OR t.\(name) IS NULL\(initial))"
        }
        if let time = columns.first(where: { ["time", "timestamp"].contains($0.field.rawValue) })?.field.rawValue,
            let first = spans[part].lazy.map(\.lowerBound).min(), let last = spans[part].lazy.map(\.upperBound).max(),
            let near = table.nearSQL(time, first...last)
        {
            conditions.append("t.\(near)")
        }
        let condition = conditions.joined(separator: " AND ")
        let asked = "(VALUES \(values.joined(separator: ", "))) AS v(place, \(names))"
        if joins {
            return "SELECT v.place, count(*) FROM \(asked) JOIN \(table.sqlName) t ON \(condition) GROUP BY v.place"
        }
        // Row by row, so that the index is used whatever the planner assumes about the table's size.
        return "SELECT v.place, (SELECT count(*) FROM \(table.sqlName) t WHERE \(condition)) FROM \(asked)"
    }
}

extension Catalog {
    /// Whether rows are compared with a table in one join and not one by one. Citus can't run a subquery for each row, and
    /// without an index each subquery would read the whole table.
    func needsJoin(with table: TableDescription) -> Bool {
        citus != nil || !TableShape.isFound(by: table.indexed)
    }
}

/// Whose rows count when an event is looked up.
enum RowOwner {
    /// This collector's own, by their time of receipt.
    case own
    /// Anybody's, if the table has each event once, so that another box may have sent it.
    case anybody
}

/// Rows of a file that are to be looked up.
struct RowsOfFile: Sendable {
    let batch: BufferedBatch
    /// The last sequence covered.
    let through: Int64
    /// Whether what follows can't be read.
    let isCut: Bool
    private let refused: [ClosedRange<Int64>]
    /// Rows that upstream may have refused.
    let doubtful: Set<Int64>

    /// Reads rows after one sequence and through another.
    ///
    /// - Throws: reason `file`.
    static nonisolated(nonsending) func read(
        _ stream: EventStream, after start: Int64, through end: Int64, limit: Int = 1000, of file: any UploadFile
    ) async throws(UpstreamError) -> RowsOfFile {
        do {
            let (batch, through, isCut) = try await file.rows(of: stream, after: start, through: end, limit: limit)
            return RowsOfFile(
                batch: batch, through: through, isCut: isCut,
                refused: try await file.refusedRows(of: stream, after: start, through: through),
                doubtful: try await file.possiblyRefusedRows(of: stream, after: start, through: through))
        } catch {
            throw UpstreamError(.file, "read rows to look up", String(describing: error))
        }
    }

    /// Whether upstream refused a row, so that it is not there and need not be.
    func isRefused(_ sequence: Int64) -> Bool { refused.contains { $0.contains(sequence) } }
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

    /// Those of them that need not be sent: each is upstream as often as it is in the batch.
    var stored: Set<Int64> { Set(rows.lazy.filter { $0.isCertain && $0.upstream >= $0.alike }.map(\.sequence)) }
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
            let ways = try RowLookup<Field>.ways(to: target, of: whose, in: catalog)
            var found = try ways[0].copies(rows, context, over: connection)
            for way in ways.dropFirst() where found.contains(where: { $0.upstream == 0 }) {
                // Rows that look alike here prove something only if all of them are there.
                let copies = try way.copies(rows, context, over: connection)
                for place in found.indices
                where found[place].upstream == 0 && copies[place].upstream >= copies[place].alike {
                    found[place].upstream = found[place].alike
                    found[place].isCertain = found[place].isCertain && copies[place].isCertain
                    areChanged = areChanged || way.allowsChanges
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

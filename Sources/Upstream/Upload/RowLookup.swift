import MarketData

/// Looks rows up in their table by what they hold.
struct RowLookup<Field: RowField> {
    private let table: TableDescription
    private let columns: [PlannedColumn<Field>]
    private let types: [String]

    /// - Throws: reason `schema` when the table can't be read.
    init(_ target: UploadTarget<Field>) throws(UpstreamError) {
        table = target.table
        columns = target.columns.filter { !$0.roles.isDisjoint(with: [.key, .identity]) }
        var types: [String] = []
        for column in columns {
            guard let found = target.table.column(column.field.rawValue), found.canSelect else {
                throw UpstreamError(
                    .schema, "look rows up in \(target.table.displayName)",
                    "the right SELECT is missing: GRANT SELECT ON \(target.table.displayName)", sqlState: "42501",
                    object: "table \(target.table.name)")
            }
            types.append(found.typeText)
        }
        self.types = types
    }

    /// Whether a row can't be taken for another collector's.
    var isCertain: Bool { columns.contains { $0.field.rawValue == "received_at" } }

    /// How often each row is there.
    func copies(
        _ rows: [Buffered<Field.Event>], _ context: RowContext, over connection: PostgresConnection
    ) throws(UpstreamError) -> [RowCopies] {
        let fields = rows.map { row in columns.map { literal($0, row, context) }.joined(separator: ", ") }
        let alike = Dictionary(grouping: fields, by: \.self).mapValues(\.count)
        var found = zip(rows, fields).map { RowCopies(sequence: $0.sequence, alike: alike[$1] ?? 1) }
        for start in stride(from: 0, to: rows.count, by: 1000) {
            let part = start..<min(start + 1000, rows.count)
            let results = try connection.ask(sql(fields, part), "look rows up in \(table.displayName)")
            for row in results.last?.rows ?? [] {
                guard row.count == 2, let place = row[0].flatMap({ Int($0) }), let count = row[1].flatMap({ Int($0) })
                else { continue }
                found[place].upstream = count
            }
        }
        return found
    }

    private func sql(_ fields: [String], _ part: Range<Int>) -> String {
        let values = part.map { "(\($0), \(fields[$0]))" }
        let names = columns.indices.map { "c\($0)" }.joined(separator: ", ")
        let conditions = columns.indices.map { index in
            let name = columns[index].name
            // Symbol and time come first, and have an index.
            let sign = columns[index].roles.contains(.required) && index < 2 ? "=" : "IS NOT DISTINCT FROM"
            return "t.\(name) \(sign) v.c\(index)::\(types[index])"
        }
        return """
            SELECT v.place, (SELECT count(*) FROM \(table.sqlName) t WHERE \(conditions.joined(separator: " AND ")))
            FROM (VALUES \(values.joined(separator: ", "))) AS v(place, \(names))
            """
    }

    /// A value as COPY has it, as a constant: its escapes are those of an escape string.
    private func literal(
        _ column: PlannedColumn<Field>, _ row: Buffered<Field.Event>, _ context: RowContext
    ) -> String {
        var copy = CopyText()
        column.field.write(row, as: column.form, in: context, to: &copy)
        let text = String(decoding: copy.bytes, as: UTF8.self)
        guard text != "\\N" else { return "NULL" }
        return "E'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }
}

/// How often a row of the file is upstream.
public struct RowCopies: Sendable, Equatable {
    /// The row's number in its stream of the buffer.
    public let sequence: Int64
    /// How many rows of the batch are alike, this one included.
    public let alike: Int
    /// How many rows upstream are alike.
    public internal(set) var upstream = 0

    init(sequence: Int64, alike: Int) {
        self.sequence = sequence
        self.alike = alike
    }
}

/// What became of a batch's rows upstream.
public struct RowsUpstream: Sendable {
    /// The rows.
    public internal(set) var rows: [RowCopies] = []
    /// Whether rows are told from those of another collector: by the time of receipt, or of bars by their key.
    public internal(set) var isCertain = true

    /// The numbers of the rows that are there.
    public var present: Set<Int64> { Set(rows.lazy.filter { $0.upstream > 0 }.map(\.sequence)) }
}

extension Uploader {
    /// Which rows of a batch are in their table, and how often.
    func rowsUpstream(
        _ batch: BufferedBatch, over connection: PostgresConnection, in catalog: Catalog
    ) throws(UpstreamError) -> RowsUpstream {
        let context = RowContext(
            collector: configuration.collector, connections: batch.connections, text: batch.text,
            barTimestamp: configuration.barTimestamp)
        var found = RowsUpstream()
        func find<Field: RowField>(
            _ rows: [Buffered<Field.Event>], _ shape: TableShape, _: Field.Type
        ) throws(UpstreamError) {
            guard !rows.isEmpty else { return }
            let lookup = try RowLookup(UploadTarget<Field>(shape, in: catalog))
            found.rows += try lookup.copies(rows, context, over: connection)
            found.isCertain = found.isCertain && (lookup.isCertain || Field.self == BarField.self)
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
        return found
    }
}

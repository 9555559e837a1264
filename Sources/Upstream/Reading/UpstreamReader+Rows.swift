public import MarketData

extension UpstreamReader {
    /// Reads the rows of one kind of event whose event time is within a span, from the kind's own table.
    ///
    /// A row has the columns of the stream, in their order and in the form the file has them. A value is `nil` for NULL
    /// and for a column that the table lacks.
    ///
    /// - Parameters:
    ///   - symbols: the symbols to read; all if `nil`.
    ///   - each: receives one row; the server waits meanwhile.
    /// - Returns: the number of values that are `nil` because they can't be a value of the file's column: not a number,
    ///   or not a whole one.
    /// - Throws: any ``UpstreamError/Reason``; see ``UpstreamError/isOfMissingTable``.
    public func rows(
        of kind: EventKind, times: Range<Int64>, symbols: [Symbol]?,
        each: @Sendable (_ row: [ColumnValue?]) -> Void
    ) async throws(UpstreamError) -> Int {
        let shape = TableShape.table(of: kind)
        let operation = "read the table \(shape.name)"
        return try await interruptible(by: interrupt, role: configuration.role) { () throws(UpstreamError) in
            let connection = try connected()
            let found = try table(shape, operation, over: connection)
            let columns = kind.stream.columns
            var leftOut = 0
            let selection = RowSelection(kind: kind, table: found, barTimestamp: configuration.barTimestamp)
            try connection.begin("READ ONLY", operation)
            // The whole result takes as long as the caller needs to write it out; instead, each row has a deadline.
            try connection.run("SET LOCAL statement_timeout = 0", operation)
            try connection.copyOut(selection.sql(times, symbols), operation) { line throws(UpstreamError) in
                // One cell per column (PostgreSQL manual, COPY, "Text Format").
                let cells = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
                each(
                    zip(columns, cells).map { column, cell in
                        guard !cell.elementsEqual("\\N".utf8) else { return nil }
                        let value = Self.value(UnsafeRawBufferPointer(rebasing: cell), of: column.content)
                        if value == nil { leftOut += 1 }
                        return value
                    })
            }
            try connection.run("COMMIT", operation)
            return leftOut
        }
    }

    private static func value(_ cell: UnsafeRawBufferPointer, of content: Column.Content) -> ColumnValue? {
        let text = String(decoding: CopyText.unescaped(cell), as: UTF8.self)
        if content.isReal { return Double(text).flatMap { $0.isFinite ? .real($0) : nil } }
        return content.isText ? .text(text) : whole(text).map { .integer($0) }
    }

    /// Parses a whole number, also as a column of type numeric writes it: `5.00`.
    private static func whole(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard let number = parts.first, parts.dropFirst().allSatisfy({ $0.allSatisfy { $0 == "0" } }) else {
            return nil
        }
        return Int64(number)
    }
}

/// Builds the query that reads a table's rows in the form of the file.
private struct RowSelection {
    let kind: EventKind
    let table: TableDescription
    let barTimestamp: BarTimestamp

    func sql(_ times: Range<Int64>, _ symbols: [Symbol]?) -> String {
        let expressions = kind.stream.columns.map { expression($0) ?? "NULL" }
        var conditions = [table.timeSQL(timeName, within: times.lowerBound + shift..<times.upperBound + shift)]
        if let symbols { conditions.append("\(table.quoted("symbol")) IN (\(UpstreamReader.list(symbols)))") }
        return """
            COPY (
                SELECT \(expressions.joined(separator: ", ")) FROM \(table.sqlName)
                WHERE \(conditions.joined(separator: " AND "))
            ) TO STDOUT
            """
    }

    /// The length of a bar, in milliseconds.
    private var length: Int64 { kind.interval?.milliseconds ?? 0 }
    /// How much later the time upstream is than that of the file, in milliseconds.
    private var shift: Int64 { kind.interval.map(barTimestamp.shift(of:)) ?? 0 }
    /// The column upstream that holds the event's time.
    private var timeName: String { kind.stream == .bars ? "timestamp" : "time" }

    private func expression(_ column: Column) -> String? {
        if column.content == .interval { return "\(length / 1000)" }
        // Of several columns, the last is the most exact.
        var candidates = column.targets.reversed().compactMap { expression($0, of: column) }
        if kind.stream == .bars, column.name == "end_ms" {
            candidates.append("\(milliseconds(timeName)) + \(length - shift)")
        }
        guard candidates.count > 1 else { return candidates.first }
        return "coalesce(\(candidates.joined(separator: ", ")))"
    }

    private func expression(_ target: Column.Target, of column: Column) -> String? {
        guard let found = table.column(target.name), found.canSelect else { return nil }
        let name = table.quoted(target.name)
        let isMoment = found.typeName.hasPrefix("timestamp")
        switch column.content {
        case .milliseconds where isMoment:
            return "\(milliseconds(target.name)) - \(target.name == timeName ? shift : 0)"
        case .microseconds where isMoment: return Self.number(of: name, perSecond: 1_000_000)
        case .flag where found.typeName == "bool": return "\(name)::int"
        case .list where found.typeName.hasPrefix("_"): return "to_json(\(name))::text"
        default: return table.textSQL(target.name)
        }
    }

    private func milliseconds(_ name: String) -> String { Self.number(of: table.quoted(name), perSecond: 1000) }

    /// SQL for a moment as a number; NULL if it is infinite or outside the years 1 to 9999.
    private static func number(of moment: String, perSecond count: Int) -> String {
        "CASE WHEN \(moment) BETWEEN '0001-01-01' AND '10000-01-01' THEN (extract(epoch FROM \(moment)) * \(count))::bigint END"
    }
}

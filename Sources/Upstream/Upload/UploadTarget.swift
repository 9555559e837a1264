import MarketData

/// A table that rows go into: the columns to fill, and the statements that fill them.
struct UploadTarget<Field: RowField>: Sendable {
    let table: TableDescription
    let columns: [PlannedColumn<Field>]
    /// How a table of ticks recognizes events that it already holds; `nil` if it can't.
    let identity: TickIdentity?
    /// The columns that distinguish events in a table of ticks, whoever sent them.
    let told: [PlannedColumn<Field>]
    /// Whether rows that are equal in those columns are one event; otherwise columns of the identity are missing.
    let tellsEvents: Bool

    /// - Throws: reason `schema`, naming everything that keeps the table from being used.
    init(_ shape: TableShape, in catalog: Catalog) throws(UpstreamError) {
        let found = try shape.usable(in: catalog)
        columns = Field.allCases.compactMap { field in
            guard let form = shape.formSent(field.rawValue, to: found), let wanted = shape.column(field.rawValue),
                let column = found.column(field.rawValue)
            else { return nil }
            return PlannedColumn(
                field: field, roles: wanted.roles, form: form, name: SQLText.identifier(column.ownName),
                binary: BinaryType(form, typeName: column.typeName))
        }
        table = found
        let ofFeed = columns.filter { shape.column($0.field.rawValue)?.isOfFeed == true }
        let identifying = ofFeed.filter { $0.roles.contains(.identity) }
        // If columns of the identity are missing, the rest alone doesn't distinguish events.
        tellsEvents = !identifying.isEmpty && identifying.count == shape.identity.count
        told = tellsEvents ? identifying : ofFeed.filter { !$0.roles.isDisjoint(with: [.identity, .lookedUp]) }
        let identity = shape.identity(in: found)
        // Without the right to compare rows, one event could be mistaken for another.
        let canLook = told.allSatisfy { found.column($0.field.rawValue)?.canSelect == true }
        self.identity = identity?.isNarrow == true && !canLook ? nil : identity
    }

    private var columnList: String { list(columns) }

    var takesBinary: Bool { columns.allSatisfy { $0.binary != nil } }

    func copySQL(isBinary: Bool) -> String {
        (isBinary ? typeCheckSQL : "") + Self.copy(into: table.sqlName, columnList, isBinary)
    }

    /// Fails if a column's type has changed, before rows in the binary format are stored as wrong values: the server
    /// accepts eight bytes of one type as eight bytes of another. The planned INSERT prevents others from altering the
    /// table until the transaction ends. It fires no trigger and needs no right that COPY doesn't.
    private var typeCheckSQL: String {
        guard let first = columns.first else { return "" }
        let types = columns.map { column in
            let found = table.column(column.field.rawValue)
            return "(\(SQLText.literal(found?.ownName ?? "")), \(SQLText.literal(found?.typeName ?? "")))"
        }
        return """
            EXPLAIN INSERT INTO \(table.sqlName) (\(first.name)) SELECT NULL WHERE false;
            SELECT 1 / (count(*) = 0)::int AS unaltered FROM (VALUES \(types.joined(separator: ", "))) v(name, type)
            JOIN pg_attribute a ON a.attrelid = \(SQLText.literal(table.sqlName))::regclass AND a.attname = v.name
            JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
            WHERE coalesce(b.typname, t.typname) <> v.type
            """ + "; "
    }

    /// A row as INSERT … VALUES. If it is refused, this reports the reason on an engine that hides it for a COPY.
    func insertSQL(_ row: Buffered<Field.Event>, _ context: RowContext) -> String {
        let values = columns.map { $0.literal(row, context) }
        return "INSERT INTO \(table.sqlName) (\(columnList)) VALUES (\(values.joined(separator: ", ")))"
    }

    fileprivate static func copy(into table: String, _ columns: String, _ isBinary: Bool) -> String {
        "COPY \(table) (\(columns)) FROM STDIN\(isBinary ? " (FORMAT binary)" : "")"
    }

    fileprivate static var staging: String { "pg_temp.edgetick_staging" }

    /// Creates a temporary table with the target's column types, so that it rounds as the target does, and copies into
    /// it. The rows are numbered if needed.
    func stageSQL(isBinary: Bool, isNumbered: Bool) -> String {
        let types = columns.map { column in
            "\(column.name) \(table.column(column.field.rawValue)?.typeText ?? "text")"
        }
        return """
            CREATE TEMPORARY TABLE edgetick_staging (\(types.joined(separator: ", "))\(isNumbered ? Self.number : "")) \
            ON COMMIT DROP;
            \(Self.copy(into: Self.staging, columnList, isBinary))
            """
    }

    private static var number: String { ", edgetick_number integer GENERATED ALWAYS AS IDENTITY" }

    /// The sequence that numbers the staged rows.
    fileprivate static var numbers: String { "pg_get_serial_sequence('\(staging)', 'edgetick_number')" }

    /// Leaves out staged rows whose event exists within a millisecond. This is for rows of the REST API, whose times
    /// are truncated while those of the stream are rounded. `nil` if the table has no sequence to distinguish events.
    ///
    /// - Parameters:
    ///   - onlyFetched: whether the event must be there from the REST API; `nil` if the table can't show that.
    ///   - times: the first and the last time of the staged rows. Chunks outside stay closed.
    ///   - joins: see ``Catalog/needsJoin(with:)``. The staged rows must then be numbered.
    func leaveOutSQL(onlyFetched: Bool, times: ClosedRange<Int64>, joins: Bool) -> String? {
        guard told.contains(where: { $0.field.rawValue == "sequence" }) else { return nil }
        let time = table.quoted("time")
        let isZoned = table.column("time")?.typeName == "timestamptz"
        func moment(_ milliseconds: Int64) -> String {
            var text = CopyText()
            text.append(milliseconds: milliseconds, zoned: isZoned)
            return CopyText.literal(text.bytes)
        }
        // A column with fewer decimals rounds. The server can't read years before 1 as they are written here.
        let span = (max(times.lowerBound, 0) - 1000, min(times.upperBound, .max - 1000) + 1000)
        var conditions = ["t.\(time) BETWEEN \(moment(span.0)) AND \(moment(span.1))"]
        conditions += told.compactMap { column -> String? in
            let name = column.name
            switch column.field.rawValue {
            case "time":
                return "t.\(time) BETWEEN s.\(time) - interval '1 millisecond' AND s.\(time) + interval '1 millisecond'"
            case "symbol", "sequence": return "t.\(name) = s.\(name)"
            default: return "\(compared(column, of: "t")) IS NOT DISTINCT FROM \(compared(column, of: "s"))"
            }
        }
        if onlyFetched {
            guard let connection = columns.first(where: { $0.field.rawValue == "connection" }),
                (told + [connection]).allSatisfy({ table.column($0.field.rawValue)?.canSelect == true })
            else { return nil }
            conditions.append("t.\(connection.name) = '\(EventSource.backfill.rawValue)'")
        }
        let condition = conditions.joined(separator: " AND ")
        // Row by row: in a join the planner expects a single match, and so compares each staged row with every match, or
        // reads the whole table.
        guard joins else {
            return
                "DELETE FROM \(Self.staging) s WHERE (SELECT true FROM \(table.sqlName) t WHERE \(condition) LIMIT 1)"
        }
        // A number, and a subquery for the staged rows, because Citus supports the join only in this form. IS TRUE makes
        // the server look the numbers up in a hash table.
        return """
            DELETE FROM \(Self.staging) WHERE (edgetick_number IN (
            SELECT s.edgetick_number FROM (SELECT * FROM \(Self.staging) OFFSET 0) s
            JOIN \(table.sqlName) t ON \(condition))) IS TRUE
            """
    }

    /// Inserts the staged rows whose event doesn't exist, in the order in which they were staged: see ``TickOrder``.
    ///
    /// The key is named if possible, so that the server reports it if somebody has dropped the key.
    var insertSQL: String {
        let key = table.columns.filter { identity?.key?.contains($0.name) == true }
        let named = key.allSatisfy(\.canSelect) && !key.isEmpty
        let names = key.map { SQLText.identifier($0.ownName) }.joined(separator: ", ")
        return """
            INSERT INTO \(table.sqlName) (\(columnList)) SELECT \(columnList) FROM \(Self.staging)
            ON CONFLICT \(named ? "(\(names)) " : "")DO NOTHING
            """
    }

    /// Returns the number of staged rows that a trigger kept out of the table: no row there has their key. `nil` if no
    /// trigger can, if there are several keys, or if the user may not read the key.
    func keptOutSQL(times: ClosedRange<Int64>?) -> String? {
        guard table.mayKeepOutInserts, let key = identity?.key else { return nil }
        let columns = columns.filter { column in
            key.contains(column.field.rawValue) && table.column(column.field.rawValue)?.canSelect == true
        }
        return columns.count == key.count ? missingSQL(by: columns, times: times) : nil
    }

    /// Returns the number of staged rows without a row in the table that is equal in these columns.
    ///
    /// - Parameter times: the first and the last time of the staged rows. Chunks outside stay closed.
    func missingSQL(by columns: [PlannedColumn<Field>], times: ClosedRange<Int64>?) -> String {
        let conditions = columns.map { column in
            // Always there, and = lets the server use their index. A price of a quote may be missing.
            let sign = ["symbol", "time"].contains(column.field.rawValue) ? "=" : "IS NOT DISTINCT FROM"
            return "\(compared(column, of: "t")) \(sign) \(compared(column, of: "s"))"
        }
        let isTimed = columns.contains { $0.field.rawValue == "time" }
        let span = (isTimed ? times : nil).flatMap { table.nearSQL("time", $0) }.map { " AND t.\($0)" }
        return """
            SELECT count(*) FROM \(Self.staging) s WHERE NOT EXISTS (
            SELECT FROM \(table.sqlName) t WHERE \(conditions.joined(separator: " AND "))\(span ?? ""))
            """
    }

    private func compared(_ column: PlannedColumn<Field>, of row: String) -> String {
        "\(row).\(column.name)\(table.column(column.field.rawValue)?.comparedAs ?? "")"
    }

    static var unstageSQL: String { "DROP TABLE \(Self.staging)" }

    /// The table's own names of columns, as a list for SQL.
    func list(_ columns: [PlannedColumn<Field>], prefix: String = "") -> String {
        columns.map { prefix + $0.name }.joined(separator: ", ")
    }
}

extension UploadTarget where Field == BarField {
    /// Merges the staged rows: new keys are inserted, older versions are replaced, and other rows are left alone.
    ///
    /// Columns that the REST aggregates lack keep their values when a row comes from there.
    ///
    /// Returns the number of rows written and, with `tellsNew`, how many of them were new: an inserted row has no xmax,
    /// but partitioned tables don't return system columns. With `countsStaying`, the staged rows are numbered, each row
    /// of the table that stays takes the next number, and the last number is returned as well.
    func mergeSQL(tellsNew: Bool, countsStaying: Bool, versions: BarVersions, from source: EventSource) -> String {
        let merge = """
            INSERT INTO \(table.sqlName) AS existing (\(columnList)) SELECT \(columnList) FROM \(Self.staging)
            ON CONFLICT (\(list(columns.filter { $0.roles.contains(.key) }))) DO \(resolution(versions, from: source, countsStaying: countsStaying))
            """
        let statement =
            tellsNew
            ? """
            WITH merged AS (\(merge) RETURNING existing.xmax = 0 AS is_new)
            SELECT count(*), count(*) FILTER (WHERE is_new) FROM merged
            """ : merge
        let last = countsStaying ? "SELECT currval(\(Self.numbers)); " : ""
        return "\(statement); \(last)\(Self.unstageSQL)"
    }

    /// Whether a trigger may silently keep rows out; only the row count shows it.
    var mayKeepOut: Bool { table.mayKeepOutInserts || table.mayKeepOutUpdates }

    private func resolution(_ versions: BarVersions, from source: EventSource, countsStaying: Bool) -> String {
        let isNewer = versions.condition(old: "existing", new: "EXCLUDED", from: source)
        guard isNewer != nil || countsStaying else { return "NOTHING" }
        let others = columns.filter { !$0.roles.contains(.key) }
        let compared = others.filter { $0.roles.contains(.compared) }
        let assignments = others.map { column in
            let name = column.name
            return source != .stream && column.roles.contains(.streamOnly)
                ? "\(name) = coalesce(EXCLUDED.\(name), existing.\(name))" : "\(name) = EXCLUDED.\(name)"
        }
        let condition = """
            (\(list(compared, prefix: "existing."))) IS DISTINCT FROM (\(list(compared, prefix: "EXCLUDED.")))
            AND \(isNewer ?? "false")
            """
        return """
            UPDATE SET \(assignments.joined(separator: ", "))
            WHERE \(countsStaying ? "CASE WHEN \(condition) THEN true ELSE nextval(\(Self.numbers)) IS NULL END" : condition)
            """
    }

    func versions(_ conflict: BarConflict?) -> BarVersions { BarVersions(conflict, columns: columns) }

    /// Whether an INSERT into the table can tell new rows from replaced ones.
    func tellsNew(in catalog: Catalog) -> Bool { table.kind == "r" && catalog.timescale == nil }
}

import MarketData

/// A table that rows go to: the columns of it that will be filled, and the statements that do it.
struct UploadTarget<Field: RowField>: Sendable {
    let table: TableDescription
    let columns: [PlannedColumn<Field>]
    /// Of a table of ticks, how it knows events that are there; `nil` when it does not.
    let identity: TickIdentity?
    /// The columns that tell events apart in a table of ticks, whoever brought them.
    let told: [PlannedColumn<Field>]

    /// - Throws: reason `schema`, naming everything that keeps the table from being used.
    init(_ shape: TableShape, in catalog: Catalog) throws(UpstreamError) {
        let found = try shape.usable(in: catalog)
        let needsUpdate = shape.rights.contains(.update)
        columns = Field.allCases.compactMap { field in
            guard let wanted = shape.column(field.rawValue), let column = found.column(field.rawValue),
                !column.isGenerated, column.canInsert, !needsUpdate || (column.canUpdate && column.canSelect),
                let form = ColumnForm(wanted.content, typeName: column.typeName)
            else { return nil }
            return PlannedColumn(
                field: field, roles: wanted.roles, form: form, name: SQLText.identifier(column.ownName),
                binary: BinaryType(form, typeName: column.typeName))
        }
        table = found
        let ofFeed = columns.filter { shape.column($0.field.rawValue)?.isOfFeed == true }
        let identifying = ofFeed.filter { $0.roles.contains(.identity) }
        // Where columns are missing, what is left of the identity is not enough.
        told =
            identifying.count == shape.identity.count
            ? identifying : ofFeed.filter { !$0.roles.isDisjoint(with: [.identity, .lookedUp]) }
        let identity = shape.identity(in: found)
        // Who can't look must not take one event for another.
        let canLook = told.allSatisfy { found.column($0.field.rawValue)?.canSelect == true }
        self.identity = identity?.isNarrow == true && !canLook ? nil : identity
    }

    private var columnList: String { list(columns) }

    /// Whether rows can go in COPY's binary format.
    var takesBinary: Bool { columns.allSatisfy { $0.binary != nil } }

    /// COPY straight into the table.
    func copySQL(isBinary: Bool) -> String { Self.copy(into: table.sqlName, columnList, isBinary) }

    fileprivate static func copy(into table: String, _ columns: String, _ isBinary: Bool) -> String {
        "COPY \(table) (\(columns)) FROM STDIN\(isBinary ? " (FORMAT binary)" : "")"
    }

    fileprivate static var staging: String { "pg_temp.edgetick_staging" }

    /// A temporary table of the target's own column types, so that rounding is the target's, and COPY into it; with
    /// numbers of its rows where these are needed.
    func stageSQL(isBinary: Bool, isNumbered: Bool = false) -> String {
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

    /// Leaves out those staged rows whose event is there within a millisecond, for rows of the REST API: its times are cut
    /// off and the stream's are rounded. `nil` where the sequence can't tell events apart.
    var leaveOutSQL: String? {
        guard told.contains(where: { $0.field.rawValue == "sequence" }) else { return nil }
        let time = table.quoted("time")
        let conditions = told.compactMap { column -> String? in
            let name = column.name
            switch column.field.rawValue {
            case "time":
                return "t.\(time) BETWEEN s.\(time) - interval '1 millisecond' AND s.\(time) + interval '1 millisecond'"
            case "symbol", "sequence": return "t.\(name) = s.\(name)"
            default: return "t.\(name) IS NOT DISTINCT FROM s.\(name)"
            }
        }
        // A number, and the staged rows in a query of their own, because Citus joins them only so.
        return """
            DELETE FROM \(Self.staging) WHERE edgetick_number IN (
            SELECT s.edgetick_number FROM (SELECT * FROM \(Self.staging) OFFSET 0) s
            JOIN \(table.sqlName) t ON \(conditions.joined(separator: " AND ")))
            """
    }

    /// Inserts those staged rows whose event is not there, in the order in which they were staged: see ``TickOrder``.
    ///
    /// The key is named where that can be: when somebody has dropped it, the server says so and doubles nothing.
    var insertSQL: String {
        let key = table.columns.filter { identity?.key?.contains($0.name) == true }
        let named = key.allSatisfy(\.canSelect) && !key.isEmpty
        let names = key.map { SQLText.identifier($0.ownName) }.joined(separator: ", ")
        return """
            INSERT INTO \(table.sqlName) (\(columnList)) SELECT \(columnList) FROM \(Self.staging)
            ON CONFLICT \(named ? "(\(names)) " : "")DO NOTHING
            """
    }

    /// Returns how many staged rows are of events that are not there after all, because a key took them for others. Chunks
    /// outside the rows' time stay shut.
    var missingSQL: String {
        let conditions = told.map { column in
            "t.\(column.name) \(column.roles.contains(.required) ? "=" : "IS NOT DISTINCT FROM") s.\(column.name)"
        }
        let time = table.quoted("time")
        return """
            SELECT count(*) FROM \(Self.staging) s WHERE NOT EXISTS (
            SELECT FROM \(table.sqlName) t WHERE \(conditions.joined(separator: " AND ")) AND t.\(time)
            BETWEEN (SELECT min(\(time)) FROM \(Self.staging)) AND (SELECT max(\(time)) FROM \(Self.staging)))
            """
    }

    /// Gives the temporary table up.
    static var unstageSQL: String { "DROP TABLE \(Self.staging)" }

    /// The table's own names of columns.
    func list(_ columns: [PlannedColumn<Field>], prefix: String = "") -> String {
        columns.map { prefix + $0.name }.joined(separator: ", ")
    }
}

extension UploadTarget where Field == BarField {
    /// Merges the staged rows: new keys are inserted, rows in an older version replaced, others left alone.
    ///
    /// What the REST aggregates don't have keeps its value where they bring the rows.
    ///
    /// Returns the number of rows written and, with `tellsNew`, how many of them were new. An inserted row has no
    /// xmax; partitioned tables don't give system columns away.
    func mergeSQL(tellsNew: Bool, versions: BarVersions, from source: EventSource) -> String {
        let merge = """
            INSERT INTO \(table.sqlName) AS existing (\(columnList)) SELECT \(columnList) FROM \(Self.staging)
            ON CONFLICT (\(list(columns.filter { $0.roles.contains(.key) }))) DO \(resolution(versions, from: source))
            """
        let statement =
            tellsNew
            ? """
            WITH merged AS (\(merge) RETURNING existing.xmax = 0 AS is_new)
            SELECT count(*), count(*) FILTER (WHERE is_new) FROM merged
            """ : merge
        return "\(statement); \(Self.unstageSQL)"
    }

    private func resolution(_ versions: BarVersions, from source: EventSource) -> String {
        guard let isNewer = versions.condition(old: "existing", new: "EXCLUDED", from: source) else {
            return "NOTHING"
        }
        let others = columns.filter { !$0.roles.contains(.key) }
        let compared = others.filter { $0.roles.contains(.compared) }
        let assignments = others.map { column in
            let name = column.name
            return source != .stream && column.roles.contains(.streamOnly)
                ? "\(name) = coalesce(EXCLUDED.\(name), existing.\(name))" : "\(name) = EXCLUDED.\(name)"
        }
        return """
            UPDATE SET \(assignments.joined(separator: ", "))
            WHERE (\(list(compared, prefix: "existing."))) IS DISTINCT FROM (\(list(compared, prefix: "EXCLUDED.")))
            AND \(isNewer)
            """
    }

    /// The rule by which versions of a bar are compared in this table.
    func versions(_ conflict: BarConflict?) -> BarVersions {
        BarVersions(conflict, columns: Set(columns.map(\.field)), name: { table.quoted($0.rawValue) })
    }

    /// Whether an INSERT into the table can tell new rows from replaced ones.
    func tellsNew(in catalog: Catalog) -> Bool { table.kind == "r" && catalog.timescale == nil }
}

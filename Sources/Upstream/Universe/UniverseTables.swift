import MarketData

/// The tables of groups in one database, and expressions that read their columns.
struct UniverseTables: Sendable {
    let groups: TableDescription
    let memberships: TableDescription
    /// `nil` if there is no such table.
    let entries: TableDescription?
    private let catalog: Catalog

    /// The columns without which a table can't be read, by its name.
    static let needed = [
        TableShape.groups.name: ["id", "name", "type"], TableShape.memberships.name: ["group_id", "symbol"],
        TableShape.cacheEntries.name: ["type", "key", "value"],
    ]

    init(_ connection: PostgresConnection) throws(UpstreamError) {
        catalog = try connection.readCatalog(of: Array(Self.needed.keys))
        groups = try Self.table(.groups, in: catalog)
        memberships = try Self.table(.memberships, in: catalog)
        let hasEntries = catalog.tables[TableShape.cacheEntries.name] != nil
        entries = hasEntries ? try Self.table(.cacheEntries, in: catalog) : nil
    }

    private static func table(_ shape: TableShape, in catalog: Catalog) throws(UpstreamError) -> TableDescription {
        let operation = "read the universes"
        let name = shape.name
        guard let table = catalog.tables[name] else {
            throw UpstreamError(
                .schema, operation, "the table is missing", sqlState: UpstreamError.undefinedTable,
                object: "table \(name)")
        }
        for column in needed[name] ?? [] {
            let object = "table \(table.displayName), column \(column)"
            guard let found = table.column(column) else {
                throw UpstreamError(.schema, operation, "the column is missing", sqlState: "42703", object: object)
            }
            guard found.canSelect else {
                throw UpstreamError(
                    .schema, operation,
                    "the user may not read it: \(catalog.grant(["SELECT"], on: table))",
                    sqlState: UpstreamError.insufficientPrivilege, object: object)
            }
        }
        return table
    }

    /// Makes sure that the user may write groups.
    ///
    /// - Throws: reason `schema`, with all missing GRANTs at once.
    func checkWriting() throws(UpstreamError) {
        let made = [
            "name", "type", "environment", "liquidity_filter", "description", "metadata", "updated_at", "last_update",
        ]
        // The lock that a push takes requires the right to UPDATE as well.
        var grants = groups.missingGrants(inserting: made, updating: made)
        grants += memberships.missingGrants(
            inserting: ["group_id", "symbol", "weight", "metadata"], updating: ["weight", "metadata", "updated_at"],
            deleting: true)
        guard !grants.isEmpty else { return }
        throw UpstreamError(
            .schema, "push universes",
            "the user may not write groups: "
                + grants.map { catalog.grant($0) + ";" }.joined(separator: " "),
            sqlState: UpstreamError.insufficientPrivilege)
    }

    /// An expression for a column as text; NULL if the table lacks the column or the user may not read it.
    static func text(_ column: String, of table: TableDescription, _ alias: String) -> String {
        guard let found = table.column(column), found.canSelect else { return "NULL::text" }
        return "\(alias).\(SQLText.identifier(column))::text"
    }

    /// Like ``text(_:of:_:)``, for a moment in milliseconds since the Unix epoch; NULL if it is infinite.
    static func milliseconds(_ column: String, of table: TableDescription, _ alias: String) -> String {
        guard let found = table.column(column), found.canSelect,
            ["timestamptz", "timestamp", "date"].contains(found.typeName)
        else { return "NULL::text" }
        let moment = "\(alias).\(SQLText.identifier(column))"
        return "CASE WHEN isfinite(\(moment)) THEN floor(extract(epoch from \(moment)) * 1000)::bigint::text END"
    }

    /// An expression for the environment of a row; `DEFAULT` if the table has no such column.
    static func environment(of table: TableDescription, _ alias: String) -> String {
        table.column("environment") == nil ? "'DEFAULT'" : "coalesce(\(alias).environment::text, 'DEFAULT')"
    }
}

extension TableDescription {
    /// What the user has to be granted to write these columns, as far as they exist.
    fileprivate func missingGrants(
        inserting inserted: [String], updating updated: [String], deleting deletes: Bool = false
    ) -> [String] {
        let missing: [String?] = [
            inserted.allSatisfy { column($0)?.canInsert ?? true } ? nil : "INSERT",
            updated.allSatisfy { column($0)?.canUpdate ?? true } ? nil : "UPDATE",
            !deletes || canDelete ? nil : "DELETE",
        ]
        let rights = missing.compactMap(\.self).joined(separator: ", ")
        return (rights.isEmpty ? [] : ["\(rights) ON \(namedBySQL)"])
            + columns.compactMap(\.closedSequence).map { "USAGE ON SEQUENCE \($0)" }
    }
}

/// A type that the group's own column can't hold, kept in its document.
///
/// In one variant of the tables the check on `type` rejects UNIVERSE. There a universe is stored as CUSTOM with this
/// mark, and read back with its own type.
enum TypeMark {
    static let key = "edgetick_type"

    /// The type that a document names; `nil` when it names none.
    ///
    /// Reads only the mark's own form, anywhere in the document.
    static func type(in metadata: String?) -> String? { metadata.flatMap(find)?.type }

    /// The document without the mark, as it was before; `nil` if it held nothing else.
    static func stripped(_ metadata: String) -> String? {
        guard let (range, _) = find(metadata) else { return metadata }
        var head = metadata[..<range.lowerBound]
        var tail = metadata[range.upperBound...].drop { $0.isWhitespace }
        if tail.first == "," {
            tail = tail.dropFirst().drop { $0.isWhitespace }
        } else {
            while head.last?.isWhitespace == true { head.removeLast() }
            if head.last == "," { head = head.dropLast() }
        }
        let rest = String(head + tail)
        return rest.filter { !$0.isWhitespace } == "{}" ? nil : rest
    }

    static func marked(_ metadata: String?, _ type: String) -> String {
        let mark = "\"\(key)\": \"\(type)\""
        guard let metadata, let open = metadata.firstIndex(of: "{") else { return "{\(mark)}" }
        let body = metadata[metadata.index(after: open)...].drop { $0.isWhitespace }
        return body.first == "}" ? "{\(mark)}" : "{\(mark), \(body)"
    }

    private static func find(_ metadata: String) -> (range: Range<String.Index>, type: String)? {
        guard let name = metadata.firstRange(of: "\"\(key)\"") else { return nil }
        let rest = metadata[name.upperBound...].drop { $0.isWhitespace || $0 == ":" }
        guard rest.first == "\"" else { return nil }
        let value = rest.dropFirst().prefix { $0 != "\"" }
        guard value.endIndex < metadata.endIndex, let type = GroupType(rawValue: String(value)) else { return nil }
        return (name.lowerBound..<metadata.index(after: value.endIndex), type.rawValue)
    }
}

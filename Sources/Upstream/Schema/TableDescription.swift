/// A table as the server's catalog describes it.
struct TableDescription: Sendable, Equatable {
    struct Column: Sendable, Equatable {
        var name: String
        /// The type's name in pg_type; of a domain, the type below it.
        var typeName: String
        /// The type as SQL writes it, with its precision.
        var typeText: String
        /// Whether a row must bring a value: NOT NULL, without default or identity.
        var isRequired: Bool
        /// Whether the server alone makes the value.
        var isGenerated: Bool
        var canInsert: Bool
        var canUpdate: Bool
        var canSelect: Bool
    }

    var schema: String
    var name: String
    /// pg_class.relkind: `r` a table, `p` a partitioned one.
    var kind: String
    var columns: [Column]
    /// The sets of columns that are unique together, and can be named in ON CONFLICT.
    var keys: Set<Set<String>>

    /// The name for SQL, with its schema, quoted.
    var sqlName: String { SQLText.identifier(schema) + "." + SQLText.identifier(name) }
    /// The name for people.
    var displayName: String { "\(schema).\(name)" }

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }
}

/// What is there on the server.
struct Catalog: Sendable, Equatable {
    /// The tables found, by the name asked for.
    var tables: [String: TableDescription] = [:]
    /// TimescaleDB's version; `nil` where the extension isn't installed in the database.
    var timescale: String?
    /// Whether rows may go to another disk than the ledger, so that a COMMIT must wait for all of them: with Citus, and
    /// where a target or a part of it is a foreign table.
    var isDistributed = false
    /// Whether temporary tables may be made.
    var allowsTemporary = true
    /// The user whom the rights are about.
    var user = ""
}

extension PostgresConnection {
    /// Reads the descriptions of the tables named, as the search_path finds them.
    func readCatalog(of tables: [String]) throws(UpstreamError) -> Catalog {
        let operation = "read the tables' columns"
        let names = tables.map { "(\(SQLText.literal($0)))" }.joined(separator: ",")
        let found = "(VALUES \(names)) w(name) JOIN pg_class c ON c.oid = to_regclass(quote_ident(w.name))"
        let results = try run(
            """
            SELECT (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
                   has_database_privilege(current_database(), 'TEMPORARY'), current_user,
                   EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') OR EXISTS (
                       WITH RECURSIVE part(oid) AS (
                           SELECT c.oid FROM \(found)
                           UNION SELECT i.inhrelid FROM pg_inherits i JOIN part p ON i.inhparent = p.oid)
                       SELECT 1 FROM part p JOIN pg_class c ON c.oid = p.oid WHERE c.relkind = 'f');
            SELECT w.name, n.nspname, c.relname, c.relkind FROM \(found) JOIN pg_namespace n ON n.oid = c.relnamespace;
            SELECT w.name, a.attname, coalesce(b.typname, t.typname), format_type(a.atttypid, a.atttypmod),
                   a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
                   a.attgenerated <> '' OR a.attidentity = 'a',
                   has_column_privilege(c.oid, a.attnum, 'INSERT'), has_column_privilege(c.oid, a.attnum, 'UPDATE'),
                   has_column_privilege(c.oid, a.attnum, 'SELECT')
            FROM \(found)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
            ORDER BY w.name, a.attnum;
            SELECT w.name, i.indexrelid, a.attname
            FROM \(found)
            JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                 AND i.indpred IS NULL AND i.indexprs IS NULL
            JOIN generate_series(0, i.indnkeyatts - 1) k ON true
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
            ORDER BY w.name, i.indexrelid
            """, operation)
        guard results.count == 4 else {
            throw discarded(.connectionLost, operation, "the server's answer is cut short")
        }
        var catalog = Catalog()
        if let row = results[0].rows.first {
            catalog.timescale = row[0]
            catalog.allowsTemporary = row[1] == "t"
            catalog.user = row[2] ?? ""
            catalog.isDistributed = row[3] == "t"
        }
        for row in results[1].rows.map(\.texts) {
            catalog.tables[row[0]] = TableDescription(
                schema: row[1], name: row[2], kind: row[3], columns: [], keys: [])
        }
        for row in results[2].rows.map(\.texts) {
            catalog.tables[row[0]]?.columns.append(TableDescription.Column(row))
        }
        let indexes = Dictionary(grouping: results[3].rows.map(\.texts)) { [$0[0], $0[1]] }
        for (place, rows) in indexes {
            catalog.tables[place[0]]?.keys.insert(Set(rows.map { $0[2] }))
        }
        return catalog
    }
}

extension TableDescription.Column {
    fileprivate init(_ row: [String]) {
        name = row[1]
        typeName = row[2]
        typeText = row[3]
        isRequired = row[4] == "t"
        isGenerated = row[5] == "t"
        canInsert = row[6] == "t"
        canUpdate = row[7] == "t"
        canSelect = row[8] == "t"
    }
}

extension [String?] {
    fileprivate var texts: [String] { map { $0 ?? "" } }
}

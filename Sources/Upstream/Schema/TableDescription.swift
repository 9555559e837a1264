/// A table as the server's catalog describes it.
struct TableDescription: Sendable, Equatable {
    struct Column: Sendable, Equatable {
        /// How many decimals a `numeric(p,s)` keeps; `nil` for other types and without limit.
        var scale: Int? {
            guard typeName == "numeric", let comma = typeText.lastIndex(of: ",") else { return nil }
            return Int(typeText[typeText.index(after: comma)...].prefix { $0.isNumber || $0 == "-" })
        }

        /// How many decimals of a second it keeps; `nil` for other types.
        var secondDecimals: Int? {
            guard typeName == "timestamptz" || typeName == "timestamp" else { return nil }
            guard let bracket = typeText.firstIndex(of: "(") else { return 6 }
            return Int(typeText[typeText.index(after: bracket)...].prefix(while: \.isNumber))
        }

        /// Our name, which is the table's but where `BAR_COLUMNS` says otherwise.
        var name: String
        /// The table's own name.
        var ownName: String
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
        /// The sequence that the default takes its numbers from and the user may not use, as SQL names it.
        var closedSequence: String?
    }

    struct Key: Sendable, Hashable {
        var columns: Set<String>
        /// Whether it holds for rows with NULLs as well: none of its columns has any, or they count as equal.
        var holdsForNulls: Bool
    }

    var schema: String
    var name: String
    /// pg_class.relkind: `r` a table, `p` a partitioned one.
    var kind: String
    var columns: [Column]
    /// The sets of columns that are unique together, and can be named in ON CONFLICT.
    var keys: Set<Key>
    /// Whether policies decide what the user sees and writes.
    var hasRowSecurity = false
    var canDelete = true
    /// The columns that an index begins with: rows are found by these without the table being read whole.
    var indexed: Set<String> = []
    /// Whether a crash of the server empties it.
    var isUnlogged = false
    /// Whether a trigger may keep a row out that is inserted, or put it elsewhere, and nothing says so but the count.
    var mayKeepOutInserts = false
    /// The same of a row that is updated.
    var mayKeepOutUpdates = false

    /// The name for statements that people read: quoted where it must be.
    var namedBySQL: String { SQLText.name(schema) + "." + SQLText.name(name) }
    /// The name for SQL, with its schema, quoted.
    var sqlName: String { SQLText.identifier(schema) + "." + SQLText.identifier(name) }
    /// The name for people.
    var displayName: String { "\(schema).\(name)" }

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// Whether these columns are unique together.
    func hasKey(on columns: [String]) -> Bool {
        let columns = Set(columns)
        return keys.contains { $0.columns == columns }
    }

    /// The table's own name of a column, quoted.
    func quoted(_ name: String) -> String { SQLText.identifier(column(name)?.ownName ?? name) }
}

/// What is there on the server.
struct Catalog: Sendable, Equatable {
    /// The tables found, by the name asked for.
    var tables: [String: TableDescription] = [:]
    /// TimescaleDB's version; `nil` where the extension isn't installed in the database.
    var timescale: String?
    /// Where the newest chunk of a hypertable's columnstore ends, in milliseconds since the Unix epoch, by the name asked for.
    var columnstoreEnds: [String: Int64] = [:]
    /// Whether TimescaleDB keeps a statement from opening more than so many rows of the columnstore.
    var limitsOpening = false
    /// Citus's version; `nil` where the extension isn't installed in the database.
    var citus: String?
    /// Whether rows may go to another disk than the ledger, so that a COMMIT must wait for all of them: with Citus, and
    /// where a target or a part of it is a foreign table.
    var isDistributed = false
    /// Whether ticks go only into tables that have a ``TickIdentity``.
    var needsIdentity = false
    /// Whether the server takes no writes now.
    var isReadOnly = false
    /// Whether temporary tables may be made.
    var allowsTemporary = true
    /// Whether tables may be made in the schema that comes first.
    var allowsCreating = true
    /// The schema that comes first; `nil` when the search_path names none that is there.
    var schema: String?
    /// The database's name.
    var database = ""
    /// Schemas off the search_path that have a table, by the name asked for.
    var elsewhere: [String: [Elsewhere]] = [:]
    /// The user whom the rights are about.
    var user = ""

    /// A place where the search_path doesn't find a table.
    struct Elsewhere: Sendable, Equatable {
        var schema: String
        /// Whether the user may look into the schema.
        var isUsable: Bool
    }
}

extension PostgresConnection {
    /// Reads the descriptions of the tables named, as the search_path finds them.
    func readCatalog(of tables: [String]) throws(UpstreamError) -> Catalog {
        let operation = "read the tables' columns"
        let results = try ask(Self.catalogSQL(of: tables.isEmpty ? [""] : tables), operation)
        guard results.count == 6 else {
            throw discarded(.connectionLost, operation, "the server's answer is cut short")
        }
        var catalog = Catalog(needsIdentity: needsIdentity)
        if let row = results[0].rows.first {
            catalog.timescale = row[0]
            catalog.allowsTemporary = row[1] == "t"
            catalog.user = row[2] ?? ""
            catalog.isDistributed = row[3] == "t"
            catalog.allowsCreating = row[4] == "t"
            catalog.schema = row[5]
            catalog.database = row[6] ?? ""
            catalog.citus = row[7]
            catalog.isReadOnly = row[8] == "t"
        }
        for row in results[1].rows.map(\.texts) {
            catalog.tables[row[0]] = TableDescription(
                schema: row[1], name: row[2], kind: row[3], columns: [], keys: [], hasRowSecurity: row[4] == "t",
                canDelete: row[5] == "t", isUnlogged: row[6] == "t", mayKeepOutInserts: row[7] == "t",
                mayKeepOutUpdates: row[8] == "t")
        }
        let columns = Dictionary(grouping: results[2].rows.map(\.texts)) { $0[0] }
        let barNames = columns.mapValues { rows in barColumns(of: rows[0][0]).inForce(among: Set(rows.map { $0[1] })) }
        for (table, rows) in columns {
            catalog.tables[table]?.columns = rows.map { TableDescription.Column($0, barNames[table] ?? .usual) }
        }
        let indexes = Dictionary(grouping: results[3].rows.map(\.texts)) { [$0[0], $0[1]] }
        for (place, rows) in indexes {
            let names = barNames[place[0]] ?? BarColumns.usual
            catalog.tables[place[0]]?.keys.insert(
                TableDescription.Key(
                    columns: Set(rows.map { names.ours($0[2]) }), holdsForNulls: rows.allSatisfy { $0[3] == "t" }))
        }
        for row in results[4].rows.map(\.texts) {
            catalog.tables[row[0]]?.indexed.insert((barNames[row[0]] ?? .usual).ours(row[1]))
        }
        for row in results[5].rows.map(\.texts) {
            catalog.elsewhere[row[0], default: []].append(.init(schema: row[1], isUsable: row[2] == "t"))
        }
        if catalog.timescale != nil { try readColumnstore(into: &catalog) }
        return catalog
    }

    private static func catalogSQL(of tables: [String]) -> String {
        let names = tables.map { "(\(SQLText.literal($0)))" }.joined(separator: ",")
        let found = "(VALUES \(names)) w(name) JOIN pg_class c ON c.oid = to_regclass(quote_ident(w.name))"
        return """
            SELECT (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
                   has_database_privilege(current_database(), 'TEMPORARY'), current_user,
                   EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') OR EXISTS (
                       WITH RECURSIVE part(oid) AS (
                           SELECT c.oid FROM \(found)
                           UNION SELECT i.inhrelid FROM pg_inherits i JOIN part p ON i.inhparent = p.oid)
                       SELECT 1 FROM part p JOIN pg_class c ON c.oid = p.oid WHERE c.relkind = 'f'),
                   coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), current_schema(),
                   current_database(), (SELECT extversion FROM pg_extension WHERE extname = 'citus'),
                   current_setting('transaction_read_only') = 'on';
            SELECT w.name, n.nspname, c.relname, c.relkind, row_security_active(c.oid),
                   has_table_privilege(c.oid, 'DELETE'), c.relpersistence = 'u',
                   coalesce(k.inserts, false), coalesce(k.updates, false)
            FROM \(found) JOIN pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL (\(keepers)) k;
            SELECT w.name, a.attname, coalesce(b.typname, t.typname), format_type(a.atttypid, a.atttypmod),
                   a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
                   a.attgenerated <> '' OR a.attidentity = 'a',
                   has_column_privilege(c.oid, a.attnum, 'INSERT'), has_column_privilege(c.oid, a.attnum, 'UPDATE'),
                   has_column_privilege(c.oid, a.attnum, 'SELECT'),
                   (SELECT min(format('%I.%I', n.nspname, s.relname))
                    FROM pg_attrdef f
                    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
                         AND d.refclassid = 'pg_class'::regclass
                    JOIN pg_class s ON s.oid = d.refobjid
                    JOIN pg_namespace n ON n.oid = s.relnamespace
                    WHERE f.adrelid = c.oid AND f.adnum = a.attnum
                        AND CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END)
            FROM \(found)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
            ORDER BY w.name, a.attnum;
            SELECT w.name, i.indexrelid, a.attname, i.indnullsnotdistinct OR a.attnotnull
            FROM \(found)
            JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                 AND i.indpred IS NULL AND i.indexprs IS NULL
            JOIN generate_series(0, i.indnkeyatts - 1) k ON true
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
            ORDER BY w.name, i.indexrelid;
            SELECT DISTINCT w.name, a.attname
            FROM \(found)
            JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0];
            SELECT w.name, n.nspname, has_schema_privilege(n.oid, 'USAGE')
            FROM (VALUES \(names)) w(name)
            JOIN pg_class c ON c.relname = w.name AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
            JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            WHERE to_regclass(quote_ident(w.name)) IS NULL ORDER BY w.name, n.nspname
            """
    }

    /// What the triggers of the table `c` and of its parts may do. Of a trigger's type, 1 is for each row, 2 before, 4 an
    /// insertion, 16 an update and 64 in its place; TimescaleDB has its own.
    private static let keepers = """
        WITH RECURSIVE part(oid) AS (
            SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN part p ON i.inhparent = p.oid)
        SELECT bool_or(t.tgtype & 4 <> 0) AS inserts, bool_or(t.tgtype & 16 <> 0) AS updates
        FROM part JOIN pg_trigger t ON t.tgrelid = part.oid
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgname <> 'ts_insert_blocker'
            AND t.tgtype & 1 <> 0 AND t.tgtype & 66 <> 0
        """

    private func barColumns(of table: String) -> BarColumns {
        [TableShape.minuteBars.name, TableShape.secondBars.name].contains(table) ? barColumns : .usual
    }
}

extension TableDescription.Column {
    fileprivate init(_ row: [String], _ names: BarColumns) {
        name = names.ours(row[1])
        ownName = row[1]
        typeName = row[2]
        typeText = row[3]
        isRequired = row[4] == "t"
        isGenerated = row[5] == "t"
        canInsert = row[6] == "t"
        canUpdate = row[7] == "t"
        canSelect = row[8] == "t"
        closedSequence = row[9].isEmpty ? nil : row[9]
    }
}

extension [String?] {
    fileprivate var texts: [String] { map { $0 ?? "" } }
}

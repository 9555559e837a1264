import MarketData

/// A table as the server's catalog describes it.
struct TableDescription: Sendable, Equatable {
    struct Column: Sendable, Equatable {
        /// The number of decimals of a `numeric(p,s)`; `nil` for other types and if unlimited.
        var scale: Int? { typeName == "numeric" && modifiers.count == 2 ? modifiers[1] : nil }

        /// The number of decimals of a second; `nil` for other types.
        var secondDecimals: Int? { typeName == "timestamptz" || typeName == "timestamp" ? modifiers.first ?? 6 : nil }

        /// The maximum number of characters of a varchar(n) or char(n).
        var characterLimit: Int? { typeName == "varchar" || typeName == "bpchar" ? modifiers.first : nil }

        /// The numbers in the type's parentheses.
        private var modifiers: [Int] {
            let list = baseTypeText.drop { $0 != "(" }.dropFirst().prefix { $0 != ")" }
            return list.split(separator: ",").compactMap { Int($0) }
        }

        /// Whether the table may have had rows before it had the column.
        var mayBeYounger: Bool { !isRequired || initial != nil }

        /// Whether its values can be compared as they are. The type json has no comparison operators.
        var isComparable: Bool { typeName != "json" }

        /// What follows a value that is compared. Of the type json, which is kept as written, the text is compared.
        var comparedAs: String { isComparable ? "" : "::text" }

        /// Our name of the column, which is the table's unless `BAR_COLUMNS` says otherwise.
        var name: String
        /// The table's own name.
        var ownName: String
        /// The type's name in pg_type; for a domain, its base type.
        var typeName: String
        /// The type as SQL writes it, with its precision.
        var typeText: String
        /// The same; for a domain, its base type.
        var baseTypeText: String
        /// Whether a row must provide a value: NOT NULL, without a default or identity.
        var isRequired: Bool
        /// Whether only the server can set the value.
        var isGenerated: Bool
        var canInsert: Bool
        var canUpdate: Bool
        var canSelect: Bool
        /// The sequence of the default, as SQL names it, if the user may not use it.
        var closedSequence: String?
        /// What the column has, as SQL, in rows that are older than it; `nil` if that is nothing or not a constant.
        var initial: String?
        /// Whether it is NOT NULL, with or without a default.
        var refusesNull = false
    }

    struct Key: Sendable, Hashable {
        var columns: Set<String>
        /// Whether it also holds for rows with NULLs: no column allows them, or NULLs count as equal.
        var holdsForNulls: Bool
    }

    var schema: String
    var name: String
    /// pg_class.relkind: `r` a table, `p` a partitioned one.
    var kind: String
    var columns: [Column]
    /// The sets of columns that are unique together, and can be named in ON CONFLICT.
    var keys: Set<Key>
    /// Whether row-level security applies to the user.
    var hasRowSecurity = false
    var canDelete = true
    /// The leading columns of indexes: single rows can be found by these. An index of block ranges (BRIN) doesn't count.
    var indexed: Set<String> = []
    /// Whether a crash of the server empties it.
    var isUnlogged = false
    /// Whether a trigger may silently suppress or redirect an inserted row; only the row count shows it.
    var mayKeepOutInserts = false
    /// The same for an updated row.
    var mayKeepOutUpdates = false

    /// Whether it is a table, and not a view or something else.
    var isTable: Bool { kind == "r" || kind == "p" }
    /// The name for statements that people read, in quotes only if it needs them.
    var namedBySQL: String { SQLText.name(schema) + "." + SQLText.name(name) }
    /// The name for SQL, with its schema, quoted.
    var sqlName: String { SQLText.identifier(schema) + "." + SQLText.identifier(name) }
    var displayName: String { "\(schema).\(name)" }

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    func hasKey(on columns: [String]) -> Bool {
        let columns = Set(columns)
        return keys.contains { $0.columns == columns }
    }

    /// The table's own name for a column, in quotes.
    func quoted(_ name: String) -> String { SQLText.identifier(column(name)?.ownName ?? name) }

    /// SQL for a column's value as it was sent: without the blanks with which the server pads a `char(n)`.
    func textSQL(_ name: String) -> String { quoted(name) + (column(name)?.typeName == "bpchar" ? "::text" : "") }

    /// The condition that a column's moment is within a span, in milliseconds since the Unix epoch. The span takes the
    /// column's type, so that an index serves.
    func timeSQL(_ name: String, within span: Range<Int64>) -> String {
        func moment(_ milliseconds: Int64) -> String {
            let moment = SQLText.moment(milliseconds)
            return column(name)?.typeName == "timestamp" ? "(\(moment) AT TIME ZONE 'UTC')" : moment
        }
        return "\(quoted(name)) >= \(moment(span.lowerBound)) AND \(quoted(name)) < \(moment(span.upperBound))"
    }

    /// The condition, which begins with the column, that a moment is at most a second off these. Only with constants does
    /// the planner leave out chunks and partitions of other times: otherwise each of them costs a plan and a lock. `nil` if
    /// a constant can't be that far from the present.
    func nearSQL(_ name: String, _ times: ClosedRange<Int64>) -> String? {
        let known: Range<Int64> = 0..<253_402_300_800_000
        guard known.contains(times.lowerBound), known.contains(times.upperBound) else { return nil }
        // A column with fewer decimals rounds.
        let zone = column(name)?.typeName == "timestamp" ? " AT TIME ZONE 'UTC'" : ""
        return "\(quoted(name)) BETWEEN (\(SQLText.moment(times.lowerBound - 1000))\(zone))"
            + " AND (\(SQLText.moment(times.upperBound + 1000))\(zone))"
    }

    /// The condition that a bar's window starts within such a span.
    func barStartSQL(_ interval: Bar.Interval, within span: Range<Int64>, _ meaning: BarTimestamp) -> String {
        let shift = meaning.shift(of: interval)
        return timeSQL(BarField.timestamp.rawValue, within: span.lowerBound + shift..<span.upperBound + shift)
    }
}

/// What the server's catalog says about the tables.
struct Catalog: Sendable, Equatable {
    /// The tables found, by the name asked for.
    var tables: [String: TableDescription] = [:]
    /// TimescaleDB's version; `nil` if the extension isn't installed in the database.
    var timescale: String?
    /// The end of a hypertable's newest chunk in the columnstore, in milliseconds since 1970, by the name asked for.
    var columnstoreEnds: [String: Int64] = [:]
    /// Whether TimescaleDB limits the number of columnstore rows that a statement may decompress.
    var limitsOpening = false
    /// Citus's version; `nil` if the extension isn't installed in the database.
    var citus: String?
    /// Whether rows may be on another disk than the ledger, so that a COMMIT must wait for all disks: with Citus, and
    /// if a target or a part of it is a foreign table.
    var isDistributed = false
    /// Whether ticks go only into tables that have a ``TickIdentity``.
    var needsIdentity = false
    /// Whether the server currently accepts no writes.
    var isReadOnly = false
    /// Whether the user may create temporary tables.
    var allowsTemporary = true
    /// Whether the user may create tables in the current schema.
    var allowsCreating = true
    /// The current schema; `nil` if no schema on the search_path exists.
    var schema: String?
    var database = ""
    /// Schemas outside the search_path that have a table, by the name asked for.
    var elsewhere: [String: [Elsewhere]] = [:]
    /// The user whose rights are described.
    var user = ""

    /// A place where the search_path doesn't find a table.
    struct Elsewhere: Sendable, Equatable {
        var schema: String
        /// Whether the user may access the schema.
        var isUsable: Bool
        /// Whether the table is probably the one that is looked for, so that it isn't made a second time: it has the
        /// columns of ``TableShape/requiredColumns(of:)``, and nobody chose a search_path without its schema.
        var isLikely: Bool
    }

    /// The statement that grants the user a right, such as `USAGE ON SCHEMA market`.
    func grant(_ right: String) -> String { "GRANT \(right) TO \(SQLText.name(user))" }

    func grant(_ rights: [String], on table: TableDescription) -> String {
        grant("\(rights.joined(separator: ", ")) ON \(table.namedBySQL)")
    }

    /// The statement that allows the user to create temporary tables.
    var temporaryGrant: String { grant("TEMPORARY ON DATABASE \(SQLText.name(database))") }

    /// Where the table of this name probably is, off the search_path.
    func place(of table: String) -> Elsewhere? { elsewhere[table]?.first(where: \.isLikely) }
}

extension PostgresConnection {
    /// Reads the descriptions of the tables named, as the search_path finds them. Temporary tables don't count.
    func readCatalog(of tables: [String]) throws(UpstreamError) -> Catalog {
        let operation = "read the tables' columns"
        let results = try ask(Self.catalogSQL(of: tables.isEmpty ? [""] : tables), operation)
        guard results.count == 6 else {
            throw discarded(.connectionLost, operation, "the server's response is incomplete")
        }
        var catalog = Catalog(needsIdentity: configuration.needsIdentity)
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
        let places = Dictionary(grouping: results[5].rows.map(\.texts)) { [$0[0], $0[1]] }
        for (place, rows) in places.sorted(by: { $0.key[1] < $1.key[1] }) {
            let names = barColumns(of: place[0]).inForce(among: Set(rows.map { $0[4] }))
            let isFit = Set(rows.map { names.ours($0[4]) }).isSuperset(of: TableShape.requiredColumns(of: place[0]))
            catalog.elsewhere[place[0], default: []].append(
                .init(schema: place[1], isUsable: rows[0][2] == "t", isLikely: isFit && rows[0][3] == "t"))
        }
        if catalog.timescale != nil { try readColumnstore(into: &catalog) }
        return catalog
    }

    private static func catalogSQL(of tables: [String]) -> String {
        let names = tables.map { "(\(SQLText.literal($0)))" }.joined(separator: ",")
        let isFound = "c.oid = to_regclass(quote_ident(w.name)) AND c.relpersistence <> 't'"
        let found = "(VALUES \(names)) w(name) JOIN pg_class c ON \(isFound)"
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
                        AND CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END),
                   coalesce(format_type(b.oid, t.typtypmod), format_type(a.atttypid, a.atttypmod)),
                   CASE WHEN a.atthasmissing THEN quote_literal((a.attmissingval::text::text[])[1])
                        ELSE substring(pg_get_expr(d.adbin, d.adrelid) FROM '^[^(]*$') END,
                   a.attnotnull
            FROM \(found)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum AND a.attgenerated = ''
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
            JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam AND m.amname <> 'brin'
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0];
            SELECT w.name, n.nspname, has_schema_privilege(n.oid, 'USAGE'),
                   current_schema() IS NULL OR starts_with(p.reset_val, p.boot_val)
                       OR n.nspname = ANY (string_to_array(translate(p.reset_val, '" ', ''), ',')),
                   a.attname
            FROM (VALUES \(names)) w(name)
            JOIN pg_class c ON c.relname = w.name AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
            JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_settings p ON p.name = 'search_path'
            WHERE NOT EXISTS (SELECT FROM pg_class c WHERE \(isFound))
            """
    }

    /// Which row triggers of the table `c` and its parts may suppress or redirect rows. In tgtype, 1 means for each
    /// row, 2 before, 4 insert, 16 update and 64 instead of. TimescaleDB's own trigger doesn't count.
    private static let keepers = """
        WITH RECURSIVE part(oid) AS (
            SELECT c.oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN part p ON i.inhparent = p.oid)
        SELECT bool_or(t.tgtype & 4 <> 0) AS inserts, bool_or(t.tgtype & 16 <> 0) AS updates
        FROM part JOIN pg_trigger t ON t.tgrelid = part.oid
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgname <> 'ts_insert_blocker'
            AND t.tgtype & 1 <> 0 AND t.tgtype & 66 <> 0
        """

    private func barColumns(of table: String) -> BarColumns {
        TableShape.holdsBars(table) ? configuration.barColumns : .usual
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
        baseTypeText = row[10]
        initial = row[11].isEmpty ? nil : row[11]
        refusesNull = row[12] == "t"
    }
}

extension [String?] {
    fileprivate var texts: [String] { map { $0 ?? "" } }
}

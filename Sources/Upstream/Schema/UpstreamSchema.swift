public import MarketData
import Migrations

/// The state of one table of the upstream schema.
public struct SchemaChange: Sendable, Equatable {
    /// What was found or done.
    public enum State: Sendable, Equatable {
        /// It was missing and was made.
        case created
        /// It exists and is as it should be.
        case present
        /// It exists and works, but differs; each line says how.
        case differs([String])
        /// It exists and can't be used; each line says why. It was not altered.
        case unusable([String])
        /// It is missing.
        case missing
    }

    /// The table's name.
    public let table: String
    /// What was found or done.
    public let state: State
    /// Whether the collector needs the table.
    var isNeeded = true
    /// What happens to a row that already exists, in words; `nil` unless it is a table of events that exists.
    var rule: String?
    /// The command that creates the table if it is missing.
    public internal(set) var maker = "edgetick migrate"
    /// What works but is hardly intended, one line each: rounded prices, an UNLOGGED table.
    public internal(set) var warnings: [String] = []
    /// Statements that fix the faults, for the owner of the tables to run.
    var remedies: [String] = []

    /// Whether the collector needs the table and can't use it.
    public var stopsUpload: Bool {
        switch state {
        case .unusable, .missing: isNeeded
        case .created, .present, .differs: false
        }
    }

    /// The statements that fix all faults, as a script for the owner of the tables; empty if there are none.
    public static func recipe(_ changes: [SchemaChange]) -> [String] {
        var seen: Set<String> = []
        return changes.filter(\.stopsUpload).flatMap(\.remedies).filter { seen.insert($0).inserted }.map { $0 + ";" }
    }
}

extension SchemaChange: CustomStringConvertible {
    /// The state, in one line.
    public var description: String {
        let rule = rule.map { "; \($0)" } ?? ""
        return switch state {
        case .created: "\(table): created\(rule)"
        case .present: "\(table): present\(rule)"
        case .differs(let lines): "\(table): present, differs: \(lines.joined(separator: "; "))\(rule)"
        case .unusable(let lines): "\(table): can't be used: \(lines.joined(separator: "; "))"
        case .missing where isNeeded: "\(table): missing; run `\(maker)`"
        case .missing: "\(table): missing, but not needed with the current settings"
        }
    }
}

/// The upstream tables: created if they are missing, checked if they exist. Tables of other programs are never altered.
public enum UpstreamSchema {
    /// All statements that `migrate` runs on an empty database. Of existing tables, only EdgeTick's own get columns.
    public static var sql: String {
        let versions = versionsSQL.replacing("create table", with: "create table if not exists")
        return ([versions + ";\n"] + UpstreamMigrations.all.map(guarded)).joined(separator: "\n")
    }

    /// A step that creates a table only if the search_path finds none of that name, and no other schema has one that is
    /// probably meant: see ``Catalog/Elsewhere/isLikely``; of a table of bars, any may be. It then says so. Columns are
    /// added only to a table that the search_path finds.
    private static func guarded(_ step: UpstreamMigration) -> String {
        let name = SQLText.literal(step.table)
        // What BAR_COLUMNS calls the columns of bars is not known here.
        let required = TableShape.holdsBars(step.table) ? [] : TableShape.requiredColumns(of: step.table)
        let isMissing = """
            not exists (
                    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    join pg_settings p on p.name = 'search_path'
                    where c.relname = \(name) and c.relkind in ('r', 'p', 'f', 'v', 'm')
                        and c.relpersistence <> 't' and n.nspname not in ('pg_catalog', 'information_schema')
                        and (n.nspname = any (current_schemas(false)) or starts_with(p.setting, p.boot_val)
                            and array[\(SQLText.list(required))]::name[] <@ array(
                                select a.attname from pg_attribute a where a.attrelid = c.oid and not a.attisdropped)))
            """
        let remark = """

                elsif to_regclass(\(name)) is null then
                    raise notice 'the table % is not created: a schema off the search_path has one of this name', \(name);
            """
        return """
            do $edgetick$
            begin
                if \(step.columns.isEmpty ? isMissing : "to_regclass(\(name)) is not null")
                then
                    execute $table$
            \(step.migration.sql)
            $table$;\(step.columns.isEmpty ? remark : "")
                end if;
            end
            $edgetick$;
            """
    }

    /// Creates what is missing, in one transaction under a lock against other migrations, and returns the state of each
    /// table for a collector of these kinds of events. A table outside the default search_path that has the required
    /// columns isn't created a second time. Without the right to create tables, nothing is created. If the TimescaleDB
    /// extension is installed, new tables are hypertables.
    ///
    /// - Throws: ``UpstreamError``; nothing is changed in that case.
    public static func migrate(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind> = Set(EventKind.allCases)
    ) async throws(UpstreamError) -> [SchemaChange] {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            try connection.begin("", "begin the migration")
            try connection.run(Self.lockSQL, "lock the schema")
            let names = TableShape.all(in: configuration).map(\.name)
            let before = try connection.readCatalog(of: names + [Self.versionsTable])
            var created: Set<String> = []
            let done = before.allowsCreating ? try Self.versionsDone(connection, before) : []
            for step in UpstreamMigrations.all
            where names.contains(step.table) && before.allowsCreating && before.place(of: step.table) == nil {
                let table = before.tables[step.table]
                let isMissing = table == nil || step.columns.contains { table?.column($0) == nil }
                if isMissing {
                    try connection.run(step.migration.sql, "create the table \(step.table)")
                    if table == nil { created.insert(step.table) }
                }
                if !done.contains(step.migration.version) || isMissing {
                    // A column that is added to somebody else's table doesn't make the table ours.
                    try Self.record(step, created: table == nil, connection)
                }
            }
            var after = try connection.readCatalog(of: names)
            for table in created { after.elsewhere[table] = before.elsewhere[table] }
            try connection.run("COMMIT", "commit the schema")
            return try Self.changes(in: after, created, kinds, configuration, connection)
        }
    }

    /// Returns the state of each table for a collector of these kinds of events: what is missing, what differs, and
    /// which rights the user lacks. Changes nothing.
    public static func check(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind> = Set(EventKind.allCases)
    ) async throws(UpstreamError) -> [SchemaChange] {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            let catalog = try connection.readCatalog(of: TableShape.all(in: configuration).map(\.name))
            return try Self.changes(in: catalog, [], kinds, configuration, connection)
        }
    }

    /// The server's time, in milliseconds since the Unix epoch.
    public static func serverTime(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> Int64? {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            let sql = "SELECT \(SQLText.milliseconds(of: "clock_timestamp()"))"
            return try connection.ask(sql, "ask for the time").value.flatMap { Int64($0) }
        }
    }
}

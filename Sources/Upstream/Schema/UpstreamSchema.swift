public import MarketData
import Migrations

/// How one table of the upstream schema stands.
public struct SchemaChange: Sendable, Equatable {
    /// What was found or done.
    public enum State: Sendable, Equatable {
        /// It was missing and was made.
        case created
        /// It was there and is as it should be.
        case present
        /// It was there and works, in a way that differs; a line each says how.
        case differs([String])
        /// It was there and can't be used; a line each says why. It was not altered.
        case unusable([String])
        /// It is missing.
        case missing
    }

    /// The table's name.
    public let table: String
    /// What was found or done.
    public let state: State
    /// Whether the collector can't do without the table.
    var isNeeded = true
    /// Of a table of bars, which version of a bar stays, in words.
    var versions: String?
    /// Of a table of ticks that is there, whether a unique key tells its events apart.
    var hasIdentity: Bool?
    /// The command that makes the table where it is missing.
    public internal(set) var maker = "edgetick migrate"
    /// What works and is hardly meant, a line each: prices that are rounded, bars under another moment, an UNLOGGED table.
    public internal(set) var warnings: [String] = []
    /// Statements for whoever owns the tables, that have the faults away.
    var remedies: [String] = []

    /// Whether the collector needs the table and can't use it.
    public var stopsUpload: Bool {
        switch state {
        case .unusable, .missing: isNeeded
        case .created, .present, .differs: false
        }
    }

    /// The statements that have all faults away, as a script for whoever owns the tables; empty when there are none.
    public static func recipe(_ changes: [SchemaChange]) -> [String] {
        var seen: Set<String> = []
        return changes.filter(\.stopsUpload).flatMap(\.remedies).filter { seen.insert($0).inserted }.map { $0 + ";" }
    }
}

extension SchemaChange: CustomStringConvertible {
    /// One line.
    public var description: String {
        let identity = hasIdentity.map { $0 ? "each event once" : "an event that comes twice is there twice" }
        let rule = (versions ?? identity).map { "; \($0)" } ?? ""
        return switch state {
        case .created: "\(table): created\(rule)"
        case .present: "\(table): present\(rule)"
        case .differs(let lines): "\(table): present, differs: \(lines.joined(separator: "; "))\(rule)"
        case .unusable(let lines): "\(table): can't be used: \(lines.joined(separator: "; "))"
        case .missing where isNeeded: "\(table): missing; run `\(maker)`"
        case .missing: "\(table): missing, and not needed as things are set"
        }
    }
}

/// The tables upstream: made where they are missing, checked where they are there, never altered when they were there
/// before.
public enum UpstreamSchema {
    /// All statements that `migrate` runs on an empty database; on one that has some of the tables these are left alone.
    public static var sql: String {
        let versions = versionsSQL.replacingFirst("create table", with: "create table if not exists")
        return ([versions + ";\n"] + UpstreamMigrations.all.map(guarded)).joined(separator: "\n")
    }

    /// A step that makes a table only where no schema has one of its name.
    private static func guarded(_ step: UpstreamMigration) -> String {
        // Columns are added where they are missing, by the statement's own word.
        guard step.columns.isEmpty else { return step.migration.sql }
        return """
            do $edgetick$
            begin
                if not exists (
                    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                    where c.relname = \(SQLText.literal(step.table)) and c.relkind in ('r', 'p', 'f', 'v', 'm')
                        and c.relpersistence <> 't' and n.nspname not in ('pg_catalog', 'information_schema')) then
                    execute $table$
            \(step.migration.sql)
            $table$;
                end if;
            end
            $edgetick$;
            """
    }

    /// Makes what is missing, in one transaction that nobody else can be in at the same time, and says how each table
    /// stands, for a collector of these kinds of events. A table off the search_path is not made a second time, and
    /// without the right to make tables none is. Where the TimescaleDB extension is installed, the tables made are hypertables.
    ///
    /// - Throws: ``UpstreamError``; nothing is changed then.
    public static func migrate(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind> = Set(EventKind.allCases)
    ) async throws(UpstreamError) -> [SchemaChange] {
        try await PostgresVisit.run(configuration) { connection throws(UpstreamError) in
            try connection.begin("", "begin the migration")
            try connection.run(Self.lockSQL, "lock the schema")
            let names = TableShape.all(in: configuration).map(\.name)
            let before = try connection.readCatalog(of: names + ["edgetick_schema"])
            var created: Set<String> = []
            let done = before.allowsCreating ? try Self.versionsDone(connection, before) : []
            for step in UpstreamMigrations.all
            where names.contains(step.table) && before.allowsCreating && before.elsewhere[step.table] == nil {
                let table = before.tables[step.table]
                let isMissing = table == nil || step.columns.contains { table?.column($0) == nil }
                if isMissing {
                    try connection.run(step.migration.sql, "create the table \(step.table)")
                    if table == nil { created.insert(step.table) }
                }
                if !done.contains(step.migration.version) || isMissing {
                    try Self.record(step, created: isMissing, connection)
                }
            }
            let after = try connection.readCatalog(of: names)
            try connection.run("COMMIT", "commit the schema")
            return try Self.changes(in: after, created, kinds, configuration, connection)
        }
    }

    /// Says how each table stands for a collector of these kinds of events: what is missing, what differs, which rights the user lacks. Changes nothing.
    ///
    /// - Throws: ``UpstreamError`` when the database can't be asked.
    public static func check(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind> = Set(EventKind.allCases)
    ) async throws(UpstreamError) -> [SchemaChange] {
        try await PostgresVisit.run(configuration) { connection throws(UpstreamError) in
            let catalog = try connection.readCatalog(of: TableShape.all(in: configuration).map(\.name))
            return try Self.changes(in: catalog, [], kinds, configuration, connection)
        }
    }

    /// What the server's clock shows, in milliseconds since the Unix epoch.
    ///
    /// - Throws: ``UpstreamError`` when the database can't be asked.
    public static func serverTime(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> Int64? {
        try await PostgresVisit.run(configuration) { connection throws(UpstreamError) in
            let results = try connection.ask(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", "ask for the time")
            return results.last?.rows.first?.first.flatMap { $0 }.flatMap { Int64($0) }
        }
    }
}

extension String {
    /// With the first place of a text replaced.
    fileprivate func replacingFirst(_ text: String, with other: String) -> String {
        guard let place = firstRange(of: text) else { return self }
        return self[..<place.lowerBound] + other + self[place.upperBound...]
    }
}

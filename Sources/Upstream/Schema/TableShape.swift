import MarketData
import Migrations

/// The columns, key and rights that a table must have, and may have, for EdgeTick to use it.
struct TableShape: Sendable {
    struct Column: Sendable {
        let name: String
        let content: ColumnContent
        let roles: MarketData.Column.Target.Role
        /// Whether the value comes from the feed, so that it is the same whichever collector sends the row.
        var isOfFeed = false
        /// Whether an event may have no value for it.
        var mayBeAbsent = false

        var isRequired: Bool { roles.contains(.required) }
    }

    let name: String
    let columns: [Column]
    /// The columns that must be unique together; empty when none must.
    let key: [String]
    /// The rights that EdgeTick needs, as GRANT names them.
    let rights: [Right]

    enum Right: String, Sendable {
        case insert = "INSERT"
        case update = "UPDATE"
        case select = "SELECT"
        case delete = "DELETE"
    }

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// How the values of a column are written to a table; `nil` if they are not sent: the table lacks the column, its
    /// type can't hold them, or only the server or others may set it. Rights without which the table can't be used at
    /// all count as granted.
    func formSent(_ name: String, to table: TableDescription) -> ColumnForm? {
        guard let wanted = column(name), let found = table.column(name), !found.isGenerated,
            found.canInsert || lacks(.insert, table),
            !rights.contains(.update) || (found.canUpdate && found.canSelect)
        else { return nil }
        return ColumnForm(wanted.content, typeName: found.typeName)
    }

    /// The reasons why the table can't be used, one line each; empty if it can.
    func faults(in catalog: Catalog) -> [String] {
        let user = catalog.user
        guard let table = catalog.tables[name] else {
            guard let place = catalog.place(of: name) else { return ["the table is missing"] }
            let grant = catalog.grant("USAGE ON SCHEMA \(SQLText.name(place.schema))")
            let right = place.isUsable ? "" : ", who \(Self.lacksRight) USAGE on it (\(grant))"
            return ["the table is in the schema \(place.schema), off the search_path of \(user)\(right)"]
        }
        guard table.isTable else { return ["it is a view or something else, not a table"] }
        var faults: [String] = []
        if table.hasRowSecurity {
            faults.append("row-level security applies to \(user), and COPY doesn't support it (\(bypass(catalog)))")
        }
        for column in columns {
            guard let existing = table.column(column.name) else {
                if column.isRequired { faults.append("column \(column.name) is missing") }
                continue
            }
            if column.isRequired, existing.isGenerated {
                faults.append("column \(column.name) is generated and takes no values")
            } else if form(of: column, in: table) == nil, column.isRequired || existing.isRequired {
                faults.append("column \(column.name) has the type \(existing.typeText), which can't hold its values")
            }
        }
        for column in strangers(in: table) where column.isRequired {
            faults.append("column \(column.name) is NOT NULL without a default, and EdgeTick has no value for it")
        }
        if !key.isEmpty, !table.hasKey(on: key) {
            faults.append("it has no unique key on (\(key.joined(separator: ", ")))")
        }
        if catalog.needsIdentity, holdsTicks, identity(in: table)?.isWhole != true { faults.append(Self.lacksIdentity) }
        for right in rights where lacks(right, table) {
            faults.append(
                "the user \(user) \(Self.lacksRight) \(right.rawValue) (\(catalog.grant([right.rawValue], on: table)))")
        }
        for grant in sequenceGrants(table, catalog) {
            faults.append("the user \(user) \(Self.lacksRight) USAGE on a default's sequence (\(grant))")
        }
        return faults
    }

    /// Faults beyond the table itself: rows that may exist already are merged through a temporary table.
    func furtherFaults(in catalog: Catalog) -> [String] {
        (holdsBars || catalog.tables[name].flatMap(identity) != nil) && !catalog.allowsTemporary
            ? ["the user \(catalog.user) \(Self.lacksRight) TEMPORARY on the database"] : []
    }

    /// Statements that fix the faults, for the owner of the table to run; empty if no statement alone can.
    func remedies(in catalog: Catalog) -> [String] {
        var remedies: [String] = []
        if !furtherFaults(in: catalog).isEmpty {
            remedies.append(catalog.temporaryGrant)
        }
        guard let table = catalog.tables[name] else {
            guard let place = catalog.place(of: name) else {
                return catalog.allowsCreating
                    ? remedies
                    : remedies + [catalog.grant("CREATE ON SCHEMA \(SQLText.name(catalog.schema ?? "public"))")]
            }
            let schema = SQLText.name(place.schema)
            if !place.isUsable { remedies.append(catalog.grant("USAGE ON SCHEMA \(schema)")) }
            return remedies + ["ALTER ROLE \(SQLText.name(catalog.user)) SET search_path = \(schema), public"]
        }
        guard table.isTable else { return [] }
        if table.hasRowSecurity { remedies.append(bypass(catalog)) }
        let missing = rights.filter { lacks($0, table) }.map(\.rawValue)
        if !missing.isEmpty {
            remedies.append(
                catalog.grant(
                    missing + ([Self.ledger.name, Self.fleet.name].contains(name) ? ["DELETE"] : []), on: table))
        }
        remedies += sequenceGrants(table, catalog)
        if !key.isEmpty, !table.hasKey(on: key), key.allSatisfy({ table.column($0) != nil }) {
            let columns = key.map { SQLText.name(table.column($0)?.ownName ?? $0) }.joined(separator: ", ")
            remedies.append("CREATE UNIQUE INDEX ON \(table.namedBySQL) (\(columns))")
        }
        if catalog.needsIdentity, holdsTicks, identity(in: table)?.isWhole != true,
            let sql = try? IdentitySQL(self, in: catalog)
        {
            remedies.append(sql.indexSQL())
        }
        return remedies
    }

    private func bypass(_ catalog: Catalog) -> String { "ALTER ROLE \(SQLText.name(catalog.user)) BYPASSRLS" }

    /// The columns that EdgeTick doesn't know and leaves to their defaults.
    private func strangers(in table: TableDescription) -> [TableDescription.Column] {
        table.columns.filter { column($0.name) == nil }
    }

    /// The missing rights on the sequences of `serial` columns that are left to their defaults.
    private func sequenceGrants(_ table: TableDescription, _ catalog: Catalog) -> [String] {
        guard rights.contains(.insert) else { return [] }
        return strangers(in: table).compactMap(\.closedSequence).map { catalog.grant("USAGE ON SEQUENCE \($0)") }
    }

    /// The table's description, if it can be used.
    ///
    /// - Throws: reason `schema`, naming everything that keeps it from being used.
    func usable(in catalog: Catalog) throws(UpstreamError) -> TableDescription {
        let found = catalog.tables[name]
        let faults = faults(in: catalog)
        if let found, faults.isEmpty { return found }
        let isAboutRights = faults.allSatisfy { $0.contains(Self.lacksRight) }
        let other = found == nil ? UpstreamError.undefinedTable : nil
        throw UpstreamError(
            .schema, "check the table \(found?.displayName ?? name)", faults.joined(separator: "; "),
            sqlState: isAboutRights ? UpstreamError.insufficientPrivilege : other, object: "table \(name)")
    }

    private static let lacksRight = "lacks the right"

    /// What works but differs from the tables that EdgeTick creates, one line each.
    func differences(in catalog: Catalog) -> [String] {
        guard let table = catalog.tables[name] else { return [] }
        let missing = columns.filter { table.column($0.name) == nil && !$0.isRequired }.map(\.name)
        let unzoned = columns.filter {
            form(of: $0, in: table) == .plainTime && table.column($0.name)?.isGenerated == false
        }.map(\.name)
        return [
            Self.sentence(missing, "is missing: its values are not sent", "are missing: their values are not sent"),
            Self.sentence(
                unzoned, "has no time zone: times are written in UTC", "have no time zone: times are written in UTC"),
        ].compactMap { $0 }
            + columns.compactMap { column in
                guard let existing = table.column(column.name) else { return nil }
                guard form(of: column, in: table) != nil else {
                    return column.isRequired || existing.isRequired
                        ? nil : "column \(column.name) has the type \(existing.typeText): its values are not sent"
                }
                if existing.isGenerated {
                    return column.isRequired ? nil : "column \(column.name) is generated: not sent"
                }
                return existing.typeName == "float4" ? "column \(column.name) keeps only 6 digits" : nil
            } + warnings(in: catalog)
    }

    private func form(of column: Column, in table: TableDescription) -> ColumnForm? {
        table.column(column.name).flatMap { ColumnForm(column.content, typeName: $0.typeName) }
    }

    /// A line about columns; `nil` for none.
    private static func sentence(_ columns: [String], _ one: String, _ several: String) -> String? {
        guard !columns.isEmpty else { return nil }
        return columns.count == 1
            ? "column \(columns[0]) \(one)" : "columns \(columns.joined(separator: ", ")) \(several)"
    }

    /// What works but is hardly intended, one line each: values that are rounded, rows that a crash deletes, events
    /// that can be found only by reading the whole table, rows that nobody deletes.
    func warnings(in catalog: Catalog) -> [String] {
        guard let table = catalog.tables[name], table.isTable else { return [] }
        var warnings = rounded(in: table) + refusingNulls(in: table)
        let isOfUpload = holdsBars || holdsTicks || name == Self.ledger.name
        if isOfUpload, table.isUnlogged {
            warnings.append(
                "the table is UNLOGGED: a crash of the server empties it (ALTER TABLE \(table.namedBySQL) SET LOGGED)")
        }
        if holdsTicks, !Self.isFound(by: table.indexed) {
            let columns = ["symbol", "time"].map { SQLText.name(table.column($0)?.ownName ?? $0) }
            warnings.append(
                "no index begins with symbol or time, so the table is read whole to look for events "
                    + "(CREATE INDEX ON \(table.namedBySQL) (\(columns.joined(separator: ", "))))")
        }
        if let uncovered = identity(in: table)?.uncovered, !uncovered.isEmpty {
            let columns = uncovered.map { table.column($0)?.ownName ?? $0 }.joined(separator: ", ")
            warnings.append(
                "a unique key lacks \(columns), so that the second of two events that differ only there becomes a dead letter: "
                    + "drop the key, then run `edgetick migrate --tick-identity`")
        }
        if name == Self.ledger.name, !table.canDelete {
            warnings.append(
                "the user \(catalog.user) \(Self.lacksRight) DELETE, so rows of old files stay "
                    + "(\(catalog.grant([Right.delete.rawValue], on: table)))")
        }
        return warnings
    }

    /// Whether indexes that begin with these columns find an event.
    static func isFound(by indexed: Set<String>) -> Bool { !indexed.isDisjoint(with: ["symbol", "time", "timestamp"]) }

    /// Columns that refuse a row to which the feed gives no value, one line each.
    private func refusingNulls(in table: TableDescription) -> [String] {
        columns.compactMap { column in
            guard column.mayBeAbsent, let existing = table.column(column.name), existing.refusesNull,
                formSent(column.name, to: table) != nil
            else { return nil }
            // What belongs to a primary key can't allow NULL.
            let isOfKey = table.keys.contains { $0.columns.contains(column.name) }
            let remedy =
                isOfKey
                ? ""
                : " (ALTER TABLE \(table.namedBySQL) ALTER COLUMN \(SQLText.name(existing.ownName)) DROP NOT NULL)"
            return "column \(column.name) is NOT NULL, so rows to which the feed gives no value are refused\(remedy)"
        }
    }

    /// Columns that store a value less exactly than the feed sends it: decimals of a price, of a tick's time or size;
    /// one line each.
    private func rounded(in table: TableDescription) -> [String] {
        columns.compactMap { column in
            guard let existing = table.column(column.name), !existing.isGenerated else { return nil }
            let type = "column \(column.name) has the type \(existing.typeText)"
            if column.content == .price, column.name != "weight", let scale = existing.scale, scale < 4 {
                return "\(type): prices are rounded to \(scale) decimals"
            }
            guard holdsTicks, column.isOfFeed else { return nil }
            if column.content == .instant, let decimals = existing.secondDecimals, decimals < 3 {
                return "\(type): times are rounded to \(decimals) decimals of a second"
            }
            return form(of: column, in: table) == .rounded ? "\(type): parts of a share are rounded" : nil
        }
    }

    private func lacks(_ right: Right, _ table: TableDescription) -> Bool {
        if right == .delete { return !table.canDelete }
        return columns.contains { column in
            guard let existing = table.column(column.name), column.isRequired || existing.isRequired else {
                return false
            }
            return switch right {
            case .insert: !existing.canInsert
            case .update: !existing.canUpdate
            case .select: !existing.canSelect
            case .delete: false
            }
        }
    }
}

extension TableShape {
    /// The table of a stream's events, with the column `collector` in addition to those of the stream.
    private init(_ name: String, of stream: EventStream, rights: [Right]) {
        self.name = name
        columns =
            stream.columns.flatMap { column in
                column.targets.map {
                    Column(
                        name: $0.name, content: ColumnContent($0.content), roles: $0.roles,
                        isOfFeed: !column.fields.isEmpty, mayBeAbsent: !column.isRequired)
                }
            } + [Column(name: "collector", content: .text, roles: [])]
        key = columns.filter { $0.roles.contains(.key) }.map(\.name)
        self.rights = rights
    }

    private init(
        _ name: String, required: [(String, ColumnContent)], optional: [(String, ColumnContent)] = [], key: [String],
        rights: [Right]
    ) {
        self.name = name
        columns =
            required.map { Column(name: $0.0, content: $0.1, roles: .required) }
            + optional.map { Column(name: $0.0, content: $0.1, roles: []) }
        self.key = key
        self.rights = rights
    }

    static let minuteBars = TableShape("ohlcv_1min", of: .bars, rights: [.insert, .update, .select])
    static let secondBars = TableShape("ohlcv_1sec", of: .bars, rights: [.insert, .update, .select])
    static let trades = TableShape("trades", of: .trades, rights: [.insert])
    static let quotes = TableShape("quotes", of: .quotes, rights: [.insert])
    static let luld = TableShape("luld", of: .luld, rights: [.insert])
    static let imbalances = TableShape("imbalances", of: .imbalances, rights: [.insert])
    static let fairValues = TableShape("fair_values", of: .fairValues, rights: [.insert])
    static let ledger = TableShape(
        "edgetick_uploads",
        required: [
            ("buffer_id", .identifier), ("collector", .text), ("stream", .text), ("last_sequence", .whole),
            ("rows", .whole), ("updated_at", .instant), ("token", .identifier), ("successor", .identifier),
        ],
        optional: [("lost_from", .whole), ("lost_through", .whole)],
        key: ["buffer_id", "stream"], rights: [.insert, .update, .select])
    static let fleet = TableShape(
        "edgetick_collectors",
        required: [
            ("id", .text), ("host", .text), ("version", .text), ("started", .instant), ("seen", .instant),
            ("state", .text), ("symbols", .whole), ("events_per_second", .quantity), ("rows_pending", .whole),
            ("oldest_pending_seconds", .quantity), ("gaps_open", .whole), ("events_dropped", .whole),
            ("dead_letters", .whole), ("file_id", .identifier), ("pushed_out", .flag), ("group", .text),
            ("reason", .text), ("last_event", .instant), ("disk_free_bytes", .whole), ("clock_offset_ms", .whole),
            ("shares_with", .list), ("backend", .whole),
        ],
        key: ["id"], rights: [.insert, .update, .select])
    static let groups = TableShape(
        "definition_groups",
        required: [("id", .whole), ("name", .text), ("type", .text), ("environment", .text)],
        optional: [
            ("description", .text), ("metadata", .document), ("liquidity_filter", .document), ("created_at", .instant),
            ("updated_at", .instant), ("last_update", .instant),
        ],
        key: ["name", "type", "environment"], rights: [.select])
    static let memberships = TableShape(
        "group_memberships", required: [("group_id", .whole), ("symbol", .text)],
        optional: [
            ("weight", .price), ("metadata", .document), ("created_at", .instant), ("updated_at", .instant),
        ],
        key: ["group_id", "symbol"], rights: [.select])
    static let cacheEntries = TableShape(
        "cache_entries",
        required: [("type", .text), ("name", .text), ("key", .text), ("value", .document), ("environment", .text)],
        optional: [("updated_at", .instant)], key: [], rights: [.select])

    static let stretches = TableShape(
        "edgetick_stretches",
        required: [
            ("collector", .text), ("kind", .text), ("since", .instant), ("through", .instant), ("symbols", .list),
            ("group", .text),
        ],
        key: ["collector", "kind", "since"], rights: [.insert, .update, .select, .delete])

    /// Whether its rows are bars, of which newer versions replace older ones.
    var holdsBars: Bool { Self.holdsBars(name) }
    static func holdsBars(_ table: String) -> Bool { table == minuteBars.name || table == secondBars.name }

    static func table(of kind: EventKind) -> TableShape {
        switch kind {
        case .minuteBar: minuteBars
        case .secondBar: secondBars
        case .trade: trades
        case .quote: quotes
        case .limitBand: luld
        case .imbalance: imbalances
        case .fairValue: fairValues
        }
    }

    /// The tables in a database that holds these streams; the groups are in the main one.
    static func all(in configuration: UpstreamConfiguration) -> [TableShape] {
        let events = configuration.streams.flatMap(\.kinds).map(table(of:))
        let others = configuration.role == .main ? [groups, memberships, cacheEntries, fleet] : []
        return events + others + [stretches, ledger]
    }

    /// The tables of events.
    static let events = EventKind.allCases.map(table(of:))
    static let targets = events + [ledger]

    /// The columns by which a table of this name is known: those without which it can't be used, but for what a later
    /// step of the schema adds. Empty if EdgeTick knows none of this name.
    static func requiredColumns(of table: String) -> [String] {
        if let needed = UniverseTables.needed[table] { return needed }
        let added = UpstreamMigrations.all.filter { $0.table == table }.flatMap(\.columns)
        let shape = (targets + [fleet, stretches]).first { $0.name == table }
        let required = shape?.columns.filter(\.isRequired).map(\.name) ?? []
        return required.filter { !added.contains($0) }
    }
}

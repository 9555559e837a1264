import MarketData

/// Compares and writes groups within one transaction.
struct UniverseWriting {
    private static let chunk = 1000

    let connection: PostgresConnection
    let tables: UniverseTables
    private let weights: WeightColumn?
    /// The types that the check on `type` accepts; `nil` if no check lists them.
    private let allowedTypes: [String]?

    /// Unless read-only, checks the rights and locks the tables, so that what was compared is what is changed.
    init(_ connection: PostgresConnection, isReadOnly: Bool) throws(UpstreamError) {
        self.connection = connection
        tables = try UniverseTables(connection)
        if !isReadOnly {
            try tables.checkWriting()
            try connection.run(
                "LOCK TABLE \(tables.groups.sqlName), \(tables.memberships.sqlName) IN SHARE ROW EXCLUSIVE MODE",
                "lock the universes")
        }
        weights = try WeightColumn(of: tables.memberships, connection)
        allowedTypes = try Self.allowedTypes(connection, tables.groups)
    }

    private static func allowedTypes(
        _ connection: PostgresConnection, _ table: TableDescription
    ) throws(UpstreamError) -> [String]? {
        let rows = try connection.run(
            """
            SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attname = 'type'
            WHERE c.conrelid = \(SQLText.literal(table.sqlName))::regclass AND c.contype = 'c'
            """, "read the check of definition_groups.type"
        ).rows
        let checks = rows.compactMap { $0[0] }.filter { $0.contains("'ETF'") }
        guard !checks.isEmpty else { return nil }
        return GroupType.allCases.map(\.rawValue).filter { type in checks.allSatisfy { $0.contains("'\(type)'") } }
    }

    // MARK: - Comparing

    /// Reports what the columns can't hold before anything is written.
    private func check(_ group: GroupRecord) throws(UpstreamError) {
        func fits(_ text: String, _ column: String, _ table: TableDescription, _ what: String) throws(UpstreamError) {
            guard let limit = table.column(column)?.characterLimit, text.unicodeScalars.count > limit else { return }
            throw Self.refusal(
                "\(what) has \(text.unicodeScalars.count) characters, but the column \(column) holds only \(limit)",
                sqlState: "22001", about: "table \(table.displayName), column \(column)")
        }
        try fits(group.identity.name, "name", tables.groups, "the name \(group.identity.name)")
        for member in group.members {
            try fits(
                member.symbol, "symbol", tables.memberships, "the symbol \(member.symbol) of \(group.identity.name)")
            if let weights, let weight = member.weight, weights.text(ofPercent: weight) == nil {
                throw Self.refusal(
                    "the weight \(weight) of \(member.symbol) in \(group.identity.name) doesn't fit the column, which is "
                        + "\(weights.typeText)", sqlState: "22003",
                    about: "table \(tables.memberships.displayName), column weight")
            }
        }
        try checkReferences(group)
        if tables.groups.column("environment") == nil, group.identity.environment != "DEFAULT" {
            throw Self.refusal(
                "group \(group.identity.name) belongs to \(group.identity.environment), but the table has no column "
                    + "environment", about: "table \(tables.groups.displayName)")
        }
    }

    private static func refusal(_ text: String, sqlState: String? = nil, about object: String) -> UpstreamError {
        UpstreamError(.data, "push universes", text, sqlState: sqlState, object: object)
    }

    /// Reports all members that a foreign key of the table rejects, at once.
    private func checkReferences(_ group: GroupRecord) throws(UpstreamError) {
        let operation = "look for the members of \(group.identity.name)"
        let keys = try connection.run(
            """
            SELECT c.confrelid::regclass::text, quote_ident(r.attname) FROM pg_constraint c
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] AND a.attname = 'symbol'
            JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = c.confkey[1]
            WHERE c.conrelid = \(SQLText.literal(tables.memberships.sqlName))::regclass AND c.contype = 'f'
              AND array_length(c.conkey, 1) = 1 AND has_table_privilege(c.confrelid, 'SELECT')
            """, operation
        ).rows
        for key in keys {
            guard let table = key[0], let column = key[1] else { continue }
            var unknown: [String] = []
            for part in group.members.parts(of: Self.chunk) {
                let symbols = part.map { "(\(SQLText.literal($0.symbol)))" }.joined(separator: ", ")
                let sql =
                    "SELECT s FROM (VALUES \(symbols)) v(s) "
                    + "WHERE NOT EXISTS (SELECT 1 FROM \(table) r WHERE r.\(column)::text = s) ORDER BY 1"
                unknown += try connection.run(sql, operation).rows.compactMap { $0[0] }
            }
            guard !unknown.isEmpty else { continue }
            throw Self.refusal(
                "\(unknown.count) of its symbols are not in \(table), which the table refers to: "
                    + DisplayText.list(unknown), sqlState: "23503", about: "group \(group.identity.name)")
        }
    }

    /// Returns what writing a group changes.
    ///
    /// - Throws: reason `data` when the tables can't hold it.
    func compare(_ group: GroupRecord) throws(UpstreamError) -> PushPlan.Group {
        try check(group)
        var result = PushPlan.Group(identity: group.identity, action: .create)
        let stored = try storedType(of: group.identity)
        if stored != group.identity.type { result.writtenAs = stored }
        guard let found = try find(group.identity) else {
            result.added = group.members.map(\.symbol)
            return result
        }
        var before: [String: MemberRecord] = [:]
        for member in found.members { before[member.symbol] = member }
        result.before = before.count
        let hasDocuments = tables.memberships.column("metadata") != nil
        for member in group.members {
            guard let old = before.removeValue(forKey: member.symbol) else {
                result.added.append(member.symbol)
                continue
            }
            if let weights, !weights.isSame(old.weight, member.weight) { result.reweighted.append(member.symbol) }
            if hasDocuments, let document = member.metadata, !Self.isSameDocument(document, old.metadata) {
                result.redescribed.append(member.symbol)
            }
        }
        result.removed = before.keys.sorted()
        var isSame =
            result.added.isEmpty && result.removed.isEmpty && result.reweighted.isEmpty && result.redescribed.isEmpty
        if let text = group.description, tables.groups.column("description") != nil {
            isSame = isSame && text == found.description
        }
        if let text = group.metadata, tables.groups.column("metadata") != nil {
            isSame = isSame && Self.isSameDocument(text, found.metadata)
        }
        result.action = isSame ? .unchanged : .update
        return result
    }

    /// Whether two documents are equal; jsonb reformats a document, so the texts may differ.
    private static func isSameDocument(_ left: String, _ right: String?) -> Bool {
        guard left != right, let document = JSONValue(parsing: left) else { return left == right }
        return document == right.flatMap(JSONValue.init(parsing:))
    }

    private func storedType(of identity: GroupRecord.Identity) throws(UpstreamError) -> String {
        guard let allowedTypes, !allowedTypes.contains(identity.type) else { return identity.type }
        guard allowedTypes.contains("CUSTOM"), tables.groups.column("metadata") != nil else {
            throw Self.refusal(
                "the check on the column type accepts \(allowedTypes.joined(separator: ", ")), but not \(identity.type)",
                about: "table \(tables.groups.displayName), column type")
        }
        return "CUSTOM"
    }

    private func find(
        _ identity: GroupRecord.Identity
    ) throws(UpstreamError) -> (id: String, description: String?, metadata: String?, members: [MemberRecord])? {
        let groups = tables.groups
        let columns = ["id", "description", "metadata"].map { UniverseTables.text($0, of: groups, "g") }
        let stored = try storedType(of: identity)
        let rows = try connection.run(
            """
            SELECT \(columns.joined(separator: ", ")) FROM \(groups.sqlName) g
            WHERE g.name = \(SQLText.literal(identity.name)) AND g.type = \(SQLText.literal(stored))
              AND \(UniverseTables.environment(of: groups, "g")) = \(SQLText.literal(identity.environment))
            ORDER BY g.id
            """, "look for the group \(identity.name)"
        ).rows
        guard let row = rows.first, let id = row[0] else { return nil }
        if stored != identity.type, TypeMark.type(in: row[2]) != identity.type {
            throw Self.refusal(
                "the database has a CUSTOM group of this name that is not of type \(identity.type); rename one of the two",
                about: "group \(identity.name)")
        }
        let memberships = tables.memberships
        let fields = ["symbol", "weight", "metadata"].map { UniverseTables.text($0, of: memberships, "m") }
        let sql =
            "SELECT \(fields.joined(separator: ", ")) FROM \(memberships.sqlName) m "
            + "WHERE m.group_id = \(SQLText.literal(id))"
        let members = try connection.run(sql, "read the members of \(identity.name)").rows.compactMap { row in
            row[0].map { symbol in
                MemberRecord(symbol: symbol, weight: row[1].flatMap { weights?.percent($0) }, metadata: row[2])
            }
        }
        return (id, row[1], row[2].flatMap(TypeMark.stripped), members)
    }

    // MARK: - Writing

    func write(_ group: GroupRecord, _ plan: PushPlan.Group) throws(UpstreamError) {
        let id = try writeGroup(group, plan)
        func run(_ sql: String, writing count: Int) throws(UpstreamError) {
            let operation = "write the members of \(group.identity.name)"
            let written = try connection.run(sql, operation).reduce(0) { $0 + $1.affected }
            guard written >= count else {
                throw Self.notWritten(operation, "\(written) of \(count) rows were", tables.memberships)
            }
        }
        for part in plan.removed.parts(of: Self.chunk) {
            try run(
                "DELETE FROM \(tables.memberships.sqlName) WHERE group_id = \(id) "
                    + "AND symbol IN (\(SQLText.list(Array(part))))", writing: part.count)
        }
        let details = ["weight", "metadata"].filter { tables.memberships.column($0) != nil }
        func value(_ column: String, of member: MemberRecord) -> String {
            let text =
                column == "weight"
                ? member.weight.flatMap { weights?.text(ofPercent: $0) } : member.metadata.map(SQLText.literal)
            return text ?? "NULL"
        }
        // Updated in place, since the row may have columns of other programs.
        let reweighted = Set(plan.reweighted)
        let redescribed = Set(plan.redescribed)
        let stamp = tables.memberships.column("updated_at") == nil ? [] : ["updated_at = now()"]
        let changes = group.members.compactMap { member -> String? in
            let columns =
                (reweighted.contains(member.symbol) ? ["weight"] : [])
                + (redescribed.contains(member.symbol) ? ["metadata"] : [])
            guard !columns.isEmpty else { return nil }
            let settings = columns.map { "\($0) = \(value($0, of: member))" } + stamp
            return "UPDATE \(tables.memberships.sqlName) SET \(settings.joined(separator: ", ")) "
                + "WHERE group_id = \(id) AND symbol = \(SQLText.literal(member.symbol))"
        }
        for part in changes.parts(of: Self.chunk) { try run(part.joined(separator: "; "), writing: part.count) }
        let new = Set(plan.added)
        let members = group.members.filter { new.contains($0.symbol) }
        let names = (["group_id", "symbol"] + details).joined(separator: ", ")
        for part in members.parts(of: Self.chunk) {
            let rows = part.map { member in
                let values = [id, SQLText.literal(member.symbol)] + details.map { value($0, of: member) }
                return "(\(values.joined(separator: ", ")))"
            }
            // In a plain VALUES list, NULLs have no type; in an INSERT they take the columns' types.
            try run(
                "INSERT INTO \(tables.memberships.sqlName) (\(names)) VALUES \(rows.joined(separator: ", "))",
                writing: rows.count)
        }
    }

    /// Writes the group's own row and returns its id as SQL.
    private func writeGroup(_ group: GroupRecord, _ plan: PushPlan.Group) throws(UpstreamError) -> String {
        let table = tables.groups
        let operation = "write the group \(group.identity.name)"
        let found = plan.action == .create ? nil : try find(group.identity)
        var document = group.metadata
        if plan.writtenAs != nil {
            // Without a document of its own, a group keeps the one that the database has.
            document = TypeMark.marked(document ?? found?.metadata, group.identity.type)
        }
        var values: [(column: String, sql: String)] = []
        func add(_ column: String, _ sql: String?) {
            if let sql, table.column(column) != nil { values.append((column, sql)) }
        }
        if plan.action == .create {
            add("name", SQLText.literal(group.identity.name))
            add("type", SQLText.literal(plan.writtenAs ?? group.identity.type))
            add("environment", SQLText.literal(group.identity.environment))
            add("liquidity_filter", group.liquidityFilter.map(SQLText.literal))
            if table.column("created_at")?.isRequired == true { add("created_at", "now()") }
        }
        add("description", group.description.map(SQLText.literal))
        add("metadata", document.map(SQLText.literal))
        add("updated_at", "now()")
        add("last_update", "now()")
        let sql: String
        if plan.action == .create {
            sql = """
                INSERT INTO \(table.sqlName) (\(values.map(\.column).joined(separator: ", ")))
                VALUES (\(values.map(\.sql).joined(separator: ", "))) RETURNING id::text
                """
        } else {
            guard let id = found?.id else {
                throw UpstreamError(.busy, operation, "the group is gone", object: "group \(group.identity.name)")
            }
            guard !values.isEmpty else { return SQLText.literal(id) }
            let settings = values.map { "\($0.column) = \($0.sql)" }.joined(separator: ", ")
            sql = "UPDATE \(table.sqlName) SET \(settings) WHERE id::text = \(SQLText.literal(id)) RETURNING id::text"
        }
        guard let id = try connection.run(sql, operation).value else {
            throw Self.notWritten(operation, "its row was not", table)
        }
        return SQLText.literal(id)
    }

    private static func notWritten(_ operation: String, _ what: String, _ table: TableDescription) -> UpstreamError {
        UpstreamError(
            .schema, operation, "\(what) written: a rule, trigger or policy is in the way",
            object: "table \(table.displayName)")
    }

    func rollback() throws(UpstreamError) { try connection.run("ROLLBACK", "end pushing universes") }

    func commit() throws(UpstreamError) {
        guard try connection.run("COMMIT", "commit the universes").last?.tag == "COMMIT" else {
            throw UpstreamError(.busy, "commit the universes", "the server rolled the transaction back")
        }
    }
}

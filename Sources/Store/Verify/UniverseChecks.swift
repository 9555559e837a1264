import MarketData

/// Checks the tables of a `universe.sqlite`. Whether the groups make sense is checked by `universe validate`.
struct UniverseChecks {
    let handle: ReadHandle
    var result: FileVerification

    /// What to do with a mirror that is wrong.
    static let advice = "run edgetick repair, then edgetick universe pull, or import the groups again"

    mutating func run() throws(StoreError) {
        try check("definition_groups") { checks throws(StoreError) in
            checks.result.rows += try checks.handle.number("SELECT count(*) FROM definition_groups") ?? 0
            try checks.faults(
                "SELECT id FROM definition_groups WHERE name = '' OR origin NOT IN ('pulled', 'local')",
                "the group has no name or an unknown origin")
        }
        try check("group_memberships") { checks throws(StoreError) in
            checks.result.rows += try checks.handle.number("SELECT count(*) FROM group_memberships") ?? 0
            try checks.faults(
                """
                SELECT DISTINCT group_id FROM group_memberships
                WHERE group_id NOT IN (SELECT id FROM definition_groups)
                """, "the group's row is missing, but it has members")
            try checks.faults(
                "SELECT DISTINCT group_id FROM group_memberships WHERE typeof(symbol) <> 'text' OR symbol = ''",
                "a member has no symbol")
            try checks.faults(
                """
                SELECT DISTINCT group_id FROM group_memberships
                WHERE weight IS NOT NULL AND (typeof(weight) NOT IN ('real', 'integer') OR abs(weight) > 1e300)
                """, "a weight is not a number")
        }
        try check("cache_entries") { checks throws(StoreError) in
            checks.result.rows += try checks.handle.number("SELECT count(*) FROM cache_entries") ?? 0
        }
        guard (result.schemaVersion ?? 0) >= 2 else { return }
        try check("mirror_info") { checks throws(StoreError) in
            // An empty checksum means that the groups were changed here since the pull.
            let wrong = try checks.handle.number(
                """
                SELECT count(*) FROM mirror_info WHERE checksum <> '' AND (
                    group_rows <> (SELECT count(*) FROM definition_groups WHERE origin = 'pulled')
                    OR membership_rows <> (SELECT count(*) FROM group_memberships JOIN definition_groups
                        ON id = group_id WHERE origin = 'pulled')
                    OR entry_rows <> (SELECT count(*) FROM cache_entries))
                """)
            guard let wrong, wrong > 0 else { return }
            checks.result.find(
                .fault, .accounts, at: "mirror_info",
                "the mirror doesn't have the number of rows that the last pull stored",
                advice: "run edgetick universe pull --force")
        }
    }

    private mutating func check(
        _ table: String, _ body: (inout UniverseChecks) throws(StoreError) -> Void
    ) throws(StoreError) {
        do throws(StoreError) {
            try body(&self)
        } catch {
            try result.noteDamage(error, at: table, advice: Self.advice)
        }
    }

    private mutating func faults(_ sql: String, _ text: String) throws(StoreError) {
        let ids = try handle.rows(sql + " LIMIT 20") { $0.integer(0) ?? 0 }
        for id in ids { result.find(.fault, .accounts, at: "group \(id)", text, advice: Self.advice) }
    }
}

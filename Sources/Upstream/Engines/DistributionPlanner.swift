/// Plans how the tables are spread over Citus's workers. Pure.
struct DistributionPlanner {
    let catalog: Catalog
    let facts: CitusFacts?
    /// The tables that `migrate` made.
    let ours: Set<String>

    /// - Parameter named: the tables to distribute; empty for all that `migrate` made.
    /// - Throws: reason `schema` if the database can't do it; reason `data` if a table doesn't exist.
    func plan(naming named: Set<String>) throws(UpstreamError) -> StatementPlan {
        guard let facts else {
            throw refusal(
                .schema, "the database has no Citus extension: CREATE EXTENSION citus, there and on each worker")
        }
        guard facts.isCoordinator else {
            throw refusal(.schema, "this server is a worker; the URI has to name the coordinator")
        }
        guard catalog.timescale == nil else {
            throw refusal(.schema, "Citus does not spread TimescaleDB's hypertables: use a separate database")
        }
        guard !catalog.tables.isEmpty else {
            throw refusal(.schema, "there are no tables yet: run `edgetick migrate` first, which makes them")
        }
        for name in named.sorted() where catalog.tables[name] == nil {
            throw refusal(.data, "there is no table \(name); edgetick migrate creates the missing ones")
        }
        var plan = StatementPlan()
        if facts.workers == 0 {
            plan.notes.append(
                "no worker takes shards: they all go to this server; SELECT citus_add_node('host', 5432) adds one")
        }
        // Must come first: it makes all statements use one connection per worker. After one that ran in parallel, Citus
        // would refuse the rest of the transaction.
        plan.add("one after the other", ["SET LOCAL citus.multi_shard_modify_mode = 'sequential'"])
        let universes = [TableShape.groups, .memberships, .cacheEntries].map(\.name)
        for name in universes where isMeant(name, named, &plan) {
            guard let table = catalog.tables[name] else { continue }
            if facts.placements[name] == nil {
                plan.add(
                    "\(name): a copy on each worker",
                    ["SELECT create_reference_table(\(SQLText.literal(table.namedBySQL)))"])
            } else {
                plan.notes.append("\(name): already managed by Citus")
            }
        }
        spread(named, facts, &plan)
        for name in CitusFacts.local {
            switch facts.placements[name] {
            case .reference, .distributed:
                plan.add(
                    "\(name): back to the coordinator",
                    ["SELECT undistribute_table(\(SQLText.literal(SQLText.name(name))))"])
            case .single, nil: if catalog.tables[name] != nil { plan.notes.append("\(name): stays on the coordinator") }
            }
        }
        if plan.steps.count == 1 { plan.steps = [] }
        return plan
    }

    private func spread(_ named: Set<String>, _ facts: CitusFacts, _ plan: inout StatementPlan) {
        // Tables that are already distributed lead their group; a different type of symbol needs a separate group.
        var leaders: [String: String] = [:]
        for shape in TableShape.events {
            guard case .distributed(let column, _, _)? = facts.placements[shape.name], column == "symbol",
                let table = catalog.tables[shape.name], let type = table.column("symbol")?.typeName
            else { continue }
            leaders[type] = leaders[type] ?? table.namedBySQL
        }
        for shape in TableShape.events {
            guard let table = catalog.tables[shape.name], let symbol = table.column("symbol") else { continue }
            guard facts.placements[shape.name] == nil else {
                plan.notes.append("\(shape.name): already managed by Citus")
                continue
            }
            guard isMeant(shape.name, named, &plan) else { continue }
            let leader = leaders[symbol.typeName]
            leaders[symbol.typeName] = leader ?? table.namedBySQL
            let name = SQLText.literal(table.namedBySQL)
            var sql = [
                "SELECT create_distributed_table(\(name), \(SQLText.literal(symbol.ownName)), "
                    + "colocate_with => \(SQLText.literal(leader ?? "none")))"
            ]
            if facts.filled.contains(shape.name) {
                sql.append("SELECT truncate_local_data_after_distributing_table(\(name))")
            }
            plan.add("\(shape.name): spread by symbol", sql)
        }
    }

    private func isMeant(_ name: String, _ named: Set<String>, _ plan: inout StatementPlan) -> Bool {
        guard catalog.tables[name] != nil else { return false }
        if named.isEmpty ? ours.contains(name) : named.contains(name) { return true }
        if named.isEmpty {
            plan.notes.append("\(name): another program's table, left alone; --table \(name) includes it")
        }
        return false
    }

    private func refusal(_ reason: UpstreamError.Reason, _ text: String) -> UpstreamError {
        UpstreamError(reason, "plan the distribution", text)
    }
}

/// How Citus spreads the tables.
struct CitusFacts: Sendable, Equatable {
    enum Placement: Sendable, Equatable {
        /// Split into shards by a column, colocated with the tables of a group.
        case distributed(column: String, shards: Int, group: String)
        /// A whole copy on each worker.
        case reference
        /// Known to Citus, but in one place.
        case single
    }

    var version: String
    /// Whether the server is the coordinator, and not one of the workers.
    var isCoordinator = true
    /// The number of nodes that take shards, and below it the number of nodes that are down.
    var workers = 0
    var inactive = 0
    var cachedConnections: String?
    /// The tables that Citus knows; the others are plain tables of the coordinator.
    var placements: [String: Placement] = [:]
    /// Tables of the coordinator that have rows.
    var filled: Set<String> = []
}

extension CitusFacts {
    /// The tables that belong on the coordinator, since every upload, or every box, writes them.
    static let local = [TableShape.ledger.name, TableShape.fleet.name]

    /// Reads the facts; `nil` if the extension isn't installed in the database.
    init?(in catalog: Catalog, _ connection: PostgresConnection) throws(UpstreamError) {
        guard let version = catalog.citus else { return nil }
        self.init(version: version)
        let names = Set(catalog.tables.keys).union(Self.local).sorted()
        let values = names.map { "(\(SQLText.literal($0)))" }.joined(separator: ",")
        let results = try connection.ask(
            """
            SELECT (SELECT groupid = 0 FROM pg_dist_local_group),
                   count(*) FILTER (WHERE isactive AND shouldhaveshards), count(*) FILTER (WHERE NOT isactive),
                   current_setting('citus.max_cached_conns_per_worker', true)
            FROM pg_dist_node WHERE noderole = 'primary';
            SELECT w.name, p.partmethod, p.repmodel, p.colocationid, column_to_column_name(p.logicalrelid, p.partkey),
                   (SELECT count(*) FROM pg_dist_shard s WHERE s.logicalrelid = p.logicalrelid)
            FROM (VALUES \(values)) w(name) JOIN pg_dist_partition p ON p.logicalrelid = to_regclass(quote_ident(w.name))
            """, "ask Citus how tables are spread")
        guard results.count == 2, let row = results[0].rows.first else { return nil }
        isCoordinator = row[0] != "f"
        workers = row.number(1) ?? 0
        inactive = row.number(2) ?? 0
        cachedConnections = row[3]
        for row in results[1].rows {
            guard let name = row[0] else { continue }
            switch (row[1], row[2]) {
            case ("h", _):
                placements[name] = .distributed(column: row[4] ?? "", shards: row.number(5) ?? 0, group: row[3] ?? "")
            case (_, "t"): placements[name] = .reference
            default: placements[name] = .single
            }
        }
        for (name, table) in catalog.tables where placements[name] == nil {
            guard table.columns.contains(where: \.canSelect) else { continue }
            let sql = "SELECT EXISTS (SELECT 1 FROM \(table.sqlName))"
            if try connection.ask(sql, "look whether tables are empty").value == "t" { filled.insert(name) }
        }
    }

    /// The remarks that `doctor` prints.
    func remarks(in catalog: Catalog) -> [EngineRemark] {
        guard isCoordinator else {
            return [.warning("Citus \(version): this server is a worker; the URI has to name the coordinator")]
        }
        var lines = [EngineRemark.note("Citus \(version): \(workers) nodes with shards")]
        if inactive > 0 {
            lines.append(.warning("\(inactive) of Citus's nodes are inactive: SELECT * FROM pg_dist_node"))
        }
        for name in TableShape.events.map(\.name) where catalog.tables[name] != nil {
            switch placements[name] {
            case .distributed(let column, let shards, let group):
                let text = "\(name): \(shards) shards by \(column), colocation group \(group)"
                lines.append(
                    column == "symbol"
                        ? .note(text) : .warning(text + "; EdgeTick expects it to be distributed by symbol"))
            case .reference: lines.append(.warning("\(name): a whole copy on each worker"))
            case .single, nil:
                lines.append(.warning("\(name): on the coordinator alone; edgetick migrate --distributed spreads it"))
            }
        }
        for name in Self.local {
            let remedy = "SELECT undistribute_table('\(name)') keeps it on the coordinator"
            switch placements[name] {
            case .reference:
                let waits = "every upload waits for every worker and collectors wait for one another"
                lines.append(.warning("\(name): a reference table, so \(waits): \(remedy)"))
            case .distributed: lines.append(.warning("\(name): spread over workers: \(remedy)"))
            case .single, nil: if catalog.tables[name] != nil { lines.append(.note("\(name): on the coordinator")) }
            }
        }
        if let cachedConnections {
            lines.append(
                .note(
                    "citus.max_cached_conns_per_worker is \(cachedConnections): a COPY opens a new connection for each "
                        + "shard beyond that; with few collectors, set it to a table's shards per worker"))
        }
        return lines
    }
}

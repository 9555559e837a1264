import GRDB
import MarketData

/// Fills a fresh `universe.sqlite` from a damaged one.
enum UniverseRepair {
    /// Copies all but the note of the last pull, so that the next one reads everything again.
    static func fill(_ salvage: inout Salvage, _ database: Database, _ report: inout RepairReport) throws {
        for table in ["definition_groups", "group_memberships", "cache_entries", "group_imports"] {
            try salvage.copy(table, into: database)
        }
        report.tables = salvage.tables
        try database.execute(
            sql: "DELETE FROM group_memberships WHERE group_id NOT IN (SELECT id FROM definition_groups)")
        let orphans = database.changesCount
        try database.execute(sql: "DELETE FROM group_imports WHERE group_id NOT IN (SELECT id FROM definition_groups)")
        if orphans > 0 {
            report.remarks.append("\(orphans.counted("member")) left out, because their groups can't be read")
            if let place = report.tables.firstIndex(where: { $0.name == "group_memberships" }) {
                report.tables[place].kept -= Int64(orphans)
                report.tables[place].unreadable += Int64(orphans)
            }
        }
        let local = try String.fetchAll(
            database, sql: "SELECT name FROM definition_groups WHERE origin = 'local' ORDER BY name LIMIT 20")
        report.losesEnd = salvage.losesEnd
        report.remarks.append("run edgetick universe pull to restore the database's groups completely")
        if !local.isEmpty {
            report.remarks.append("local groups may be incomplete; import them again: \(local.joined(separator: ", "))")
        }
    }
}

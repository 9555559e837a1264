import GRDB
import Migrations

/// Which of the local files a file is, and the migrations that lead to its newest schema.
///
/// The header's `application_id` distinguishes EdgeTick's files from others; `user_version` is the schema's version.
struct StoreSchema: Sendable {
    /// What the file is called in messages; the names of its set-aside copies begin with it.
    let name: String
    let applicationID: Int32
    /// The migrations, oldest first.
    let migrations: [Migration]

    /// The newest version known here.
    var newest: Int { migrations.last?.version ?? 0 }

    /// `ticks.sqlite`: "ETt1" in the header.
    static let ticks = StoreSchema(name: "ticks", applicationID: 0x4554_7431, migrations: LocalMigrations.ticks)

    /// `universe.sqlite`: "ETu1" in the header.
    static let universe = StoreSchema(
        name: "universe", applicationID: 0x4554_7531, migrations: LocalMigrations.universe)

    /// Every file that EdgeTick keeps.
    static let all = [ticks, universe]

    /// Brings a file up to the newest version. Each migration runs in a transaction of its own together with its
    /// number.
    ///
    /// - Returns: Whether anything was done.
    /// - Throws: `.schemaTooNew` before anything is written.
    func migrate(_ database: Database) throws -> Bool {
        let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard found <= newest else {
            throw StoreError(.schemaTooNew(found: found, known: newest), operation: "open")
        }
        let steps = migrations.filter { $0.version > found }
        for step in steps {
            try database.inTransaction(.immediate) {
                try database.execute(sql: step.sql)
                try database.execute(sql: "PRAGMA application_id = \(applicationID)")
                try database.execute(sql: "PRAGMA user_version = \(step.version)")
                return .commit
            }
        }
        return !steps.isEmpty
    }
}

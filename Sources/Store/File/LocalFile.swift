import GRDB
import Migrations

/// One of the two files that EdgeTick keeps.
///
/// The header's `application_id` distinguishes them from the files of others; `user_version` is the schema's version.
public enum LocalFile: String, Sendable, CaseIterable {
    /// `ticks.sqlite`, the buffer.
    case ticks
    /// `universe.sqlite`, the mirror of groups.
    case universe

    /// The file's name in the data directory; the names of its set-aside copies begin with the raw value.
    public var name: String { rawValue + ".sqlite" }

    /// "ETt1" or "ETu1" in the header.
    var applicationID: Int32 {
        switch self {
        case .ticks: 0x4554_7431
        case .universe: 0x4554_7531
        }
    }

    /// The migrations up to the newest schema, oldest first.
    var migrations: [Migration] {
        switch self {
        case .ticks: LocalMigrations.ticks
        case .universe: LocalMigrations.universe
        }
    }

    /// The newest version known here.
    var newest: Int { migrations.last?.version ?? 0 }

    /// Determines which file is at `path` by its header, or else by its name: `ticks-bad-….sqlite` is a `ticks.sqlite`
    /// that was set aside. `nil` if neither shows it.
    public init?(at path: String) {
        let header = DatabaseHeader(path: path)
        let name = path.split(separator: "/").last ?? path[...]
        let found =
            LocalFile.allCases.first { $0.applicationID == header?.applicationID }
            ?? LocalFile.allCases.first { name.hasPrefix($0.rawValue) }
        guard let found else { return nil }
        self = found
    }

    /// Brings a file up to the newest version, each migration and its number in a transaction; returns whether
    /// anything was done.
    ///
    /// - Throws: `.schemaTooNew` before anything is written.
    func migrate(_ database: Database) throws -> Bool {
        let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        guard found <= newest else { throw StoreError(.schemaTooNew(found: found, known: newest), operation: "open") }
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

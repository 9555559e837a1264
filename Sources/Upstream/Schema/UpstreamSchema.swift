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
    /// Of a table of bars, which version of a bar stays, in words.
    public internal(set) var versions: String?
}

extension SchemaChange: CustomStringConvertible {
    /// One line.
    public var description: String {
        let rule = versions.map { "; \($0)" } ?? ""
        return switch state {
        case .created: "\(table): created\(rule)"
        case .present: "\(table): present\(rule)"
        case .differs(let lines): "\(table): present, differs: \(lines.joined(separator: "; "))\(rule)"
        case .unusable(let lines): "\(table): can't be used: \(lines.joined(separator: "; "))"
        case .missing: "\(table): missing; run `edgetick migrate`"
        }
    }
}

/// The tables upstream: made where they are missing, checked where they are there, never altered when they were there
/// before.
public enum UpstreamSchema {
    /// All statements that `migrate` runs on an empty database.
    public static var sql: String {
        ([UpstreamSchemaSession.versionsSQL + ";\n"] + UpstreamMigrations.all.map(\.migration.sql))
            .joined(separator: "\n")
    }

    /// Makes what is missing, in one transaction that nobody else can be in at the same time, and says how each table
    /// stands. Where the TimescaleDB extension is installed, the tables made are hypertables.
    ///
    /// - Throws: ``UpstreamError``; nothing is changed then.
    public static func migrate(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> [SchemaChange] {
        try await UpstreamSchemaSession().migrate(configuration)
    }

    /// Says how each table stands: what is missing, what differs, which rights the user lacks. Changes nothing.
    ///
    /// - Throws: ``UpstreamError`` when the database can't be asked.
    public static func check(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> [SchemaChange] {
        try await UpstreamSchemaSession().check(configuration)
    }

    /// What the server's clock shows, in milliseconds since the Unix epoch.
    ///
    /// - Throws: ``UpstreamError`` when the database can't be asked.
    public static func serverTime(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> Int64? {
        try await UpstreamSchemaSession().serverTime(configuration)
    }
}

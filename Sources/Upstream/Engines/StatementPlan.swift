/// Statements for a person to read and confirm before they run.
public struct StatementPlan: Sendable, Equatable {
    /// One step of the plan, with a title.
    public struct Step: Sendable, Equatable {
        let title: String
        /// The statements, without semicolons.
        let sql: [String]
    }

    /// The steps, in order.
    public internal(set) var steps: [Step] = []
    /// What exists already, and what is left out and why; one line each.
    var notes: [String] = []

    mutating func add(_ title: String, _ sql: [String]) { steps.append(Step(title: title, sql: sql)) }

    /// The plan as a script.
    public var script: String {
        let lines = steps.flatMap { step in ["-- \(step.title)"] + step.sql.map { $0 + ";" } }
        return (notes.map { "-- \($0)" } + lines).joined(separator: "\n")
    }
}

/// A change to the database, beyond its tables, that a person asks for.
public enum EngineChange: Sendable {
    /// TimescaleDB's columnstore, retention and continuous aggregates.
    case policies(PolicyWishes)
    /// Tables spread over Citus's workers.
    case distribution(tables: Set<String>)

    /// The change without the tables that are in another database; `nil` if it names only such tables.
    func limited(to configuration: UpstreamConfiguration) -> EngineChange? {
        let there = Set(TableShape.all(in: configuration).map(\.name))
        let elsewhere = Set(TableShape.targets.map(\.name)).subtracting(there)
        switch self {
        case .policies(var wishes):
            let isAboutAll = wishes.tables.isEmpty
            wishes.tables.subtract(elsewhere)
            wishes.retention = wishes.retention.filter { !elsewhere.contains($0.key) }
            return isAboutAll || !wishes.tables.isEmpty ? .policies(wishes) : nil
        case .distribution(let tables):
            let left = tables.subtracting(elsewhere)
            return tables.isEmpty || !left.isEmpty ? .distribution(tables: left) : nil
        }
    }
}

/// A fact about the engine that keeps the tables.
public struct EngineRemark: Sendable, Equatable {
    /// Whether something should be done about it.
    public let isWarning: Bool
    /// The remark, in one line.
    public let text: String

    static func note(_ text: String) -> Self { Self(isWarning: false, text: text) }
    static func warning(_ text: String) -> Self { Self(isWarning: true, text: text) }
}

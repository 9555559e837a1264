/// Statements that a person reads and confirms before they run.
public struct StatementPlan: Sendable, Equatable {
    /// One thing that is done.
    public struct Step: Sendable, Equatable {
        let title: String
        /// The statements, without semicolons.
        let sql: [String]
    }

    /// What is to be done, in order.
    public internal(set) var steps: [Step] = []
    /// What is there already, what is left out and why, a line each.
    var notes: [String] = []

    mutating func add(_ title: String, _ sql: String...) { steps.append(Step(title: title, sql: sql)) }

    /// The plan as a script.
    public var script: String {
        var lines = notes.map { "-- \($0)" }
        for step in steps {
            lines.append("-- \(step.title)")
            lines += step.sql.map { $0 + ";" }
        }
        return lines.joined(separator: "\n")
    }
}

/// What a person asks to have set up in the database, besides tables.
public enum EngineChange: Sendable {
    /// TimescaleDB's columnstore, retention and continuous aggregates.
    case policies(PolicyWishes)
    /// Tables spread over Citus's workers.
    case distribution(tables: Set<String>)

    /// Without the tables that another database holds; `nil` where it names no others.
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

/// What is so with the engine below the tables.
public struct EngineRemark: Sendable, Equatable {
    /// Whether something should be done about it.
    public let isWarning: Bool
    /// In one line.
    public let text: String

    static func note(_ text: String) -> Self { Self(isWarning: false, text: text) }
    static func warning(_ text: String) -> Self { Self(isWarning: true, text: text) }
}

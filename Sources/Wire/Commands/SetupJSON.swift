package import Upstream

/// What a migration found and did in each database: `edgetick migrate`.
package struct MigrationJSON: WireObject {
    package struct Table: WireObject {
        package enum State: String, Codable, CaseIterable, Sendable {
            case created
            case present
            case differs
            case unusable
            case missing
        }

        package var database: String
        package var table: String
        package var state: State
        package var stops_upload: Bool
        package var text: String
        package var warnings: [String]
        package var fixes: [String]

        package static let meanings = [
            "database": UpstreamRole.settings,
            "stops_upload": "Whether FEED_EVENTS needs the table and it can't be used",
            "text": "The state in words, with what differs and what to do",
            "warnings": "What works but is hardly intended",
            "fixes": "Statements that make the table usable, for its owner",
        ]

        package init(_ change: SchemaChange, in database: UpstreamRole) {
            self.database = database.rawValue
            table = change.table
            state =
                switch change.state {
                case .created: .created
                case .present: .present
                case .differs: .differs
                case .unusable: .unusable
                case .missing: .missing
                }
            stops_upload = change.stopsUpload
            text = change.description
            warnings = change.warnings
            fixes = SchemaChange.recipe([change])
        }
    }

    package struct Identity: WireObject {
        package enum State: String, Codable, CaseIterable, Sendable {
            case created
            case present
            case unusable
        }

        package var database: String
        package var table: String
        package var state: State
        package var reason: String?
        package var removed_rows: Int64

        package static let meanings = [
            "database": UpstreamRole.settings, "reason": "Why the table can't have an identity",
            "removed_rows": "Duplicates that were removed",
        ]

        /// - Parameter removed: The rows removed while the identity was made, if it was missing.
        package init(_ finding: IdentityFinding, removed: Int64, in database: UpstreamRole) {
            self.database = database.rawValue
            table = finding.table
            switch finding.state {
            case .missing: state = .created
            case .present: state = .present
            case .unusable(let why):
                state = .unusable
                reason = why
            }
            removed_rows = removed
        }
    }

    package struct Script: WireObject {
        package var database: String
        package var steps: Int
        package var sql: String

        package static let meanings = [
            "database": UpstreamRole.settings, "steps": "How many were done; 0 if nothing was left to do",
            "sql": "The statements; comments say what exists already and what was left out",
        ]

        package init(_ plan: StatementPlan, in database: UpstreamRole) {
            self.database = database.rawValue
            steps = plan.steps.count
            sql = plan.script
        }
    }

    package var tables: [Table] = []
    package var identities: [Identity] = []
    package var scripts: [Script] = []

    package static let meanings = [
        "tables": "Empty with --policies and --distributed", "identities": "With --tick-identity: the tables of ticks",
        "scripts": "With --policies or --distributed: what was run, one for each database",
    ]

    package init() {}
}

extension UpstreamRole {
    /// The databases' names in JSON with the settings that name them, for a member's meaning.
    static var settings: String { allCases.map { "\($0.rawValue): \($0.setting)" }.joined(separator: "; ") }
}

/// What was checked and set up on a new box: `edgetick join`.
package struct JoinJSON: WireObject {
    package var findings: [DoctorFindingJSON] = []
    package var fixes: [String] = []
    package var file: String?
    package var next: [String] = []

    package static let meanings = [
        "findings": "What was checked and done, as doctor prints it",
        "fixes": "Statements that make the tables usable, for their owner",
        "file": "The settings file that was written; null if none was", "next": "What to do next",
    ]

    package init() {}
}

/// What was recorded: `edgetick capture`.
package struct CaptureJSON: WireObject {
    package var file: String
    package var frames: Int

    package init(file: String, frames: Int) {
        self.file = file
        self.frames = frames
    }
}

import Upstream
import Wire

/// One result of `doctor`.
struct Finding: Sendable, Equatable {
    /// What was checked: `configuration`, `files`, `disk`, …
    var subject: String
    var level: DoctorFindingJSON.Level
    /// What was found and, if something is wrong, what to do.
    var text: String
    /// The exit status if this is the worst finding; `nil` unless it is a failure.
    var exit: ExitStatus?

    static func ok(_ subject: String, _ text: String) -> Self { Self(subject: subject, level: .ok, text: text) }
    static func note(_ subject: String, _ text: String) -> Self { Self(subject: subject, level: .note, text: text) }
    static func warning(_ subject: String, _ text: String) -> Self {
        Self(subject: subject, level: .warning, text: text)
    }
    static func failure(_ subject: String, _ text: String, _ exit: ExitStatus) -> Self {
        Self(subject: subject, level: .failure, text: text, exit: exit)
    }

    /// A failure from any module's error.
    static func failure(_ subject: String, _ error: any Error) -> Finding {
        let failure = CommandFailure(error)
        return .failure(subject, failure.lines.joined(separator: "; "), failure.status)
    }

    /// A table upstream, and whether it can be used; `place` names its database where there are two.
    static func table(_ table: SchemaChange, at place: String) -> Finding {
        let text = place + table.description
        return switch table.state {
        case .created, .present: .ok("schema", text)
        case .differs: .note("schema", text)
        case .unusable, .missing: table.stopsUpload ? .failure("schema", text, .configuration) : .note("schema", text)
        }
    }

    var json: DoctorFindingJSON { DoctorFindingJSON(subject: subject, level: level, text: text) }
}

extension UpstreamRole {
    /// What goes before a line about the database of this role; empty for the main one.
    var place: String { self == .main ? "" : "\(setting): " }
}

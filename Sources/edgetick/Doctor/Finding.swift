import Wire

/// One result of `doctor`.
struct Finding: Sendable, Equatable {
    /// What was looked at: `configuration`, `files`, `disk`, …
    var subject: String
    var level: DoctorFindingJSON.Level
    /// What was found and, if something is wrong, what to do.
    var text: String
    /// The exit status if this is the worst finding; `nil` unless it is a failure.
    var exit: ExitStatus?

    static func ok(_ subject: String, _ text: String) -> Finding { Finding(subject: subject, level: .ok, text: text) }
    static func note(_ subject: String, _ text: String) -> Finding {
        Finding(subject: subject, level: .note, text: text)
    }
    static func warning(_ subject: String, _ text: String) -> Finding {
        Finding(subject: subject, level: .warning, text: text)
    }
    static func failure(_ subject: String, _ text: String, _ exit: ExitStatus) -> Finding {
        Finding(subject: subject, level: .failure, text: text, exit: exit)
    }

    /// A failure from any module's error.
    static func failure(_ subject: String, _ error: any Error) -> Finding {
        let failure = CommandFailure(error)
        return .failure(subject, failure.lines.joined(separator: "; "), failure.status)
    }

    var json: DoctorFindingJSON {
        DoctorFindingJSON(subject: subject, level: level, text: text)
    }
}

import Wire

/// What `doctor` found out about one thing.
struct Finding: Sendable, Equatable {
    /// What was looked at: `configuration`, `files`, `disk`, …
    var subject: String
    var level: DoctorFindingJSON.Level
    /// What is so, and where something is wrong what to do.
    var text: String
    /// How the command exits when this is the worst; `nil` for what is no failure.
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

    /// A failure of any module.
    static func failure(_ subject: String, _ error: any Error) -> Finding {
        let failure = CommandFailure(error)
        return .failure(subject, failure.lines.joined(separator: "; "), failure.status)
    }

    var json: DoctorFindingJSON {
        DoctorFindingJSON(subject: subject, level: level, text: text)
    }
}

/// What was found about a setting; holds no secret.
struct SettingFinding: Sendable, Equatable {
    enum Severity: Sendable, Comparable {
        /// Good to know.
        case note
        /// Probably not what the user wants.
        case warning
        /// The start is refused.
        case fault
    }

    var severity: Severity
    /// Empty where it is about a line that can't be read.
    var key: String
    /// The value as shown; `nil` where it is not what matters.
    var value: String?
    var origin: SettingOrigin
    /// What is the matter and what is allowed.
    var text: String
}

extension SettingFinding: CustomStringConvertible {
    /// One line: `HTTP_PORT=99999 (.env:7): …`.
    var description: String {
        guard !key.isEmpty else { return "\(origin): \(text)" }
        let shown = value.map { "\(key)=\($0)" } ?? key
        return origin == .defaultValue ? "\(shown): \(text)" : "\(shown) (\(origin)): \(text)"
    }
}

/// Why a configuration was refused: every fault at once.
struct SettingFaults: Error, Sendable, Equatable {
    /// Never empty; in the order of the keys' table.
    var faults: [SettingFinding]
    /// What else was found.
    var remarks: [SettingFinding]
}

extension SettingFaults: CustomStringConvertible {
    /// One line a fault.
    var description: String { faults.map(\.description).joined(separator: "\n") }
}

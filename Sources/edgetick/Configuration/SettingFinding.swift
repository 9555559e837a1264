import MarketData

/// Something found about a setting; contains no secret.
struct SettingFinding: Sendable, Equatable {
    /// A fault refuses the start.
    var severity: Severity
    /// Empty if the finding is about a line that can't be read.
    var key: String
    /// The value as shown; `nil` if it doesn't matter.
    var value: String?
    var origin: SettingOrigin
    /// What is wrong and what is allowed.
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
    /// Never empty; in the order of the table of keys.
    var faults: [SettingFinding]
    /// Warnings and notes found besides the faults.
    var remarks: [SettingFinding]
}

extension SettingFaults: CustomStringConvertible {
    /// All faults in one line.
    var description: String { faults.map(\.description).joined(separator: "; ") }
}

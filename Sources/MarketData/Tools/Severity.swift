/// The severity of a finding in a file, in groups or in settings.
public enum Severity: String, Sendable, Codable, CaseIterable, Comparable {
    /// Correct, but worth knowing.
    case note
    /// Probably not what somebody intended.
    case warning
    /// Something is wrong, or does not work because of it.
    case fault

    /// Orders from the least to the worst.
    public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .note: 0
        case .warning: 1
        case .fault: 2
        }
    }
}

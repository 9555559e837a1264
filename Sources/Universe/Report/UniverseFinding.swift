/// Something that `universe validate` has found.
public struct UniverseFinding: Sendable, Equatable, CustomStringConvertible {
    /// How bad it is.
    public enum Severity: String, Sendable, CaseIterable, Comparable {
        /// Worth knowing.
        case note
        /// Probably not as somebody meant it.
        case warning
        /// Something does not work because of it.
        case fault

        /// From the least to the worst.
        public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .note: 0
            case .warning: 1
            case .fault: 2
            }
        }
    }

    /// What was looked for.
    public enum Check: String, Sendable, CaseIterable {
        /// Groups without members.
        case empty
        /// Members that are no symbols the feed could send.
        case malformed
        /// Members with an unusual spelling.
        case unusual
        /// One symbol under two spellings.
        case duplicate
        /// Members that no list of known symbols has.
        case unknown
        /// Weights below 0, above 100, or that don't make 100 together.
        case weights
        /// Groups that exist in one environment only.
        case environment
        /// A pull that is long ago.
        case stale
        /// Stocks without a sector, or with two.
        case sector
        /// Names that a universe key would read as a join, or that differ in case only.
        case name
        /// Types that are none of the known ones.
        case type
    }

    /// How bad it is.
    public var severity: Severity
    /// What was looked for.
    public var check: Check
    /// The group concerned, with type and environment; `nil` when it is about several or none.
    public var group: String?
    /// One line: what is the matter and what to do.
    public var text: String
    /// Whether `--fix` fixes it.
    public var isFixable = false

    /// One line.
    public var description: String {
        "\(severity.rawValue): \(group.map { "\($0): " } ?? "")\(text)" + (isFixable ? " (--fix fixes this)" : "")
    }
}

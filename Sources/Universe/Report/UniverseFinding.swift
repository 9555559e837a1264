public import MarketData

/// Something that `universe validate` found.
public struct UniverseFinding: Sendable, Equatable, Codable, CustomStringConvertible {
    /// What was checked.
    public enum Check: String, Sendable, CaseIterable, Codable {
        /// Groups without members.
        case empty
        /// Members that are not symbols the feed could send, or are not spelt as the feed spells them.
        case malformed
        /// Members with an unusual spelling.
        case unusual
        /// One symbol under two spellings.
        case duplicate
        /// Members that are not in the list of known symbols or, without one, in no universe and no ETF.
        case unknown
        /// Weights below 0 or above 100, missing weights, and weights that don't sum to about 100.
        case weights
        /// Groups that exist in one environment only.
        case environment
        /// A last pull that was long ago.
        case stale
        /// Stocks without a sector, or with two.
        case sector
        /// Names that a universe key can't mean, or can confuse with others.
        case name
        /// Types that are not known.
        case type
    }

    /// How serious it is.
    public var severity: Severity
    /// What was checked.
    public var check: Check
    /// The group concerned, with type and environment; `nil` when the finding concerns several or none.
    public var group: String?
    /// One line: what is wrong and what to do.
    public var text: String
    /// Whether `--fix` fixes it.
    public var isFixable = false

    private enum CodingKeys: String, CodingKey {
        case severity, check, group, text
        case isFixable = "fixable"
    }

    /// One line.
    public var description: String {
        "\(severity.rawValue): \(group.map { "\($0): " } ?? "")\(text)" + (isFixable ? " (--fix fixes this)" : "")
    }
}

public import MarketData

/// One finding of the verification of a local file.
public struct FileFinding: Sendable, Equatable, Codable {
    /// What was checked.
    public enum Check: String, Sendable, CaseIterable, Codable {
        /// Whether SQLite can read the file, and every page of it.
        case structure
        /// Which program the file belongs to, and its version.
        case schema
        /// The rows' numbers.
        case sequences
        /// The rows' values.
        case values
        /// The file's own accounts: drops, gaps, dead letters, groups.
        case accounts
        /// The ledger upstream.
        case ledger
    }

    /// How serious it is: a fault if rows are lost, altered or in danger.
    public var severity: Severity
    /// What was checked.
    public var check: Check
    /// Where: a table, rows by their sequence, a page.
    public var place: String
    /// What was found.
    public var text: String
    /// What to do; empty if there is nothing to do.
    public var advice: String
}

/// One finding of the verification of a local file.
public struct FileFinding: Sendable, Equatable {
    /// How bad it is.
    public enum Severity: String, Sendable, CaseIterable {
        /// Something is wrong: rows are lost, altered or in danger.
        case fault
        /// Something that should not be so, but does no harm by itself.
        case warning
        /// Something that is right, and worth knowing.
        case note
    }

    /// What was checked.
    public enum Check: String, Sendable, CaseIterable {
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

    /// How bad it is.
    public var severity: Severity
    /// What was checked.
    public var check: Check
    /// Where: a table, rows by their sequence, a page.
    public var place: String
    /// What was found.
    public var text: String
    /// What to do; empty if there is nothing to do.
    public var advice: String

    /// Makes a finding; see the properties for meaning.
    public init(_ severity: Severity, _ check: Check, at place: String, _ text: String, advice: String = "") {
        self.severity = severity
        self.check = check
        self.place = place
        self.text = text
        self.advice = advice
    }
}

extension FileFinding: CustomStringConvertible {
    /// One line.
    public var description: String {
        "\(severity.rawValue): \(check.rawValue): \(place): \(text)" + (advice.isEmpty ? "" : "; \(advice)")
    }
}

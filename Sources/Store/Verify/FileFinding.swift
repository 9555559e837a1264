/// What a look through a local file found, at one place.
public struct FileFinding: Sendable, Equatable {
    /// How bad it is.
    public enum Severity: String, Sendable, CaseIterable {
        /// Something is wrong: rows are lost, altered or in danger.
        case fault
        /// Something that should not be, and does no harm by itself.
        case warning
        /// Something that is right, and worth knowing.
        case note
    }

    /// What was looked at.
    public enum Check: String, Sendable, CaseIterable {
        /// Whether SQLite can read the file, and every page of it.
        case structure
        /// Whose file it is and in which version.
        case schema
        /// The rows' numbers.
        case sequences
        /// The rows' values.
        case values
        /// What the file says of itself: drops, gaps, dead letters, groups.
        case accounts
        /// The ledger upstream.
        case ledger
    }

    /// How bad it is.
    public var severity: Severity
    /// What was looked at.
    public var check: Check
    /// Where: a table, rows by their sequence, a page.
    public var place: String
    /// What is so.
    public var text: String
    /// What to do; empty where nothing is to be done.
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

/// Why a list of symbols was not taken.
public struct SymbolListError: Error, Sendable, Equatable {
    /// What went wrong.
    public enum Reason: Sendable, Equatable {
        /// The bytes are no UTF-8 text.
        case notText
        /// The header has no symbol column.
        case noSymbolColumn
        /// There is no symbol in the list.
        case empty
        /// The list has wrong rows and was read strictly.
        case wrongRows
    }

    /// What went wrong.
    public var reason: Reason
    /// What was found in the rows, in the order of the list.
    public var problems: [SymbolListImport.Problem]

    private var text: String

    /// Never: the list must be corrected.
    public var isRetryable: Bool { false }

    init(_ reason: Reason, text: String, problems: [SymbolListImport.Problem] = []) {
        self.reason = reason
        self.text = text
        self.problems = problems
    }
}

extension SymbolListError: CustomStringConvertible {
    /// One line: what is wrong and what to do.
    public var description: String { text }
}

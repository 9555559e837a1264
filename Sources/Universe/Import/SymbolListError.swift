/// Why a list of symbols was rejected.
public struct SymbolListError: Error, Sendable, Equatable {
    /// What went wrong.
    public enum Reason: Sendable, Equatable {
        /// The bytes are neither text nor a workbook.
        case notText
        /// The file is larger than any list.
        case tooLarge
        /// The header has no symbol column.
        case noSymbolColumn
        /// There is no symbol in the list.
        case empty
        /// The list was read strictly and has a wrong row, or one whose reading is a guess.
        case wrongRows
        /// More rows are wrong than right.
        case mostRefused
    }

    /// What went wrong.
    public var reason: Reason
    /// What was found in the rows, in the order of the list.
    public var problems: [SymbolListImport.Problem]

    private var text: String

    init(_ reason: Reason, text: String, problems: [SymbolListImport.Problem] = []) {
        self.reason = reason
        self.text = text
        self.problems = problems
    }

    /// Judges what was read: an error when most rows are wrong, or when a strict list has a wrong row or one whose
    /// reading is a guess; `nil` when the list is acceptable.
    init?(judging problems: [SymbolListImport.Problem], taken: Int, strict: Bool, header: String) {
        let faults = problems.filter(\.isDoubt)
        if strict, let first = faults.first {
            let rest = faults.count > 1 ? " (and \(faults.count - 1) more)" : ""
            self.init(
                .wrongRows,
                text: "\(first)\(rest): correct it, or import without --strict, which leaves out what is wrong and "
                    + "accepts guesses",
                problems: problems)
            return
        }
        let leftOut = faults.count { $0.consequence == .leftOut }
        guard leftOut > taken, taken > 0 || leftOut > 1 else { return nil }
        self.init(
            .mostRefused,
            text: "\(leftOut) of \(leftOut + taken) rows have no symbol \(header)",
            problems: problems)
    }
}

extension SymbolListError: CustomStringConvertible {
    /// One line: what is wrong and what to do.
    public var description: String { text }
}

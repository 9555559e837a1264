/// Why a list of symbols was rejected.
public struct SymbolListError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One line: what is wrong and what to do.
    public let description: String
    /// What was found in the rows, in the order of the list.
    public let problems: [HoldingsImport.Problem]

    init(_ text: String, problems: [HoldingsImport.Problem] = []) {
        description = text
        self.problems = problems
    }

    /// Judges what was read.
    ///
    /// - Throws: when most rows are wrong, or a strict list has a wrong row or one whose reading is a guess.
    static func judge(
        _ problems: [HoldingsImport.Problem], taken: Int, strict: Bool, header: String
    ) throws(SymbolListError) {
        let faults = problems.filter(\.isDoubt)
        if strict, let first = faults.first {
            let rest = faults.count > 1 ? " (and \(faults.count - 1) more)" : ""
            throw SymbolListError(
                "\(first)\(rest): correct it, or import without --strict, which leaves out what is wrong and accepts "
                    + "guesses",
                problems: problems)
        }
        let leftOut = faults.count { $0.consequence == .leftOut }
        guard leftOut > taken, taken > 0 || leftOut > 1 else { return }
        throw SymbolListError("\(leftOut) of \(leftOut + taken) rows have no symbol \(header)", problems: problems)
    }
}

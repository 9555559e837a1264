import FoundationEssentials
import Glibc
import MarketData

/// The symbols that a file was written with, stored beside it unless it has all: an export of other symbols must not
/// replace rows that it lacks.
struct SymbolsNote {
    private let path: String

    init(of file: String) { path = file.hiddenNeighbour("symbols") }

    /// The symbols; `nil` for all.
    var symbols: Set<Symbol>? {
        (try? String(contentsOfFile: path, encoding: .utf8)).map { text in
            Set(text.split { $0.isNewline }.compactMap { Symbol(String($0)) })
        }
    }

    /// Stores the symbols; `nil` for all.
    func note(_ symbols: Set<Symbol>?) throws(ExportError) {
        guard let symbols else {
            unlink(path)
            return
        }
        try ExportError.write(symbols.sorted().map { "\($0)\n" }.joined(), to: path)
    }
}

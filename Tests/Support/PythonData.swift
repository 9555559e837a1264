import Foundation

/// Python with pyarrow, DuckDB and pandas, which read exported files.
public enum PythonData {
    /// An interpreter with these packages; `nil` when there is none (`make python` makes one).
    public static let interpreter: String? = {
        let candidates = [ProcessInfo.processInfo.environment["EDGETICK_TEST_PYTHON"], "/usr/bin/python3"]
        return candidates.compactMap { $0 }.first { path in
            (try? Command.run([path, "-c", "import pyarrow, duckdb, pandas"])) != nil
        }
    }()

    /// Why a test is skipped without them.
    public static let need = "needs Python with pyarrow, duckdb and pandas (make python)"

    /// Runs a script with arguments and returns what it printed; throws that if the script fails.
    public static func run(_ script: String, _ arguments: String...) throws -> String {
        guard let interpreter else { return "" }
        return try Command.run([interpreter, "-c", script] + arguments)
    }
}

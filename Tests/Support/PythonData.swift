import Foundation

/// A Python with pyarrow, DuckDB and pandas, which read what is exported.
public enum PythonData {
    /// The interpreter; `nil` when there is none with these packages (`make python` makes one).
    public static let interpreter: String? = {
        let candidates = [ProcessInfo.processInfo.environment["EDGETICK_TEST_PYTHON"], "/usr/bin/python3"]
        return candidates.compactMap { $0 }.first { path in
            (try? Command.run([path, "-c", "import pyarrow, duckdb, pandas"])) != nil
        }
    }()

    /// What a skipped test says.
    public static let need = "needs Python with pyarrow, duckdb and pandas (make python)"

    /// Runs a script with arguments and returns what it printed; one that fails is thrown with what it wrote.
    public static func run(_ script: String, _ arguments: String...) throws -> String {
        guard let interpreter else { return "" }
        return try Command.run([interpreter, "-c", script] + arguments)
    }
}

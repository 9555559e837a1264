import Foundation

/// The feed's official Python client.
public enum PythonClient {
    /// A Python interpreter that has the package `massive`; `nil` when there is none.
    public static let interpreter: String? = {
        let candidates = [
            ProcessInfo.processInfo.environment["EDGETICK_TEST_PYTHON"], "/usr/bin/python3", "/usr/local/bin/python3",
        ]
        return candidates.compactMap { $0 }.first { path in
            (try? Command.run([path, "-c", "import massive"])) != nil
        }
    }()
}

import Foundation

/// Runs a test that needs a separate process: starts the test program again for that test alone.
///
/// This replaces exit tests, whose monitor waits for any child of the process, including those of other tests.
public enum FreshProcess {
    /// Whether this is the process that was started for one test.
    public static let isThis = ProcessInfo.processInfo.environment["EDGETICK_TEST_FRESH"] != nil

    /// Runs the tests whose names match in a separate process; when one fails, throws what they printed.
    public static func run(_ filter: String) async throws {
        let child = try ChildProcess(
            Places.tests, ["--testing-library", "swift-testing", "--filter", filter],
            environment: ["EDGETICK_TEST_FRESH": "1"])
        let status = try await child.exit(within: .seconds(60))
        // A filter that matches nothing also ends with status 0.
        guard status == 0, child.output.contains(where: { $0.contains("passed after") }) else {
            throw Command.Failure(description: "status \(status)\n" + child.output.joined(separator: "\n"))
        }
    }
}

import Foundation

/// A test that needs a process of its own: the tests' program again, for that test alone.
///
/// In place of exit tests, whose monitor waits for any child of the process, also those of other tests.
public enum FreshProcess {
    /// Whether this is the process that was started for one test.
    public static let isThis = ProcessInfo.processInfo.environment["EDGETICK_TEST_FRESH"] != nil

    /// Runs the tests whose names match in a process of their own and throws what they printed when one fails.
    public static func run(_ filter: String) async throws {
        let child = try ChildProcess(
            Places.tests, ["--testing-library", "swift-testing", "--filter", filter],
            environment: ["EDGETICK_TEST_FRESH": "1"])
        let status = try await child.exit(within: .seconds(60))
        // A name that matches nothing succeeds too.
        guard status == 0, child.output.contains(where: { $0.contains("passed after") }) else {
            throw Command.Failure(description: "status \(status)\n" + child.output.joined(separator: "\n"))
        }
    }
}

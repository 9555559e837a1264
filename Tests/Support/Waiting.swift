/// Waiting for something that nobody announces, such as a row in a file.
public enum Waiting {
    /// The state did not come in time.
    public struct TimedOut: Error {}

    /// Asks again and again, every few milliseconds, until `condition` holds.
    public static func until(
        within limit: Duration, _ condition: @Sendable () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while try await !condition() {
            guard ContinuousClock.now < deadline else { throw TimedOut() }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

/// Waiting for something that nobody announces, such as a row in a file.
public enum Waiting {
    /// The state did not come in time.
    public struct TimedOut: Error, CustomStringConvertible {
        /// What did not come, and where it was waited for.
        public let description: String

        /// An error that says what did not come.
        public init(description: String) {
            self.description = description
        }
    }

    /// Asks again and again, every few milliseconds, until `condition` holds.
    public static func until(
        _ what: String = "the state", within limit: Duration = .seconds(30), file: String = #fileID, line: Int = #line,
        _ condition: @Sendable () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                throw TimedOut(description: "\(what) did not come within \(limit), awaited at \(file):\(line)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

/// Waiting for something that nobody announces, such as a row in a file.
public enum Waiting {
    /// Something did not come in time. The gate knows it by its first words: a test that fails of nothing else runs once
    /// more, alone.
    public struct TimedOut: Error, CustomStringConvertible {
        /// What did not come, and where it was waited for.
        public let what: String

        /// An error that says what did not come, and what was seen instead.
        public init(_ what: String) { self.what = what }

        /// As the gate knows it.
        public var description: String { "waited in vain: " + what }
    }

    /// Asks again and again, every few milliseconds, until `condition` holds.
    public static func until(
        _ what: String = "the state", within limit: Duration = .seconds(45), file: String = #fileID, line: Int = #line,
        _ condition: @Sendable () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                throw TimedOut("\(what) did not come within \(limit), awaited at \(file):\(line)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

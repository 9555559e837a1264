/// Polls for something that isn't announced, such as a row in a file.
public enum Waiting {
    /// The error when something did not come in time. The gate recognizes it by its first words: a test with no other
    /// failure is run once more, alone.
    public struct TimedOut: Error, CustomStringConvertible {
        /// What did not come, and what was seen or where it was awaited.
        public let what: String

        /// An error that says what did not come, and what was seen instead.
        public init(_ what: String) { self.what = what }

        /// The text that the gate recognizes.
        public var description: String { "waited in vain: " + what }
    }

    /// Polls until `condition` holds: every few milliseconds, or less often if the condition itself takes long, for
    /// example because it starts a program.
    public static func until(
        _ what: String = "the state", within limit: Duration = .seconds(45), file: String = #fileID, line: Int = #line,
        _ condition: @Sendable () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            let asked = ContinuousClock.now
            if try await condition() { return }
            let now = ContinuousClock.now
            guard now < deadline else {
                throw TimedOut("\(what) did not come within \(limit), awaited at \(file):\(line)")
            }
            try await Task.sleep(for: min(max(.milliseconds(5), (now - asked) * 2), .milliseconds(100)))
        }
    }
}

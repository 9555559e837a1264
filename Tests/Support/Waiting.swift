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

    /// Asks again and again until `condition` holds: every few milliseconds, and less often where asking itself takes long,
    /// as it does where a program is started for it.
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

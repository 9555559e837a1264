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
        _ = try await value(what, within: limit, file: file, line: line, until: { $0 }, condition)
    }

    /// Polls like ``until(_:within:file:line:_:)`` until what `look` returns is as wanted, and returns that. If the time
    /// is over, the error shows what was seen last.
    public static func value<Value>(
        _ what: String, within limit: Duration = .seconds(45), file: String = #fileID, line: Int = #line,
        until isWanted: (Value) -> Bool, _ look: () async throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + limit
        while true {
            let asked = ContinuousClock.now
            let value = try await look()
            if isWanted(value) { return value }
            let now = ContinuousClock.now
            guard now < deadline else {
                let seen = value is Bool ? "" : ", at last: \(value)"
                throw TimedOut("\(what) did not come within \(limit), awaited at \(file):\(line)\(seen)")
            }
            try await Task.sleep(for: min(max(.milliseconds(5), (now - asked) * 2), .milliseconds(100)))
        }
    }
}

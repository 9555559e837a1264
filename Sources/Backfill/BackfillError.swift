/// What went wrong while filling gaps, in one line that says what to do and holds no secret.
public struct BackfillError: Error, Sendable, Equatable {
    /// The kinds of failure.
    public enum Reason: String, Sendable, Equatable, CaseIterable {
        /// The address cannot be used, or the settings name nothing to ask for.
        case invalidConfiguration
        /// The server refused the key.
        case keyRefused
        /// The key's plan does not cover what was asked for.
        case notAuthorized
        /// The server asks for fewer requests.
        case tooManyRequests
        /// No answer: no connection, no TLS, or too late.
        case unreachable
        /// The server has a problem of its own.
        case serverProblem
        /// The answer is not what the route returns.
        case badAnswer
        /// The buffer did not take the bars.
        case buffer
        /// The database could not be asked, or did not take the bars.
        case database
        /// The provider's file can't be opened or read.
        case unreadableFile
        /// The provider's file is not what it should be.
        case badFile
    }

    /// The kind of failure.
    public var reason: Reason
    /// What happened and what to do.
    var message: String
    /// Whether the same request may succeed later.
    var isRetryable: Bool {
        switch reason {
        case .tooManyRequests, .unreachable, .serverProblem, .buffer, .database: true
        case .invalidConfiguration, .keyRefused, .notAuthorized, .badAnswer, .unreadableFile, .badFile: false
        }
    }

    /// Whether another request may succeed all the same: one symbol's answer is bad, another's may be good.
    public var concernsRequestAlone: Bool {
        switch reason {
        case .badAnswer, .notAuthorized, .serverProblem: true
        case .invalidConfiguration, .keyRefused, .tooManyRequests, .unreachable, .buffer, .database, .unreadableFile,
            .badFile:
            false
        }
    }

    /// Makes an error; `message` must already be safe to show.
    public init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }
}

extension BackfillError: CustomStringConvertible {
    /// One line.
    public var description: String { message }
}

public import Store

/// Why gaps could not be filled or a day not compared: one line that says what to do and contains no secret.
public struct BackfillError: Error, Sendable, Equatable {
    /// The kinds of failure.
    public enum Reason: String, Sendable, Equatable, CaseIterable {
        /// The address cannot be used, or the settings name nothing to ask for.
        case invalidConfiguration
        /// The server refused the key.
        case keyRefused
        /// The key's plan does not cover the request.
        case notAuthorized
        /// The server asks for fewer requests.
        case tooManyRequests
        /// No answer came: no connection, no TLS, or a timeout.
        case unreachable
        /// The server failed.
        case serverProblem
        /// The answer is not in the route's format.
        case badAnswer
        /// The server reports that it lacks a part of the result, as a relay that did not collect it does.
        case incomplete
        /// Events at the end of a gap may still come from the stream, by the server's clock.
        case tooEarly
        /// The buffer could not be read or written.
        case buffer
        /// The buffer's file no longer has the rows by which events around a gap are recognised.
        case forgotten
        /// The database could not be read or written.
        case database
        /// The provider's file can't be opened or read.
        case unreadableFile
        /// The provider's file is not valid.
        case badFile
    }

    /// The kind of failure.
    public var reason: Reason
    /// What happened and what to do.
    var message: String
    /// What happened to the buffer's file; `nil` if the failure is another one.
    public private(set) var file: StoreError?
    /// Whether the same request may succeed later.
    var isRetryable: Bool {
        switch reason {
        case .tooManyRequests, .unreachable, .serverProblem, .tooEarly, .buffer, .forgotten, .database: true
        case .invalidConfiguration, .keyRefused, .notAuthorized, .badAnswer, .incomplete, .unreadableFile, .badFile:
            false
        }
    }

    /// Whether several such failures in a row are blamed on the server. A database that is away, rows that are gone, a
    /// part that a relay did not collect, and a wrong clock are not its fault.
    var blamesServer: Bool { ![.database, .forgotten, .incomplete, .tooEarly].contains(reason) }

    /// This many bad answers in a row are blamed on the server.
    static let mostInARow = 3

    /// Whether the failure concerns this request or gap alone: one symbol's answer is bad, but another's may be good; a
    /// gap needs the database or rows that are gone, but another may not.
    public var concernsRequestAlone: Bool {
        switch reason {
        case .badAnswer, .incomplete, .notAuthorized, .serverProblem, .tooEarly, .forgotten, .database: true
        case .invalidConfiguration, .keyRefused, .tooManyRequests, .unreachable, .buffer, .unreadableFile, .badFile:
            false
        }
    }

    /// Makes an error; `message` must already be safe to show.
    public init(_ reason: Reason, _ message: String) {
        self.reason = reason
        self.message = message
    }

    /// Makes the error that the buffer could not be read or written.
    public init(_ file: StoreError) {
        self.init(.buffer, file.description)
        self.file = file
    }
}

extension BackfillError: CustomStringConvertible {
    /// The message, in one line.
    public var description: String { message }
}

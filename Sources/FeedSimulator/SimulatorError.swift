/// An error of the simulator; its one-line description says what failed and what to do, and contains no secrets.
public struct SimulatorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Reason: String, Sendable, Equatable {
        /// A capture file doesn't exist.
        case captureMissing
        /// A capture file can't be opened or read.
        case captureUnreadable
        /// A capture ends in the middle of a frame or of its compressed data.
        case captureTruncated
        /// A line of a capture isn't a JSON array of events.
        case captureMalformed
        /// A setting or a fault's text is invalid, or a frame that the caller wrote is.
        case configuration
    }

    /// The kind of failure.
    public let reason: Reason
    /// What was being done: a verb and its object, with the file and line if there is one.
    let operation: String
    /// What the system or the parser said.
    let underlying: String
    /// What to do about it.
    let advice: String

    /// The failure as one line.
    public var description: String { "\(operation): \(underlying); \(advice)" }
}

/// What went wrong in the simulator, in one line that says where and what to do; it holds no secret.
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
        /// A setting makes no sense.
        case configuration
    }

    /// What kind of failure it is.
    public let reason: Reason
    /// What was being done: a verb and what it was done to, with the file and line where there is one.
    let operation: String
    /// What the system or the parser said.
    let underlying: String
    /// What to do about it.
    let advice: String

    /// The failure as one line.
    public var description: String {
        "\(operation): \(underlying); \(advice)"
    }
}

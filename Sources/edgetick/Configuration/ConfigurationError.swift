/// Why a file of settings was not taken; one line, without anything that is in the file.
struct ConfigurationError: Error, Sendable, Equatable {
    enum Reason: Sendable, Equatable {
        /// The file that was asked for is not there.
        case missing
        /// The file is there and cannot be read.
        case unreadable
        /// The file is no list of settings.
        case malformed
    }

    var reason: Reason
    /// The file as the user named it.
    var path: String
    /// What is wrong and what to do.
    var text: String
}

extension ConfigurationError: CustomStringConvertible {
    var description: String { "\(path): \(text)" }
}

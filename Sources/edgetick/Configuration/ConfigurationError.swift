/// Why a settings file was not accepted; one line that repeats nothing of the file.
struct ConfigurationError: Error, Sendable, Equatable {
    enum Reason: Sendable, Equatable {
        /// The named file does not exist.
        case missing
        /// The file exists but can't be read.
        case unreadable
        /// The file is not a list of settings.
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

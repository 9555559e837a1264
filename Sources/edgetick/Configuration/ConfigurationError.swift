/// Why a settings file was not accepted; one line that repeats nothing of the file.
struct ConfigurationError: Error, Sendable, Equatable {
    var path: String
    var text: String
}

extension ConfigurationError: CustomStringConvertible {
    var description: String { "\(path): \(text)" }
}

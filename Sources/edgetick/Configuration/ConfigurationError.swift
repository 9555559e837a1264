/// Why a settings file was not accepted, in one line; it quotes nothing of the file, which may hold secrets.
struct ConfigurationError: Error, Sendable, Equatable {
    var path: String
    var text: String
}

extension ConfigurationError: CustomStringConvertible {
    var description: String { "\(path): \(text)" }
}

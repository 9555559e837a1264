/// Where a value came from.
enum SettingOrigin: Sendable, Equatable {
    case defaultValue
    case environment
    /// A line of a settings file, from 1.
    case file(path: String, line: Int)
    /// A file that holds this value alone.
    case secretFile(path: String)
}

extension SettingOrigin: CustomStringConvertible {
    /// `default`, `environment`, or the file and line.
    var description: String {
        switch self {
        case .defaultValue: "default"
        case .environment: "environment"
        case .file(let path, let line): "\(path):\(line)"
        case .secretFile(let path): path
        }
    }
}

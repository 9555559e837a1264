import Collector
import FoundationEssentials
import Glibc

/// Facts about the machine and the process on which defaults depend.
struct HostFacts: Sendable, Equatable {
    var hostName: String?
    var homeDirectory: String?
    /// The directory that systemd created for the service: STATE_DIRECTORY, see systemd.exec(5).
    var stateDirectory: String?
    var workingDirectory: String

    /// The facts of this process.
    static func current(environment: [String: String] = ProcessInfo.processInfo.environment) -> HostFacts {
        var buffer = [CChar](repeating: 0, count: 256)
        var hostName: String?
        if gethostname(&buffer, buffer.count - 1) == 0 {
            let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            hostName = String(decoding: bytes, as: UTF8.self)
        }
        let state = environment["STATE_DIRECTORY"]?.split(separator: ":").first.map { String($0) }
        // Some launchers leave HOME out; the user's passwd entry has it.
        let home = environment["HOME"] ?? getpwuid(geteuid()).map { String(cString: $0.pointee.pw_dir) } ?? ""
        return HostFacts(
            hostName: hostName, homeDirectory: home.hasPrefix("/") ? home : nil, stateDirectory: state,
            workingDirectory: FileManager.default.currentDirectoryPath)
    }

    /// The default data directory; `nil` if the process has neither a state directory nor a home directory.
    var defaultDataDirectory: String? {
        if let stateDirectory { return stateDirectory }
        guard let homeDirectory else { return nil }
        return (homeDirectory == "/" ? "" : homeDirectory) + "/.local/share/edgetick"
    }

    /// The default name of the collector.
    var defaultCollectorID: String {
        let name = (hostName ?? "").unicodeScalars.filter { CollectorName.isAllowed($0) }
        return name.isEmpty ? "edgetick" : String(String.UnicodeScalarView(name.prefix(CollectorName.maximumLength)))
    }

    /// The path made absolute; a leading `~/` stands for the home directory.
    func absolutePath(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        if path == "~" || path.hasPrefix("~/"), let homeDirectory { return homeDirectory + path.dropFirst() }
        return workingDirectory + "/" + path
    }
}

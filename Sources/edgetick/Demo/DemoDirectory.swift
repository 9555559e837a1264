import FoundationEssentials
import Glibc

/// The directory of a demo's files. It holds nothing else, so that made-up events can't mix with real data.
struct DemoDirectory: Sendable {
    let path: String
    private let isNew: Bool

    /// Uses the directory that a person named, which must be empty, or creates a new one.
    init(named path: String?) throws {
        guard let named = path else {
            self.path = try Self.fresh("edgetick-demo")
            isNew = true
            return
        }
        let path = named.hasPrefix("/") ? named : FileManager.default.currentDirectoryPath + "/" + named
        self.path = path
        isNew = access(path, F_OK) != 0
        guard !isNew else { return }
        let contents: [String]
        do {
            contents = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw CommandFailure(.usage, "--data-dir \(path): \(error.systemText)")
        }
        guard contents.isEmpty else {
            throw CommandFailure(
                .usage,
                "--data-dir \(path) is not empty: the demo writes synthetic events, which must not mix with real ones; "
                    + "give a new or empty directory, or omit --data-dir")
        }
    }

    /// Removes the demo's files, and the directory if the demo created it.
    func clear() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            try? FileManager.default.removeItem(atPath: path + "/" + name)
        }
        if isNew { rmdir(path) }
    }

    /// Creates a directory below the temporary one that only this user can open.
    static func fresh(_ name: String) throws -> String {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        var template = Array("\(parent)/\(name)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw CommandFailure(
                .ioError, "no directory can be created in \(parent): \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

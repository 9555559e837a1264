import Foundation

/// A fresh directory for one test; it is removed with its contents when the object goes out of scope.
public final class Workspace: Sendable {
    /// The directory's path.
    public let path: String

    /// Makes the directory below the system's temporary one.
    public init() throws {
        path = NSTemporaryDirectory() + "edgetick-test-" + UUID().uuidString.prefix(13)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Returns the path of `name` in the directory.
    public func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file into the directory and returns its path.
    public func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

/// The paths of files that tests use.
public enum Places {
    /// The repository's root, derived from the path of this file.
    public static let repository: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// The program that EDGETICK names, or the one built with the tests.
    public static let edgetick = ProcessInfo.processInfo.environment["EDGETICK"] ?? products + "/edgetick"

    /// The test program.
    public static let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""

    /// The directory that the tests were built into.
    public static let products = URL(fileURLWithPath: tests).deletingLastPathComponent().path

    /// Returns a file of the real captures and universes, which are next to a developer's checkout or in the directory
    /// that EDGETICK_TEST_DATA names; `nil` if it is absent.
    public static func sharedData(_ name: String) -> String? {
        shared("data", ProcessInfo.processInfo.environment["EDGETICK_TEST_DATA"], name)
    }

    /// Returns one of the files with which people have had problems, which are next to a developer's checkout or in the
    /// directory that EDGETICK_TEST_CASES names; `nil` if it is absent.
    public static func sharedCase(_ name: String) -> String? {
        shared("cases", ProcessInfo.processInfo.environment["EDGETICK_TEST_CASES"], name)
    }

    private static func shared(_ kind: String, _ named: String?, _ name: String) -> String? {
        let beside = URL(fileURLWithPath: repository).deletingLastPathComponent().path + "/shared/" + kind
        let path = (named ?? beside) + "/" + name
        return FileManager.default.isReadableFile(atPath: path) ? path : nil
    }
}

import Foundation

/// A fresh directory for one test, removed with everything in it when it goes out of scope.
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

    /// The path of `name` in the directory.
    public func file(_ name: String) -> String { path + "/" + name }

    /// Writes a file into the directory and returns its path.
    public func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

/// Where things are that tests use.
public enum Places {
    /// The repository's root, from this file's place in it.
    public static let repository: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// The product that EDGETICK names, or the one built beside the tests.
    public static let edgetick = ProcessInfo.processInfo.environment["EDGETICK"] ?? products + "/edgetick"

    /// The tests' own program.
    public static let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""

    /// The directory that the tests were built into.
    public static let products = URL(fileURLWithPath: tests).deletingLastPathComponent().path

    /// A file of the real captures and universes that lie beside a developer's checkout, or where EDGETICK_TEST_DATA
    /// says; `nil` where they are absent.
    public static func sharedData(_ name: String) -> String? {
        shared("data", ProcessInfo.processInfo.environment["EDGETICK_TEST_DATA"], name)
    }

    /// A file of those that people have had problems with, which lie beside a developer's checkout, or where
    /// EDGETICK_TEST_CASES says; `nil` where they are absent.
    public static func sharedCase(_ name: String) -> String? {
        shared("cases", ProcessInfo.processInfo.environment["EDGETICK_TEST_CASES"], name)
    }

    private static func shared(_ kind: String, _ named: String?, _ name: String) -> String? {
        let beside = URL(fileURLWithPath: repository).deletingLastPathComponent().path + "/shared/" + kind
        let path = (named ?? beside) + "/" + name
        return FileManager.default.isReadableFile(atPath: path) ? path : nil
    }
}

import Foundation
import TestSupport

/// A wall clock that jumps, through Debian's libfaketime; the monotonic clock is left alone.
final class FakeTime: Sendable {
    /// The library, where it is installed.
    static let library: String? = {
        let root = "/usr/lib"
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return folders.map { "\(root)/\($0)/faketime/libfaketime.so.1" }
            .first { FileManager.default.isReadableFile(atPath: $0) }
    }()

    private let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        try jump("+0")
    }

    /// Environment variables for a process that shall live in this time.
    var settings: [String: String] {
        [
            "LD_PRELOAD": Self.library ?? "", "FAKETIME_TIMESTAMP_FILE": workspace.file("clock"),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
        ]
    }

    /// Moves the clock so many seconds from the true time.
    func jump(_ seconds: String) throws {
        _ = try workspace.write(seconds + "\n", to: "clock")
    }
}

import Collector
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ProcessUsageTests {
    /// Whether the temporary directory is on a disk: what is written to memory does not count.
    private static var isOnDisk: Bool {
        let directory = FileManager.default.temporaryDirectory.path + "/"
        let mounts = (try? String(contentsOfFile: "/proc/mounts", encoding: .utf8)) ?? ""
        var holding = ("", "tmpfs")
        for mount in mounts.split(separator: "\n") {
            let fields = mount.split(separator: " ").map(String.init)
            guard fields.count > 2, fields[1].count > holding.0.count else { continue }
            if fields[1] == "/" || directory.hasPrefix(fields[1] + "/") { holding = (fields[1], fields[2]) }
        }
        return holding.1 != "tmpfs"
    }

    @Test(.enabled(if: isOnDisk, "the temporary directory is in memory"))
    func `what the process writes to a disk is counted`() throws {
        let workspace = try Workspace()
        let before = try #require(ProcessUsage.now().writtenBytes)
        try Data(repeating: 1, count: 4 << 20).write(to: URL(fileURLWithPath: workspace.path + "/bytes"))
        #expect(try #require(ProcessUsage.now().writtenBytes) - before >= 4 << 20)
    }
}

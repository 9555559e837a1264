import Feed
import Foundation
import Logging
import TestSupport
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct CollectedKeeperTests {
    private let quiet = Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test func `the next collector of a directory knows what the last one kept, and nothing of a file that is cut`()
        async throws
    {
        let workspace = try Workspace()
        let keeper = CollectedKeeper(directory: workspace.path, logger: quiet)
        #expect(keeper.previous == nil)
        for text in ["collected 1\nA 1000\n", "collected 2\nA 1000\nB 2000\n"] {
            keeper.keep(try #require(CollectedTimes(text)))
        }
        let last = CollectedTimes("collected 2\nA 1000\nB 2000\n")
        try await Waiting.until {
            CollectedKeeper(directory: workspace.path, logger: quiet).previous == last
        }
        _ = try workspace.write("collected 2\nA 1000\n", to: "collected.since")
        #expect(CollectedKeeper(directory: workspace.path, logger: quiet).previous == nil)
    }

    @Test func `a file that can't be written is reported once`() async throws {
        let workspace = try Workspace()
        let log = CapturedLog()
        let keeper = CollectedKeeper(directory: workspace.file("none"), logger: log.logger)
        let times = try #require(CollectedTimes("collected 1\nA 1000\n"))
        keeper.keep(times)
        try await Waiting.until { !log.lines.isEmpty }
        keeper.keep(times)
        try FileManager.default.createDirectory(atPath: workspace.file("none"), withIntermediateDirectories: false)
        keeper.keep(times)
        try await Waiting.until { FileManager.default.fileExists(atPath: workspace.file("none/collected.since")) }
        #expect(log.lines.count == 1 && log.lines[0].contains("can't be written"), "\(log.lines)")
    }
}

import Foundation
import TestSupport
import Testing
import WebAPISupport

/// A reader of the log can't stop the collector, and a command reports when its data could not all be written.
@Suite(.timeLimit(.minutes(5))) struct LogReaderTests {
    /// Starts a collector whose log goes to a named pipe that is full and that nobody reads. Closing `end` closes the
    /// pipe's only read end.
    private static func collector(_ box: CollectorBox, log: String) throws -> (process: ChildProcess, end: Int32) {
        guard mkfifo(log, 0o600) == 0 else { throw POSIXError(.EIO) }
        let end = open(log, O_RDWR | O_NONBLOCK | O_CLOEXEC)
        let filling = [UInt8](repeating: UInt8(ascii: "."), count: 4096)
        while write(end, filling, filling.count) > 0 {}
        return (try box.start(shell: "exec \(Places.edgetick) run 2>\(log)"), end)
    }

    private static func port(of box: CollectorBox) async throws -> Int {
        try await Waiting.until(within: .seconds(60)) {
            FileManager.default.fileExists(atPath: box.data + "/http.address")
        }
        let address = try String(contentsOfFile: box.data + "/http.address", encoding: .utf8)
        return try #require(URL(string: address.trimmingCharacters(in: .newlines))?.port)
    }

    @Test func `systemd's journal gets the priority of each line of text, and other readers don't`() async throws {
        for (journal, format, isRead) in [("log", "text", true), ("log", "json", false), ("elsewhere", "text", false)] {
            let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["LOG_FORMAT": format])
            let collector = try box.start(
                shell: ": >log; : >elsewhere; "
                    + "JOURNAL_STREAM=$(stat -c %d:%i \(journal)) exec \(Places.edgetick) run 2>log")
            _ = try await Self.port(of: box)
            try await collector.stop()
            let log = try String(contentsOfFile: box.workspace.file("log"), encoding: .utf8)
            let lines = log.split(separator: "\n")
            #expect(!lines.isEmpty && lines.allSatisfy { $0.hasPrefix("<") == isRead }, "\(log)")
            let ready = lines.first { $0.contains("HTTP is ready") }
            #expect(ready?.hasPrefix("<6>2") == isRead, "\(log)")
        }
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["SYNC_INTERVAL": "soon"])
        let wrong = try box.start(
            shell: ": >log; JOURNAL_STREAM=$(stat -c %d:%i log) exec \(Places.edgetick) run 2>log")
        #expect(try await wrong.exit() == 78)
        let log = try String(contentsOfFile: box.workspace.file("log"), encoding: .utf8)
        #expect(log.hasPrefix("<3>edgetick: "), "\(log)")
    }

    @Test func `a log that nobody reads, and one whose reader is gone, don't stop the collector`() async throws {
        let market = try await SimulatedMarket(rate: 50)
        let box = try CollectorBox(feed: market.url, settings: ["LOG_LEVEL": "debug"])
        let (collector, end) = try Self.collector(box, log: box.workspace.file("log"))
        let http = RawHTTP(port: try await Self.port(of: box))
        try await http.until("/api/status") { $0.appended > 100 }

        close(end)
        let before = try await http.send("GET", "/api/status").appended
        try await http.until("/api/status") { $0.appended > before + 100 }
        try await collector.stop()
    }

    @Test func `a log on a full disk doesn't stop the collector`() async throws {
        let market = try await SimulatedMarket(rate: 50)
        let box = try CollectorBox(feed: market.url)
        let collector = try box.start(shell: "exec \(Places.edgetick) run 2>/dev/full")
        let http = RawHTTP(port: try await Self.port(of: box))
        try await http.until("/api/status") { $0.appended > 100 }
        try await collector.stop()
    }

    @Test(arguments: [["config"], ["universe", "export"], ["universe", "list"], ["migrate", "--print"], ["status"]])
    func `data that could not all be written ends with 74`(command: [String]) async throws {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks")
        #expect(try await box.run("universe", "import", try box.workspace.write("AAPL\n", to: "a.csv")).status == 0)
        // Without a buffer, `status` would have little to print.
        if command == ["status"] { try await box.collect().process.stop() }
        let process = try box.start(
            shell: "exec \(Places.edgetick) \(command.joined(separator: " ")) >/dev/full")
        #expect(try await process.exit(within: .seconds(60)) == 74, "\(process.output)")
        #expect(process.output.contains { $0.contains("No space left") }, "\(process.output)")
    }
}

import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct LogWriterTests {
    /// A pipe, which holds 64 KiB on Linux.
    private struct Pipe {
        let reading: Int32
        let writing: Int32

        init() {
            var ends: [Int32] = [0, 0]
            pipe(&ends)
            (reading, writing) = (ends[0], ends[1])
        }

        /// Reads from now on, on a separate thread, until there is a line that contains `text`.
        func reading(until text: String) -> Reading {
            let result = Reading()
            Thread.detachNewThread { [reading] in
                var bytes: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 4096)
                var output = ""
                while !(output.contains(text) && output.hasSuffix("\n")) {
                    let count = read(reading, &buffer, buffer.count)
                    guard count > 0 else { break }
                    bytes += buffer.prefix(count)
                    output = String(decoding: bytes, as: UTF8.self)
                }
                result.finish(output.split(separator: "\n").map(String.init))
            }
            return result
        }
    }

    /// What a thread reads.
    private final class Reading: Sendable {
        private let found = Mutex<[String]?>(nil)

        func finish(_ lines: [String]) { found.withLock { $0 = lines } }

        /// The lines, once they are all there.
        var lines: [String] {
            get async throws {
                try await Waiting.until(within: .seconds(60)) { self.found.withLock { $0 != nil } }
                return found.withLock { $0 ?? [] }
            }
        }
    }

    private static let notice: @Sendable (Int) -> String = { "\($0) lost\n" }

    @Test func `a reader that stands still delays nobody, and learns what it missed`() async throws {
        let pipe = Pipe()
        let writer = LogWriter(descriptor: pipe.writing, limit: 10_000)
        let line = String(repeating: "x", count: 99) + "\n"
        // 64 KiB are in the pipe, some lines are on their way, a hundred wait: the rest is lost.
        for _ in 0..<3000 { writer.write(line, notice: Self.notice) }
        let reading = pipe.reading(until: "after")
        writer.flush(within: .seconds(60))
        writer.write("after\n", notice: Self.notice)
        let lines = try await reading.lines
        let kept = lines.count { $0.hasPrefix("xx") }
        let lost = lines.compactMap { $0.hasSuffix(" lost") ? Int($0.dropLast(5)) : nil }.reduce(0, +)
        #expect(lost > 500)
        #expect(kept + lost == 3000, "\(kept) and \(lost)")
    }

    @Test func `lines that can't be written are counted and told when writing works again`() async throws {
        let full = open("/dev/full", O_WRONLY)
        let place = dup(full)
        let writer = LogWriter(descriptor: place)
        for number in 1...3 {
            writer.write("line \(number)\n", notice: Self.notice)
            writer.flush(within: .seconds(60))
        }
        let pipe = Pipe()
        dup2(pipe.writing, place)
        writer.write("line 4\n", notice: Self.notice)
        #expect(try await pipe.reading(until: "line 4").lines == ["3 lost", "line 4"])
    }

    @Test(arguments: LineLogHandler.Format.allCases)
    func `a line has room in the log however long what it reports is`(format: LineLogHandler.Format) async throws {
        let long = String(repeating: "\u{1b}", count: 1 << 20)
        let pipe = Pipe()
        let writer = LogWriter(descriptor: pipe.writing)
        let reading = pipe.reading(until: "the end")
        for line in [
            LineLogHandler.line(format, .error, "upload", long, [("error", long)]),
            LineLogHandler.line(format, .error, "upload", "the end", []),
        ] { writer.write(line, notice: Self.notice) }
        let lines = try await reading.lines
        #expect(lines.count == 2 && lines[0].contains("upload") && lines[0].contains("…"))
    }

    @Test func `a flush waits for what was written before it, and not for ever`() throws {
        let pipe = Pipe()
        let writer = LogWriter(descriptor: pipe.writing)
        writer.write("line\n", notice: Self.notice)
        writer.flush(within: .seconds(60))
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(read(pipe.reading, &buffer, 16) == 5)
        writer.write(String(repeating: "x", count: 200_000) + "\n", notice: Self.notice)
        writer.flush(within: .milliseconds(50))
    }
}

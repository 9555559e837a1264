import Foundation
import MarketData
import TestSupport
import Testing

@testable import FeedSimulator

@Suite(.timeLimit(.minutes(1))) struct `Reading captures` {
    private let directory: Workspace

    init() throws { directory = try Workspace() }

    /// Writes a capture of these lines; with another `end`, the last one is cut off.
    private func capture(_ lines: [String], _ name: String = "lines", end: String = "\n") throws -> String {
        try directory.write(lines.joined(separator: "\n") + end, to: name)
    }

    private func replay(_ lines: [String], passes: Int? = 1, start: Int64? = nil) throws -> CaptureReplay {
        CaptureReplay(files: [try capture(lines)], passes: passes, start: start)
    }

    private func read(_ replay: CaptureReplay, _ pace: SimulatorConfiguration.Pace = .flatOut) throws -> [String] {
        try frames(of: CaptureSource(replay, pace: pace))
    }

    private func write(_ text: String, _ path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }

    @Test func `plain and compressed files give their lines, with and without a last newline`() async throws {
        let lines = ledgerLines(frames: 3000)
        let path = directory.file("day.ndjson")
        try write(lines.joined(separator: "\r\n\n"), path)
        #expect(try read(CaptureReplay(files: [path])) == lines)
        try await runProgram("/bin/gzip", "-k", path)
        #expect(try read(CaptureReplay(files: [path + ".gz"])) == lines)
        try FileManager.default.moveItem(atPath: path + ".gz", toPath: directory.file("renamed"))
        #expect(try read(CaptureReplay(files: [directory.file("renamed")])) == lines)
    }

    @Test func `a frame longer than the buffer is read whole`() throws {
        let long = "[" + String(repeating: #"{"ev":"T","sym":"AAPL","p":1,"t":1},"#, count: 60_000).dropLast() + "]"
        #expect(try read(replay(["[]", long, "[]"])) == ["[]", long, "[]"])
    }

    @Test func `a missing file is an error that names it`() {
        let error = #expect(throws: SimulatorError.self) { try read(CaptureReplay(files: ["/nonexistent/day.ndjson"])) }
        #expect(error?.reason == .captureMissing)
        #expect(error?.description.contains("/nonexistent/day.ndjson") == true)
    }

    @Test func `a directory is an error`() {
        let error = #expect(throws: SimulatorError.self) { try read(CaptureReplay(files: ["/usr"])) }
        #expect(error?.reason == .captureUnreadable)
    }

    @Test func `a truncated gz file is an error that names the file and the last sound line`() async throws {
        let path = directory.file("day.ndjson")
        try write(ledgerLines(frames: 5000).joined(separator: "\n"), path)
        try await runProgram("/bin/gzip", path)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path + ".gz"))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: path + ".gz"))
        let error = #expect(throws: SimulatorError.self) { try read(CaptureReplay(files: [path + ".gz"])) }
        #expect(error?.reason == .captureTruncated)
        #expect(error?.description.contains(path + ".gz, after line ") == true)
    }

    @Test func `a gz file that isn't one is an error`() async throws {
        try write("plain text\n", directory.file("day.ndjson.gz"))
        let error = #expect(throws: SimulatorError.self) {
            try read(CaptureReplay(files: [directory.file("day.ndjson.gz")]))
        }
        #expect(error?.reason == .captureUnreadable)
        #expect(error?.underlying.contains("not in gzip format") == true)
    }

    @Test(arguments: [
        "oops", #"{"ev":"AM"}"#, "[1]", #"[{"ev":"AM"},]"#, #"[{"ev":"AM"}"# + "x]", "[[]]",
        #"[{"ev":"AM","sym":"A}"#,
    ])
    func `a line that isn't an array of events is an error with its number`(line: String) {
        let error = #expect(throws: SimulatorError.self) { try read(replay(["[]", "", line, "[]"])) }
        #expect(error?.reason == .captureMalformed)
        #expect(error?.description.contains("line 3") == true)
    }

    @Test func `a last line cut off is an error that says so`() {
        let error = #expect(throws: SimulatorError.self) {
            try read(CaptureReplay(files: [capture(["[]", "[{\"ev\":\"AM\",\"sy"], end: "")]))
        }
        #expect(error?.reason == .captureTruncated)
        #expect(error?.description.contains("line 2") == true)
    }

    @Test func `several captures are merged by time and keep their own order`() throws {
        func trades(_ symbol: String, _ times: [Int]) throws -> String {
            try capture(times.map { "[{\"ev\":\"T\",\"sym\":\"\(symbol)\",\"p\":1,\"s\":1,\"t\":\($0)}]" }, symbol)
        }
        let files = [try trades("A", [10, 30, 20, 50]), try trades("B", [5, 25, 30, 45])]
        let order = try read(CaptureReplay(files: files)).map { line in
            let parts = line.split(separator: "\"")
            return "\(parts[7]) \(line.dropLast(2).split(separator: ":").last ?? "")"
        }
        #expect(order == ["B 5", "A 10", "B 25", "A 30", "A 20", "B 30", "B 45", "A 50"])
    }

    @Test func `a further pass moves all times on by whole minutes`() throws {
        let lines = [
            #"[{"ev":"AM","sym":"A","v":1,"s":60000,"e":120000},{"ev":"T","sym":"A","p":1,"t":120500,"trft":120400}]"#,
            #"[{"ev":"A","sym":"A","v":1,"e":181000,"s":180000}]"#,
        ]
        #expect(
            try read(replay(lines, passes: 2)) == lines + [
                #"[{"ev":"AM","sym":"A","v":1,"s":180000,"e":240000},{"ev":"T","sym":"A","p":1,"t":240500,"trft":240400}]"#,
                #"[{"ev":"A","sym":"A","v":1,"e":301000,"s":300000}]"#,
            ])
    }

    @Test func `times can be moved to another day, by whole minutes`() throws {
        let lines = [#"[{"ev":"T","sym":"A","p":1,"t":61500}]"#]
        #expect(
            try read(replay(lines, start: 1_704_205_830_000))
                == [#"[{"ev":"T","sym":"A","p":1,"t":1704205801500}]"#])
    }

    @Test func `times in nanoseconds are moved too`() throws {
        let lines = [
            #"[{"ev":"LULD","T":"A","h":2,"l":1,"t":1704205801000000123}]"#,
            #"[{"ev":"T","sym":"A","p":1,"t":1704205802000,"trft":1704205801999000000,"pt":1704205801998000000}]"#,
        ]
        #expect(
            try read(replay(lines, start: 1_704_205_860_000)) == [
                #"[{"ev":"LULD","T":"A","h":2,"l":1,"t":1704205861000000123}]"#,
                #"[{"ev":"T","sym":"A","p":1,"t":1704205862000,"trft":1704205861999000000,"pt":1704205861998000000}]"#,
            ])
    }

    @Test func `a time too far away to be moved is left as it is`() throws {
        let lines = [
            #"[{"ev":"T","sym":"A","p":1,"t":1704205801000}]"#,
            #"[{"ev":"T","sym":"A","p":1,"t":9223372036854775807,"pt":99999999999999999}]"#,
        ]
        #expect(
            try read(replay(lines, start: 1_704_205_860_000)) == [
                #"[{"ev":"T","sym":"A","p":1,"t":1704205861000}]"#,
                #"[{"ev":"T","sym":"A","p":1,"t":9223372036854775807,"pt":100000000000059999}]"#,
            ])
    }

    @Test func `an endless replay of nothing ends`() throws {
        #expect(try read(replay(["[]"], passes: nil)) == ["[]"])
    }

    @Test func `status messages are left out and counted`() throws {
        let source = try CaptureSource(
            replay([
                #"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#,
                #"[{"ev":"T","sym":"A"},{"ev":"status","status":"success","message":"x"},{"ev":"ZZ"}]"#,
            ]), pace: .flatOut)
        let block = try #require(try source.nextBlock())
        #expect(block.skippedStatuses == 2)
        #expect(block.frames.count == 1)
        #expect(
            block.withText(of: block.frames[0]) { String(decoding: $0, as: UTF8.self) }
                == #"[{"ev":"T","sym":"A"},{"ev":"ZZ"}]"#)
    }

    @Test func `an endless replay goes on without growing`() throws {
        let source = try CaptureSource(replay(ledgerLines(frames: 10), passes: nil), pace: .speed(1))
        var last: Int64 = .min
        for _ in 0..<5 {
            let block = try #require(try source.nextBlock())
            #expect(block.byteCount < 400_000)
            for frame in block.frames {
                #expect(frame.time >= last)
                last = frame.time
            }
        }
    }

    @Test func `a frame written by somebody else that isn't an array of events is an error with its number`() {
        let source = WrittenSource(
            { SimulatorConfiguration.Frame(text: Array(($0 == 0 ? "[]" : "oops").utf8), time: 0) }, pace: .flatOut)
        let error = #expect(throws: SimulatorError.self) { try frames(of: source) }
        #expect(error?.description.contains("frame 1") == true)
    }
}

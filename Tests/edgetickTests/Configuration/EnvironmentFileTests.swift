import Foundation
import MarketData
import TestSupport
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct EnvironmentFileTests {
    private func parse(_ text: String) -> EnvironmentFile {
        EnvironmentFile(path: "some.env", bytes: Array(text.utf8))
    }

    /// Returns what the settings' faults say about a file.
    private func faults(_ bytes: [UInt8]) throws -> [String] {
        let snapshot = SettingsSnapshot(
            environment: [:], file: EnvironmentFile(path: "some.env", bytes: bytes + Array("\nHTTP_PORT=0x".utf8)))
        let error = try #require(throws: SettingFaults.self) { try Settings.validate(snapshot, host: sampleHost) }
        #expect(CommandFailure(error).status.rawValue == 78)
        // Whatever one line is, the others are checked.
        #expect(error.faults.last?.key == "HTTP_PORT")
        return error.faults.dropLast().map(\.description)
    }

    @Test(arguments: [
        ("A=b", "b"), ("A=", ""), (" A = b ", "b"), ("export A=b", "b"), ("export\tA=b", "b"), ("A=b=c=", "b=c="),
        ("A=\"b c\"", "b c"), ("A='b \"c\"'", "b \"c\""), (#"A="b\"\\\n\t\$""#, "b\"\\\n\t$"), (#"A="\x""#, #"\x"#),
        (#"A='\n'"#, #"\n"#), ("A=b # note", "b"), ("A=b#c", "b#c"), ("A=# note", ""), ("A=\"b # c\" # note", "b # c"),
        ("A=b\r\n", "b"), ("A=b\r\r\n", "b"), ("\u{FEFF}A=b", "b"), ("# first\n\n   \nA=b\n", "b"), ("A=${B}", "${B}"),
        ("A=größe", "größe"),
    ])
    func `a line gives its value`(text: String, value: String) throws {
        #expect(parse(text).entries["A"]?.value == value)
    }

    @Test func `each entry knows its line`() throws {
        let file = parse("# one\nA=1\r\n\nB=2\n")
        #expect(file.entries["A"]?.line == 2)
        #expect(file.entries["B"]?.line == 4)
        #expect(file.entries.count == 2)
    }

    @Test func `the last of two lines for one key counts, and both are named`() throws {
        let file = parse("A=1\nB=2\nA=3\n")
        #expect(file.entries["A"] == .init(value: "3", line: 3))
        #expect(file.findings.map(\.severity) == [.warning])
        #expect(file.findings.map(\.description) == ["A (some.env:3): is already on line 1; this line counts"])
    }

    @Test(arguments: [
        ("A=x${B}y", "x1y"), ("A=\"x${B}y\"", "x1y"), ("A='x${B}y'", "x${B}y"), ("A=`x${B}y`", "x${B}y"),
        ("A=x$B/y", "x1/y"), ("A=x$OUTSIDE", "x2"), ("A=${NONE:-3}", "3"), ("A=${B:-3}", "1"), ("A=${NONE-3}", "3"),
        (#"A="x\${B}y""#, "x${B}y"), ("A=pa$$word", "pa$$word"), ("A=pa$word", "pa$word"), ("A=cost: $5", "cost: $5"),
        ("A=${B", "${B"), ("A=`b c`", "b c"), ("A=b;", "b"), ("A=\"b\";", "b"), ("A=b;c", "b;c"), ("A='b;'", "b;"),
    ])
    func `variables that are set are put in, but not between single quotes`(line: String, value: String) throws {
        let file = EnvironmentFile(path: "f", bytes: Array("B=1\n\(line)".utf8), environment: ["OUTSIDE": "2"])
        #expect(file.entries["A"]?.value == value)
        #expect(file.entries["A"]?.fault == nil)
    }

    @Test func `a variable that nothing sets is a fault of its own key, and a lone dollar a remark`() throws {
        for text in ["A=x${NONE}", "A=$NONE", "A=\"$NONE\""] {
            #expect(parse(text).entries["A"]?.fault?.contains("neither the environment nor a line above") == true)
        }
        let file = parse("A=x$NONE/hunter2")
        #expect(file.entries["A"] == .init(value: "x$NONE/hunter2", line: 1))
        #expect(file.findings.count == 1 && !file.findings[0].text.contains("NONE"))
        #expect(parse("B=1\nA=x$B").findings.map(\.key) == ["A"])
    }

    @Test(arguments: [
        ("A=1\nMASSIVE_API_KEY\n", 2, "no `=`"),
        ("A=1\n\n=x", 3, "is not a key"),
        ("1A=x", 1, "is not a key"),
        ("A B=x", 1, "is not a key"), ("A: x", 1, "write KEY=value"),
        ("A=1\nB=\"half", 2, "not closed"),
        ("B='half\nC=1'", 1, "not closed"),
        ("B=\"half\\\"", 1, "not closed"),
        ("B=\"x\"y", 1, "follows the closing quote"),
        ("A=1\nB=\u{0}", 2, "NUL"),
        ("A=1\rB=2\r", 1, "carriage return"), ("# A comment.\rA=1", 1, "carriage return"),
    ])
    func `a half-written line is named by its number`(text: String, line: Int, words: String) throws {
        let fault = try #require(try faults(Array(text.utf8)).first)
        #expect(fault.hasPrefix("some.env:\(line): ") && fault.contains(words) && !fault.contains("\n"))
    }

    @Test func `bytes that are no UTF-8 are named by their line`() throws {
        let found = try faults(Array("A=1\nB=".utf8) + [0xFF, 0xFE, 0x0A])
        #expect(found.count == 1 && found[0].hasPrefix("some.env:2: ") && found[0].contains("UTF-8"))
    }

    @Test func `all lines at fault are named, beside what is wrong with values`() throws {
        let found = try faults(Array("one\nA=1\ntwo\nthree\n".utf8))
        #expect(found.map { $0.prefix(11) } == ["some.env:1:", "some.env:3:", "some.env:4:"])
    }

    @Test func `no fault shows what stands in the line`() throws {
        for text in [
            "hunter2secret", "hunter2secret\u{0}=x", "A=\"hunter2secret", "A=\"b\"hunter2secret", "hunter2 secret=x",
        ] {
            let found = try faults(Array(text.utf8))
            #expect(found.count == 1 && !found[0].contains("hunter2"))
        }
    }

    @Test func `a missing default file is fine and a missing named file is not`() throws {
        let directory = try Workspace()
        #expect(throws: ConfigurationError.self) {
            try EnvironmentFile.read(named: directory.file("none.env"))
        }
        do throws(ConfigurationError) {
            _ = try EnvironmentFile.read(named: directory.file("none.env"))
        } catch {
            #expect(error.description.contains("none.env: no such file"))
        }
        // The tests' own working directory, the package's, has no such file.
        #expect(try EnvironmentFile.read(named: nil) == nil)
    }

    @Test func `a file with one secret may begin with a byte order mark`() throws {
        let workspace = try Workspace()
        let path = try workspace.write("\u{FEFF}canary\r\n", to: "key")
        #expect(EnvironmentFile.secret(in: path).secret == "canary")
    }

    @Test func `a file is read from the disk`() throws {
        let directory = try Workspace()
        let path = try directory.write("A=1\nB='2'\n", to: "a.env")
        let file = try #require(try EnvironmentFile.read(named: path))
        #expect(file.path == path)
        #expect(file.entries["B"] == .init(value: "2", line: 2))
    }

    @Test func `a pipe is read whoever opens it first, and not for ever where nobody writes into it`() throws {
        let directory = try Workspace()
        let pipe = directory.file("pipe.env")
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(throws: FileContents.Silent.self) {
            try FileContents.bytes(of: pipe, atMost: 100, patience: .milliseconds(1))
        }
        // Opening it for writing waits for the reader.
        Thread.detachNewThread { try? Data("A=1\n".utf8).write(to: URL(fileURLWithPath: pipe)) }
        let file = try #require(try EnvironmentFile.read(named: pipe))
        #expect(file.entries["A"]?.value == "1")
        let ended = Pipe()
        try ended.fileHandleForWriting.close()
        #expect(
            try FileContents.bytes(
                of: "/dev/fd/\(ended.fileHandleForReading.fileDescriptor)", atMost: 100, patience: .milliseconds(1))
                == [])
    }

    @Test func `a directory, and a file far too large, are refused`() throws {
        let directory = try Workspace()
        do throws(ConfigurationError) {
            _ = try EnvironmentFile.read(named: directory.path)
            Issue.record("a directory was read")
        } catch {
            #expect(error.description.contains("cannot be read"))
        }
        let path = try directory.write(String(repeating: "# nothing but comments\n", count: 60_000), to: "large.env")
        do throws(ConfigurationError) {
            _ = try EnvironmentFile.read(named: path)
            Issue.record("a file of over 1 MiB was read")
        } catch {
            #expect(error.description.contains("larger than 1 MiB"))
        }
    }
}

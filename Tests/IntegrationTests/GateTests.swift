import Foundation
import Synchronization
import TestSupport
import Testing

/// The safeguards that keep the tests from hanging, reaching other hosts and leaving processes behind.
@Suite(.timeLimit(.minutes(5))) struct GateTests {
    @Test func `a command that says nothing is ended with all it started, and what was stuck is named`() async throws {
        let watchdog = try ChildProcess(
            Places.repository + "/.ci/watchdog",
            [
                "--silence", "0.1", "--limit", "5", "sh", "-c",
                """
                echo '◇ Test "a rule that holds" started.'
                echo '✔ Test "a rule that holds" passed after 0.001 seconds.'
                echo '◇ Test "a rule that is skipped too" started.'
                echo '✔ Test "a rule that is skipped too" passed after 0.001 seconds.'
                echo '◇ Test "a rule that hangs" started.'
                setsid sh -c 'echo "away $$"; exec sleep 4000' & wait
                """,
            ])
        let away = try await watchdog.line(containing: "away ").replacing("away ", with: "")
        #expect(try await watchdog.exit(within: .seconds(120)) == 1)
        let told = watchdog.output.drop { !$0.hasPrefix("watchdog: ") }
        #expect(told.contains { $0.hasSuffix("\"a rule that hangs\"") }, "\(told)")
        #expect(!told.contains { $0.hasSuffix("\"a rule that holds\"") || $0.hasSuffix("is skipped too\"") })
        #expect(told.contains { $0.hasSuffix("sleep 4000") })
        // Its new parent reaps it in a moment.
        let sleeper = try #require(pid_t(away))
        try await Waiting.until("the end of the process") { kill(sleeper, 0) == -1 }
    }

    @Test func `a command that ends keeps its status`() async throws {
        for (line, status) in [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 128 + 9)] {
            let watchdog = try ChildProcess(Places.repository + "/.ci/watchdog", ["sh", "-c", line])
            #expect(try await watchdog.exit() == Int32(status))
        }
    }

    @Test func `what failed is said once more at the end, with what explains it`() async throws {
        let watchdog = try ChildProcess(
            Places.repository + "/.ci/watchdog",
            [
                "sh", "-c",
                """
                echo '✘ Test "a rule that was passed over" recorded an issue at Some.swift:1:2: Expectation failed'
                echo '↳ the reason'
                echo '◇ Test "a rule that holds" started.'
                echo '↳ the reason of nothing'
                exit 1
                """,
            ])
        #expect(try await watchdog.exit() == 1)
        let told = watchdog.output.drop { !$0.hasPrefix("watchdog: ") }
        #expect(
            Array(told) == [
                "watchdog: what failed:",
                #"  ✘ Test "a rule that was passed over" recorded an issue at Some.swift:1:2: Expectation failed"#,
                "  ↳ the reason",
            ])
    }

    @Test func `tests that failed of waits alone run once more, alone, and how that ends counts`() async throws {
        let place = try Workspace()
        // It fails like a test run the first time; the second time it records its arguments.
        let runner = try place.write(
            """
            if [ -e again ]; then echo "$@" >> again; exit "$SECOND"; fi
            : > again
            echo "✘ Test \\"it's (slow)\\" recorded an issue at A.swift:1:2: Caught error: waited in vain: the state"
            echo '✘ Test case passing 1 argument n → 2 to "of two" recorded an issue at A.swift:1:2: Time limit was exceeded: 60.000 seconds'
            [ -z "$OTHER" ] || echo "$OTHER"
            echo "✘ Test run with 9 tests in 2 suites failed after 1.0 seconds with ${COUNT:-2} issues."
            exit 1
            """, to: "runner")
        func run(most: Int, _ environment: [String: String]) async throws -> (status: Int32, ran: String?) {
            try? FileManager.default.removeItem(atPath: place.path + "/again")
            let watchdog = try ChildProcess(
                Places.repository + "/.ci/watchdog", ["--again", "\(most)", "sh", runner, "--skip", "some"],
                environment: environment, directory: place.path)
            let status = try await watchdog.exit(within: .seconds(60))
            return (status, try? String(contentsOfFile: place.path + "/again", encoding: .utf8))
        }
        let wanted = #"--filter it\'s \(slow\)|of two"# + "\n"
        #expect(try await run(most: 2, ["SECOND": "0"]) == (0, wanted))
        #expect(try await run(most: 2, ["SECOND": "1"]) == (1, wanted))
        // A line that was cut off at a NUL, directly followed by the next one.
        let broken = """
            ◇ Test "odd" started.
            ◇ Test case passing 1 argument text → "✔ Test "odd" with 2 test cases passed after 1.0 seconds.
            """
        #expect(try await run(most: 2, ["SECOND": "0", "OTHER": broken]) == (0, wanted))
        // Not repeated: too many failures, a further failure of another kind, a failure that was counted but not seen,
        // a crash.
        #expect(try await run(most: 1, ["SECOND": "0"]) == (1, ""))
        let other = #"✘ Test "wrong" recorded an issue at A.swift:1:2: Expectation failed: 1 == 2"#
        #expect(try await run(most: 9, ["SECOND": "0", "COUNT": "3", "OTHER": other]) == (1, ""))
        #expect(try await run(most: 9, ["SECOND": "0", "COUNT": "3"]) == (1, ""))
        #expect(try await run(most: 9, ["SECOND": "0", "OTHER": #"◇ Test "a crash" started."#]) == (1, ""))
    }

    @Test(.enabled(if: geteuid() == 0, "a network of one's own takes root"))
    func `where root runs the tests, no other host can be reached`() async throws {
        let network = try ChildProcess(
            Places.repository + "/.ci/loopback", ["cat", "/proc/net/route", "/proc/net/ipv6_route"])
        try #require(try await network.exit() == 0)
        let devices = network.output.compactMap { $0.split(separator: " ").last }
        #expect(devices.allSatisfy { $0 == "lo" || $0 == "IRTT" || $0.contains("\t") }, "\(network.output)")
        #expect(!network.output.contains { $0.hasPrefix("eth") })
    }

    @Test(arguments: [
        ("MASSIVE_REST_URL", "https://api.massive.com"), ("MASSIVE_WEBSOCKET_URL", "wss://socket.massive.com/stocks"),
        ("DATABASE_URI", "postgresql://user:pw@127.0.0.1,db.example.com:5432/ticks"),
        ("DATABASE_URI", "postgresql://127.0.0.1@[2001:db8::1]/ticks"),
    ])
    func `no test starts the product with an address of another host`(name: String, address: String) {
        #expect(throws: Loopback.Left.self) { try ChildProcess(Places.edgetick, ["run"], environment: [name: address]) }
    }

    @Test func `a product started without addresses gets closed ports of loopback`() throws {
        let settings = try Loopback.settings(["DATABASE_URI": "postgresql://u:p@[::1]:5432,localhost/x?host=/tmp"])
        #expect(settings["MASSIVE_REST_URL"] == "http://127.0.0.1:9")
        #expect(settings["MASSIVE_WEBSOCKET_URL"] == "ws://127.0.0.1:9/stocks")
        #expect(
            try Loopback.settings(["MASSIVE_REST_URL": "http://127.0.0.1:80"])["MASSIVE_REST_URL"]?.hasSuffix("80")
                == true)
    }

    @Test func `a child is reaped as soon as it ends, also while another holds its output`() async throws {
        let parent = try ChildProcess("/bin/sh", ["-c", "sleep 600 & echo begun $!"])
        let line = try await parent.line(containing: "begun ")
        let sleeper = try #require(pid_t(line.replacing("begun ", with: "")))
        // A zombie would still have an entry in /proc.
        try await Waiting.until("the end of the parent") {
            !FileManager.default.fileExists(atPath: "/proc/\(parent.pid)/stat")
        }
        #expect(kill(sleeper, SIGKILL) == 0, "it held the output no longer")
        #expect(try await parent.exit() == 0)
    }

    @Test
    func
        `a suite without a time limit or with waits among others, an exit test and a child that nobody reaps are refused`()
        async throws
    {
        let place = try Workspace()
        _ = try place.write(
            """
            @Suite struct Endless {
                @Test func `a`() async { await #expect(processExits\("With"): .success) {} }
            }
            @Suite(
                .serialized, .timeLimit(.minutes(1)))
            struct Bounded {
                @Test func `b`() { let gzip = Process\("()") }
            }
            @Suite(.timeLimit(.minutes(1))) struct Holding {
                @Test func `c`() throws { try Command\(".run")(["true"]) }
            }
            @Suite(.blocking, .timeLimit(.minutes(1))) struct Waiting {
                @Test func `d`() throws { try Command\(".run")(["true"]) }
            }

            """, to: "Some.swift")
        let rules = try ChildProcess(Places.repository + "/.ci/test-rules", [place.path])
        #expect(try await rules.exit() == 1)
        let places = rules.output.map { $0.replacing(place.path + "/Some.swift:", with: "").prefix { $0 != " " } }
        #expect(places == ["2:", "10:", "2:", "7:"], "\(rules.output)")
    }
}

/// The threads for tests that wait in system calls.
@Suite(.blocking, .timeLimit(.minutes(5))) struct BlockingTests {
    /// The number of blocking jobs, more than there are cores.
    private static let count = 4 * ProcessInfo.processInfo.activeProcessorCount
    private static let arrived = Mutex<[Bool: Int]>([:])

    /// Blocks its thread until all jobs have arrived.
    private static func block(_ isElsewhere: Bool) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        arrived.withLock { $0[isElsewhere, default: 0] += 1 }
        while arrived.withLock({ $0[isElsewhere, default: 0] < count }) {
            try #require(ContinuousClock.now < deadline)
            usleep(1000)
        }
    }

    @Test(arguments: [false, true])
    func `what blocks does so beside others, however few cores there are`(isElsewhere: Bool) async throws {
        try await withThrowingTaskGroup { group in
            for _ in 0..<Self.count {
                group.addTask {
                    guard isElsewhere else { return try Self.block(isElsewhere) }
                    // An unstructured task doesn't inherit the suite's threads.
                    try await Task { try await Blocking.run { try Self.block(isElsewhere) } }.value
                }
            }
            try await group.waitForAll()
        }
    }
}

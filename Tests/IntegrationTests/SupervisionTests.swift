import Foundation
import TestSupport
import Testing
import WebAPISupport

/// What a collector reports to systemd, which started it.
@Suite(.blocking, .timeLimit(.minutes(5))) struct SupervisionTests {
    @Test(arguments: ["@", "/"])
    func `a supervisor hears of start, life, problem and stop`(kind: String) async throws {
        let place = try Workspace()
        let inbox = try DatagramInbox(kind == "@" ? "@edgetick-\(UUID())" : place.file("notify"))
        let market = try await SimulatedMarket()
        let box = try CollectorBox(
            feed: market.url, settings: ["NOTIFY_SOCKET": inbox.address, "WATCHDOG_USEC": "900000"])
        let (collector, port) = try await box.collect()
        let first = try #require(await inbox.next(within: .seconds(60)))
        #expect(first.contains("READY=1\n") && first.contains("MAINPID=\(collector.pid)\n"), "\(first)")
        try await RawHTTP(port: port).until("/health/ready") { $0.status == 200 }
        #expect(await inbox.next(containing: "WATCHDOG=1\nSTATUS=collecting", within: .seconds(60)) != nil)

        try await market.kill()
        // With a sign of life, since a restart would not fix the feed. One message may lack it: after a pause of the
        // machine, what is known of the loops may be as old as the pause.
        let problem = "STATUS=not collecting; feed failing: "
        var lacking = 0
        for _ in 0..<4 {
            let message = try #require(await inbox.next(containing: problem, within: .seconds(60)))
            if !message.contains("WATCHDOG=1\n") { lacking += 1 }
        }
        #expect(lacking <= 1)

        collector.send(SIGTERM)
        #expect(await inbox.next(containing: "STOPPING=1", within: .seconds(60)) != nil)
        #expect(try await collector.exit() == 0)
    }

    @Test(.enabled(if: geteuid() == 0, "a process namespace of one's own takes root"))
    func `the first process of a container ends at SIGTERM even while it starts`() async throws {
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks")
        let pipe = box.workspace.file("token")
        #expect(mkfifo(pipe, 0o600) == 0)
        let container = try box.start(
            under: ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"], "run", settings: ["HTTP_TOKEN_FILE": pipe])
        // The start waits for ten seconds for the token.
        let writer = try await Waiting.value("the reader of the pipe", until: { $0 >= 0 }) {
            open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
        }
        defer { close(writer) }
        let children = try String(
            contentsOfFile: "/proc/\(container.pid)/task/\(container.pid)/children", encoding: .utf8)
        let first = try #require(pid_t(children.trimmingCharacters(in: .whitespacesAndNewlines)))
        kill(first, SIGTERM)
        #expect(try await container.exit() == 128 + SIGTERM, "\(container.output)")
    }

    @Test func `a collector without a feed to reach is up for its supervisor all the same`() async throws {
        let inbox = try DatagramInbox("@edgetick-\(UUID())")
        let box = try CollectorBox(feed: "ws://127.0.0.1:9/stocks", settings: ["NOTIFY_SOCKET": inbox.address])
        let (collector, _) = try await box.collect()
        #expect(await inbox.next(within: .seconds(60))?.hasPrefix("READY=1\n") == true)
        try await collector.stop()
    }
}

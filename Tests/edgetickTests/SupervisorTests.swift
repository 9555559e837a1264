import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import edgetick

@Suite(.blocking, .timeLimit(.minutes(1))) struct SupervisorTests {
    @Test func `the environment names the socket and the watchdog's patience`() {
        let socket = SupervisorSocket(
            environment: ["NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], process: 7)
        #expect(socket?.address == "/run/notify")
        #expect(socket?.watchdog == .seconds(30))
    }

    @Test func `a watchdog meant for another process, or none, is not answered`() {
        for watchdog in [["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], [:], ["WATCHDOG_USEC": "soon"]] {
            let environment = ["NOTIFY_SOCKET": "@name"].merging(watchdog) { $1 }
            #expect(SupervisorSocket(environment: environment, process: 7)?.watchdog == nil)
        }
    }

    @Test(arguments: [nil, "", "/", "relative", "/" + String(repeating: "x", count: 200)])
    func `no socket, or one that can't be, means no supervisor`(address: String?) {
        #expect(SupervisorSocket(environment: address.map { ["NOTIFY_SOCKET": $0] } ?? [:], process: 7) == nil)
    }

    @Test func `signs of life stop while the collector is not live, the line for people does not`() async throws {
        let inbox = try DatagramInbox("@edgetick-test-\(UUID())")
        let isLive = Mutex(true)
        let service = SupervisionService(
            socket: try #require(
                SupervisorSocket(
                    environment: ["NOTIFY_SOCKET": inbox.address, "WATCHDOG_USEC": "60000"], process: getpid())),
            verdict: {
                isLive.withLock { (isLive: $0, text: $0 ? "collecting" : "stuck\nfast") }
            }, logger: Logger(label: "test"))
        #expect(service.interval == .milliseconds(20))
        let task = Task { try await service.run() }
        defer { task.cancel() }
        let first = try #require(await inbox.next())
        #expect(first.hasPrefix("READY=1\nMAINPID=\(getpid())\nWATCHDOG=1\nSTATUS=collecting"))
        #expect(await inbox.next() == "WATCHDOG=1\nSTATUS=collecting")
        isLive.withLock { $0 = false }
        #expect(await inbox.next(containing: "stuck") == "STATUS=stuck fast")
        #expect(await inbox.next() == "STATUS=stuck fast")
        isLive.withLock { $0 = true }
        #expect(await inbox.next(containing: "WATCHDOG=1") != nil)
    }

    @Test func `a supervisor that can't be reached is logged once, not with every sign of life`() async throws {
        let log = CapturedLog()
        let reports = Mutex(0)
        let service = SupervisionService(
            socket: try #require(
                SupervisorSocket(
                    environment: ["NOTIFY_SOCKET": "@edgetick-\(UUID())", "WATCHDOG_USEC": "60000"], process: getpid())),
            verdict: {
                reports.withLock { $0 += 1 }
                return (isLive: true, text: "collecting")
            }, logger: log.logger)
        let task = Task { try await service.run() }
        defer { task.cancel() }
        try await Waiting.until("some signs of life") { reports.withLock { $0 } > 5 }
        #expect(log.lines(with: "can't be reached").count == 1, "\(log.lines)")
    }

    @Test(arguments: [[:], ["WATCHDOG_USEC": "60000000"]])
    func `the line for people is a second old at most`(watchdog: [String: String]) throws {
        let environment = ["NOTIFY_SOCKET": "@name"].merging(watchdog) { $1 }
        let service = SupervisionService(
            socket: try #require(SupervisorSocket(environment: environment, process: 7)),
            verdict: { (isLive: true, text: "collecting") }, logger: Logger(label: "test"))
        #expect(service.interval == .seconds(1))
    }

    @Test func `a supervisor that is gone stops nothing`() throws {
        let socket = try #require(SupervisorSocket(environment: ["NOTIFY_SOCKET": "@edgetick-\(UUID())"], process: 1))
        #expect(socket.send("READY=1") == ECONNREFUSED)
    }
}

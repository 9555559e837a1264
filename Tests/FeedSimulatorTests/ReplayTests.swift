import FeedServer
import FeedServerSupport
import Fixtures
import FoundationEssentials
import LedgerSupport
import MarketData
import ServiceLifecycle
import TestSupport
import Testing

@testable import FeedSimulator

@Suite(.timeLimit(.minutes(1)))
struct `Replaying a capture` {
    @Test func `flat out, a client of everything receives the very lines`() async throws {
        let lines = ledgerLines(frames: 4000)
        try await withSimulator(try configuration(lines: lines)) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.events.count >= lines.count }
            #expect(received.events == lines)
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.frames == lines.count)
            #expect(statistics.eventsSent == 20_000)
            #expect(statistics.events == [.minuteBar: 5000, .secondBar: 5000, .trade: 5000, .quote: 5000])
            #expect(statistics.passedFrames == lines.count)
        }
    }

    @Test func `two clients with different filters receive each its own events`() async throws {
        let lines = ledgerLines(frames: 600, eventsPerFrame: 12)
        var setting = try configuration(lines: lines)
        setting.startingClients = 2
        try await withSimulator(setting) { simulator, port in
            let bars = try await TestClient.connect(port: port, subscribingTo: "AM.AAPL,AM.BRK.B,A.MSFT")
            #expect(simulator.statistics.phase == .waiting)
            let trades = try await TestClient.connect(port: port, subscribingTo: "T.*,Q.AAPL")
            try await simulator.statistics { $0.phase == .done }
            func wanted(_ channels: Set<String>) -> [String] {
                lines.flatMap { events(in: $0) }.filter { event in
                    channels.contains { event.hasPrefix(#"{"ev":"\#($0)"#) }
                }
            }
            let expectedBars = wanted([#"AM","sym":"AAPL""#, #"AM","sym":"BRK.B""#, #"A","sym":"MSFT""#])
            let expectedTrades = wanted([#"T","sym":"#, #"Q","sym":"AAPL""#])
            try await bars.wait { $0.events.flatMap { events(in: $0) }.count >= expectedBars.count }
            try await trades.wait { $0.events.flatMap { events(in: $0) }.count >= expectedTrades.count }
            #expect(bars.snapshot.events.flatMap { events(in: $0) } == expectedBars)
            #expect(trades.snapshot.events.flatMap { events(in: $0) } == expectedTrades)
            #expect(expectedBars.count > 1000 && expectedTrades.count > 2000)
        }
    }

    @Test func `an unsubscribed channel stays silent`() async throws {
        let lines = ledgerLines([.trade], symbols: ["AAPL", "MSFT"], frames: 10, eventsPerFrame: 2)
        var setting = try configuration(lines: lines)
        setting.startingClients = 2
        try await withSimulator(setting) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: "T.AAPL,T.MSFT")
            try await client.send(#"{"action":"unsubscribe","params":"T.AAPL"}"#)
            try await client.wait { $0.statuses.contains("unsubscribed to: T.AAPL") }
            _ = try await TestClient.connect(port: port, subscribingTo: "AM.*")
            try await simulator.statistics { $0.phase == .done }
            let received = try await client.wait { $0.events.count == 10 }
            #expect(received.events.allSatisfy { !$0.contains("AAPL") && $0.contains("MSFT") })
        }
    }

    @Test func `a subscription in several messages is complete before the first event`() async throws {
        let lines = ledgerLines([.trade], symbols: ["AAPL", "MSFT"], frames: 50, eventsPerFrame: 2)
        var setting = try configuration(lines: lines)
        setting.settleTime = .seconds(5)
        try await withSimulator(setting) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: "T.AAPL")
            try await client.subscribe("T.MSFT")
            try await simulator.statistics { $0.phase == .done }
            let received = try await client.wait { $0.events.count == 50 }
            #expect(received.events == lines)
        }
    }

    @Test func `the replay waits for a slow reader and loses nothing`() async throws {
        let lines = ledgerLines(frames: 5000)
        var setting = try configuration(lines: lines)
        setting.outboundLimitBytes = 64 << 10
        try await withSimulator(setting) { simulator, port in
            let client = try await TestClient.connect(port: port)
            try await client.login()
            try await client.subscribe(allChannels)
            try await client.setReads(false)
            try await simulator.statistics { $0.passedFrames > 0 }
            try await client.setReads(true)
            let received = try await client.wait { $0.events.count >= lines.count }
            #expect(received.events == lines)
        }
    }

    @Test func `a slow reader is told and closed when that is asked for`() async throws {
        var setting = try configuration(
            .ledger(LedgerFeed(plan: LedgerPlan(kinds: [.quote], symbols: [try #require(Symbol("AAPL"))]))))
        setting.dropsSlowClients = true
        setting.outboundLimitBytes = 256 << 10
        try await withSimulator(setting) { simulator, port in
            let client = try await TestClient.connect(port: port)
            try await client.login()
            try await client.send(#"{"action":"subscribe","params":"Q.*"}"#)
            try await client.setReads(false)
            let statistics = try await simulator.statistics { $0.slowConsumers == 1 && $0.clients == 0 }
            #expect(statistics.slowConsumers == 1)
        }
    }

    @Test func `times N the events come at N times their own pace`() async throws {
        let start: Int64 = 1_704_205_800_000
        let lines = (Int64(0)...20).map { #"[{"ev":"T","sym":"AAPL","p":1.5,"s":1,"t":\#(start + $0 * 60_000)}]"# }
        var setting = try configuration(lines: lines)
        setting.pace = .speed(2400)
        try await withSimulator(setting) { simulator, port in
            // Too fast is measured from before the first event, too slow from after it.
            let before = ContinuousClock.now
            let client = try await TestClient.connect(port: port, subscribingTo: "T.*")
            try await client.wait { $0.events.count >= 1 }
            let after = ContinuousClock.now
            try await client.wait { $0.events.count >= 11 }
            #expect(ContinuousClock.now - before >= .milliseconds(250))
            let received = try await client.wait { $0.events.count >= 21 }
            #expect(ContinuousClock.now - before >= .milliseconds(500))
            // At their own pace they take twenty minutes.
            #expect(ContinuousClock.now - after < .seconds(20))
            #expect(received.events == lines)
        }
    }

    @Test func `started at once, it passes unheard and says how much was missed`() async throws {
        let lines = ledgerLines(frames: 40)
        var setting = try configuration(lines: lines)
        setting.startingClients = 0
        setting.absence = .misses
        try await withSimulator(setting) { simulator, _ in
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.missedFrames == 40)
            #expect(statistics.frames == 0)
            #expect(
                statistics.remarks == [
                    "frames taken from the source: 40", "frames passed while no client was receiving: 40",
                ])
        }
    }

    @Test func `the end closes the clients with 1000 and run returns`() async throws {
        let lines = ledgerLines(frames: 100)
        var setting = try configuration(lines: lines)
        setting.exitsWhenDone = true
        let simulator = FeedSimulator(configuration: setting, logger: quiet)
        let port = try await simulator.bind()
        async let running: Void = simulator.run()
        let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
        try await running
        let received = try await client.wait { $0.isClosed }
        #expect(received.closeCode == 1000)
        #expect(received.events == lines)
        #expect(simulator.statistics.clients == 0)
        await #expect(throws: (any Error).self) { try await TestClient.connect(port: port) }
    }

    @Test func `a shutdown closes the clients with 1001`() async throws {
        let simulator = FeedSimulator(configuration: try configuration(lines: ledgerLines(frames: 1)), logger: quiet)
        let port = try await simulator.bind()
        let running = Task { try await simulator.run() }
        let client = try await TestClient.connect(port: port, subscribingTo: "AM.*")
        try await simulator.statistics { $0.phase == .done }
        running.cancel()
        try await running.value
        let received = try await client.wait { $0.isClosed }
        #expect(received.closeCode == 1001)
    }

    @Test func `a graceful shutdown of its service group ends it too`() async throws {
        let simulator = FeedSimulator(configuration: try configuration(lines: ledgerLines(frames: 1)), logger: quiet)
        let port = try await simulator.bind()
        let group = ServiceGroup(services: [simulator], logger: quiet)
        let running = Task { try await group.run() }
        let client = try await TestClient.connect(port: port, subscribingTo: "AM.*")
        try await simulator.statistics { $0.phase == .done }
        await group.triggerGracefulShutdown()
        try await running.value
        let received = try await client.wait { $0.isClosed }
        #expect(received.closeCode == 1001)
    }

    @Test func `the bundled capture can be replayed`() async throws {
        let path = Places.repository + "/Fixtures/captures/demo.ndjson"
        let replay = CaptureReplay(files: [path], start: WallClock.milliseconds())
        try await withSimulator(try configuration(.captures(replay))) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(Set(statistics.events.keys) == Set(usualKinds))
            let frames = statistics.frames
            try await client.wait { $0.events.count == frames }
            let symbols = String(decoding: Fixtures.demoUniverse, as: UTF8.self).split(separator: "\n").dropFirst()
            let text = client.snapshot.events.joined()
            #expect(symbols.allSatisfy { text.contains("\"sym\":\"\($0)\"") })
        }
    }

    @Test func `a broken line ends the replay with its number and closes the clients with 1011`() async throws {
        let lines = ledgerLines(frames: 3) + ["oops"] + ledgerLines(frames: 3)
        let directory = try Workspace()
        let path = try directory.write(lines.joined(separator: "\n"), to: "lines")
        let simulator = FeedSimulator(
            configuration: try configuration(.captures(CaptureReplay(files: [path]))), logger: quiet)
        let port = try await simulator.bind()
        let running = Task { try await simulator.run() }
        let client = try await TestClient.connect(port: port, subscribingTo: "AM.*")
        let error = await #expect(throws: SimulatorError.self) { try await running.value }
        #expect(error?.reason == .captureMalformed)
        #expect(error?.description.contains("lines, line 4") == true)
        let received = try await client.wait { $0.isClosed }
        #expect(received.closeCode == 1011)
    }

    @Test func `a taken port is an error that names it`() async throws {
        try await withSimulator(try configuration(lines: ["[]"])) { _, port in
            var setting = try configuration(lines: ["[]"])
            setting.server.port = port
            let second = FeedSimulator(configuration: setting, logger: quiet)
            let error = await #expect(throws: FeedServerError.self) { try await second.bind() }
            #expect(error?.reason == .cannotListen)
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: openssl)))
    func `over TLS the same lines arrive`() async throws {
        let directory = try Workspace()
        let (certificate, key) = (directory.file("cert.pem"), directory.file("key.pem"))
        try await runProgram(
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", certificate,
            "-keyout",
            key)
        let lines = ledgerLines(frames: 2000)
        var setting = try configuration(lines: lines)
        setting.server.tls = .init(certificateFile: certificate, keyFile: key)
        try await withSimulator(setting) { _, port in
            let client = try await TestClient.connect(port: port, trusting: certificate)
            try await client.login()
            try await client.subscribe(allChannels)
            let received = try await client.wait { $0.events.count >= lines.count }
            #expect(received.events == lines)
        }
    }
}

/// Returns the events of a frame of flat objects.
func events(in frame: String) -> [String] {
    guard frame.count > 2 else { return [] }
    let inner = frame.dropFirst().dropLast()
    return inner.split(separator: "},{", omittingEmptySubsequences: true).map { part in
        (part.hasPrefix("{") ? "" : "{") + part + (part.hasSuffix("}") ? "" : "}")
    }
}

private let openssl = "/usr/bin/openssl"

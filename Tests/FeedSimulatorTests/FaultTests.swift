import FeedServer
import FeedServerSupport
import MarketData
import NIOWebSocket
import TestSupport
import Testing

@testable import FeedSimulator

@Suite(.timeLimit(.minutes(1)))
struct `Faults on request` {
    private static let lines = ledgerLines(frames: 100)

    /// Reconnects whenever the simulator ends the connection, until all frames have come, and returns the frames of all
    /// connections.
    private func collect(_ port: Int, _ simulator: FeedSimulator) async throws -> [String] {
        var collected: [String] = []
        while collected.count < Self.lines.count {
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let missing = Self.lines.count - collected.count
            let received = try await client.wait { $0.isClosed || $0.events.count >= missing }
            collected += received.events
        }
        return collected
    }

    @Test(arguments: ["drop-every=30", "close-code=1011@30"])
    func `a client that reconnects misses nothing while the replay pauses`(fault: String) async throws {
        try await withSimulator(try configuration(lines: Self.lines, [fault])) { simulator, port in
            let collected = try await collect(port, simulator)
            #expect(collected == Self.lines)
            let statistics = try await simulator.statistics { $0.phase == .done }
            let name = String(fault.prefix { $0 != "=" })
            #expect(statistics.faults[name] == (name == "drop-every" ? 3 : 1))
            #expect(statistics.missedFrames == 0)
        }
    }

    @Test func `a dropped client gets no close message`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["drop-every=10"])) { _, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.isClosed }
            #expect(received.closeCode == nil)
            #expect(received.events == Array(Self.lines.prefix(10)))
        }
    }

    @Test func `a reset client gets no close message, and the next one what follows`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["reset-every=50"])) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let first = try await client.wait { $0.isClosed || $0.error != nil }
            #expect(first.closeCode == nil)
            #expect(Self.lines.starts(with: first.events))
            #expect(first.events.count <= 50)
            let next = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let second = try await next.wait { $0.isClosed || $0.error != nil }
            #expect(Self.lines.dropFirst(50).starts(with: second.events))
            #expect(simulator.statistics.faults["reset-every"] == 2)
        }
    }

    @Test func `on a live feed a dropped client misses what passes`() async throws {
        var setting = try configuration(lines: Self.lines, ["drop-every=10"])
        setting.absence = .misses
        try await withSimulator(setting) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            try await client.wait { $0.isClosed }
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.missedFrames == 90)
            #expect(statistics.frames == 10)
        }
    }

    @Test func `a close code is the one asked for`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["close-code=4001@7"])) { _, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.isClosed }
            #expect(received.closeCode == 4001)
            #expect(received.events.count == 7)
        }
    }

    @Test func `a slow client gets what is old, and then loses what waits for it`() async throws {
        var setting = try configuration(lines: Self.lines, ["slow-consumer=20@10"])
        setting.absence = .misses
        try await withSimulator(setting) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.isClosed }
            // Nine at once; of the next 22, two are sent, in their order.
            #expect(received.events == Array(Self.lines.prefix(11)))
            #expect(received.closeCode == 1008)
            #expect(received.texts.last?.contains("slow_consumer") == true)
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.faults["slow-consumer"] == 1)
            #expect(statistics.missedFrames == 69)
        }
    }

    @Test func `a stalled connection stays open, answers pings, and spares the next one`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["stall-after=40"])) { simulator, port in
            let stalled = try await TestClient.connect(port: port, subscribingTo: allChannels)
            try await simulator.statistics { $0.faults["stall-after"] == 1 }
            try await stalled.wait { $0.events.count == 40 }
            try await stalled.ping("?")
            try await stalled.wait { $0.pongs == 1 }
            let next = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await next.wait { $0.events.count >= 60 }
            #expect(stalled.snapshot.events + received.events == Self.lines)
            #expect(!stalled.snapshot.isClosed)
        }
    }

    @Test func `so many logins fail, then they succeed`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["bad-login=2"])) { simulator, port in
            for _ in 0..<2 {
                let client = try await TestClient.connect(port: port)
                try await client.send(#"{"action":"auth","params":"k"}"#)
                let received = try await client.wait { $0.isClosed }
                #expect(received.statuses.last == "authentication failed")
            }
            let client = try await TestClient.connect(port: port)
            try await client.login()
            #expect(simulator.statistics.faults["bad-login"] == 2)
        }
    }

    @Test func `an unanswered login times out`() async throws {
        var setting = try configuration(lines: Self.lines, ["auth-timeout=1"])
        setting.server.loginTimeout = .seconds(2)
        try await withSimulator(setting) { simulator, port in
            let client = try await TestClient.connect(port: port)
            try await client.send(#"{"action":"auth","params":"k"}"#)
            let received = try await client.wait { $0.isClosed }
            #expect(received.texts.last?.contains("auth_timeout") == true)
            #expect(!received.statuses.contains("authenticated"))
            // A machine that stands still may cost another login its time.
            try await Waiting.until("a login") {
                let next = try await TestClient.connect(port: port)
                try? await next.send(#"{"action":"auth","params":"k"}"#)
                let answer = try await next.wait { $0.isClosed || $0.statuses.contains("authenticated") }
                return answer.statuses.contains("authenticated")
            }
            #expect(simulator.statistics.faults["auth-timeout"] == 1)
        }
    }

    @Test func `the connection limit as a fault is counted`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["connection-limit=1"])) { simulator, port in
            let first = try await TestClient.connect(port: port)
            try await first.login()
            let second = try await TestClient.connect(port: port)
            try await second.login()
            let received = try await first.wait { $0.isClosed }
            #expect(received.statuses.last == "maximum number of connections exceeded")
            #expect(simulator.statistics.faults["connection-limit"] == 1)
        }
    }

    @Test func `malformed frames come between the sound ones, of every sort`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["malformed-every=5"])) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.events.count >= 120 }
            #expect(received.events.filter { !MalformedFrames.sorts.contains($0) } == Self.lines)
            #expect(Set(received.events).isSuperset(of: MalformedFrames.sorts))
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.faults["malformed-every"] == 20)
        }
    }

    @Test func `duplicates follow their originals`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["duplicate-every=50"])) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.events.count >= 102 }
            let lines = Self.lines
            #expect(received.events == lines[..<50] + [lines[49]] + lines[50...] + [lines[99]])
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.faults["duplicate-every"] == 2)
        }
    }

    @Test func `fragments join to the same lines`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["fragment=100"])) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            try await simulator.statistics { $0.phase == .done }
            func joined(_ received: TestClient.Received) -> [String] {
                var texts: [[UInt8]] = []
                for frame in received.frames where !frame.text.contains("\"ev\":\"status\"") {
                    if frame.opcode == .text { texts.append(frame.bytes) }
                    if frame.opcode == .continuation { texts[texts.count - 1] += frame.bytes }
                }
                return texts.map { String(decoding: $0, as: UTF8.self) }
            }
            let received = try await client.wait { joined($0).last == Self.lines.last }
            #expect(joined(received) == Self.lines)
            #expect(received.frames.allSatisfy { $0.bytes.count <= 100 || $0.text.contains("status") })
            #expect(simulator.statistics.faults["fragment"] == 100)
        }
    }

    @Test func `pings stay unanswered`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["no-pongs"])) { simulator, port in
            let client = try await TestClient.connect(port: port)
            try await client.ping("?")
            try await simulator.statistics { $0.faults["no-pongs"] == 1 }
            try await client.login()
            #expect(client.snapshot.pongs == 0)
        }
    }

    @Test func `a refused symbol gets not authorized, the others go on`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["refuse-symbol=MSFT"])) { simulator, port in
            let client = try await TestClient.connect(port: port)
            try await client.login()
            try await client.send(#"{"action":"subscribe","params":"T.AAPL,T.MSFT,T.BRK.B"}"#)
            let received = try await client.wait { $0.statuses.count >= 5 }
            #expect(
                received.statuses.suffix(3) == ["subscribed to: T.AAPL", "not authorized", "subscribed to: T.BRK.B"])
            try await simulator.statistics { $0.phase == .done && $0.faults["refuse-symbol"] == 1 }
            #expect(client.snapshot.events.allSatisfy { !$0.contains("MSFT") })
        }
    }

    @Test func `one frame looks compressed`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["compressed-looking@3"])) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.frames.count { $0.opcode == .text && $0.isFinal } >= 103 }
            let marked = received.frames.filter(\.isCompressed)
            #expect(marked.map(\.bytes) == [MalformedFrames.compressed])
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.faults["compressed-looking"] == 1)
        }
    }

    @Test func `one frame is as big as asked`() async throws {
        try await withSimulator(try configuration(lines: Self.lines, ["oversize=3000000@50"])) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let received = try await client.wait { $0.events.count >= 101 }
            #expect(received.events.firstIndex { $0.utf8.count == 3_000_000 } == 49)
            let statistics = try await simulator.statistics { $0.phase == .done }
            #expect(statistics.faults["oversize"] == 1)
        }
    }

    @Test func `late corrections end with the bars of the source`() async throws {
        let lines = ledgerLines([.minuteBar, .trade], frames: 200, eventsPerFrame: 4)
        try await withSimulator(try configuration(lines: lines, ["late-corrections=0.3"])) { simulator, port in
            let client = try await TestClient.connect(port: port, subscribingTo: allChannels)
            let statistics = try await simulator.statistics { $0.phase == .done }
            let corrections = try #require(statistics.faults["late-corrections"])
            #expect((60...200).contains(corrections))
            let received = try await client.wait { $0.events.count >= lines.count + corrections }
            let sent = received.events.flatMap { events(in: $0) }
            #expect(sent.count == 800 + corrections)
            #expect(newest(sent) == newest(lines.flatMap { events(in: $0) }))
            #expect(Set(sent).subtracting(lines.flatMap { events(in: $0) }).count == corrections)
        }
    }

    /// Returns the last version of each bar and trade, by what identifies it.
    private func newest(_ events: [String]) -> [String: String] {
        var result: [String: String] = [:]
        for event in events {
            let bytes = Array(event.utf8)
            let key = bytes.withUnsafeBytes { bytes in
                ["ev", "sym", "s", "i"].map { name in
                    let value = name == "s" && event.contains("\"ev\":\"T\"") ? nil : field(name, bytes)
                    return value ?? ""
                }.joined(separator: "|")
            }
            result[key] = event
        }
        return result
    }

    private func field(_ name: String, _ bytes: UnsafeRawBufferPointer) -> String? {
        var found: String?
        _ = ObjectFields.forEach(bytes) { key, value in
            if String(decoding: bytes[key], as: UTF8.self) == name {
                found = String(decoding: bytes[value], as: UTF8.self)
            }
            return true
        }
        return found
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A fault's text` {
    @Test(arguments: [
        ("drop-every=1000", Fault.dropEvery(frames: 1000)), ("reset-every=5", .resetEvery(frames: 5)),
        ("stall-after=5000", .stallAfter(frames: 5000)), ("bad-login", .badLogin(times: nil)),
        ("bad-login=3", .badLogin(times: 3)), ("auth-timeout", .authTimeout(times: nil)),
        ("connection-limit=1", .connectionLimit(1)), ("malformed-every=100", .malformedEvery(frames: 100)),
        ("duplicate-every=50", .duplicateEvery(frames: 50)), ("late-corrections=0.01", .lateCorrections(share: 0.01)),
        ("close-code=1011@2000", .closeCode(1011, afterFrames: 2000)),
        ("close-code=1000", .closeCode(1000, afterFrames: 1)),
        ("fragment=512", .fragment(bytes: 512)), ("no-pongs", .noPongs),
        ("compressed-looking", .compressedLooking(frame: 1)), ("compressed-looking@9", .compressedLooking(frame: 9)),
        ("oversize", .oversize(bytes: 17 << 20, frame: 1)), ("oversize=100@7", .oversize(bytes: 100, frame: 7)),
    ])
    func `is read`(text: String, fault: Fault) throws {
        #expect(try Fault(text) == fault)
        #expect(text.hasPrefix(fault.name))
    }

    @Test func `names a symbol with a dot`() throws {
        #expect(try Fault("refuse-symbol=BRK.B") == .refuseSymbol(try #require(Symbol("BRK.B"))))
    }

    @Test(arguments: [
        "", "drop", "drop-every", "drop-every=", "drop-every=0", "drop-every=-1", "drop-every=x", "drop-every=5@3",
        "late-corrections=2", "late-corrections", "close-code=999", "close-code=70000", "close-code", "no-pongs=1",
        "fragment=0", "refuse-symbol", "refuse-symbol=A,B", "close-code=1000@x", "compressed-looking=5",
    ])
    func `that makes no sense is refused with what is allowed`(text: String) {
        let error = #expect(throws: SimulatorError.self) { try Fault(text) }
        #expect(error?.reason == .configuration)
        #expect(error?.description.contains("drop-every=FRAMES") == true)
    }
}

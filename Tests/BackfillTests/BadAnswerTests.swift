import Foundation
import Logging
import MarketData
import Store
import Synchronization
import TestSupport
import Testing

@testable import Backfill

/// Against a REST server that answers badly.
@Suite(.blocking, .timeLimit(.minutes(2))) struct BadAnswerTests {
    private static let minute: Int64 = 60_000
    /// A Tuesday, 12:00 in New York.
    private static let noon: Int64 = 1_704_214_800_000
    private static let symbols = ["AAPL", "IBM", "MSFT"].compactMap { Symbol($0) }

    private struct Rig {
        let workspace: Workspace
        let buffer: TickBuffer
        let client: AggregatesClient
        let log = CapturedLog()

        init(_ server: ScriptedREST, path: String = "", tries: Int = 1) throws {
            workspace = try Workspace()
            buffer = try TickBuffer.scratch(in: workspace.path)
            client = try AggregatesClient.local(
                server.port, path: path, key: "a-key", tries: tries, logger: log.logger)
        }

        var filler: GapFiller { GapFiller(client: client, buffer: buffer) }

        func record(_ symbols: [Symbol], minutes: Int64 = 10) {
            buffer.record(
                Gap(
                    connection: "primary", symbols: symbols, events: [.minuteBar], from: BadAnswerTests.noon,
                    to: BadAnswerTests.noon + minutes * BadAnswerTests.minute, cause: .disconnected))
        }

        var gaps: [GapRecord] { get throws { try GapLog.read(directory: workspace.path, fills: .all) } }

        func starts() async throws -> [Int64] {
            try await buffer.nextBatch(of: .bars, limit: 100_000)?.bars.map(\.event.start) ?? []
        }

        func close() async {
            await client.shutdown()
            await buffer.close()
        }
    }

    @Test func `a symbol whose answer is bad keeps neither the others of its gap nor later gaps from their bars`()
        async throws
    {
        let server = try ScriptedREST { target in
            target.contains("/AAPL/") ? (404, "{}") : ScriptedREST.page([Self.noon + Self.minute])
        }
        let rig = try Rig(server)
        rig.record(Array(Self.symbols[...1]))
        rig.record([Self.symbols[2]])
        try await rig.buffer.flush()
        var configuration = BackfillService.Configuration()
        configuration.reach = .seconds(1_000_000_000)
        let service = BackfillService(
            configuration: configuration, client: rig.client, buffer: rig.buffer,
            logger: rig.log.logger)
        let running = Task { try await service.run() }
        try await Waiting.until { try rig.gaps.map(\.state) == [.open, .filled] }
        // The new gap wakes the service, which does not ask for the failed one again before its time.
        rig.record([Self.symbols[2]])
        try await Waiting.until { try rig.gaps.map(\.state) == [.open, .filled, .filled] }
        running.cancel()
        try await running.value
        let open = try #require(try rig.gaps.first)
        #expect(open.settled[.minuteBar] == [Self.symbols[1]] && open.rows == 1)
        #expect(server.requests.filter { $0.contains("/AAPL/") }.count == 1)
        let warnings = rig.log.lines.filter { $0.hasPrefix("warning") }
        #expect(warnings.count == 1 && warnings.first?.contains("HTTP 404") == true, "\(warnings)")
        await rig.close()
    }

    @Test func `a key that is refused is a failure that lasts, and the gap stays open`() async throws {
        let server = try ScriptedREST { _ in (401, "{}") }
        let rig = try Rig(server)
        rig.record([Self.symbols[0]])
        try await Waiting.until { rig.buffer.statistics.openGaps == 1 }
        var configuration = BackfillService.Configuration()
        configuration.reach = .seconds(1_000_000_000)
        let service = BackfillService(
            configuration: configuration, client: rig.client, buffer: rig.buffer, logger: rig.log.logger)
        #expect(service.state == .filling(nil))
        let begun = ContinuousClock.now
        let running = Task { try await service.run() }
        try await Waiting.until { service.state != .filling(nil) }
        guard case .filling(let failure?) = service.state else {
            Issue.record("\(service.state)")
            return
        }
        #expect(failure.description.contains("refused the key") && failure.since >= begun)
        running.cancel()
        try await running.value
        #expect(try rig.gaps.map(\.state) == [.open] && rig.buffer.statistics.openGaps == 1)
        await rig.close()
    }

    @Test(arguments: [
        (#""t":\#(noon + 1),"v":5"#), (#""t":\#(noon + minute),"v":-5"#), (#""t":\#(noon + minute)"#),
        (#""t":"\#(noon + minute)","v":5"#), (#""t":\#(noon + minute),"v":"five""#),
        (#""t":\#(noon + minute),"v":null"#), (#""t":\#(noon / 1000),"v":5"#), (#""t":\#(noon * 1_000_000),"v":5"#),
    ])
    func `a result that is no bar is left out and counted, and its symbol stays missing until it can be read`(
        odd: String
    ) async throws {
        let isOdd = Mutex(true)
        let server = try ScriptedREST { target in
            guard target.contains("/AAPL/"), isOdd.withLock({ $0 }) else {
                return ScriptedREST.page([Self.noon, Self.noon + Self.minute])
            }
            let good = #"{"t":\#(Self.noon),"o":1,"h":1,"l":1,"c":1,"v":5}"#
            return (200, #"{"status":"OK","results":[\#(good),{"o":1,"h":1,"l":1,"c":1,\#(odd)}]}"#)
        }
        let rig = try Rig(server)
        rig.record(Array(Self.symbols[...1]))
        try await rig.buffer.flush()
        let gap = try #require(try rig.gaps.first)
        var filler = rig.filler
        #expect(try await filler.fill(gap) == .partial)
        #expect(try await rig.starts().sorted() == [Self.noon, Self.noon, Self.noon + Self.minute])
        let warnings = rig.log.lines(with: "impossible or unreadable fields")
        #expect(warnings.count == 1 && warnings.first?.contains("left_out=1 of=2 symbol=AAPL") == true, "\(warnings)")
        let partial = try #require(try rig.gaps.first)
        #expect(partial.settled[.minuteBar] == [Self.symbols[1]])
        #expect(partial.detail?.contains("1 bar that the REST server sent can't be read") == true)
        let span = try await rig.filler.fill(
            [Self.symbols[0]], [.minuteBar], from: Self.noon, to: Self.noon + Self.minute, latest: .max)
        #expect((span.rows, span.present, span.leftOut) == (0, 1, 1))
        // The same again within half a minute is counted, not logged.
        #expect(rig.log.lines(with: "impossible or unreadable fields").count == 1)

        isOdd.withLock { $0 = false }
        #expect(try await filler.fill(partial) == .filled)
        #expect(try rig.gaps.first?.settled[.minuteBar] == Set(Self.symbols[...1]))
        #expect(try await rig.starts().count == 4)
        await rig.close()
    }

    /// A part that a relay names as missing, in minutes from noon.
    private static func part(_ from: Int64, _ to: Int64) -> String {
        #"{"from":\#(noon + from * minute),"to":\#(noon + to * minute),"why":"it joined later"}"#
    }

    @Test(
        arguments: [
            ("[\(part(-15, -1))]", true), ("[\(part(-15, -10)),\(part(-3, -2))]", true), ("[]", true),
            ("[\(part(-15, 0))]", false), ("[\(part(-15, -1)),\(part(5, 6))]", false), ("[\(part(-1, -15))]", false),
            (#"[{"from":0,"to":"later"}]"#, false), (#"[{"why":"unknown"}]"#, false), ("true", false),
        ] as [(String, Bool)])
    func `what a server lacks from before a gap doesn't keep it open, what it lacks of the gap or doesn't name does`(
        missing: String, isFilled: Bool
    ) async throws {
        let server = try ScriptedREST { _ in
            let bar = #"{"t":\#(Self.noon),"o":1,"h":1,"l":1,"c":1,"v":5}"#
            return (200, #"{"status":"OK","results":[\#(bar)],"missing":\#(missing)}"#)
        }
        let rig = try Rig(server)
        rig.record([Self.symbols[0]])
        try await rig.buffer.flush()
        let gap = try #require(try rig.gaps.first)
        var filler = rig.filler
        if isFilled {
            #expect(try await filler.fill(gap) == .filled)
        } else {
            let error = await #expect(throws: BackfillError.self) { try await filler.fill(gap) }
            #expect(error?.reason == .incomplete && error?.message.contains("lacks a part") == true)
        }
        // Corrections of earlier bars are asked for too.
        #expect(server.requests.first?.contains("/minute/\(Self.noon - 15 * Self.minute)/") == true)
        #expect(try rig.gaps.map(\.state) == [isFilled ? .filled : .open])
        #expect(try await rig.starts() == [Self.noon])
        await rig.close()
    }

    /// A relay names what it lacks on each page.
    @Test func `the pages after one that names missing parts are read too`() async throws {
        let server = try ScriptedREST { target in
            let isSecond = target.contains("cursor=a")
            let bar = #"{"t":\#(Self.noon + (isSecond ? Self.minute : 0)),"o":1,"h":1,"l":1,"c":1,"v":5}"#
            let next = isSecond ? "" : #","next_url":"/v2/aggs/ticker/AAPL?cursor=a""#
            return (200, #"{"status":"OK","results":[\#(bar)],"missing":[\#(Self.part(5, 6))]\#(next)}"#)
        }
        let rig = try Rig(server)
        rig.record([Self.symbols[0]])
        try await rig.buffer.flush()
        let gap = try #require(try rig.gaps.first)
        var filler = rig.filler
        let error = await #expect(throws: BackfillError.self) { try await filler.fill(gap) }
        #expect(error?.reason == .incomplete)
        #expect(try rig.gaps.map(\.state) == [.open])
        #expect(try await rig.starts() == [Self.noon, Self.noon + Self.minute])
        await rig.close()
    }

    @Test func `a next page that was read before ends the reading, and what was read is kept`() async throws {
        let server = try ScriptedREST { target in
            let number: Int64 = target.contains("cursor=b") ? 2 : target.contains("cursor=a") ? 1 : 0
            let next = number == 1 ? "b" : "a"
            return ScriptedREST.page([Self.noon + number * Self.minute], next: "/v2/aggs/ticker/AAPL?cursor=\(next)")
        }
        let rig = try Rig(server)
        rig.record([Self.symbols[0]])
        try await rig.buffer.flush()
        let gap = try #require(try rig.gaps.first)
        var filler = rig.filler
        let error = await #expect(throws: BackfillError.self) { try await filler.fill(gap) }
        #expect(error?.reason == .badAnswer && error?.message.contains("do not end") == true)
        #expect(server.requests.count == 3)
        #expect(try await rig.starts() == (0...2).map { Self.noon + $0 * Self.minute })
        #expect(try rig.gaps.first?.state == .open)
        await rig.close()
    }

    @Test(arguments: ["https://api.polygon.io", "http://127.0.0.1:PORT:PORT", ""])
    func `a next page on another of the provider's names is read from the server that was asked`(
        origin: String
    ) async throws {
        let server = try ScriptedREST { target in
            let path = target.prefix { $0 != "?" }
            let isFirst = !target.contains("cursor")
            return ScriptedREST.page(
                [Self.noon + (isFirst ? 0 : Self.minute)],
                next: isFirst ? "\(origin)\(path.dropFirst("/massive".count))?cursor=x" : nil)
        }
        let rig = try Rig(server, path: "/massive/")
        rig.record([Self.symbols[0]])
        try await rig.buffer.flush()
        let gap = try #require(try rig.gaps.first)
        var filler = rig.filler
        #expect(try await filler.fill(gap) == .filled)
        #expect(try await rig.starts() == [Self.noon, Self.noon + Self.minute])
        #expect(server.requests.allSatisfy { $0.hasPrefix("/massive/v2/aggs/") })
        await rig.close()
    }

    @Test func `a page is in the buffer before the next one is asked for`() async throws {
        let buffer = Mutex<TickBuffer?>(nil)
        let before = Mutex<[Int64]>([])
        let server = try ScriptedREST { target in
            let number: Int64 = target.contains("cursor=2") ? 2 : target.contains("cursor=1") ? 1 : 0
            before.withLock { $0.append(buffer.withLock { $0 }?.statistics[.bars].marks.last ?? -1) }
            return ScriptedREST.page(
                (0..<12_000).map { Self.noon + (number * 12_000 + $0) * 1000 },
                next: number < 2 ? "/v2/aggs/ticker/AAPL?cursor=\(number + 1)" : nil)
        }
        let rig = try Rig(server)
        buffer.withLock { $0 = rig.buffer }
        let result = try await rig.filler.fill(
            [Self.symbols[0]], [.secondBar], from: Self.noon, to: Self.noon + 36_000_000, latest: .max)
        #expect(result.rows == 36_000)
        #expect(before.withLock { $0 } == [0, 12_000, 24_000])
        await rig.close()
    }

    @Test func `a gap that begins before the reach is filled as far as it goes and stays open`() async throws {
        let server = try ScriptedREST { _ in ScriptedREST.page([Self.noon + 5 * Self.minute]) }
        let rig = try Rig(server)
        rig.record([Self.symbols[0]])
        try await rig.buffer.flush()
        let gap = try #require(try rig.gaps.first)
        var filler = rig.filler
        let earliest = Self.noon + 3 * Self.minute
        #expect(try await filler.fill(gap, earliest: earliest) == .open)
        #expect(server.requests.count == 1 && server.requests[0].contains("/minute/\(earliest)/"))
        #expect(try await rig.starts() == [Self.noon + 5 * Self.minute])
        // Without that limit, all of it is filled.
        #expect(try await filler.fill(gap) == .filled)
        #expect(server.requests.count == 2 && !server.requests[1].contains("/minute/\(earliest)/"))
        await rig.close()
    }

    @Test func `what is waited for is told at once: the server, the try, and when the next one is`() async throws {
        let server = try ScriptedREST { _ in (503, "") }
        let rig = try Rig(server, tries: 2)
        await #expect(throws: BackfillError.self) {
            try await rig.client.bars(of: Self.symbols[0], interval: .minute, starts: 0...1) { _, _ in }
        }
        let lines = rig.log.lines
        #expect(lines.count == 2, "\(lines)")
        #expect(lines.first?.contains("connect_timeout_s=10 server=http://127.0.0.1:\(server.port) tries=2") == true)
        #expect(lines.last?.hasPrefix("notice the REST server answered HTTP 503") == true)
        #expect(lines.last?.contains("next_try_in_s=1 server=http://127.0.0.1:\(server.port) try=1 of 2") == true)
        await rig.close()
    }

    @Test func `an answer that comes byte by byte without end is given up`() async throws {
        let listener = try LoopbackListener()
        listener.accept { client in
            Thread.detachNewThread {
                defer { close(client) }
                var request = [UInt8](repeating: 0, count: 8192)
                guard read(client, &request, request.count) > 0 else { return }
                LoopbackListener.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".utf8, to: client)
                while LoopbackListener.send(" ".utf8, to: client) { usleep(5_000) }
            }
        }
        var configuration = AggregatesClient.Configuration(
            url: "http://127.0.0.1:\(listener.port)", apiKey: Secret("a-key"))
        configuration.tries = 1
        configuration.answerLimit = .milliseconds(200)
        let client = try AggregatesClient(configuration: configuration, logger: .quiet)
        let error = await #expect(throws: BackfillError.self) {
            try await client.bars(of: Self.symbols[0], interval: .minute, starts: 0...1) { _, _ in }
        }
        #expect(error?.reason == .unreachable && error?.message.contains("too slowly") == true)
        await client.shutdown()
    }

    @Test(
        arguments: [("named", "DNS:localhost", .badAnswer), ("unnamed", nil, .unreachable)]
            as [(
                String, String?, BackfillError.Reason
            )])
    func `a certificate must have its host among the alternative names`(
        name: String, alternatives: String?, reason: BackfillError.Reason
    ) async throws {
        let workspace = try Workspace()
        let certificates = try TestCertificates(directory: workspace.file("ca"))
        try certificates.makeServer(name, alternativeNames: alternatives, commonName: "localhost")
        let (certificate, key) = certificates.server(name)
        // It picks a free port itself and prints it.
        let server = try ChildProcess(
            "/usr/bin/openssl",
            ["s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-www"])
        let port = try #require(try await server.line(containing: "ACCEPT").split(separator: ":").last)
        var configuration = AggregatesClient.Configuration(
            url: "https://localhost:\(port)", apiKey: Secret("a-key"), caFile: certificates.authority)
        // A handshake times out if the machine stalls in its midst.
        configuration.tries = 2
        let client = try AggregatesClient(
            configuration: configuration, logger: Logger(label: "rest") { _ in SwiftLogNoOpLogHandler() })
        let error = await #expect(throws: BackfillError.self) {
            try await client.bars(of: Self.symbols[0], interval: .minute, starts: 0...1) { _, _ in }
        }
        #expect(error?.reason == reason, "\(String(describing: error))")
        #expect(error?.message.contains("subjectAltName") == (reason == .unreachable))
        await client.shutdown()
        withExtendedLifetime(server) {}
    }
}

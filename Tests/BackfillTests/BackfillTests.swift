import Feed
import FeedServer
import FeedSimulator
import Foundation
import LedgerSupport
import Logging
import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Backfill
@testable import Store

private let quiet = Logger(label: "backfill", factory: { _ in SwiftLogNoOpLogHandler() })

@Suite(.timeLimit(.minutes(1))) struct RequestPacerTests {
    private func turn(_ pacer: inout RequestPacer, _ now: Duration) -> Duration { pacer.turn(now: now) }

    @Test func `requests keep their distance, and idle time is not saved up`() {
        var pacer = RequestPacer(requestsPerMinute: 60)
        #expect(turn(&pacer, .seconds(10)) == .zero)
        #expect(turn(&pacer, .seconds(10)) == .seconds(1))
        #expect(turn(&pacer, .seconds(10)) == .seconds(2))
        #expect(turn(&pacer, .seconds(100)) == .zero)
        #expect(turn(&pacer, .seconds(100)) == .seconds(1))
        var free = RequestPacer(requestsPerMinute: 0)
        #expect((0..<5).allSatisfy { _ in turn(&free, .seconds(1)) == .zero })
    }

    @Test func `a server that asks for patience makes every request wait`() {
        var pacer = RequestPacer(requestsPerMinute: 600)
        _ = pacer.turn(now: .zero)
        let next = pacer.failed(
            .tooManyRequests, tried: 1, of: 6, retryAfter: .seconds(7), jitter: 0.5, now: .seconds(1))
        #expect(next == .zero)
        #expect(turn(&pacer, .seconds(1)) == .seconds(7))
    }

    @Test(arguments: [RequestPacer.pause("86400", now: 0), RequestPacer.pause("9223372036854775807", now: 0)])
    func `no server has the collector wait for longer than two minutes`(asked: Duration?) {
        #expect(asked == .seconds(120))
        var pacer = RequestPacer(requestsPerMinute: 0)
        let next = pacer.failed(.serverProblem, tried: 1, of: 6, retryAfter: asked, jitter: 0, now: .zero)
        #expect(next == .seconds(120))
        _ = pacer.failed(.tooManyRequests, tried: 1, of: 6, retryAfter: asked, jitter: 0, now: .zero)
        #expect(turn(&pacer, .zero) == .seconds(120))
    }

    @Test func `what asks for no time to come asks for no pause`() {
        #expect(RequestPacer.pause("7", now: 0) == .seconds(7))
        #expect(RequestPacer.pause("-9223372036854775808", now: 0) == .zero)
        #expect(RequestPacer.pause("soon", now: 0) == nil)
        let date = "Wed, 25 Nov 2026 19:00:55 GMT"
        for (now, pause) in [(1_795_633_245_000, 10), (1_795_633_256_000, 0), (0, 120)] {
            #expect(RequestPacer.pause(date, now: Int64(now)) == .seconds(pause))
        }
    }

    @Test func `a server's problem is tried again with growing waits, a refusal is not`() {
        var pacer = RequestPacer(requestsPerMinute: 0)
        func failed(_ reason: BackfillError.Reason, _ tried: Int) -> Duration? {
            pacer.failed(reason, tried: tried, of: 4, retryAfter: nil, jitter: 1, now: .zero)
        }
        #expect(failed(.serverProblem, 1) == .seconds(1))
        #expect(failed(.unreachable, 3) == .seconds(4))
        #expect(failed(.unreachable, 4) == nil)
        #expect(failed(.keyRefused, 1) == nil)
    }
}

@Suite(.timeLimit(.minutes(1))) struct FillPlanTests {
    /// A Tuesday, 12:00 in New York.
    private let noon: Int64 = 1_704_214_800_000

    private func record(
        _ symbols: [String], _ events: [EventKind], from: Int64, to: Int64?, settled: [EventKind: Set<Symbol>] = [:]
    ) -> GapRecord {
        GapRecord(
            id: 1,
            gap: Gap(
                connection: "primary", symbols: symbols.compactMap { Symbol($0) }, events: events, from: from, to: to,
                cause: .disconnected), state: .open, detail: nil, rows: 0, recorded: from, settled: settled)
    }

    @Test func `the bars that were due in the gap are asked for, and those that late trades may have changed`() {
        let plan = FillPlan(record(["AAPL"], [.minuteBar], from: noon + 70_000, to: noon + 200_000), everything: [])
        #expect(plan.requests.map(\.starts) == [noon - 840_000...noon + 120_000])
        let seconds = FillPlan(record(["AAPL"], [.secondBar], from: noon + 70_500, to: noon + 80_500), everything: [])
        #expect(seconds.requests.map(\.starts) == [noon - 830_000...noon + 79_000])
    }

    @Test func `a bar is needed if its window ended in the gap, and earlier ones are asked for as corrections`() {
        func needed(_ kind: EventKind, from: Int64) -> [Int64] {
            FillPlan(record(["AAPL"], [kind], from: from, to: from + 200_000), everything: []).requests.map(\.needed)
        }
        #expect(needed(.minuteBar, from: noon + 70_000) == [noon + 60_000])
        #expect(needed(.minuteBar, from: noon + 60_000) == [noon + 60_000])
        #expect(needed(.secondBar, from: noon + 70_500) == [noon + 70_000])
    }

    @Test func `a short gap in mid-minute misses corrections alone`() {
        let plan = FillPlan(record(["AAPL"], [.minuteBar], from: noon + 20_000, to: noon + 50_000), everything: [])
        #expect(plan.requests.map(\.starts) == [noon - 900_000...noon - 60_000])
    }

    @Test func `a gap that begins when the market closes is empty, whatever was corrected before`() {
        let close = noon + 8 * 3_600_000
        let plan = FillPlan(record(["AAPL"], [.minuteBar], from: close, to: close + 3_600_000), everything: [])
        #expect(plan.verdict?.state == .empty && plan.requests.isEmpty)
    }

    @Test func `a gap without extent misses what was due before it`() {
        let plan = FillPlan(record(["AAPL"], [.minuteBar], from: noon, to: noon), everything: [])
        #expect(plan.verdict == nil && plan.requests.map(\.starts) == [noon - 900_000...noon - 60_000])
    }

    @Test func `a gap that is under way is left alone`() {
        let plan = FillPlan(record(["AAPL"], [.minuteBar], from: noon, to: nil), everything: [])
        #expect(plan.verdict?.state == .open && plan.requests.isEmpty)
    }

    @Test func `what was asked for already is not asked again`() {
        let symbols: Set<Symbol> = [Symbol("AAPL")!]
        let plan = FillPlan(
            record(["AAPL", "MSFT"], [.minuteBar], from: noon, to: noon + 200_000, settled: [.minuteBar: symbols]),
            everything: [])
        #expect(plan.requests.map(\.symbol) == [Symbol("MSFT")!])
    }

    @Test
    func `a closed market has no gap, what the REST API lacks cannot be had again, and everything is what is known`() {
        let saturday = noon + 4 * 86_400_000
        #expect(
            FillPlan(record(["A"], [.minuteBar], from: saturday, to: saturday + 600_000), everything: []).verdict?.state
                == .empty)
        #expect(
            FillPlan(record(["A"], [.limitBand], from: noon, to: noon + 1), everything: []).verdict?.state
                == .unfillable)
        #expect(
            FillPlan(record(["A"], [.limitBand], from: saturday, to: saturday + 1), everything: []).verdict?.state
                == .empty)
        #expect(
            FillPlan(record([], [.minuteBar], from: noon, to: noon + 1), everything: []).verdict?.state == .unfillable)
        #expect(
            FillPlan(record([], [.minuteBar], from: saturday, to: saturday + 1), everything: []).verdict?.state
                == .empty)
        let all = FillPlan(
            record([], [.minuteBar, .secondBar, .trade], from: noon, to: noon + 120_000),
            everything: [Symbol("B")!, Symbol("A")!])
        #expect(
            all.requests.map { "\($0.event.rawValue).\($0.symbol)" } == ["AM.A", "AM.B", "A.A", "A.B", "T.A", "T.B"])
        #expect(all.requests.last?.starts == noon...noon + 120_000)
    }

    @Test func `nothing before the reach is asked for, and what is left of the gap is not called empty`() {
        let year = record(["AAPL"], [.minuteBar], from: noon - 400 * 86_400_000, to: noon + 200_000)
        let plan = FillPlan(year, everything: [], earliest: noon)
        #expect(plan.requests.map(\.starts) == [noon...noon + 120_000] && plan.isCut)
        let before = FillPlan(year, everything: [], earliest: noon + 86_400_000)
        #expect(before.requests.isEmpty && before.isCut && before.verdict == nil)
        #expect(!FillPlan(year, everything: []).isCut)
    }
}

/// Against the simulator's REST route, over real sockets and files.
@Suite(.blocking, .timeLimit(.minutes(3))) struct BackfillTests {
    private static let symbols = ["AAPL", "MSFT", "BRK.B"].compactMap { Symbol($0) }
    private static let count = 300
    private static let plan = LedgerPlan(kinds: [.minuteBar], symbols: symbols)

    private func rig(
        key: Secret? = nil, refusals: Int = 0, tls: FeedServerConfiguration.TLSFiles? = nil,
        _ body: @Sendable (FeedSimulator, Int, Workspace, TickBuffer) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration(
            source: .ledger(LedgerFeed(plan: Self.plan, count: Self.count, eventsPerFrame: 3)))
        configuration.startingClients = 0
        configuration.absence = .misses
        configuration.servesAggregates = true
        configuration.aggregateRefusals = refusals
        configuration.apiKey = key
        configuration.server.tls = tls
        let simulator = FeedSimulator(configuration: configuration, logger: quiet)
        let port = try await simulator.bind()
        let (workspace, buffer) = try TickBuffer.scratch()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            defer { group.cancelAll() }
            try await simulator.statistics { $0.phase == .done }
            try await body(simulator, port, workspace, buffer)
        }
        await buffer.close()
    }

    private func client(_ port: Int, key: String = "a-key") throws -> AggregatesClient {
        try AggregatesClient.local(port, key: key, tries: 4)
    }

    private var span: ClosedRange<Int64> { Self.plan.start...Self.plan.start + 99 * 60_000 }

    @Test func `the bars of a span come as they were sent`() async throws {
        try await rig { simulator, port, _, _ in
            let client = try client(port)
            let bars = try await client.all(of: Self.symbols[2], starts: span)
            #expect(bars.count == 100)
            for bar in bars {
                let sent = try #require(
                    Self.plan.id(of: .minuteBar, symbol: bar.symbol, time: bar.start).flatMap {
                        Self.plan.event($0).bar
                    })
                #expect((bar.open, bar.high, bar.low, bar.close) == (sent.open, sent.high, sent.low, sent.close))
                #expect(bar.volume == sent.volume && bar.vwap == sent.vwap && bar.end == sent.end)
            }
            let some = try await client.all(
                of: Self.symbols[0], starts: Self.plan.start + 60_000...Self.plan.start + 180_000)
            #expect(some.map(\.start) == (1...3).map { Self.plan.start + $0 * 60_000 })
            #expect(try await client.all(of: Self.symbols[0], .second, starts: span).isEmpty)
            await client.shutdown()
        }
    }

    @Test func `a refused key is told and not tried again, a request for patience is heeded`() async throws {
        try await rig(key: Secret("right"), refusals: 1) { simulator, port, _, _ in
            let right = try client(port, key: "right")
            #expect(try await right.all(of: Self.symbols[0], starts: span).count == 100)
            #expect(simulator.statistics.aggregateRequests == 2)
            let wrong = try client(port, key: "canary-wrong-key")
            let error = await #expect(throws: BackfillError.self) {
                _ = try await wrong.all(of: Self.symbols[0], starts: span)
            }
            #expect(error?.reason == .keyRefused && error?.message.contains("canary") == false)
            #expect(simulator.statistics.aggregateRequests == 3)
            await right.shutdown()
            await wrong.shutdown()
        }
    }

    @Test func `over a proxy TLS goes through to the REST API, and the proxy sees neither key nor question`()
        async throws
    {
        let certificates = try TestCertificates(directory: Workspace().path)
        try certificates.makeServer("good", alternativeNames: "DNS:localhost,IP:127.0.0.1")
        let files = certificates.server("good")
        let tls = FeedServerConfiguration.TLSFiles(certificateFile: files.certificate, keyFile: files.key)
        try await rig(key: Secret("canary-key"), tls: tls) { simulator, port, _, _ in
            let proxy = try ConnectProxy(credentials: "bWU6cEBzcw==")
            func client(_ login: String, tries: Int) throws -> AggregatesClient {
                var configuration = AggregatesClient.Configuration(
                    url: "https://localhost:\(port)", apiKey: Secret("canary-key"), caFile: certificates.authority)
                configuration.proxy = HTTPProxy("http://\(login)127.0.0.1:\(proxy.port)")
                configuration.tries = tries
                return try AggregatesClient(configuration: configuration, logger: quiet)
            }
            // A handshake times out if the machine stalls in its midst.
            let allowed = try client("me:p%40ss@", tries: 3)
            let bars = try? await allowed.all(of: Self.symbols[0], starts: span)
            await allowed.shutdown()
            #expect(bars?.count == 100)
            #expect(proxy.heads.first?.hasPrefix("CONNECT localhost:\(port) HTTP/1.1\r\n") == true)
            #expect(proxy.heads.allSatisfy { !$0.contains("canary") && !$0.contains("AAPL") })
            let refused = try client("", tries: 1)
            let error = await #expect(throws: BackfillError.self) {
                _ = try await refused.all(of: Self.symbols[0], starts: span)
            }
            #expect(error?.reason == .unreachable)
            #expect(error?.message.contains("asked through the proxy 127.0.0.1:\(proxy.port)") == true)
            await refused.shutdown()
            #expect(simulator.statistics.aggregateRequests == 1)
        }
    }

    @Test func `nobody there is told in one line, and not only when the time to connect is over`() async throws {
        var configuration = AggregatesClient.Configuration(url: "http://127.0.0.1:1", apiKey: Secret("k"))
        configuration.tries = 1
        let client = try AggregatesClient(configuration: configuration, logger: quiet)
        // A stalled machine delays one answer, but hardly all three.
        var quickest = Duration.seconds(60)
        for _ in 0..<3 where quickest >= .seconds(9) {
            let begun = ContinuousClock.now
            let error = await #expect(throws: BackfillError.self) {
                _ = try await client.all(of: Self.symbols[0], starts: 0...1)
            }
            quickest = min(quickest, ContinuousClock.now - begun)
            #expect(error?.reason == .unreachable && error?.isRetryable == true)
        }
        #expect(quickest < .seconds(9))
        await client.shutdown()
        #expect(throws: BackfillError.self) {
            _ = try AggregatesClient(
                configuration: .init(url: "nonsense", apiKey: Secret("k")), logger: quiet)
        }
    }

    @Test func `a gap is filled with what the stream did not bring, once, and says so`() async throws {
        try await rig { simulator, port, workspace, buffer in
            // The stream brought every bar of the first symbol but two, and none of the others.
            var batch = EventBatch(connection: "primary", receivedMicroseconds: (Self.plan.start + 6_000_000) * 1000)
            batch.bars = (0..<100).filter { $0 != 40 && $0 != 41 }.compactMap { turn in
                var bar = Self.plan.event(UInt64(turn * 3)).bar
                bar?.volume = 7
                return bar
            }
            #expect(buffer.offer(batch) == .accepted)
            buffer.record(
                Gap(
                    connection: "primary", symbols: Self.symbols, events: [.minuteBar], from: Self.plan.start + 60_000,
                    to: Self.plan.start + 100 * 60_000, cause: .disconnected))
            buffer.record(
                Gap(
                    connection: "primary", symbols: Self.symbols, events: [.minuteBar],
                    from: Self.plan.start + 200 * 60_000, to: Self.plan.start + 210 * 60_000, cause: .stalled))
            try await buffer.flush()
            let client = try client(port)
            var filler = GapFiller(client: client, buffer: buffer)
            let records = try GapLog.read(directory: workspace.path)
            #expect(try await filler.fill(records[0]) == .filled)
            #expect(try await filler.fill(records[1]) == .empty)
            let after = try GapLog.read(directory: workspace.path)
            // One of them is a new version of the first bar, to which late trades added during the gap.
            #expect(after.map(\.state) == [.filled, .empty] && after.map(\.rows) == [203, 0])
            // Asking again adds nothing.
            let again = try await filler.fill(
                Self.symbols, [.minuteBar], from: Self.plan.start, to: Self.plan.start + 99 * 60_000, latest: .max)
            #expect(again.rows == 0 && again.present == 300)
            let rows = try await Self.bars(buffer)
            #expect(rows.count == 301)
            #expect(rows.filter { $0.source == .backfill }.count == 202)
            let first = rows.filter { $0.event.symbol == Self.symbols[0] && $0.event.start == Self.plan.start }
            #expect(first.map(\.source) == [.stream, .reconcile])
            #expect(first.last?.event.volume == Self.plan.event(0).bar?.volume)
            #expect(rows.filter { $0.source == .stream }.allSatisfy { $0.event.volume == 7 })
            await client.shutdown()
        }
    }

    @Test func `a filling that was cut off goes on where it was`() async throws {
        try await rig { simulator, port, workspace, buffer in
            buffer.record(
                Gap(
                    connection: "primary", symbols: Self.symbols, events: [.minuteBar], from: Self.plan.start + 60_000,
                    to: Self.plan.start + 100 * 60_000, cause: .down))
            try await buffer.flush()
            let fresh = try #require(try GapLog.read(directory: workspace.path).first)
            try await buffer.settle([GapFill(of: fresh, symbols: [(Self.symbols[0], 100)], event: .minuteBar)])
            let client = try client(port)
            var filler = GapFiller(client: client, buffer: buffer)
            let record = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
            #expect(try await filler.fill(record) == .filled)
            #expect(simulator.statistics.aggregateRequests == 2)
            #expect(try GapLog.read(directory: workspace.path).first?.rows == 300)
            await client.shutdown()
        }
    }

    @Test func `a gap of a file that was found damaged is filled by the file that took its place`() async throws {
        try await rig { _, port, _, _ in
            let workspace = try Workspace()
            func open() throws -> TickBuffer { try TickBuffer.scratch(in: workspace.path) }
            let first = try open()
            var batch = EventBatch(connection: "witness", receivedMicroseconds: Self.plan.start * 1000)
            batch.bars = [Self.plan.event(0).bar].compactMap(\.self)
            #expect(first.offer(batch) == .accepted)
            let gap = Gap(
                connection: "primary", symbols: Self.symbols, events: [.minuteBar], from: Self.plan.start + 60_000,
                to: Self.plan.start + 100 * 60_000, cause: .disconnected)
            first.record(gap)
            try await first.flush()
            await first.close()
            let path = workspace.file(TickBuffer.fileName)
            try damagePage(of: "witness", in: path)

            let second = try open()
            #expect(second.statistics.setAside.count == 1)
            let record = try #require(try GapLog.read(directory: workspace.path).first)
            #expect(record.gap == gap && record.state == .open)
            let client = try client(port)
            var filler = GapFiller(client: client, buffer: second)
            #expect(try await filler.fill(record) == .filled)
            #expect(try await Self.bars(second).count == 300)
            await client.shutdown()
            await second.close()
        }
    }

    /// The bars of all symbols begin and end at the same moments.
    @Test func `bars that a damaged page took from the midst of a minute's are asked for`() async throws {
        let workspace = try Workspace()
        let noon = Self.noon
        let symbols = (0..<300).compactMap { Symbol("S\($0)") }
        let buffer = try TickBuffer.scratch(in: workspace.path)
        for minute in 0..<3 as Range<Int64> {
            let start = noon + minute * 60_000
            for part in [0..<150, 150..<151, 151..<300] {
                let isWitness = minute == 1 && part.count == 1
                var batch = EventBatch(
                    connection: isWitness ? "witness" : "primary", receivedMicroseconds: (start + 61_000) * 1000)
                batch.bars = symbols[part].map {
                    Bar.flat($0, at: start, volume: 5)
                }
                #expect(buffer.offer(batch) == .accepted)
            }
        }
        try await buffer.flush()
        await buffer.close()
        let path = workspace.file(TickBuffer.fileName)
        try damagePage(of: "witness", in: path)
        let loss = try #require(try FileRepair.repair(path, as: .ticks).losses.first)
        #expect(loss.first > 300 && loss.last <= 600 && loss.from == noon + 60_000 && loss.to == noon + 60_000)

        let record = try #require(
            try GapLog.read(directory: workspace.path, fills: .all).first { $0.gap.cause == .damaged })
        #expect(record.gap.events == [.minuteBar] && !record.gap.isUncertain)
        let plan = FillPlan(record, everything: [symbols[150]])
        #expect(plan.verdict == nil && plan.requests.count == 1)
        #expect(plan.requests.first.map { $0.starts.contains(noon + 60_000) && $0.needed <= noon + 60_000 } == true)
    }

    @Test func `a gap for whose bars the file has no room stays open`() async throws {
        try await rig { _, port, _, _ in
            let workspace = try Workspace()
            var options = TickBuffer.Options(collector: "tests", commitInterval: .fixed(.milliseconds(5)))
            options.maximumBytes = 1 << 20
            options.fullPolicy = .rejectNew
            let buffer = try TickBuffer.open(directory: workspace.path, options: options, logger: quiet)
            var batch = EventBatch(connection: "primary", receivedMicroseconds: Self.plan.start * 1000)
            let bar = try #require(Self.plan.event(0).bar)
            for size in [500, 50, 5] {
                for _ in 0..<40 {
                    batch.bars = Array(repeating: bar, count: size)
                    _ = buffer.offer(batch)
                    try await buffer.flush()
                }
            }
            let drops = buffer.statistics.drops
            #expect(drops > 0)
            buffer.record(
                Gap(
                    connection: "primary", symbols: [Self.symbols[1]], events: [.minuteBar],
                    from: Self.plan.start + 60_000, to: Self.plan.start + 100 * 60_000, cause: .disconnected))
            try await buffer.flush()
            let record = try #require(try GapLog.read(directory: workspace.path).first)
            let client = try client(port)
            var filler = GapFiller(client: client, buffer: buffer)
            let error = await #expect(throws: BackfillError.self) { try await filler.fill(record) }
            #expect(error?.reason == .buffer && error?.message.contains("takes nothing new") == true)
            let after = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
            #expect(after.state == .open && after.settled.isEmpty && buffer.statistics.drops == drops)
            await client.shutdown()
            await buffer.close()
        }
    }

    @Test func `an error of the file keeps its reason, by which a command ends`() async throws {
        let workspace = try Workspace()
        let buffer = try TickBuffer.open(directory: workspace.path, options: .init(collector: "tests"), logger: quiet)
        let damage = StoreError(.damaged, operation: "read", path: workspace.path)
        let error = #expect(throws: BackfillError.self) {
            _ = try buffer.reading { () throws -> Int in throw damage }
        }
        #expect(error?.reason == .buffer && error?.file == damage && error?.message == damage.description)
        await buffer.close()
    }

    /// A Tuesday, 12:00 in New York.
    private static let noon: Int64 = 1_704_214_800_000

    private func scripted(
        _ answer: @escaping @Sendable (String) -> (status: Int, body: String),
        test: (ScriptedREST, Workspace, TickBuffer, GapFiller) async throws -> Void
    ) async throws {
        let server = try ScriptedREST(answer)
        let (workspace, buffer) = try TickBuffer.scratch()
        let client = try client(server.port)
        try await test(server, workspace, buffer, GapFiller(client: client, buffer: buffer))
        await client.shutdown()
        await buffer.close()
    }

    @Test func `what was fetched before late trades were in it is fetched again, what the stream brought is not`()
        async throws
    {
        let (fetched, streamed, noon) = (Self.symbols[0], Self.symbols[1], Self.noon)
        let volume = Mutex(5)
        try await scripted { _ in
            let shares = volume.withLock { $0 }
            let bars = [noon, noon + 60_000].map { #"{"t":\#($0),"o":1,"h":1,"l":1,"c":1,"v":\#(shares)}"# }
            return (200, #"{"status":"OK","results":[\#(bars.joined(separator: ","))]}"#)
        } test: { _, workspace, buffer, filler in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: (noon + 61_000) * 1000)
            batch.bars = [
                Bar.flat(streamed, at: noon, volume: 5)
            ]
            #expect(buffer.offer(batch) == .accepted)
            let early = try await filler.fill([fetched], [.minuteBar], from: noon, to: noon + 60_000, latest: .max)
            #expect(early.rows == 2)
            volume.withLock { $0 = 9 }
            buffer.record(
                Gap(
                    connection: "primary", symbols: [fetched, streamed], events: [.minuteBar], from: noon,
                    to: noon + 120_000, cause: .disconnected))
            try await buffer.flush()
            var later = filler
            let record = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
            #expect(try await later.fill(record) == .filled)
            let rows = try await Self.bars(buffer)
            func volumes(_ symbol: Symbol, _ start: Int64) -> [Double] {
                rows.filter { $0.event.symbol == symbol && $0.event.start == start }.map(\.event.volume)
            }
            #expect(volumes(fetched, noon) == [5, 9] && volumes(fetched, noon + 60_000) == [5, 9])
            #expect(volumes(streamed, noon) == [5] && volumes(streamed, noon + 60_000) == [9])
            let again = try await filler.fill([fetched], [.minuteBar], from: noon, to: noon + 60_000, latest: .max)
            #expect(again.rows == 0 && again.present == 2)
        }
    }

    /// A row of a fill never replaces one of the stream in the database, so the file and the database would differ.
    @Test func `a correction that a gap missed is stored as one from the tape, what the gap missed as a fill`()
        async throws
    {
        let (symbol, noon) = (Self.symbols[0], Self.noon)
        try await scripted { _ in
            let bars = [(noon, 9), (noon + 60_000, 5), (noon + 120_000, 7)].map {
                #"{"t":\#($0.0),"o":1,"h":1,"l":1,"c":1,"v":\#($0.1)}"#
            }
            return (200, #"{"status":"OK","results":[\#(bars.joined(separator: ","))]}"#)
        } test: { _, workspace, buffer, filler in
            var batch = EventBatch(connection: "primary", receivedMicroseconds: (noon + 121_000) * 1000)
            batch.bars = [noon, noon + 60_000].map {
                Bar.flat(symbol, at: $0, volume: 5)
            }
            #expect(buffer.offer(batch) == .accepted)
            buffer.record(
                Gap(
                    connection: "primary", symbols: [symbol], events: [.minuteBar], from: noon + 120_000,
                    to: noon + 180_000, cause: .disconnected))
            try await buffer.flush()
            var filler = filler
            let record = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
            #expect(try await filler.fill(record) == .filled)
            let rows = try await Self.bars(buffer)
            #expect(rows.map(\.source) == [.stream, .stream, .backfill, .reconcile])
            let names = try await buffer.nextBatch(of: .bars, limit: 10)?.connections ?? []
            #expect(rows.map { names[Int($0.connection)] } == ["primary", "primary", "backfill", "backfill"])
            #expect(rows.map(\.event.start) == [noon, noon + 60_000, noon + 120_000, noon])
            #expect(rows.map(\.event.volume) == [5, 5, 7, 9])
        }
    }

    @Test func `a version that the stream brings while an older one is fetched stays the newest`() async throws {
        let (symbol, noon) = (Self.symbols[0], Self.noon)
        try await scripted { _ in
            ScriptedREST.page([noon, noon + 60_000, noon + 120_000])
        } test: { _, workspace, buffer, filler in
            @Sendable func stream(_ minutes: [Int64], volume: Double) {
                var batch = EventBatch(connection: "primary", receivedMicroseconds: (noon + 200_000) * 1000)
                batch.bars = minutes.map { Bar.flat(symbol, at: noon + $0 * 60_000, volume: volume) }
                #expect(buffer.offer(batch) == .accepted)
            }
            stream([0, 1], volume: 3)
            buffer.record(
                Gap(
                    connection: "primary", symbols: [symbol], events: [.minuteBar], from: noon + 120_000,
                    to: noon + 180_000, cause: .disconnected))
            try await buffer.flush()
            var filler = filler
            // The server's bars have a volume of 5. Late trades add to a corrected bar, and to one that was missed.
            filler.beforeStoring = { stream([0, 2], volume: 7) }
            let record = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
            #expect(try await filler.fill(record) == .filled)
            var newest: [Int64: Double] = [:]
            for row in try await Self.bars(buffer) { newest[(row.event.start - noon) / 60_000] = row.event.volume }
            #expect(newest == [0: 7, 1: 5, 2: 7])
            // What is settled is left alone.
            let count = try await Self.bars(buffer).count
            filler.beforeStoring = {}
            #expect(try await filler.fill(record) == .filled)
            #expect(try await Self.bars(buffer).count == count)
        }
    }

    @Test func `clients with the same key share its limit on requests`() async throws {
        let server = try ScriptedREST { _ in ScriptedREST.page([Int64]()) }
        let limit = RequestLimit(requestsPerMinute: 1)
        var configuration = AggregatesClient.Configuration(
            url: "http://127.0.0.1:\(server.port)", apiKey: Secret("key"))
        configuration.limit = limit
        let client = try AggregatesClient(configuration: configuration, logger: quiet)
        _ = try await client.all(of: Self.symbols[0], starts: span)
        #expect(server.requests.count == 1 && limit.withPacer { $0.turn(now: .zero) } > .zero)
        await client.shutdown()
    }

    @Test func `of a span up to now no bar is asked for that may not be over`() async throws {
        let (noon, now) = (Self.noon, Self.noon + 90_500)
        try await scripted { _ in
            ScriptedREST.page([Int64]())
        } test: { server, _, _, filler in
            _ = try await filler.fill(
                [Self.symbols[0]], [.minuteBar, .secondBar], from: noon, to: now, latest: now - 20_000)
            #expect(server.requests.count == 2)
            #expect(server.requests.first?.contains("/minute/\(noon)/\(noon)?") == true, "\(server.requests)")
            #expect(server.requests.last?.contains("/second/\(noon)/\(noon + 69_000)?") == true, "\(server.requests)")
            _ = try await filler.fill([Self.symbols[0]], [.minuteBar], from: noon, to: now, latest: noon + 59_999)
            #expect(server.requests.count == 2)
        }
    }

    @Test func `the service fills what just happened by itself`() async throws {
        try await rig { simulator, port, workspace, buffer in
            var configuration = BackfillService.Configuration()
            configuration.settleTime = .zero
            configuration.reach = .seconds(1_000_000_000)
            let service = BackfillService(
                configuration: configuration, client: try client(port), buffer: buffer, logger: quiet)
            let running = Task { try await service.run() }
            buffer.record(
                Gap(
                    connection: "primary", symbols: Self.symbols, events: [.minuteBar], from: Self.plan.start + 60_000,
                    to: Self.plan.start + 100 * 60_000, cause: .disconnected))
            try await Waiting.until {
                try GapLog.read(directory: workspace.path).first?.state == .filled
            }
            try await Waiting.until { buffer.statistics.openGaps == 0 }
            #expect(service.state == .filling(nil))
            running.cancel()
            try await running.value
            #expect(try await Self.bars(buffer).count == 300)
        }
    }

    @Test func `an old gap is filled, however many newer ones stay open`() async throws {
        try await rig { _, port, workspace, buffer in
            let start = Self.plan.start
            buffer.record(
                Gap(
                    connection: "primary", symbols: Self.symbols, events: [.minuteBar], from: start + 60_000,
                    to: start + 100 * 60_000, cause: .disconnected))
            for number in 0..<Int64(1000) {
                buffer.record(
                    Gap(
                        connection: "secondary", symbols: [], events: [.minuteBar], from: start + number, to: nil,
                        cause: .disconnected))
            }
            try await buffer.flush()
            #expect(try GapLog.count(directory: workspace.path, states: [.open]) == 1001)
            var configuration = BackfillService.Configuration()
            configuration.settleTime = .zero
            configuration.reach = .seconds(1_000_000_000)
            let service = BackfillService(
                configuration: configuration, client: try client(port), buffer: buffer, logger: quiet)
            let running = Task { try await service.run() }
            try await Waiting.until {
                try GapLog.read(directory: workspace.path, states: [.filled]).map(\.gap.connection) == ["primary"]
            }
            running.cancel()
            try await running.value
        }
    }

    /// Each connection breaks again and again while the others go on, and misses what passes meanwhile.
    @Test func `a day with connections that keep breaking ends with every minute bar once, as it was sent`()
        async throws
    {
        let symbols = ["AAPL", "MSFT", "IBM", "SPY", "QQQ", "DIA"].compactMap { Symbol($0) }
        let plan = LedgerPlan(kinds: [.minuteBar], symbols: symbols)
        let count = 6 * 960
        var configuration = SimulatorConfiguration(
            source: .ledger(LedgerFeed(plan: plan, count: count, eventsPerFrame: 6, eventsPerSecond: 2000)))
        configuration.pace = .speed(1)
        configuration.startingClients = 3
        configuration.faults = [.dropEvery(frames: 50)]
        configuration.servesAggregates = true
        configuration.absence = .misses
        configuration.server.closeTimeout = .milliseconds(500)
        let simulator = FeedSimulator(configuration: configuration, logger: quiet)
        let port = try await simulator.bind()
        let (workspace, buffer) = try TickBuffer.scratch()
        let members = try (0..<3).map { number in
            var configuration = FeedConfiguration(
                name: "connection-\(number)",
                endpoint: try FeedEndpoint(url: "ws://127.0.0.1:\(port)/stocks", allowsPlaintext: false),
                apiKey: Secret("a-key"), events: [.minuteBar])
            configuration.reconnect.firstDelay = .milliseconds(50)
            configuration.reconnect.cap = .milliseconds(100)
            configuration.closeTimeout = .milliseconds(500)
            return SetMember(
                id: "connection_\(number)", configuration: configuration,
                interest: .symbols(Array(symbols[(2 * number)..<(2 * number + 2)])))
        }
        let set = try ConnectionSet(configuration: SetConfiguration(), members: members, sink: buffer, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            let collecting = Task { try await set.run() }
            try await simulator.statistics { $0.phase == .done }
            // On a stalled machine most of the day may pass at once, but each connection breaks at least once.
            try await Waiting.until("a gap of each connection that has ended") {
                let gaps = try GapLog.read(directory: workspace.path)
                    .filter { $0.gap.cause == .disconnected && $0.gap.to != nil }
                return Set(gaps.map(\.gap.connection)).count == 3
            }
            collecting.cancel()
            try await collecting.value
            try await buffer.flush()
            let before = Set(try await Self.bars(buffer).map { [$0.event.start, Int64($0.event.symbol.hashValue)] })
                .count
            #expect(before > 0 && before < count)
            let client = try client(port)
            let filler = GapFiller(client: client, buffer: buffer)
            let result = try await filler.fill(
                symbols, [.minuteBar], from: plan.start, to: plan.start + 960 * 60_000, latest: .max)
            #expect(result.rows == count - before)
            let rows = try await Self.bars(buffer)
            #expect(rows.count == count)
            for row in rows {
                let id = try #require(plan.id(of: .minuteBar, symbol: row.event.symbol, time: row.event.start))
                let sent = try #require(plan.event(id).bar)
                #expect(row.event.open == sent.open && row.event.close == sent.close)
                #expect(row.event.high == sent.high && row.event.low == sent.low)
                #expect(row.event.volume == sent.volume && row.event.vwap == sent.vwap)
            }
            await client.shutdown()
            group.cancelAll()
        }
        await buffer.close()
    }

    private static func bars(_ buffer: TickBuffer) async throws -> [Buffered<Bar>] {
        try await buffer.nextBatch(of: .bars, limit: 10_000)?.bars ?? []
    }
}

extension AggregatesClient {
    /// All pages at once.
    fileprivate func all(
        of symbol: Symbol, _ interval: Bar.Interval = .minute, starts: ClosedRange<Int64>
    ) async throws -> [Bar] {
        var all: [Bar] = []
        try await bars(of: symbol, interval: interval, starts: starts) { bars, _ in all += bars }
        return all
    }
}

@Suite(.timeLimit(.minutes(1))) struct HTTPDateTests {
    @Test func `a server's date is read, and nothing else for one`() {
        #expect(HTTPDate.milliseconds("Wed, 25 Nov 2026 19:00:55 GMT") == 1_795_633_255_000)
        #expect(HTTPDate.milliseconds("Thu, 01 Jan 1970 00:00:01 GMT") == 1000)
        for text in ["", "Wed, 25 Nov 2026 19:00:55", "Wed, 25 Now 2026 19:00:55 GMT", "Wed, 31 Feb 2026 19:00:55 GMT"]
        {
            #expect(HTTPDate.milliseconds(text) == nil)
        }
    }
}

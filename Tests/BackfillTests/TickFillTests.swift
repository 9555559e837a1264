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

private let symbols = ["AAPL", "BRK.B"].compactMap { Symbol($0) }
private let plan = LedgerPlan(kinds: [.trade, .quote], symbols: symbols)

@Suite(.timeLimit(.minutes(1))) struct TickAccessTests {
    private let gap = Gap(
        connection: "primary", symbols: symbols, events: [.minuteBar, .trade, .quote], from: 1_000_000_000,
        to: 1_000_060_000,
        cause: .disconnected)

    private func access(
        _ end: FileEnd, identified: Set<EventStream> = [], uncovered: Set<EventKind> = []
    ) -> TickAccess {
        TickAccess(gap, ends: [.trades: end, .quotes: end], identified: identified, uncovered: uncovered)
    }

    @Test func `ticks are fetched by themselves while the rows around the gap are in the file`() {
        #expect(access(FileEnd(hasForgotten: false, oldest: nil)).kinds == [.trade, .quote])
        #expect(access(FileEnd(hasForgotten: true, oldest: gap.from - 60_000)).kinds == [.trade, .quote])
        let gone = access(FileEnd(hasForgotten: true, oldest: gap.from - 59_999))
        #expect(gone.kinds.isEmpty && gone.refusals.count == 2)
        #expect(gone.refusals[.trade]?.contains("--tick-identity") == true)
    }

    @Test func `where the database recognises events, the file need not have them`() {
        let gone = FileEnd(hasForgotten: true, oldest: nil)
        #expect(access(gone, identified: [.trades]).kinds == [.trade])
        #expect(access(gone, identified: [.trades, .quotes]).refusals.isEmpty)
    }

    @Test func `where the file lost rows to damage, only a database that recognises events will do`() {
        let damaged = FileEnd(hasForgotten: false, oldest: gap.from - 3_600_000, isDamaged: true)
        let refused = access(damaged)
        #expect(refused.kinds.isEmpty && refused.refusals.count == 2)
        #expect(refused.refusals[.trade]?.contains("rows that the file lost to damage") == true)
        #expect(refused.refusals[.trade]?.contains("--tick-identity") == true)
        #expect(access(damaged, identified: [.trades, .quotes]).kinds == [.trade, .quote])
    }

    @Test func `where rows went upstream that the file never had, only a database that recognises events will do`() {
        let behind = FileEnd(hasForgotten: false, oldest: gap.from - 3_600_000, isBehind: true)
        let refused = access(behind)
        #expect(refused.kinds.isEmpty && refused.refusals.count == 2)
        #expect(refused.refusals[.trade]?.contains("uploaded after it was backed up or copied") == true)
        #expect(refused.refusals[.trade]?.contains("--tick-identity") == true)
        #expect(access(behind, identified: [.trades, .quotes]).kinds == [.trade, .quote])
    }

    @Test func `a kind that the plan lacks is not asked for again`() {
        let access = access(FileEnd(hasForgotten: false, oldest: nil), uncovered: [.quote])
        #expect(access.kinds == [.trade] && access.refusals[.quote]?.contains("refuses quotes") == true)
    }

    @Test func `the same event a millisecond off is the same, two off is another`() {
        var known = KnownTicks()
        let keys = TickKeys<Trade>(.trades)
        func key(_ id: String, at time: Int64) -> TickKey {
            var texts = TextArena()
            let trade = Trade(
                symbol: symbols[0], time: time, price: 1, size: 1, exchange: 4, tradeID: texts.append(id), sequence: 7)
            return keys.key(of: trade, in: texts)
        }
        known.insert(key("a", at: 1000))
        #expect([999, 1000, 1001].allSatisfy { known.contains(key("a", at: $0)) })
        #expect(!known.contains(key("a", at: 998)) && !known.contains(key("a", at: 1002)))
        // Two over-the-counter trades may share a sequence number.
        #expect(!known.contains(key("b", at: 1000)))
    }
}

@Suite(.timeLimit(.minutes(1))) struct SymbolSpansTests {
    private let symbol = symbols[0]

    private func spans(_ all: ClosedRange<Int64>...) -> SymbolSpans {
        var spans = SymbolSpans()
        for span in all { spans.insert(span, of: symbol) }
        return spans
    }

    @Test func `spans that overlap or touch are one`() {
        #expect(spans(10...20, 40...50, 21...30) == spans(10...30, 40...50))
        #expect(spans(40...50, 10...20, 15...45) == spans(10...50))
        #expect(spans(10...20, 22...30) != spans(10...30))
        #expect(spans(40...50, 10...20).bounds == 10...50 && spans().bounds == nil)
    }

    @Test func `what is missing from a span is what no other has`() {
        let known = spans(10...20, 30...40)
        #expect(known.missing(from: 0...50, of: symbol) == [0...9, 21...29, 41...50])
        #expect(known.missing(from: 15...35, of: symbol) == [21...29])
        #expect(known.missing(from: 12...20, of: symbol).isEmpty)
        #expect(known.missing(from: 12...20, of: symbols[1]) == [12...20])
    }

    @Test func `a moment is in a span of its symbol, or in one of every symbol`() {
        var known = spans(10...20, 30...40)
        #expect([10, 20, 30, 40].allSatisfy { known.contains($0, of: symbol) })
        #expect([9, 21, 29, 41].allSatisfy { !known.contains($0, of: symbol) })
        #expect(known.end(at: 12, of: symbol) == 20 && known.end(at: 25, of: symbol) == nil)
        known.insert(15...25, of: nil)
        #expect(known.contains(22, of: symbol) && known.contains(22, of: symbols[1]))
        #expect(!known.contains(12, of: symbols[1]))
        #expect(known.end(at: 16, of: symbol) == 25 && known.end(at: 12, of: symbol) == 20)
    }
}

/// Against the simulator's REST routes, over real sockets and files.
@Suite(.timeLimit(.minutes(3))) struct TickFillTests {
    private static let count = 1200

    private func rig(
        refusesTicks: Bool = false,
        _ body: @Sendable (FeedSimulator, AggregatesClient, String, TickBuffer) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration(
            source: .ledger(LedgerFeed(plan: plan, count: Self.count, eventsPerFrame: 7)))
        configuration.startingClients = 0
        configuration.absence = .misses
        configuration.servesTicks = true
        configuration.refusesTicks = refusesTicks
        let simulator = FeedSimulator(configuration: configuration, logger: .quiet)
        let port = try await simulator.bind()
        let (workspace, buffer) = try TickBuffer.scratch()
        let client = try AggregatesClient.local(port, tries: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            defer { group.cancelAll() }
            try await simulator.statistics { $0.phase == .done }
            try await body(simulator, client, workspace.path, buffer)
        }
        await client.shutdown()
        await buffer.close()
    }

    /// Buffers the stream's events outside some gaps, and those at their edges, as a connection delivers them.
    private func stream(_ buffer: TickBuffer, without gaps: Gap...) async throws {
        var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
        for id in 0..<UInt64(Self.count) {
            let event = plan.event(id)
            guard gaps.allSatisfy({ event.time <= $0.from || event.time >= $0.to ?? .max }) else { continue }
            if let trade = event.trade(text: &batch.text) { batch.trades.append(trade) }
            if let quote = event.quote { batch.quotes.append(quote) }
        }
        #expect(buffer.offer(batch) == .accepted)
        for gap in gaps { buffer.record(gap) }
        try await buffer.flush()
    }

    private func gap(
        _ events: [EventKind] = [.trade, .quote], from: Int64 = 50, to: Int64 = 200, connection: String = "primary"
    ) -> Gap {
        Gap(
            connection: connection, symbols: symbols, events: events, from: plan.start + from, to: plan.start + to,
            cause: .disconnected)
    }

    /// Records a gap of the first symbol alone.
    private func recordOnly(_ gap: Gap, in buffer: TickBuffer) async throws {
        var only = gap
        only.symbols = [symbols[0]]
        buffer.record(only)
        try await buffer.flush()
    }

    /// Expects every event of the plan once, with every column as the stream has it.
    private func expectAll(_ buffer: TickBuffer) async throws {
        for stream in [EventStream.trades, .quotes] {
            let (batch, _) = try await buffer.read(stream, after: 0, through: .max, limit: 10_000)
            #expect(batch.count == Self.count / 2)
            var seen: Set<UInt64> = []
            for row in batch.trades {
                let id = UInt64(row.event.sequence ?? 0)
                var texts = TextArena()
                let sent = try #require(plan.event(id).trade(text: &texts))
                #expect(seen.insert(id).inserted && row.event.time == sent.time && row.event.price == sent.price)
                #expect(
                    row.event.size == sent.size && row.event.exchange == sent.exchange && row.event.tape == sent.tape)
                #expect(row.event.participantTime == sent.participantTime)
                #expect(row.event.tradeID.map { batch.text[$0] } == sent.tradeID.map { texts[$0] })
                #expect(row.event.conditions.map { batch.text[$0] } == sent.conditions.map { texts[$0] })
            }
            for row in batch.quotes {
                let id = UInt64(row.event.sequence ?? 0)
                var sent = try #require(plan.event(id).quote)
                sent.indicators = row.event.indicators
                #expect(seen.insert(id).inserted && row.event == sent)
            }
        }
    }

    @Test func `trades that a damaged page took from the file come again only where the database recognises them`()
        async throws
    {
        let workspace = try Workspace()
        func open() throws -> TickBuffer { try TickBuffer.scratch(in: workspace.path) }
        func rows(_ buffer: TickBuffer) async throws -> Int {
            try await buffer.read(.trades, after: 0, through: .max, limit: 10_000).batch.trades.count
        }
        let first = try open()
        for (connection, ids) in [("primary", 0..<400), ("witness", 400..<800), ("primary", 800..<1200)] {
            var batch = EventBatch(connection: connection, receivedMicroseconds: (plan.start + 600_000) * 1000)
            for id in ids {
                guard let trade = plan.event(UInt64(id)).trade(text: &batch.text) else { continue }
                batch.trades.append(trade)
            }
            #expect(first.offer(batch) == .accepted)
        }
        try await first.flush()
        #expect(try await rows(first) == 600)
        await first.close()
        let path = workspace.file(TickBuffer.fileName)
        try damagePage(of: "witness", in: path)
        let report = try FileRepair.repair(path, as: .ticks)
        #expect(report.outcome == .repaired && report.losses.map(\.stream) == [.trades])

        let second = try open()
        let left = try await rows(second)
        #expect(left == 600 - Int(report.lost) && report.lost > 0)
        let record = try #require(try GapLog.read(directory: workspace.path).first(where: { $0.gap.cause == .damaged }))
        #expect(record.state == .open && record.gap.events == [.trade])
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[]}"#) }
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: second)
        // Another gap of that time would bring the lost rows too, one of another time would not.
        var other = record.gap
        (other.cause, other.symbols) = (.disconnected, symbols)
        var access = try await filler.access(other) { [] }
        #expect(access.kinds.isEmpty)
        other.from += 3_600_000
        other.to = other.from + 1000
        access = try await filler.access(other) { [] }
        #expect(access.kinds == [.trade])
        access = try await filler.access(record.gap) { [.trades] }
        #expect(access.kinds == [.trade])
        access = try await filler.access(record.gap) { [] }
        #expect(access.kinds.isEmpty)
        #expect(try await filler.fill(record, ticks: access) == .unfillable)
        let after = try #require(try GapLog.read(directory: workspace.path).first { $0.id == record.id })
        #expect(after.detail?.contains("rows that the file lost to damage may have been uploaded") == true)
        #expect(try await rows(second) == left)
        #expect(server.requests.isEmpty)
        await client.shutdown()
        await second.close()
    }

    @Test func `whether rows that the file never had went upstream is asked about gaps from before it was opened`()
        async throws
    {
        let workspace = try Workspace()
        let buffer = try TickBuffer.scratch(in: workspace.path)
        let client = try AggregatesClient.local(9)
        let filler = GapFiller(client: client, buffer: buffer)
        let asked = Mutex<[Int64]>([])
        func access(_ gap: Gap, identified: Set<EventStream> = []) async throws -> TickAccess {
            try await filler.access(gap, identified: { identified }) { streams, moment in
                #expect(streams == [.trades, .quotes])
                asked.withLock { $0.append(moment) }
                return [.trades]
            }
        }
        var older = gap([.trade, .quote])
        #expect(try await access(older).kinds == [.quote])
        #expect(try await access(older, identified: [.trades]).kinds == [.trade, .quote])
        older.isUncertain = true
        #expect(try await access(older).kinds == [.quote])
        // Nobody else can have sent what comes while this process has the file.
        var newer = gap([.trade, .quote])
        newer.from = buffer.opened
        newer.to = newer.from + 1000
        #expect(try await access(newer).kinds == [.trade, .quote])
        newer.cause = .down
        #expect(try await access(newer).kinds == [.quote])
        let hour: Int64 = 3_600_000
        let moments = [older.from - hour, older.from - hour, older.from - 24 * hour, newer.from - hour]
        #expect(asked.withLock { $0 } == moments)
        await client.shutdown()
        await buffer.close()
    }

    @Test func `what the stream may still deliver by the server's clock is left to the next attempt`() async throws {
        let (workspace, buffer) = try TickBuffer.scratch()
        // By a clock that is ahead, the gap ends in the server's future.
        try await recordOnly(gap([.trade], from: 0, to: 180_000), in: buffer)
        let ages: [Int64] = [60_000, 26_000, 20_000, 1000]
        let now = plan.start + 90_000
        let trades = ages.map { age in
            #"{"sip_timestamp":\#(now - age)000000,"sequence_number":\#(age),"id":"\#(age)","price":1,"size":1}"#
        }
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        func fill(at clock: Int64) async throws -> GapState {
            let server = try ScriptedREST(clock: clock) { _ in
                (200, #"{"status":"OK","results":[\#(trades.joined(separator: ","))]}"#)
            }
            let client = try AggregatesClient.local(server.port)
            var filler = GapFiller(client: client, buffer: buffer, settleTime: .seconds(30))
            do {
                let state = try await filler.fill(record)
                await client.shutdown()
                return state
            } catch {
                await client.shutdown()
                throw error
            }
        }
        func fetched() async throws -> [Int64] {
            let batch = try await buffer.read(.trades, after: 0, through: .max, limit: 10).batch
            return batch.trades.map { now - $0.event.time }
        }
        let error = await #expect(throws: BackfillError.self) { try await fill(at: now) }
        #expect(error?.reason == .tooEarly)
        #expect(try await fetched() == [60_000, 26_000])
        #expect(try await fill(at: now + 60_000) == .filled)
        #expect(try await fetched() == ages)
        await buffer.close()
    }

    @Test func `a server that takes long to answer after it looked at its clock is not thought to be behind`()
        async throws
    {
        let looked = Mutex<ContinuousClock.Instant?>(nil)
        let server = try ScriptedREST(clock: plan.start) { _ in
            looked.withLock { $0 = ContinuousClock.now }
            Thread.sleep(forTimeInterval: 1.2)
            return (200, #"{"status":"OK","results":[]}"#)
        }
        let client = try AggregatesClient.local(server.port)
        var read: ServerClock?
        try await client.ticks(of: symbols[0], times: 0...1) {
            (_: [RESTTrade], _, clock) async throws(BackfillError) in
            read = clock
            return true
        }
        let clock = try #require(read)
        let moment = try #require(looked.withLock { $0 })
        #expect(clock.latest(at: moment) >= plan.start)
        await client.shutdown()
    }

    /// Half past one in New York.
    private let afternoon = plan.start + 4 * 3_600_000

    /// Opens a buffer that deletes what is uploaded at once, except for its newest row. It has a trade that the stream
    /// brought at the edge of an afternoon gap, and one that filled a gap of the morning just now.
    private func forgetful(_ workspace: Workspace) async throws -> TickBuffer {
        let buffer = try TickBuffer.scratch(in: workspace.path, retention: .zero)
        for (connection, time, received) in [
            ("primary", afternoon, (afternoon + 1000) * 1000),
            ("backfill", plan.start + 240_000, WallClock.microseconds()),
        ] {
            var batch = EventBatch(connection: connection, receivedMicroseconds: received)
            batch.trades = [Trade(symbol: symbols[0], time: time, price: 1, size: 1)]
            #expect(buffer.offer(batch) == .accepted)
        }
        var missed = gap([.trade], from: 4 * 3_600_000, to: 4 * 3_600_000 + 60_000)
        missed.symbols = [symbols[0]]
        buffer.record(missed)
        try await buffer.flush()
        return buffer
    }

    /// Uploads everything, and waits until only the newest trade is left.
    private func upload(_ buffer: TickBuffer) async throws {
        let batch = try #require(try await buffer.nextBatch(of: .trades, limit: 10))
        try await buffer.acknowledge(.trades, through: try #require(batch.lastSequence))
        try await Waiting.until("the deletion") { buffer.statistics[.trades].marks.deleted == 1 }
    }

    @Test func `an old trade that was fetched just now doesn't make the file hold what it has deleted`() async throws {
        let workspace = try Workspace()
        let buffer = try await forgetful(workspace)
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[]}"#) }
        let client = try AggregatesClient.local(server.port)
        let filler = GapFiller(client: client, buffer: buffer)
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        var missed = record.gap
        var access = try await filler.access(missed) { [] }
        #expect(access.kinds == [.trade])
        try await upload(buffer)
        access = try await filler.access(missed) { [] }
        #expect(access.kinds.isEmpty)
        #expect(access.refusals[.trade]?.contains("are no longer in the file") == true)
        // Whatever comes from now on is there.
        missed.from = WallClock.milliseconds() + 120_000
        missed.to = missed.from + 1000
        access = try await filler.access(missed) { [] }
        #expect(access.kinds == [.trade])
        await client.shutdown()
        await buffer.close()
    }

    @Test func `a gap whose rows are deleted before they are compared stays open, and is not asked for without them`()
        async throws
    {
        let workspace = try Workspace()
        let buffer = try await forgetful(workspace)
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[]}"#) }
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: buffer)
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        let access = try await filler.access(record.gap) { [] }
        #expect(access.kinds == [.trade])
        try await upload(buffer)
        let error = await #expect(throws: BackfillError.self) { try await filler.fill(record, ticks: access) }
        #expect(error?.reason == .forgotten && error?.concernsRequestAlone == true)
        #expect(server.requests.isEmpty)
        #expect(try GapLog.read(directory: workspace.path).map(\.state) == [.open])
        // Where the database recognises what it has, the rows are not needed.
        let again = try await filler.access(record.gap) { [.trades] }
        #expect(try await filler.fill(record, ticks: again) == .empty)
        #expect(server.requests.count == 1)
        await client.shutdown()
        await buffer.close()
    }

    @Test func `a gap stays open while the database can't be asked what it recognises, and says why`() async throws {
        let (workspace, buffer) = try TickBuffer.scratch()
        // Only the database can recognise what is there.
        try await buffer.note(incident: Incident.setAside, detail: "ticks-bad.sqlite: damaged")
        buffer.record(gap([.trade]))
        try await buffer.flush()
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[]}"#) }
        let client = try AggregatesClient.local(server.port)
        var configuration = BackfillService.Configuration()
        configuration.settleTime = .zero
        configuration.reach = .seconds(1_000_000_000)
        let log = CapturedLog()
        let service = BackfillService(
            configuration: configuration, client: client, buffer: buffer,
            identified: { () async throws(BackfillError) -> Set<EventStream> in
                throw BackfillError(.database, "the database is away")
            }, logger: log.logger)
        let running = Task { try await service.run() }
        try await Waiting.until("the failure") { !log.lines(with: "stays open").isEmpty }
        running.cancel()
        try await running.value
        #expect(log.lines(with: "stays open").first?.contains("the database is away") == true)
        #expect(try GapLog.read(directory: workspace.path).map(\.state) == [.open])
        #expect(server.requests.isEmpty)
        await buffer.close()
    }

    @Test func `a gap's trades and quotes come again, as they were sent, and nothing around its edges twice`()
        async throws
    {
        try await rig { _, client, directory, buffer in
            try await stream(buffer, without: gap())
            var filler = GapFiller(client: client, buffer: buffer)
            let record = try #require(try GapLog.read(directory: directory).first)
            #expect(record.state == .open && record.lacksTicks)
            let access = try await filler.access(record.gap) { [] }
            #expect(access.kinds == [.trade, .quote])
            #expect(try await filler.fill(record, ticks: access) == .filled)
            try await expectAll(buffer)
            let after = try #require(try GapLog.read(directory: directory, fills: .all).first)
            #expect(after.ticks == 149 * 4 && after.rows == 0 && !after.lacksTicks)
            #expect(after.detail?.contains("596 trades and quotes") == true)
            // Asking again by hand adds nothing twice.
            var again = after
            again.settled = [:]
            #expect(try await filler.fill(again) == .filled)
            try await expectAll(buffer)
        }
    }

    @Test func `of gaps that overlap each moment is asked for once`() async throws {
        try await rig { simulator, client, directory, buffer in
            // Gaps of different connections are not merged.
            try await stream(
                buffer, without: gap(from: 100, to: 120, connection: "a"), gap(connection: "b"),
                gap(from: 150, to: 220, connection: "c"), gap(from: 60, to: 90, connection: "d"),
                gap(from: 250, to: 280, connection: "e"))
            let records = try GapLog.read(directory: directory).sorted { $0.gap.connection < $1.gap.connection }
            try #require(records.count == 5)
            var filler = GapFiller(client: client, buffer: buffer, gaps: records)
            var requests: [Int] = []
            for record in records {
                let before = simulator.statistics.aggregateRequests
                #expect(try await filler.fill(record) == .filled)
                requests.append(simulator.statistics.aggregateRequests - before)
            }
            // Two kinds of two symbols: the second gap lacks what is before and after the first, the third its end.
            #expect(requests == [4, 8, 4, 0, 4])
            try await expectAll(buffer)
            let after = try GapLog.read(directory: directory).sorted { $0.gap.connection < $1.gap.connection }
            #expect(after.map(\.ticks) == [21, 129, 19, 0, 29].map { $0 * 4 })
            #expect(after[3].detail == "every event was received")
        }
    }

    @Test func `of a file with many events few are kept in mind at once, and still none is doubled`() async throws {
        try await rig { _, client, directory, buffer in
            try await stream(buffer, without: gap())
            let record = try #require(try GapLog.read(directory: directory).first)
            let requests = FillPlan(record, everything: []).requests
            // The edges alone are more than that.
            var filler = TickFiller(client: client, buffer: buffer, mostKnown: 1)
            let first = try await filler.bring(requests, of: record, within: nil)
            #expect(first.rows == 149 * 4 && !first.isCut)
            try await expectAll(buffer)
            // A new filler doesn't know what this one asked for.
            filler = TickFiller(client: client, buffer: buffer, mostKnown: 1)
            let again = try await filler.bring(requests, of: record, within: nil)
            #expect(again.rows == 0 && again.present >= 149 * 4)
            try await expectAll(buffer)
        }
    }

    @Test func `a budget that is used up leaves the rest to a person, also after a restart`() async throws {
        try await rig { _, client, directory, buffer in
            try await stream(buffer, without: gap())
            var filler = GapFiller(client: client, buffer: buffer)
            let record = try #require(try GapLog.read(directory: directory).first)
            var access = TickAccess.all
            access.budget = TickAccess.Budget()
            access.budget?.requests = 2
            #expect(try await filler.fill(record, ticks: access) == .partial)
            // Only open gaps are filled automatically.
            #expect(try GapLog.read(directory: directory, states: [.open]).isEmpty)
            let left = try #require(
                try GapLog.read(directory: directory, states: GapState.unsettled, fills: .all).first)
            #expect(left.state == .partial && left.ticks == 149)
            #expect(left.detail?.contains("is left to 'edgetick backfill'") == true)
            // Whoever goes on knows what was fetched before the budget ran out.
            #expect(try await filler.fill(left) == .filled)
            try await expectAll(buffer)
        }
    }

    @Test func `a plan without ticks is told, and the gap says so`() async throws {
        try await rig(refusesTicks: true) { simulator, client, directory, buffer in
            try await stream(buffer, without: gap([.trade]))
            var filler = GapFiller(client: client, buffer: buffer)
            let record = try #require(try GapLog.read(directory: directory).first)
            var told: [EventKind] = []
            #expect(try await filler.fill(record, uncovered: { told.append($0) }) == .unfillable)
            // A refusal may concern one symbol alone.
            #expect(told == [.trade] && simulator.statistics.aggregateRequests == 2)
            let after = try #require(try GapLog.read(directory: directory, fills: .all).first)
            #expect(after.detail == TickAccess.notCovered(.trade) && after.lacksTicks)
        }
    }

    @Test func `if the server refuses one symbol alone, the others' trades come, and the gap says so`() async throws {
        let server = try ScriptedREST { target in
            guard !target.contains("/AAPL") else { return (403, "{}") }
            let trade = #"{"sip_timestamp":\#(plan.start + 100)000000,"price":1,"size":2,"id":"1","sequence_number":1}"#
            return (200, #"{"status":"OK","results":[\#(trade)]}"#)
        }
        let (workspace, buffer) = try TickBuffer.scratch()
        buffer.record(gap([.trade]))
        try await buffer.flush()
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: buffer)
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        var told: [EventKind] = []
        #expect(try await filler.fill(record, uncovered: { told.append($0) }) == .partial)
        #expect(told.isEmpty)
        let (batch, _) = try await buffer.read(.trades, after: 0, through: .max, limit: 10)
        #expect(batch.trades.map(\.event.symbol) == [symbols[1]])
        let after = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
        #expect(after.detail?.contains("refuses trades of some symbols") == true && after.lacksTicks)
        await client.shutdown()
        await buffer.close()
    }

    @Test func `events that the server refused once are asked for again for later gaps`() async throws {
        let isRefused = Mutex(true)
        let server = try ScriptedREST { _ in
            if isRefused.withLock({ $0 }) { return (403, "{}") }
            return (200, #"{"status":"OK","results":[]}"#)
        }
        let (workspace, buffer) = try TickBuffer.scratch()
        var configuration = BackfillService.Configuration()
        configuration.settleTime = .zero
        configuration.reach = .seconds(1_000_000_000)
        configuration.refusedPause = .zero
        let service = BackfillService(
            configuration: configuration, client: try AggregatesClient.local(server.port), buffer: buffer,
            logger: .quiet)
        let running = Task { try await service.run() }
        @Sendable func states() throws -> [GapState] { try GapLog.read(directory: workspace.path).map(\.state) }
        buffer.record(gap([.trade], connection: "a"))
        try await Waiting.until("the refusal") { try states() == [.unfillable] }
        isRefused.withLock { $0 = false }
        buffer.record(gap([.trade], connection: "b"))
        try await Waiting.until("the answer") { try states().count == 2 && !states().contains(.open) }
        #expect(try states() == [.unfillable, .empty])
        running.cancel()
        try await running.value
        await buffer.close()
    }

    @Test func `a gap of which bars came and trades did not is partial, and says what is missing`() {
        func verdict(_ events: [EventKind], _ access: TickAccess, settled: [EventKind: Set<Symbol>] = [:]) -> GapState {
            let record = GapRecord(
                id: 1, gap: gap(events), state: .open, detail: nil, rows: 0, recorded: 0, settled: settled)
            return FillVerdict.of(
                record, .init(done: 1, total: 1, rows: 5, present: 0), TickFiller.Outcome(), access, asked: 0
            ).state
        }
        let refused = TickAccess(kinds: [], refusals: [.trade: "the rows are gone"])
        #expect(verdict([.minuteBar, .trade], .all) == .filled)
        #expect(verdict([.minuteBar, .trade], refused) == .partial)
        #expect(verdict([.minuteBar, .limitBand], .all) == .partial)
        #expect(verdict([.trade], refused) == .unfillable)
        // They were fetched the last time.
        #expect(verdict([.minuteBar, .trade], refused, settled: [.trade: Set(symbols)]) == .filled)
    }

    @Test func `a gap of everything asks for the symbols of the universes too, and says how many they were`()
        async throws
    {
        let workspace = try Workspace()
        let mirror = try UniverseMirror.open(directory: workspace.path, access: .readWrite)
        try mirror.apply([
            GroupChange(definition: .init(name: "some", type: .custom), members: [MemberRecord(symbol: "IBM")])
        ])
        let buffer = try TickBuffer.scratch(in: workspace.path)
        var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
        batch.trades = [Trade(symbol: symbols[0], time: plan.start, price: 1, size: 1)]
        #expect(buffer.offer(batch) == .accepted)
        var all = gap([.trade])
        all.symbols = []
        buffer.record(all)
        try await buffer.flush()
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[]}"#) }
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: buffer)
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        #expect(try await filler.fill(record) == .empty)
        #expect(server.requests.count == 2 && server.requests.contains { $0.contains("/trades/IBM") })
        let detail = try GapLog.read(directory: workspace.path).first?.detail
        #expect(detail == "nothing was traded; asked for 2 symbols of the last day and of the universes")
        await client.shutdown()
        await buffer.close()
    }

    @Test func `a gap of everything is partial if only a sample of the file's day was searched for symbols`()
        async throws
    {
        let (workspace, buffer) = try TickBuffer.scratch()
        for symbol in symbols {
            var batch = EventBatch(connection: "primary", receivedMicroseconds: WallClock.microseconds())
            batch.trades = [Trade(symbol: symbol, time: plan.start, price: 1, size: 1)]
            #expect(buffer.offer(batch) == .accepted)
        }
        var all = gap([.trade])
        all.symbols = []
        buffer.record(all)
        try await buffer.flush()
        // As if millions of rows had come between the two.
        try await Blocking.run {
            _ = try Command.sqlite(
                workspace.file("ticks.sqlite"), "UPDATE trades SET seq = 5000000 WHERE symbol = '\(symbols[1])'")
        }
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[]}"#) }
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: buffer)
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        #expect(try await filler.fill(record) == .partial)
        #expect(server.requests.count == 1)
        let detail = try GapLog.read(directory: workspace.path).first?.detail
        #expect(detail?.contains("asked for 1 symbol of the last day") == true)
        #expect(detail?.contains("the file has too many rows a day to look through all of them") == true)
        await client.shutdown()
        await buffer.close()
    }

    @Test func `a trade that can't be read leaves every gap that has its time partial, until it can be`() async throws {
        let isOdd = Mutex(true)
        let server = try ScriptedREST { _ in
            let prices = [#"1"#, isOdd.withLock { $0 } ? #""free""# : "2", "3"]
            let trades = prices.enumerated().map { index, price in
                #"{"sip_timestamp":\#(plan.start + 100)000000,"price":\#(price),"size":2,"id":"\#(index)","sequence_number":\#(index)}"#
            }
            return (200, #"{"status":"OK","results":[\#(trades.joined(separator: ","))]}"#)
        }
        let (workspace, buffer) = try TickBuffer.scratch()
        for connection in ["primary", "secondary"] {
            var only = gap([.trade], connection: connection)
            only.symbols = [symbols[0]]
            buffer.record(only)
        }
        try await buffer.flush()
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: buffer)
        for record in try GapLog.read(directory: workspace.path) { #expect(try await filler.fill(record) == .partial) }
        #expect(server.requests.count == 1)
        let partial = try GapLog.read(directory: workspace.path, fills: .all)
        #expect(partial.map(\.state) == [.partial, .partial] && partial.allSatisfy(\.lacksTicks))
        #expect(partial.allSatisfy { $0.detail?.contains("trades that the REST server sent can't be read") == true })

        isOdd.withLock { $0 = false }
        filler = GapFiller(client: client, buffer: buffer)
        for record in partial { #expect(try await filler.fill(record) == .filled) }
        let (batch, _) = try await buffer.read(.trades, after: 0, through: .max, limit: 10)
        #expect(batch.trades.compactMap { $0.event.tradeID.map { batch.text[$0] } }.sorted() == ["0", "1", "2"])
        await client.shutdown()
        await buffer.close()
    }

    @Test(arguments: ["", "000"])
    func `trades whose times are in another unit are not taken for none`(zeros: String) async throws {
        let trade = #"{"sip_timestamp":\#(plan.start + 100)\#(zeros),"price":1,"size":2,"id":"1","sequence_number":1}"#
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[\#(trade)]}"#) }
        let (workspace, buffer) = try TickBuffer.scratch()
        try await recordOnly(gap([.trade]), in: buffer)
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: buffer)
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        #expect(try await filler.fill(record) == .partial)
        let partial = try #require(try GapLog.read(directory: workspace.path, fills: .all).first)
        #expect(partial.state == .partial && partial.lacksTicks)
        await client.shutdown()
        await buffer.close()
    }

    @Test func `a trade that the tape has withdrawn is left out and counted`() async throws {
        let trades = [0, 1, 8, 10, 7].enumerated().map { index, correction in
            #"{"sip_timestamp":\#(plan.start + 100)000000,"price":1,"size":2,"id":\#(index),"sequence_number":\#(index),"correction":\#(correction)}"#
        }
        let server = try ScriptedREST { _ in (200, #"{"status":"OK","results":[\#(trades.joined(separator: ","))]}"#) }
        let (workspace, buffer) = try TickBuffer.scratch()
        try await recordOnly(gap([.trade]), in: buffer)
        let client = try AggregatesClient.local(server.port)
        var filler = GapFiller(client: client, buffer: buffer)
        let record = try #require(try GapLog.read(directory: workspace.path).first)
        #expect(try await filler.fill(record) == .filled)
        #expect(server.requests.first?.contains("order=asc&limit=50000") == true)
        let (batch, _) = try await buffer.read(.trades, after: 0, through: .max, limit: 10)
        #expect(batch.trades.map { $0.event.tradeID.map { batch.text[$0] } } == ["0", "1"])
        let detail = try GapLog.read(directory: workspace.path).first?.detail
        #expect(detail == "2 trades and quotes; 3 cancelled or wrong trades left out")
        await client.shutdown()
        await buffer.close()
    }
}
